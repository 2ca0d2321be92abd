"""Curves of cohorts that end at different days, joined to one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
