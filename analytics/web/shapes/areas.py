"""The page *areas*: every game server in a row."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analytics.web.shapes.common import Final, Money, View

Sort = Literal["area", "plat", "opened", "open_day", "dau", "reg", "payers", "revenue", "arppu"]


class AreaRow(msgspec.Struct, frozen=True):
    """One area. Its numbers are of the last day of the scope; its sparklines have every day of the scope, in order.

    Days are those of the area's own time zone.
    """

    area: str
    game: str
    plat: str
    server_name: Annotated[
        str, Meta(description='what its own logs call it, "" where the configuration does not say')
    ]
    timezone: str
    opened: Annotated[
        str | None, Meta(description="the day of its earliest record, YYYY-MM-DD; null while there is none")
    ]
    open_day: Annotated[
        int | None, Meta(description="days since then, 0 on that day; null while it has not opened")
    ]
    dau: Annotated[int, Meta(description="accts that logged in on the last day of the scope")]
    dau_before: Annotated[int, Meta(description="accts that logged in on the day before")]
    change: Annotated[
        float | None, Meta(description="percent by which `dau` is above `dau_before`; null where that is 0")
    ]
    reg: Annotated[int, Meta(description="accts that signed up on the last day of the scope")]
    payers: Annotated[int, Meta(description="accts that paid on the last day of the scope")]
    revenue: Annotated[Money, Meta(description="currency units: what they paid that day")]
    arppu: Annotated[Money, Meta(description="currency units an acct: revenue ÷ payers, four decimals")]
    final: Final
    dau_days: Annotated[list[int], Meta(description="accts that logged in, for each day of the scope")]
    revenue_days: Annotated[list[Money], Meta(description="currency units paid, for each day of the scope")]


class Areas(View, frozen=True, kw_only=True):
    """The page *areas*: one page of the table. The CSV has all areas."""

    days: Annotated[list[str], Meta(description="the days of the sparklines, YYYY-MM-DD")]
    rows: list[AreaRow]
    found: Annotated[int, Meta(description="areas that the search and the filter leave")]
    page: Annotated[int, Meta(description="this page, from 1")]
    pages: Annotated[int, Meta(description="how many pages there are, at least 1")]
    size: Annotated[int, Meta(description="rows a page")]
    sort: Annotated[Sort, Meta(description="the column by which rows are sorted")]
    descending: bool
    search: Annotated[str, Meta(description="rows whose area, plat or server name contains this")]
