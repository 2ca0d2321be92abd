"""Comparisons: the same page of another period, area, plat, united area or segment, whose numbers charts draw beside its own.

In an address it is ``compare=before``, ``compare=from:2026-03-01``, ``compare=area:s2``, ``compare=plat:2001``, ``compare=united:s1`` or
``compare=segment:channel:b``.
"""

from datetime import date, timedelta
from typing import NamedTuple

from analytics.web.answers import AnswerScope
from analytics.web.filters import SEGMENT, UNITED, BadFilter, day, one
from analytics.web.options import Args
from analytics.web.translation import TranslatableText, Translate, msg

COMPARE = "compare"


class Comparison(NamedTuple):
    """What is compared with: the query string of the other answer, and what readers call it."""

    args: Args
    name: TranslatableText


def without_comparison(args: Args) -> Args:
    """Return the query string of the page itself."""
    return {name: values for name, values in args.items() if name != COMPARE}


def comparison(args: Args, scope: AnswerScope) -> Comparison | None:
    """Return what a page of this scope is compared with, None if with nothing.

    Raises:
        BadFilter: it is none of the above. Whether there is such an area or value, reading the other answer shows.
    """
    text = one(args, COMPARE)
    if not text:
        return None
    kind, _, value = text.partition(":")
    if kind not in ("before", "from", *CHOSEN) or bool(value) != (kind != "before"):
        raise BadFilter(
            "compare: expected before, from:2026-03-01, area:ID, plat:ID, united:ID or segment:NAME:VALUE, got {value}",
            value=text[:60],
        )
    if kind in CHOSEN:
        title, others = CHOSEN[kind]
        changed = {kind: value, **dict.fromkeys(others, "")}
        name = TranslatableText(title, {"value": value})
    else:
        changed = _days(value, scope)
        name = TranslatableText("{first} – {last}", {"first": changed["from"], "last": changed["to"]})
    texts = {"from": scope.first, "to": scope.last, "game": scope.game} | changed
    own = {key: values for key, values in without_comparison(args).items() if key not in texts}
    return Comparison({**own, **{key: [text] for key, text in texts.items() if text}}, name)


CHOSEN = {
    "area": (msg("area {value}"), ("plat", UNITED)),
    "plat": (msg("plat {value}"), ("area", UNITED)),
    UNITED: (msg("merged areas {value}"), ("plat", "area")),
    SEGMENT: (msg("segment {value}"), ()),
}
"""What a comparison may choose instead: what readers call it, and which other choices it replaces."""


def _days(value: str, scope: AnswerScope) -> dict[str, str]:
    """Return as many days as the scope has, from a day on; without one, those before the scope."""
    begin, end = map(date.fromisoformat, (scope.first, scope.last))
    first = day({COMPARE: [value]}, COMPARE) or begin - (end - begin) - timedelta(days=1)
    return {"from": str(first), "to": str(first + (end - begin))}


def called(found: Comparison | None, t: Translate) -> str:
    """Return what readers call a comparison; "" for none."""
    return found.name.translated(t) if found else ""
