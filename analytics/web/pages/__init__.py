"""All pages of the dashboard, one file each, in the order of the menu. A new page is a file here and a line below."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from analytics.web import acct_lists
from analytics.web.csvs import Row
from analytics.web.data import Data
from analytics.web.options import Args
from analytics.web.page import DashboardPage
from analytics.web.pages import (
    access,
    annotations,
    areas,
    collections,
    economy,
    funnels,
    games,
    live,
    online,
    overview,
    payers,
    payment,
    progress,
    retention,
    system,
    views,
)

PAGES: tuple[DashboardPage, ...] = (
    overview.PAGE,
    retention.PAGE,
    online.PAGE,
    funnels.PAGE,
    payment.PAGE,
    payers.PAGE,
    economy.PAGE,
    progress.PAGE,
    areas.PAGE,
    games.PAGE,
    annotations.PAGE,
    views.PAGE,
    live.PAGE,
    system.PAGE,
    access.PAGE,
    collections.PAGE,
)
BY_NAME = {page.name: page for page in PAGES}
CSVS: Mapping[tuple[str, str], Callable[[Data, Args], Iterator[Row]]] = {
    (page.name, name): partial(page.csv, name) for page in PAGES for name in page.csv_names
} | {("accts", name): partial(acct_lists.rows, name) for name in acct_lists.LISTS}
"""The rows of every CSV, headings first, by page and table."""
