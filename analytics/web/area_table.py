"""Numbers of many areas on one day, a row each: much smaller than documents, and added up for any set of areas at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from sys import intern

import numpy as np
from numpy.typing import NDArray

from analytics.store.store import Document

Row = Callable[[Document], Sequence[float]]
"""Makes a document into numbers; NaN: it does not have this one."""

ROW_BYTES = 300


@dataclass(frozen=True)
class AreaTable:
    """``numbers[n]`` are those of ``areas[n]``."""

    areas: tuple[str, ...]
    plats: tuple[str, ...]
    numbers: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """How many rows of other things take as much memory."""
        return 1 + (self.numbers.nbytes + 16 * len(self.areas)) // ROW_BYTES

    @cached_property
    def _place(self) -> dict[str, int]:
        return {area: n for n, area in enumerate(self.areas)}

    def columns(self, areas: Sequence[str], which: Sequence[int]) -> NDArray[np.float64]:
        """Return some columns' numbers of ``areas``, a row each; 0 where an area has none."""
        places = np.array([self._place.get(area, -1) for area in areas], np.int64)
        found = np.zeros((len(places), len(which)))
        known = places >= 0
        if known.any():
            found[known] = self.numbers[places[known]][:, list(which)]
        return found

    def of_plat(self, plat: str) -> "AreaTable":
        """Return the rows of one plat."""
        chosen = [n for n, one in enumerate(self.plats) if one == plat]
        return AreaTable(
            tuple(self.areas[n] for n in chosen),
            (plat,) * len(chosen),
            self.numbers[chosen].reshape(-1, self.numbers.shape[1]),
        )

    def sums(self) -> list[float]:
        """Return the sums of all rows."""
        return list(map(float, self.numbers.sum(axis=0)))

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        return iter(zip(self.areas, self.numbers, strict=True))


@dataclass
class Rows:
    """Gathers the rows of a table."""

    areas: list[str] = field(default_factory=list)
    plats: list[str] = field(default_factory=list)
    numbers: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, area: str, plat: str, numbers: Sequence[float]) -> None:
        self.areas.append(intern(area))
        self.plats.append(intern(plat))
        self.numbers.append(np.array(numbers, np.float64))

    def table(self) -> AreaTable:
        return AreaTable(tuple(self.areas), tuple(self.plats), np.array(self.numbers, np.float64))
