"""Every page of a dashboard: those in :mod:`analytics.web.pages`, one for each bolt, and those of the configuration's numbers."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from analytics.web import acct_lists
from analytics.web.csvs import Row
from analytics.web.custom.bolt_page import bolt_page
from analytics.web.custom.numbers import numbers_pages, with_numbers
from analytics.web.data import Data
from analytics.web.options import Args
from analytics.web.page import DashboardPage
from analytics.web.pages import PAGES
from analytics.web.pages.collections import BUILT_IN
from analytics.web.pages.collections import PAGE as INDEX

MOST_IN_MENU = 6
"""Pages of own bolts in the menu; the page of all collections has the others."""


class PageSet:
    """The pages of what is shown.

    Attributes:
        by_name: all of them.
        menu: those that the menu has; ``custom``: those that it has at its end, under a heading of their own.
        csvs: by page and table, what yields its rows, headings first.
    """

    def __init__(self, data: Data) -> None:
        collections = [with_numbers(bolt_page(bolt), data.config) for bolt in data.bolts.values()]
        numbers = [*numbers_pages(data.config, data.bolts)]
        own = [page for page in collections if page.title not in BUILT_IN]
        self.menu = tuple(page for page in PAGES if page is not INDEX)
        self.custom = (*numbers, *own[:MOST_IN_MENU], INDEX)
        self.by_name = {page.name: page for page in (*PAGES, *collections, *numbers)}
        self.csvs: Mapping[tuple[str, str], Callable[[Data, Args], Iterator[Row]]] = {
            (page.name, name): partial(page.csv, name)
            for page in self.by_name.values()
            for name in page.csv_names
        } | {("accts", name): partial(acct_lists.rows, name) for name in acct_lists.LISTS}

    def is_current(self, entry: DashboardPage, shown: DashboardPage) -> bool:
        """Whether an entry of the menu stands for the page that is shown."""
        return entry is shown or (entry.name == shown.menu and shown not in self.custom)
