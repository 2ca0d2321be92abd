"""What a reader of the dashboard looks at and with: for those who walk in the browser, and for those who judge what they met."""

from typing import Any

from forms import THOROUGH

SPAN = "game=dl&from=2026-03-20&to=2026-04-02"
SPAN_DAYS, LAST_DAY = 14, "2026-04-02"
USER, PASSWORD = "ann", "correct horse battery"

WALKS = ("theme", "place", "areas", "keyboard", "csv", "wrong", "away", "log-in")

NARROW = {"width": 400, "height": 800}
LOOKS: dict[str, dict[str, Any]] = {
    "light en": {"viewport": NARROW, "color_scheme": "light", "locale": "en"},
    "dark zh": {"viewport": NARROW, "color_scheme": "dark", "locale": "zh-CN"},
}
"""How readers see a page: by what the browser's context is made with."""


def looks_of(name: str) -> dict[str, dict[str, Any]]:
    """Return by what readers see what is in the way: all of them, or this one where there is little time."""
    return LOOKS if THOROUGH else {name: LOOKS[name]}
