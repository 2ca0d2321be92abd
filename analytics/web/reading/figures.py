"""The day in figures, as overview and payment show it: of an area or a whole game as stored, else added up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from analytics.core.rates import ratio
from analytics.web.area_table import AreaTable
from analytics.web.look import Look
from analytics.web.reading.arithmetic import a_head, money


@dataclass(frozen=True, slots=True)
class Figures:
    """One day of ``kpi``. What is not added up is computed from what is."""

    dau: int = 0
    wau: int = 0
    mau: int = 0
    payers: int = 0
    revenue: float = 0
    reg: int = 0
    new_payers: int = 0
    open_day: int | None = None

    @property
    def stickiness(self) -> float:
        return ratio(self.dau, self.mau)

    @property
    def pay_rate(self) -> float:
        return ratio(self.payers, self.dau)

    @property
    def new_pay_rate(self) -> float:
        return ratio(self.new_payers, self.reg)

    @property
    def arpu(self) -> float:
        return a_head(self.revenue, self.dau)

    @property
    def arppu(self) -> float:
        return a_head(self.revenue, self.payers)


NOTHING = Figures()
ADDED = tuple(field.name for field in fields(Figures) if field.name != "open_day")


def figures(look: Look) -> dict[date, Figures]:
    """Return the figures of each day of which there are any."""
    if look.place.basis != "sum":
        found = look.own("kpi", [*ADDED, "open_day"])
        return {day: of_document(document) for day, document in found.items()}
    return {day: of_row(table.sums()) for day, table in figures_by_area(look).items()}


def figures_by_area(look: Look, days: Sequence[date] | None = None) -> dict[date, AreaTable]:
    """Return, by day, the figures of each area in the order of ``ADDED``; :func:`of_row` reads them."""
    return look.tables("kpi", ADDED, lambda document: [document.get(name, 0) for name in ADDED], days)


def of_document(document: dict[str, Any]) -> Figures:
    """Return the figures of one document of ``kpi``."""
    return Figures(**{name: document.get(name, 0) for name in ADDED}, open_day=document.get("open_day"))


def of_row(numbers: Iterable[float]) -> Figures:
    """Return the figures of an area's row, or of the sums of many."""
    found: dict[str, float] = dict(zip(ADDED, map(float, numbers), strict=True))
    counts = {name: int(value) for name, value in found.items() if name != "revenue"}
    return Figures(**counts, revenue=money(found["revenue"]))
