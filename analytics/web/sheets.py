"""The tables of pages as CSV, streamed row by row."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from analytics.web.asking import Given, view_of
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.views import economy, payment, system

ALL = 1_000_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
ROWS = {
    "overview": ("days", "hours"),
    "retention": ("cohorts", "average"),
    "payment": ("days", "ltv", "top"),
    "economy": ("days", "hours", "reasons", "items"),
    "progress": ("quests", "dungeons", "levels"),
    "areas": ("areas",),
    "system": ("rejected", "journals"),
}
"""The tables of each page, which are lists of its view."""


WHOLE: dict[tuple[str, str], Callable[[Data, Given], Iterable[Any]]] = {
    ("payment", "top"): lambda data, given: payment.top(data, data.place(Filters.parse(given)), ALL),
    ("economy", "items"): lambda data, given: economy.items(Look(data, data.place(Filters.parse(given)))),
    ("system", "rejected"): lambda data, given: system.rejected(data),
    ("system", "journals"): lambda data, given: system.journals(data.config.data),
}
"""Tables of which a page shows the first rows only: what gives all of them."""


def sheet(page: str, table: str, data: Data, given: Given) -> Iterator[str]:
    """Yield the lines of a table as CSV, its heading first."""
    if whole := WHOLE.get((page, table)):
        return _lines(_flat(table, whole(data, given)))
    view = view_of(page, data, given, ALL)
    return _lines(_flat(table, getattr(view, "rows" if table == "areas" else table)))


def _flat(table: str, rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield rows of plain values: a cohort is a row for each of its days."""
    for row in rows:
        plain = msgspec.structs.asdict(row)
        lists = {name: value for name, value in plain.items() if isinstance(value, list)}
        head = {name: value for name, value in plain.items() if name not in lists}
        if table not in ("cohorts", "ltv"):
            yield head
            continue
        for cell in next(iter(lists.values())):
            inner = msgspec.structs.asdict(cell)
            yield head | {f"cell_{name}" if name in head else name: value for name, value in inner.items()}


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    first = True
    for row in rows:
        text = io.StringIO()
        writer = csv.writer(text)
        if first:
            writer.writerow(row)
            first = False
        writer.writerow([_safe(value) for value in row.values()])
        yield text.getvalue()


def _safe(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
