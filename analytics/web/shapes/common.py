"""What every view says: of which areas and days it speaks, in which time zone, and how its accts were counted."""

from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

Basis = Literal["area", "game", "sum"]
Percent = float
"""0 to 100 and beyond, two decimals."""

Money = float
"""Currency units; whole amounts are written without decimals."""

Date = Annotated[str, Meta(description="a calendar day, YYYY-MM-DD, of the time zone that the scope names")]
Final = Annotated[
    bool,
    Meta(
        description="whether the period, and every day that these numbers look at, has ended; see docs/metrics.md"
    ),
]
Accts = Annotated[int, Meta(description="distinct accts")]


class Scope(msgspec.Struct, frozen=True):
    """Of what a view speaks, after defaults were filled in."""

    game: str
    plat: Annotated[str, Meta(description='the plat whose areas are looked at, "" for all')]
    areas: Annotated[list[str], Meta(description="the areas asked for, empty for all of the game or plat")]
    area_count: Annotated[int, Meta(description="how many areas that are")]
    basis: Annotated[
        Basis,
        Meta(
            description='how accts are counted. "area": distinct in the one area. "game": distinct over all areas of '
            'the game. "sum": added up over areas, so an acct that plays in two of them counts twice'
        ),
    ]
    timezone: Annotated[
        str, Meta(description="the zone in which days and hours begin: the area's, else the game's")
    ]
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
    newest: Annotated[
        str | None, Meta(description="the newest day of which there are records; null: there are none")
    ]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of every view but ``system``."""

    scope: Scope
    at: Annotated[float, Meta(description="when the oldest of these numbers was read, in Unix seconds")]


def definition(struct: type[msgspec.Struct], field: str) -> str:
    """Return what a field means, in words, with its unit; "" where its name says all."""
    kind = get_type_hints(struct, include_extras=True)[field]
    return next((text for text in _descriptions(kind) if text), "")


def _descriptions(kind: Any) -> list[str]:
    found = [part.description or "" for part in getattr(kind, "__metadata__", ()) if isinstance(part, Meta)]
    if get_origin(kind) is not Annotated:
        for argument in get_args(kind):
            found += _descriptions(argument)
    return found
