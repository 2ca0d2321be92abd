"""Sessions: only the holder of a bolt's session may report the bolt's position."""

import math
import secrets
import time
from collections.abc import Callable, Iterable

from analytics.errors import Refused

SESSION_SECONDS = 5.0
"""A session expires this long after its last request, like a lease in etcd by default."""
_MOST_BOLTS = 200  # bound the memory that clients can take
_LONGEST_NAME = 200


class Sessions:
    """One session a bolt, in memory: after a restart of the broker, the first client to join gets it. ``now``: a clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._holders: dict[str, str] = {}
        self._heard: dict[str, float] = {}

    def join(self, bolts: Iterable[str], session: str) -> str:
        """Return the session for ``bolts``: ``session`` if it holds one of them, otherwise a new one.

        Raise Refused if another unexpired session holds one of them.
        """
        wanted, now = list(bolts), self._now()
        if (
            len(self._holders.keys() | set(wanted)) > _MOST_BOLTS
            or max(map(len, wanted), default=0) > _LONGEST_NAME
        ):
            raise Refused(
                f"expected at most {_MOST_BOLTS} bolts with names of at most {_LONGEST_NAME} characters"
            )
        for bolt in wanted:
            holder = self._holders.get(bolt, session)
            ago = now - self._heard.get(holder, -math.inf)
            if holder != session and ago < SESSION_SECONDS:
                raise Refused(
                    f"{bolt} is reported by another session, last seen {ago:.1f} s ago: end the other process, "
                    f"or try again in {SESSION_SECONDS - ago:.1f} s"
                )
        if session not in self._heard:
            session = secrets.token_hex(16)
        self._holders.update(dict.fromkeys(wanted, session))
        self._heard[session] = now
        held = set(self._holders.values())
        self._heard = {one: at for one, at in self._heard.items() if one in held}
        return session

    def check(self, bolt: str, session: str) -> None:
        """Raise Refused unless ``session`` holds ``bolt``; renew it."""
        if not session or self._holders.get(bolt) != session:
            raise Refused(f"expected the session that holds {bolt}, got another one: join first")
        self._heard[session] = self._now()

    def leave(self, session: str) -> None:
        """End a session, so that others may have its bolts at once."""
        self._holders = {bolt: holder for bolt, holder in self._holders.items() if holder != session}
        self._heard.pop(session, None)
