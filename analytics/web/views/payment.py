"""*Payment*: what was paid, by how many, and what a cohort is worth."""

import math
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.core.areas import Area
from analytics.core.periods import Zone
from analytics.store.reading import Query
from analytics.timers.ltv import THROUGH
from analytics.web.area_table import AreaTable
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.place import Place, date_of, start_of
from analytics.web.shapes import Acct, LtvAverage, LtvCohort, LtvPoint, PayDay, Payment
from analytics.web.views.figures import NOTHING, figures
from analytics.web.views.numbers import money

TOP = 20
LAST_DAY = 90
_THROUGH = tuple(map(str, THROUGH))
FLOORS = (10_000, 3_000, 1_000, 300, 100, 30, 10, 3, 1, 0.01)
"""Amounts to look for the top accts above: the first of these that enough accts have paid."""

ACCT_FIELDS = (
    "acct", "area", "plat", "pay_amout", "pay_count", "pay_days", "first_pay", "last_pay", "rest_yuanbao",
    "used_yuanbao",
)  # fmt: skip


def view(data: Data, filters: Filters) -> Payment:
    """Return the page's numbers."""
    look = Look(data, data.place(filters))
    by_day = figures(look)
    days = []
    for day in look.place.days():
        one = by_day.get(day, NOTHING)
        days.append(
            PayDay(
                str(day),
                start_of(look.place.local, day),
                one.revenue,
                one.payers,
                one.dau,
                one.pay_rate,
                one.arpu,
                one.arppu,
                one.reg,
                one.new_payers,
                one.new_pay_rate,
                look.place.ended(day),
            )
        )
    cohorts = list(ltv(look))
    return Payment(
        scope=look.place.scope(),
        at=look.at,
        days=days,
        total=money(sum(day.revenue for day in days)),
        ltv=cohorts,
        ltv_average=list(_average(cohorts)),
        top=top(look),
    )


def ltv(look: Look) -> Iterator[LtvCohort]:
    """Yield the curve of each day with sign-ups."""
    place = look.place
    if place.basis != "sum":
        found = look.own("ltv", ["reg", "ltv"])
        curves = {
            day: (one["reg"], {int(n): value for n, value in one["ltv"].items()})
            for day, one in found.items()
        }
    else:
        tables = look.tables("ltv", ["reg", "ltv"], _ltv_row)
        curves = {day: _added(table) for day, table in tables.items()}
    for day, (size, values) in sorted(curves.items()):
        if size:
            points = [LtvPoint(n, money4(values[n])) for n in sorted(values)]
            yield LtvCohort(str(day), size, points, final=_has_ended(place, day, LAST_DAY))


def _ltv_row(document: dict[str, Any]) -> list[float]:
    return [document["reg"], *(document["ltv"].get(n, math.nan) for n in _THROUGH)]


def _added(table: AreaTable) -> tuple[int, dict[int, float]]:
    """Return the size of all areas' cohorts of a day together, and what a head of those whose n-th day has come paid by it."""
    sizes, values = table.numbers[:, :1], table.numbers[:, 1:]
    curve = {n: round(value, 4) for n, (_, _, value) in zip(THROUGH, _joined(sizes, values), strict=False)}
    return int(sizes.sum()), curve


def _average(cohorts: list[LtvCohort]) -> Iterator[LtvAverage]:
    by_n = [{point.n: point.value for point in cohort.points} for cohort in cohorts]
    values = np.array([[points.get(n, math.nan) for n in THROUGH] for points in by_n]).reshape(
        -1, len(THROUGH)
    )
    sizes = np.array([[cohort.size] for cohort in cohorts]).reshape(-1, 1)
    for n, (count, heads, value) in zip(THROUGH, _joined(sizes, values), strict=False):
        yield LtvAverage(n, count, heads, money4(value))


def _joined(sizes: NDArray[Any], values: NDArray[Any]) -> Iterator[tuple[int, int, float]]:
    """Yield, per day, how many curves have reached it, how many accts these are of, and one value for all curves.

    What is added from day to day is the mean of the curves that have reached the later day, weighted by their sizes. So
    the whole never falls when a curve ends, as it would if a mean of many were followed by a mean of few.

    Args:
        sizes: a column, accts per curve.
        values: per curve and day what a head has paid so far; NaN from the first day on that it has not reached.
    """
    reached = ~np.isnan(values)
    heads = np.where(reached, sizes, 0).sum(axis=0)
    added = np.nansum(np.diff(values, axis=1, prepend=0) * sizes, axis=0)
    value = 0.0
    for place in range(int(reached.any(axis=0).sum())):
        value += float(added[place] / heads[place]) if heads[place] else 0.0
        yield int(reached[:, place].sum()), int(heads[place]), value


def money4(value: float) -> int | float:
    """Return an average with four decimals, an integer where it is whole."""
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded


def _has_ended(place: Place, day: date, n: int) -> bool:
    return place.ended(date.fromordinal(day.toordinal() + n))


def top(look: Look, most: int = TOP) -> list[Acct]:
    """Return who paid most, ever; of equal ones the order is open."""
    data, place = look.data, look.place

    def read(first: date, last: date) -> dict[date, list[dict[str, Any]]]:
        found: list[dict[str, Any]] = []
        for area in place.areas or ("",):
            found += _richest(data, place, area, most)
        return {last: sorted(found, key=lambda one: -one["pay_amout"])[:most]}

    key = ("top", most, place.game, place.plat, place.areas)
    values, at = data.kept.get(key, [place.today], place.today, read)
    look.at = min(look.at, at)
    return [_acct(data, place, one) for one in values[place.today]]


def _richest(data: Data, place: Place, area: str, most: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for floor in FLOORS:
        query = Query(
            "userpay", place.game, place.plat, (area,) if area else (), at_least=("pay_amout", floor)
        )
        found = list(data.reader.find(query, ACCT_FIELDS, by="pay_amout", descending=True, limit=most))
        if len(found) >= most:
            break
    return found


def every_payer(data: Data, place: Place) -> Iterator[Acct]:
    """Yield everybody who ever paid in these areas, who paid most first (in each area, where areas were named)."""
    for area in place.areas or ("",):
        query = Query(
            "userpay", place.game, place.plat, (area,) if area else (), at_least=("pay_amout", FLOORS[-1])
        )
        for one in data.reader.find(query, ACCT_FIELDS, by="pay_amout", descending=True):
            yield _acct(data, place, one)


def _acct(data: Data, place: Place, one: dict[str, Any]) -> Acct:
    area: Area | None = data.areas.get(one["area"])
    local = place.local if area is None else area.zone
    return Acct(
        one["acct"], one["area"], one["plat"], one["pay_amout"], one["pay_count"], one["pay_days"],
        _day(local, one["first_pay"]), _day(local, one["last_pay"]), one["rest_yuanbao"], one["used_yuanbao"],
    )  # fmt: skip


def _day(local: Zone, ts: int | None) -> str | None:
    return None if ts is None else str(date_of(local, ts))
