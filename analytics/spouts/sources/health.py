"""What ``status`` says of one source."""

import logging
import time

logger = logging.getLogger(__name__)


class Health:
    """The last error of a source, how far it is behind, and when it last gave something (at first: when it was begun)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last_error = ""
        self.failing_since = 0.0
        self.lag_bytes = 0
        self.read_at = time.time()

    def failed(self, reason: str, lag_bytes: int | None = None) -> None:
        """Remember and log why reading failed; the same reason again is not logged again."""
        if reason != self.last_error or not self.failing_since:
            logger.warning("source %s: %s", self.name, reason)
        self.failing_since = self.failing_since or time.time()
        self.last_error = reason
        if lag_bytes is not None:
            self.lag_bytes = lag_bytes

    def well(self, lag_bytes: int | None = None) -> None:
        """Reading works again. The last error stays on show."""
        if self.failing_since:
            logger.info("source %s: reading again", self.name)
        self.failing_since = 0.0
        if lag_bytes is not None:
            self.lag_bytes = lag_bytes

    def state(self) -> dict[str, object]:
        """Return the facts."""
        return {
            "healthy": not self.failing_since,
            "failing_since": self.failing_since,
            "last_error": self.last_error,
            "lag_bytes": self.lag_bytes,
            "read_at": self.read_at,
        }
