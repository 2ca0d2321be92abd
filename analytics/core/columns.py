"""Rows of which only some values are wanted, as one sequence for each of them: no row need be made."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Any

TIME = "ts"


class Columns:
    """Rows by attribute path: ``lists[path]`` are the values that it reads, in the order of the rows.

    ``ordered``: whether that is the order of time.
    """

    __slots__ = ("lists", "ordered")

    def __init__(self, lists: Mapping[str, Sequence[Any]], ordered: bool = False) -> None:
        self.lists = lists
        self.ordered = ordered

    def __len__(self) -> int:
        return len(self.lists[TIME])

    def extreme(self, path: str, pick: Callable[..., Any]) -> Any:
        """Return the value that ``pick``, min or max, chooses of those of ``path``. There is one at least."""
        values = self.lists[path]
        return pick(values[0], values[-1]) if self.ordered and path == TIME else pick(values)

    def until(self, end: int) -> "tuple[Columns, Columns]":
        """Return the rows whose ``ts`` is before ``end``, and the others."""
        times = self.lists[TIME]
        if not self.ordered:
            before = [ts < end for ts in times]
            return self._chosen(before), self._chosen([not one for one in before])
        if times and times[-1] < end:
            return self, NOTHING
        place, lists = bisect_left(times, end), self.lists.items()
        return (
            Columns({path: values[:place] for path, values in lists}, ordered=True),
            Columns({path: values[place:] for path, values in lists}, ordered=True),
        )

    def _chosen(self, which: list[bool]) -> "Columns":
        return Columns({path: list(compress(values, which)) for path, values in self.lists.items()})


NOTHING = Columns({TIME: ()}, ordered=True)
