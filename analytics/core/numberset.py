"""Sets of record numbers as compressed bitmaps: a gap costs a bit where gaps are many, and four bytes where they are few."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyroaring import BitMap64

from analytics.core.intervals import Pair

if TYPE_CHECKING:
    import numpy as np

_WINDOW = 1 << 18
"""Numbers that are searched for gaps at once."""


class NumberSet:
    """A set of integers from 0 on. Its memory grows with the members, so no range of it may be larger than what was counted."""

    __slots__ = ("_bits",)

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._bits = BitMap64()
        self.update(pairs)

    @classmethod
    def load(cls, data: bytes) -> "NumberSet":
        """Return the set that :meth:`dump` wrote."""
        result = cls()
        result._bits = BitMap64.deserialize(data)
        return result

    def dump(self) -> bytes:
        """Return the set in the portable format of roaring bitmaps."""
        self._bits.run_optimize()
        return self._bits.serialize()

    def update(self, pairs: Iterable[Pair]) -> None:
        """Add every integer of pairs ``(first, last)``, both included."""
        for first, last in pairs:
            self._bits.add_range(first, last + 1)

    def discard(self, pairs: Iterable[Pair]) -> int:
        """Remove every integer of ``pairs``. Return how many there were."""
        before = len(self._bits)
        for first, last in pairs:
            self._bits.remove_range(first, last + 1)
        return before - len(self._bits)

    def missing(self, first: int, last: int) -> list[Pair]:
        """Return, as pairs, the integers from ``first`` to ``last`` that are not in the set."""
        held = self._bits.range_cardinality(first, last + 1)
        if held in (0, last + 1 - first):
            return [] if held else [(first, last)]
        found: list[Pair] = []
        while first <= last:
            begin = min(self._next(first), last + 1)
            _append(found, [(first, begin - 1)] if begin > first else [])
            end = min(begin + _WINDOW, last + 1)
            if self._bits.range_cardinality(begin, end) < end - begin:
                absent = BitMap64()
                absent.add_range(begin, end)
                _append(found, _pairs(absent - self._bits))
            first = end
        return found

    def holds_none(self, first: int, last: int) -> bool:
        """Say whether no integer from ``first`` to ``last`` is in the set."""
        return not self._bits.range_cardinality(first, last + 1)

    def __contains__(self, member: int) -> bool:
        return member in self._bits

    def __sub__(self, other: "NumberSet") -> "NumberSet":
        result = NumberSet()
        result._bits = self._bits - other._bits
        return result

    def united(self, other: "NumberSet") -> "NumberSet":
        """Return the integers of both."""
        result = NumberSet()
        result._bits = self._bits | other._bits
        return result

    def __bool__(self) -> bool:
        return bool(self._bits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberSet) and self._bits == other._bits

    def count(self) -> int:
        return len(self._bits)

    def first(self) -> int:
        """Return the least integer, 0 where there is none."""
        return int(self._bits.min()) if self._bits else 0

    def last(self) -> int:
        """Return the greatest integer, 0 where there is none."""
        return int(self._bits.max()) if self._bits else 0

    def _next(self, number: int) -> int:
        """Return the first member from ``number`` on, an integer beyond all numbers where there is none."""
        try:
            return int(self._bits.next_set_bit(number))
        except ValueError:
            return 1 << 64


def _pairs(bits: BitMap64) -> list[Pair]:
    import numpy as np  # a third of the time that a broker or a spout takes to start, and seldom needed there

    return pairs_of(np.frombuffer(bits.to_array(), np.uint64))


def pairs_of(numbers: "np.ndarray[Any, np.dtype[Any]]") -> list[Pair]:
    """Return rising integers, one at least, as pairs of first and last."""
    import numpy as np

    steps = np.flatnonzero(np.diff(numbers) != 1)
    firsts, lasts = np.append(0, steps + 1), np.append(steps, len(numbers) - 1)
    return list(zip(numbers[firsts].tolist(), numbers[lasts].tolist(), strict=True))


def _append(found: list[Pair], more: list[Pair]) -> None:
    """Append rising pairs; the first one may continue the last one of ``found``."""
    if found and more and found[-1][1] + 1 == more[0][0]:
        found[-1] = (found[-1][0], more[0][1])
        more = more[1:]
    found += more
