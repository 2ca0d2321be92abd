"""The addresses that a page links to: the same filter on other pages, other filters on this one, CSV."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from urllib.parse import quote

from analytics.web.comparing import COMPARE
from analytics.web.context import LANGUAGE, address
from analytics.web.csvs import SHEET
from analytics.web.filters import NAMES, SEGMENT
from analytics.web.options import Args
from analytics.web.page import DashboardPage


class PageLinks:
    """The links of a page that was asked for with ``args``.

    Args:
        frozen: the only address that the reader may go to; "": any.
    """

    def __init__(self, page: DashboardPage, args: Args, frozen: str) -> None:
        self._page = page
        self._args = args
        self._frozen = frozen

    @property
    def filter(self) -> Args:
        """The arguments that every page understands."""
        return {name: self._args[name] for name in (*NAMES, COMPARE, LANGUAGE) if name in self._args}

    def page(self, other: DashboardPage) -> str:
        """Return another page's address with the same filter, in the same language."""
        return self._to(other.path, self.filter, {} if other.has_segments else {SEGMENT: ""})

    def csv(self, table: str) -> str:
        """Return the address of a table's CSV."""
        changed = {"page": "", LANGUAGE: "", COMPARE: "", SHEET: "1"}
        return self._to(f"/api/v1/{quote(self._page.name)}/{table}.csv", self._args, changed)

    def accts(self, name: str) -> str:
        """Return the address of a list of accts."""
        return self._to(
            f"/api/v1/accts/{name}.csv", self.filter, {LANGUAGE: "", COMPARE: "", SHEET: "1", SEGMENT: ""}
        )

    def option(self, **changed: str) -> str:
        """Return the page's address with other options."""
        return self._to(self._page.path, self._args, changed)

    def last_days(self, last: date) -> Callable[[int], str]:
        """Return what gives the page's address with so many days up to ``last``."""
        return lambda days: self.option(**{"from": str(last - timedelta(days=days - 1)), "to": str(last)})

    @property
    def unfiltered(self) -> str:
        """The page's address without a filter."""
        return self.option(**dict.fromkeys((*NAMES, COMPARE), ""))

    @property
    def area(self) -> Callable[[str], str]:
        """What gives the address of an area's overview with the same filter."""
        if self._frozen:
            return lambda area: self._frozen
        others = {name: value for name, value in self.filter.items() if name != "area"}
        begin = address("/", others, {"area": "-"}).removesuffix("-")
        return lambda area: begin + quote(area)

    def saved(self, of: DashboardPage, query: Mapping[str, str]) -> str:
        """Return the address of a saved view."""
        language = {LANGUAGE: self._args[LANGUAGE]} if LANGUAGE in self._args else {}
        return self._to(of.path, language, query)

    def _to(self, path: str, args: Args, changed: Mapping[str, str]) -> str:
        return self._frozen or address(path, args, changed)
