"""Rows of which only some values are wanted, as one list for each of them: no row need be made."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from itertools import compress
from typing import Any


class Columns:
    """Rows by attribute path: ``lists[path]`` are the values that it reads, in the order of the rows."""

    __slots__ = ("lists",)

    def __init__(self, lists: Mapping[str, list[Any]]) -> None:
        self.lists = lists

    def __len__(self) -> int:
        return len(self.lists["ts"])

    def until(self, end: int) -> "tuple[Columns, Columns]":
        """Return the rows whose ``ts`` is before ``end``, and the others."""
        times = self.lists["ts"]
        place = bisect_left(times, end)
        if max(times[:place], default=end - 1) < end <= min(times[place:], default=end):
            # In the order of time, as most are.
            return self._each(lambda values: values[:place]), self._each(lambda values: values[place:])
        before = [ts < end for ts in times]
        return self._chosen(before), self._chosen([not one for one in before])

    def _chosen(self, which: list[bool]) -> "Columns":
        return self._each(lambda values: list(compress(values, which)))

    def _each(self, change: Callable[[list[Any]], list[Any]]) -> "Columns":
        return Columns({path: change(values) for path, values in self.lists.items()})
