"""A limit on wrong passwords: for each address, and a higher one for each user.

Knowing a user's name must not be enough to lock that user out: an address that the user has logged in from before has only its
own limit.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

OF_ADDRESS, OF_USER = 5, 50
"""Wrong passwords within WINDOW_SECONDS, from one address, and for one user from all addresses that are not known."""
WINDOW_SECONDS = 300.0
"""The text of the form says "five minutes"."""

MOST_KNOWN = 10_000
"""Entries of each kind in memory, a few hundred bytes each: the oldest go first, so no attacker fills memory."""


class LoginLimit:
    """Counts wrong passwords. ``address`` is what :func:`analytics.config.addresses.network` returns."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, address: str, user: str) -> float:
        """Return for how many seconds ``address`` may not try a password of ``user``."""
        of_user = 0.0 if (address, user) in self._known else self._wait(f"as {user}", OF_USER)
        return max(self._wait(f"from {address}", OF_ADDRESS), of_user)

    def wrong(self, address: str, user: str) -> None:
        """Count a wrong password."""
        self._note(f"from {address}", OF_ADDRESS)
        if (address, user) not in self._known:
            self._note(f"as {user}", OF_USER)

    def right(self, address: str, user: str) -> None:
        """Forget the wrong passwords from ``address``, which the user is known by from now on."""
        self._wrong.pop(f"from {address}", None)
        self._known[address, user] = None
        self._known.move_to_end((address, user))
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def _wait(self, whom: str, most: int) -> float:
        now = self._clock()
        times = self._wrong.get(whom, deque())
        while times and now - times[0] >= WINDOW_SECONDS:
            times.popleft()
        return WINDOW_SECONDS - (now - times[0]) if len(times) >= most else 0.0

    def _note(self, whom: str, most: int) -> None:
        while len(self._wrong) >= MOST_KNOWN and whom not in self._wrong:
            self._wrong.popitem(last=False)
        self._wrong.setdefault(whom, deque(maxlen=most)).append(self._clock())
