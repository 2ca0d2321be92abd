"""Comparisons: the same page of another period, area, plat, united area or segment, whose numbers charts draw beside its own.

In an address it is ``compare=before``, ``compare=from:2026-03-01``, ``compare=area:s2``, ``compare=plat:2001``, ``compare=united:s1`` or
``compare=segment:channel:b``.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from analytics.web.answers import AnswerScope
from analytics.web.filters import SEGMENT, UNITED, BadFilter, day, one
from analytics.web.options import Args
from analytics.web.translation import TranslatableText, Translate

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
    if kind not in KINDS or bool(value) != (kind != "before"):
        raise BadFilter(
            "compare: expected before, from:2026-03-01, area:ID, plat:ID, united:ID or segment:NAME:VALUE, got {value}",
            value=text[:60],
        )
    changed, name = KINDS[kind](value, scope)
    texts = {"from": scope.first, "to": scope.last, "game": scope.game} | changed
    own = {key: values for key, values in without_comparison(args).items() if key not in texts}
    return Comparison({**own, **{key: [text] for key, text in texts.items() if text}}, name)


def _since(first: date, scope: AnswerScope) -> tuple[dict[str, str], TranslatableText]:
    days = date.fromisoformat(scope.last) - date.fromisoformat(scope.first)
    span = {"from": str(first), "to": str(first + days)}
    return span, TranslatableText("{first} – {last}", {"first": span["from"], "last": span["to"]})


def _before(value: str, scope: AnswerScope) -> tuple[dict[str, str], TranslatableText]:
    first, last = map(date.fromisoformat, (scope.first, scope.last))
    return _since(first - (last - first) - timedelta(days=1), scope)


def _from(value: str, scope: AnswerScope) -> tuple[dict[str, str], TranslatableText]:
    first = day({COMPARE: [value]}, COMPARE)
    assert first, "there is a value"
    return _since(first, scope)


def _area(value: str, scope: AnswerScope) -> tuple[dict[str, str], TranslatableText]:
    return {"area": value, "plat": "", UNITED: ""}, TranslatableText("area {value}", {"value": value})


def _plat(value: str, scope: AnswerScope) -> tuple[dict[str, str], TranslatableText]:
    return {"plat": value, "area": "", UNITED: ""}, TranslatableText("plat {value}", {"value": value})


def _united(value: str, scope: AnswerScope) -> tuple[dict[str, str], TranslatableText]:
    return {UNITED: value, "plat": "", "area": ""}, TranslatableText("merged areas {value}", {"value": value})


def _segment(value: str, scope: AnswerScope) -> tuple[dict[str, str], TranslatableText]:
    return {SEGMENT: value}, TranslatableText("segment {value}", {"value": value})


KINDS: dict[str, Callable[[str, AnswerScope], tuple[dict[str, str], TranslatableText]]] = {
    "before": _before, "from": _from, "area": _area, "plat": _plat, UNITED: _united, "segment": _segment,
}  # fmt: skip


def called(found: Comparison | None, t: Translate) -> str:
    """Return what readers call a comparison; "" for none."""
    return found.name.translated(t) if found else ""
