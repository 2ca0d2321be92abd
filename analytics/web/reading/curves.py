"""Cohorts that end at different days: as one, and as rows of a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.core.rates import percent


def together(cells: Iterable[Any]) -> Iterator[tuple[int, int, int, float]]:
    """Yield, for each n, the cells of all cohorts as one: n, how many accts, of how many, and the rate in percent."""
    counts, sizes = Counter[int](), Counter[int]()
    for cell in cells:
        counts[cell.n] += cell.count
        sizes[cell.n] += cell.size
    for n in sorted(sizes):
        yield n, counts[n], sizes[n], percent(counts[n], sizes[n])


def by_days(
    cohorts: Iterable[Any], shown: Sequence[str], value: str, days: Sequence[int]
) -> list[dict[str, Any]]:
    """Return a row for each cohort: the fields ``shown``, and of its points that of some days, None where they have not come."""
    return [
        {name: getattr(one, name) for name in shown}
        | dict.fromkeys((f"day{n}" for n in days), None)
        | {f"day{point.n}": getattr(point, value) for point in one.points}
        for one in cohorts
    ]


def joined(sizes: NDArray[Any], values: NDArray[Any]) -> Iterator[tuple[int, int, float]]:
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
