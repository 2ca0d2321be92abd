"""Sets of integers kept as intervals: memory grows with the gaps, not with the members."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Pair = tuple[int, int]


class Intervals:
    """A set of integers. Intervals are closed pairs ``(first, last)``, sorted, disjoint and not adjacent."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in pairs:
            self.add(first, last)

    @classmethod
    def of(cls, members: Iterable[int]) -> "Intervals":
        """Return the set of ``members``, given in any order."""
        result = cls()
        for member in members:
            result.add(member, member)
        return result

    def add(self, first: int, last: int) -> None:
        """Add every integer from ``first`` to ``last``, both included; none where ``last`` is below ``first``."""
        firsts, lasts = self._firsts, self._lasts
        if last < first:
            return
        if lasts and first == lasts[-1] + 1:
            lasts[-1] = last
            return
        low = bisect_left(lasts, first - 1)
        high = bisect_right(firsts, last + 1)
        if low < high:
            first = min(first, firsts[low])
            last = max(last, lasts[high - 1])
        firsts[low:high] = [first]
        lasts[low:high] = [last]

    def update(self, pairs: Iterable[Pair]) -> None:
        """Add every pair of ``pairs``."""
        for first, last in pairs:
            self.add(first, last)

    def discard(self, first: int, last: int) -> None:
        """Remove every integer from ``first`` to ``last``, both included."""
        firsts, lasts = self._firsts, self._lasts
        low, high = bisect_left(lasts, first), bisect_right(firsts, last)
        if last < first or low == high:
            return
        rest = [(firsts[low], first - 1), (last + 1, lasts[high - 1])]
        kept = [(begin, end) for begin, end in rest if begin <= end]
        firsts[low:high] = [begin for begin, _ in kept]
        lasts[low:high] = [end for _, end in kept]

    def missing(self, first: int, last: int) -> list[Pair]:
        """Return, as pairs, the integers from ``first`` to ``last`` that are not in the set."""
        result = []
        position = bisect_left(self._lasts, first)
        while first <= last:
            if position == len(self._firsts) or self._firsts[position] > last:
                result.append((first, last))
                break
            if self._firsts[position] > first:
                result.append((first, self._firsts[position] - 1))
            first = self._lasts[position] + 1
            position += 1
        return result

    def __contains__(self, member: int) -> bool:
        position = bisect_left(self._lasts, member)
        return position < len(self._firsts) and self._firsts[position] <= member

    def __iter__(self) -> Iterator[Pair]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"Intervals({list(self)!r})"
