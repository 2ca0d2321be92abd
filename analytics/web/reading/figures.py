"""The day in figures, as overview and payment show it: of an area or a whole game as stored, else added up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from analytics.core.rates import ratio
from analytics.timers.rollup import AREA_FIELDS
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
ADDED = AREA_FIELDS


def figures(look: Look) -> dict[date, Figures]:
    """Return the figures of each day of which there are any."""
    if look.place.basis != "sum":
        return {day: of_document(one) for day, one in look.own("kpi", [*ADDED, "open_day"]).items()}
    return {day: of_row(sums) for day, sums in look.by_day("kpi", ADDED).items()}


def of_document(document: dict[str, Any]) -> Figures:
    """Return the figures of one document of ``kpi``."""
    return Figures(**{name: document.get(name, 0) for name in ADDED}, open_day=document.get("open_day"))


def of_row(numbers: Iterable[float]) -> Figures:
    """Return the figures of an area, or of the sums of many, given in the order of ``ADDED``."""
    found: dict[str, float] = dict(zip(ADDED, map(float, numbers), strict=True))
    counts = {name: int(value) for name, value in found.items() if name != "revenue"}
    return Figures(**counts, revenue=money(found["revenue"]))
