"""The times when messages became durable, from which a reader's lag in seconds follows."""

from bisect import bisect_right
from collections import deque

_RECENT = 256  # messages with exact times
_MOST = 4096  # times of older messages
_APART = 1.0  # seconds between those


class Times:
    """The times of one topic's messages, by number: exact for the newest, to a second for older ones, and to some
    thousandths of their age for very old ones."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, float]] = deque(maxlen=_RECENT)
        self._older: list[tuple[int, float]] = []
        self._apart = _APART

    def note(self, number: int, at: float) -> None:
        """Add message ``number``, higher than all before, which became durable at ``at`` (Unix seconds)."""
        self._recent.append((number, at))
        if not self._older or at - self._older[-1][1] >= self._apart:
            self._older.append((number, at))
        if len(self._older) > _MOST:
            del self._older[1::2]
            self._apart *= 2

    def after(self, number: int) -> float:
        """Return the time of message ``number`` + 1 or, if it is not known exactly, of an earlier message.

        For messages before the first one added, it is the time of the first.
        """
        known = self._recent if self._recent[0][0] <= number + 1 else self._older
        return known[max(0, bisect_right(known, (number + 1, float("inf"))) - 1)][1]

    def forget(self, number: int) -> None:
        """Drop the times below ``number``."""
        del self._older[: max(0, bisect_right(self._older, (number + 1, 0.0)) - 1)]
        if len(self._older) < _MOST // 4:
            self._apart = max(_APART, self._apart / 2)
