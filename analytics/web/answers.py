"""What all answers have in common: their areas, days and time zone, how accts were counted, and what fields mean."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

T = TypeVar("T", bound=msgspec.Struct)
Basis = Literal["area", "united", "plat", "game", "sum"]


def means(description: str, label: str = "", kind: str = "") -> Meta:
    """Return the definition of a field, its heading in tables, and how its values are shown there."""
    return Meta(description=description, extra={"label": label, "kind": kind})


def labelled(label: str, kind: str = "") -> Meta:
    """Return the heading of a field whose name says what it means."""
    return Meta(extra={"label": label, "kind": kind})


Percent = Annotated[float, labelled("", "percent")]
"""0 to 100 and beyond, two decimals."""

Quotient = Annotated[float, labelled("", "quotient")]
Change = Annotated[float, labelled("", "change")]
"""Percent by which a number is above another, one decimal."""

Money = Annotated[float, labelled("", "money")]
"""Currency units; whole amounts are written without decimals."""

PerHead = Money
"""Currency units an acct, four decimals."""

RowName = Annotated[int, labelled("", "text")]
"""A number that names something, as an id does."""

Date = Annotated[
    str, means("A calendar day, written YYYY-MM-DD, in the time zone that the page names.", "Day", "day")
]
Final = Annotated[
    bool,
    Meta(
        description="whether the period, and every day that these numbers look at, has ended; see docs/metrics.md"
    ),
]


class AnswerScope(msgspec.Struct, frozen=True):
    """The areas and days of an answer, with every default filled in."""

    game: str
    plat: Annotated[str, Meta(description='the plat whose areas are looked at, "" for all')]
    areas: Annotated[list[str], Meta(description="the areas asked for, empty for all of the game or plat")]
    area_count: Annotated[int, Meta(description="how many areas that are")]
    basis: Annotated[
        Basis,
        Meta(
            description='how accts are counted. "area": distinct in the one area. "united", "plat", "game": distinct '
            'over all areas of the united area, plat or game. "sum": added up over areas, so an acct that plays in two of them counts twice'
        ),
    ]
    timezone: Annotated[str, Meta(description="the zone in which days and hours begin: the area's, else the game's")]  # fmt: skip
    timezones: Annotated[
        list[str],
        Meta(
            description="all zones that the areas live in; where there are several, a day is each area's own day of that "
            "date, and an hour is one of the zone that `timezone` names"
        ),
    ]
    first: Annotated[str, Meta(description="the first day looked at, YYYY-MM-DD")]
    last: Annotated[str, Meta(description="the last day looked at, included, YYYY-MM-DD")]
    today: Annotated[str, Meta(description="the present day in that zone, YYYY-MM-DD")]
    newest: Annotated[str | None, Meta(description="the newest day of which there are records; null: there are none")]  # fmt: skip
    segment: Annotated[
        str, Meta(description='the segment by whose `value` accts are chosen, "" for all accts')
    ] = ""
    value: Annotated[
        str, Meta(description='the value that these accts have, "" for all accts; see docs/metrics.md')
    ] = ""
    excluded: Annotated[
        int,
        Meta(
            description="the most accts that were excluded on one day, each counted once in each area; see [games.*.excluded]"
        ),
    ] = 0
    dropped: Annotated[
        dict[str, str],
        Meta(
            description="collections whose documents of the first days are no longer kept, each with the first day that is; see [documents]"
        ),
    ] = {}
    united: Annotated[
        str, Meta(description='the area that is looked at with all that were merged into it, "" for none')
    ] = ""


class PageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The first fields of the answer of every page but ``system``."""

    scope: AnswerScope
    at: Annotated[float, Meta(description="when the oldest of these numbers was read, in Unix seconds")]


def filled(kind: type[T], source: object, /, **own: object) -> T:
    """Return a Struct with the fields ``own``, and the others as the attributes of ``source`` that are named like them."""
    others = {name: getattr(source, name) for name in kind.__struct_fields__ if name not in own}
    return kind(**own, **others)


def definition(struct: type[msgspec.Struct], field: str) -> str:
    """Return the definition of a field; "" if its name says all."""
    return next((meta.description for meta in _metas(struct, field) if meta.description), "")


def heading(struct: type[msgspec.Struct], field: str) -> tuple[str, str]:
    """Return a field's heading in tables, and how its values are shown."""
    metas = list(_metas(struct, field))
    label, kind = (
        next((meta.extra[key] for meta in metas if meta.extra and meta.extra[key]), "")
        for key in ("label", "kind")
    )
    return label, kind or ("text" if get_type_hints(struct)[field] is str else "count")


def _metas(struct: type[msgspec.Struct], field: str) -> Iterator[Meta]:
    """Yield what is said of a field's type: first of the field itself, then of the types that it is made of."""
    yield from _within(get_type_hints(struct, include_extras=True)[field])


def _within(hint: Any) -> Iterator[Meta]:
    yield from (one for one in reversed(getattr(hint, "__metadata__", ())) if isinstance(one, Meta))
    for part in get_args(hint.__origin__ if get_origin(hint) is Annotated else hint):
        yield from _within(part)
