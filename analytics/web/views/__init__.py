"""The numbers of each page: functions from the data and a filter to a Struct of :mod:`analytics.web.shapes`."""

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import msgspec

from analytics.web import shapes
from analytics.web.data import Data
from analytics.web.filters import Filters, choice, number, one
from analytics.web.shapes.areas import Sort
from analytics.web.shapes.retention import Axis, Of
from analytics.web.views import areas, economy, overview, payment, progress, retention, system

Given = Mapping[str, Sequence[str]]
View = Callable[[Data, Given], msgspec.Struct]

MOST_SIZE = 1000
MOST_PAGE = 1_000_000
ORDERS = ("asc", "desc")
OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "retention": {"of": get_args(Of), "axis": get_args(Axis)},
    "areas": {"sort": get_args(Sort), "order": ORDERS, "search": (), "page": (), "size": ()},
}
"""What a page takes beside the filter, and what that may be; (): a text or number that it checks itself."""


def _overview(data: Data, given: Given) -> shapes.Overview:
    return overview.view(data, Filters.parse(given))


def _retention(data: Data, given: Given) -> shapes.Retention:
    return retention.view(data, Filters.parse(given, OPTIONS["retention"]), *retention_options(given))


def _payment(data: Data, given: Given) -> shapes.Payment:
    return payment.view(data, Filters.parse(given))


def _economy(data: Data, given: Given) -> shapes.Economy:
    return economy.view(data, Filters.parse(given))


def _progress(data: Data, given: Given) -> shapes.Progress:
    return progress.view(data, Filters.parse(given))


def _areas(data: Data, given: Given) -> shapes.Areas:
    filters = Filters.parse(given, OPTIONS["areas"])
    page = number(given, "page", 1, 1, MOST_PAGE)
    size = number(given, "size", areas.SIZE, 1, MOST_SIZE)
    return areas.view(data, filters, *area_options(given), page, size)


def _system(data: Data, given: Given) -> shapes.System:
    Filters.parse(given)
    return system.view(data)


def retention_options(given: Given) -> tuple[Of, Axis]:
    """Return of what the cohorts are, and what the rows are."""
    of = choice(given, "of", get_args(Of), "login")
    axis = choice(given, "axis", get_args(Axis), "day")
    return of, axis  # type: ignore[return-value]


def area_options(given: Given) -> tuple[Sort, bool, str]:
    """Return by what areas are sorted, whether downwards, and what is searched for."""
    sort = choice(given, "sort", get_args(Sort), "dau")
    return sort, choice(given, "order", ORDERS, "desc") == "desc", one(given, "search")  # type: ignore[return-value]


VIEWS: dict[str, View] = {
    "overview": _overview,
    "retention": _retention,
    "payment": _payment,
    "economy": _economy,
    "progress": _progress,
    "areas": _areas,
    "system": _system,
}
