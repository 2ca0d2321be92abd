"""The pages of the dashboard that every configuration has, by name, and their CSVs by page and table."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from analytics.web import acct_lists
from analytics.web.csvs import Row
from analytics.web.data import Data
from analytics.web.options import Args
from analytics.web.pages import PAGES

BY_NAME = {page.name: page for page in PAGES}
CSVS: Mapping[tuple[str, str], Callable[[Data, Args], Iterator[Row]]] = {
    (page.name, name): partial(page.csv, name) for page in PAGES for name in page.csv_names
} | {("accts", name): partial(acct_lists.rows, name) for name in acct_lists.LISTS}
"""What yields the rows of each, headings first."""
