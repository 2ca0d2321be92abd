"""When messages became durable: tells how long the oldest one that a reader lacks has been waiting."""

from bisect import bisect_right
from collections import deque

_RECENT = 256
_MOST = 4096
_APART = 1.0


class Times:
    """The times of one topic's messages, by number: of the newest exactly, of older ones to a second or, where they
    go back far, to some thousandth of their age."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, float]] = deque(maxlen=_RECENT)
        self._older: list[tuple[int, float]] = []
        self._apart = _APART

    def note(self, number: int, at: float) -> None:
        """Note that message ``number``, higher than all before, became durable at ``at`` (Unix seconds)."""
        self._recent.append((number, at))
        if not self._older or at - self._older[-1][1] >= self._apart:
            self._older.append((number, at))
        if len(self._older) > _MOST:
            del self._older[1::2]
            self._apart *= 2

    def after(self, number: int) -> float:
        """Return the time of message ``number`` + 1; where it is not known exactly, that of one before it.

        Of messages before all that were noted it is the time of the first.
        """
        known = self._recent if self._recent[0][0] <= number + 1 else self._older
        return known[max(0, bisect_right(known, (number + 1, float("inf"))) - 1)][1]

    def forget(self, number: int) -> None:
        """Forget what lies below ``number``: nobody will ask for it again."""
        del self._older[: max(0, bisect_right(self._older, (number + 1, 0.0)) - 1)]
        if len(self._older) < _MOST // 4:
            self._apart = max(_APART, self._apart / 2)
