"""How the pages are looked at in a browser: at which widths, in which themes and languages."""

from collections.abc import Sequence

from forms import LONG, THOROUGH

from analytics.web.translation import LANGUAGES

SHORT_FORM = {1280: "en", 400: "zh"}
"""By the width of a window, in which language it is tested as a whole where not in all, and in which nothing may overlap there."""

WIDTHS = (360, 400, 768, 1024, 1280, 1920) if THOROUGH else (360, 1024)
"""The widths at which nothing may overlap."""

THEMES = {1280: "light", 400: "dark"}
LIKE_OTHERS = (
    "online",
    "payers",
    "economy",
    "progress",
    "games",
    "collections/pvp_hours",
    "collections/pvp_accts",
)
"""Pages of the same parts as others: they are looked at where there is time."""

AT_ALL_WIDTHS = "funnels"
"""The page whose chart changes with the width."""


def languages_at(width: int, name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return in which languages a page is tested as a whole: where there is little time, pages take turns with the widths."""
    if LONG:
        return tuple(LANGUAGES)
    if not THOROUGH and name in LIKE_OTHERS:
        return ()
    turn = list(THEMES)[names.index(name) % len(THEMES)] == width
    return (SHORT_FORM[width],) if THOROUGH or turn or name == AT_ALL_WIDTHS else ()


def languages_of(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return in which languages nothing may overlap on a page: where there is little time, pages take turns with these."""
    if not THOROUGH and name in LIKE_OTHERS:
        return ()
    return tuple(LANGUAGES) if THOROUGH else (list(LANGUAGES)[names.index(name) % len(LANGUAGES)],)
