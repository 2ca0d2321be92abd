"""What ``status`` says of one source: whether it can be read, and whether what is read can be used."""

import logging
import time
from collections.abc import Mapping

logger = logging.getLogger(__name__)

USELESS = 20
"""So many rejected records in a row are no accident, whatever was accepted before."""
USELESS_SECONDS = 300.0
"""After so long without one that is accepted, a few rejected records are none, either."""


class Health:
    """The last error of a source, how far it is behind, and when it last gave something (at first: when it was begun)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last_error = ""
        self.warning = ""
        self.failing_since = 0.0
        self.lag_bytes = 0
        self.read_at = time.time()
        self._accepted = False
        self._rejected = 0  # in a row
        self._rejected_since = 0.0
        self._reason = ""
        self._alike = ""

    def failed(self, reason: str, lag_bytes: int | None = None) -> None:
        """Remember and log why reading failed; the same reason again is not logged again."""
        reason = _encodable(reason)
        if reason != self.last_error or not self.failing_since:
            logger.warning("source %s: %s", self.name, reason)
        self.failing_since = self.failing_since or time.time()
        self.last_error = reason
        if lag_bytes is not None:
            self.lag_bytes = lag_bytes

    def warn(self, warning: str) -> None:
        """Show ``warning`` from now on, "" for none: what is no failure, but costs more than it should."""
        if warning and not self.warning:
            logger.warning("source %s: %s", self.name, warning)
        self.warning = warning

    def well(self, lag_bytes: int | None = None) -> None:
        """Reading works again. The last error stays on show."""
        if self.failing_since:
            logger.info("source %s: reading again", self.name)
        self.failing_since = 0.0
        if lag_bytes is not None:
            self.lag_bytes = lag_bytes

    def converted(self, accepted: int, reasons: list[str], alike: Mapping[str, str]) -> None:
        """Note what became of the records of a chunk.

        Args:
            reasons: why records were rejected.
            alike: op codes that were seen so far and are none, but differ little from one: what they may be.
        """
        self.read_at = time.time()
        for code, known in alike.items():
            self._alike = (
                f'op code "{code}" counts nowhere: if it is "{known}", map it in [games.<name>.opcodes]'
            )
        if accepted:
            self._accepted, self._rejected = True, 0
        elif reasons:
            self._rejected_since = self._rejected_since if self._rejected else time.monotonic()
            self._rejected += len(reasons)
            self._reason = reasons[-1]

    @property
    def useless(self) -> str:
        """Why what is read can't be used, "" where it can."""
        few = self._rejected < USELESS and (
            self._accepted or time.monotonic() - self._rejected_since < USELESS_SECONDS
        )
        if not self._rejected or few:
            return self._alike
        return f"each of the last {self._rejected} records was rejected: {self._reason}; see `bin/analytics rejected`"

    def state(self) -> dict[str, object]:
        useless = self.useless
        return {
            "healthy": not self.failing_since and not useless,
            "failing_since": self.failing_since,
            "last_error": self.last_error if self.failing_since or not useless else useless,
            "warning": self.warning,
            "lag_bytes": self.lag_bytes,
            "read_at": self.read_at,
        }


def _encodable(text: str) -> str:
    """Return ``text`` as JSON can hold it: the bytes of a file's name that are no UTF-8 are escaped."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
