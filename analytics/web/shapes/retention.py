"""The page *retention*: which part of a day's new accts came back, day by day."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analytics.web.shapes.common import Date, Final, Percent, View

Of = Literal["login", "payment"]
Axis = Literal["day", "open_day"]


class Cell(msgspec.Struct, frozen=True):
    """One cohort on one day after its own."""

    n: Annotated[int, Meta(description="days after the cohort's day, 1 to 30")]
    count: Annotated[int, Meta(description="accts: those of the cohort that came back on exactly that day")]
    size: Annotated[
        int,
        Meta(
            description="accts: of how many. The size of the cohort; where a row is of several areas' days, only those are "
            "in it whose n-th day has begun"
        ),
    ]
    rate: Annotated[Percent, Meta(description="percent: 100 × count ÷ size, two decimals")]
    final: Annotated[bool, Meta(description="whether that day has ended; until then the number still grows")]


class Cohort(msgspec.Struct, frozen=True):
    """A row of the triangle: the accts of one day, or of one day since the opening."""

    day: Annotated[
        Date | None,
        Meta(description="the day of sign-up or first payment; null where `open_day` names the row"),
    ]
    open_day: Annotated[
        int | None, Meta(description="days since the area (or game) opened, 0 on its first; null: unknown")
    ]
    size: Annotated[int, Meta(description="accts: who signed up (or first paid) that day")]
    cells: Annotated[list[Cell], Meta(description="the days after that have begun, in order")]
    final: Final


class Average(msgspec.Struct, frozen=True):
    """A cell of the last row: all cohorts whose n-th day has ended, weighted by their size."""

    n: int
    count: Annotated[
        int, Meta(description="accts: of all these cohorts, who came back on the n-th day after")
    ]
    size: Annotated[int, Meta(description="accts: the size of these cohorts together")]
    rate: Annotated[Percent, Meta(description="percent: 100 × count ÷ size, two decimals")]


class Retention(View, frozen=True, kw_only=True):
    """The page *retention*. ``cohorts`` has a row for each day of the scope that has a cohort."""

    of: Annotated[
        Of,
        Meta(
            description='"login": of who signed up on a day, who logged in on the n-th day after. "payment": of who '
            "first paid on a day, who paid on the n-th day after"
        ),
    ]
    axis: Annotated[
        Axis,
        Meta(description='what rows are: "day", days of the calendar; "open_day", days since the opening'),
    ]
    cohorts: list[Cohort]
    average: Annotated[list[Average], Meta(description="by n; only n with a cohort whose n-th day has ended")]
