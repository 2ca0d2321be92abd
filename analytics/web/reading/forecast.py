"""The lifetime value of days that no cohort has reached yet: an estimate, with the error that it has where the last 30 days are held out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from analytics.timers.ltv import THROUGH
from analytics.web.answers import Change, Money, RowName, means
from analytics.web.look import Look
from analytics.web.place import ONE_DAY
from analytics.web.reading.curves import joined

DAYS = (90, 180)
"""Days after the sign-up that are forecast."""

HISTORY = 366
"""Days of sign-ups that are looked at, up to the last day of the scope."""

LEAST_COHORTS = 5
LEAST_DAY = 14
"""A forecast begins at the last day that so many cohorts have reached, if it is no earlier than this."""

HELD_OUT = 30


class Forecast(msgspec.Struct, frozen=True):
    """A forecast of lifetime value by the n-th day."""

    n: Annotated[RowName, means("Days after the sign-up day.", "Days after")]
    value: Annotated[Money, means("What a head of a cohort is expected to have paid by then: an estimate.", "Forecast")]  # fmt: skip
    from_n: Annotated[RowName, means("The last day that enough cohorts have reached; later days are estimated.", "Observed until day")]  # fmt: skip
    cohorts: Annotated[int, means("The cohorts that have reached that day.", "Cohorts")]
    error: Annotated[
        Change | None,
        means(
            "By how many percent the same estimate without the last 30 days exceeds what these days brought; "
            "nothing if too little history is left.",
            "Error when held out",
        ),
    ]


class PayingCohort(NamedTuple):
    """The accts that signed up on a day, and what a head has paid by each n that has ended, in currency units."""

    day: date
    size: int
    curve: Mapping[int, float]


class _Curve(NamedTuple):
    """The average of cohorts: the points that enough of them have reached, from n = 0 on, and how many reached the last."""

    days: list[int]
    values: list[float]
    cohorts: int

    def at(self, n: int) -> float:
        """Return the value by the n-th day; where no point is, what a power of the days fitted to the points adds to the last.

        Lifetime value is often described by a power of age; its exponent is fitted by least squares to the logarithms
        of the points from the first day with payments on. The curve never falls.
        """
        if n in self.days:
            return self.values[self.days.index(n)]
        known = [(1 + day, value) for day, value in zip(self.days, self.values, strict=True) if value > 0]
        ages, amounts = np.log(np.array(known).reshape(-1, 2)).T
        power = float(np.polyfit(ages, amounts, 1)[0]) if len(known) > 1 else 0.0
        growth: float = ((1 + n) / (1 + self.days[-1])) ** max(0.0, power)
        return self.values[-1] * growth


def forecasts(look: Look) -> Iterator[Forecast]:
    """Yield the forecasts of a place; none of several areas, as their accts are not distinct."""
    place = look.place
    if place.basis == "sum":
        return
    found = look.documents("ltv", ["reg", "ltv"], place.last - HISTORY * ONE_DAY, place.last)
    yield from of_cohorts(
        [
            PayingCohort(day, one["reg"], {int(n): value for n, value in one["ltv"].items()})
            for one, day in found
        ]
    )


def of_cohorts(cohorts: Sequence[PayingCohort]) -> Iterator[Forecast]:
    """Yield a forecast for each of ``DAYS`` that enough cohorts have not reached."""
    now = _average(cohorts)
    if now is None:
        return
    newest = max(one.day + max(one.curve) * ONE_DAY for one in cohorts if one.curve)
    before = _average([_without_the_last(one, newest, now.days[-1]) for one in cohorts])
    error = None
    if before and before.days[-1] < now.days[-1] and now.values[-1]:
        error = round(100 * (before.at(now.days[-1]) / now.values[-1] - 1), 1)
    for n in DAYS:
        if n > now.days[-1]:
            yield Forecast(n, round(now.at(n), 4), now.days[-1], now.cohorts, error)


def _without_the_last(cohort: PayingCohort, newest: date, observed: int) -> PayingCohort:
    """Return a cohort without what the last 30 days up to ``newest`` brought, and without the last 30 days of the average's curve.

    The latter, as cohorts that reached the end of the curve long ago have not changed since.
    """
    most = min((newest - cohort.day).days, observed if observed > 2 * HELD_OUT - 1 else math.inf) - HELD_OUT
    return cohort._replace(curve={n: value for n, value in cohort.curve.items() if n <= most})


def _average(cohorts: Sequence[PayingCohort]) -> _Curve | None:
    """Return the average of the cohorts; None if too few have reached the least day."""
    values = [[one.curve.get(n, math.nan) for n in THROUGH] for one in cohorts]
    sizes = np.array([[one.size] for one in cohorts]).reshape(-1, 1)
    points = zip(THROUGH, joined(sizes, np.array(values).reshape(-1, len(THROUGH))), strict=False)
    reached = [(n, value, count) for n, (count, _, value) in points if count >= LEAST_COHORTS]
    if not reached or reached[-1][0] < LEAST_DAY:
        return None
    days, averages, counts = zip(*reached, strict=True)
    return _Curve(list(days), list(averages), counts[-1])
