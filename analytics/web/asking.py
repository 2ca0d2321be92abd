"""From a query string to a view: one way for pages and tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from analytics.web import shapes
from analytics.web.data import Data
from analytics.web.filters import Filters, choice, number, one
from analytics.web.shapes.areas import Sort
from analytics.web.shapes.retention import Axis, Of
from analytics.web.views import areas, economy, overview, payment, progress, retention, system

Given = Mapping[str, Sequence[str]]
LARGEST_PAGE = 1_000_000
LONGEST_SEARCH = 100


def view_of(page: str, data: Data, given: Given, size: int = areas.SIZE) -> Any:
    """Return a page's view.

    Args:
        size: how many rows the table of areas has at most.

    Raises:
        BadFilter: the query string says what can't be.
    """
    if page == "system":
        Filters.parse(given)
        return system.view(data)
    if page == "retention":
        return _retention(data, given)
    if page == "areas":
        return _areas(data, given, size)
    return PLAIN[page](data, Filters.parse(given))


def _retention(data: Data, given: Given) -> shapes.Retention:
    of: Of = choice(given, "of", get_args(Of), "login")  # type: ignore[assignment]
    axis: Axis = choice(given, "axis", get_args(Axis), "day")  # type: ignore[assignment]
    return retention.view(data, Filters.parse(given, ("of", "axis")), of, axis)


def _areas(data: Data, given: Given, size: int) -> shapes.Areas:
    filters = Filters.parse(given, ("sort", "order", "search", "page"))
    sort: Sort = choice(given, "sort", get_args(Sort), "dau")  # type: ignore[assignment]
    descending = choice(given, "order", ("asc", "desc"), "desc") == "desc"
    search = one(given, "search")[:LONGEST_SEARCH]
    page = number(given, "page", 1, 1, LARGEST_PAGE)
    return areas.view(data, filters, sort, descending, search, page, size)


PLAIN: dict[str, Callable[[Data, Filters], Any]] = {
    "overview": overview.view,
    "payment": payment.view,
    "economy": economy.view,
    "progress": progress.view,
}
