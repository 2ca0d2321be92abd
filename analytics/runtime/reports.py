"""Telling the broker how far bolts have come, so that it may throw away what all have passed."""

from collections.abc import Mapping

from analytics.broker.clients import Refill
from analytics.broker.wire import Head
from analytics.config import BrokerSection
from analytics.errors import Unavailable

Positions = Mapping[str, Mapping[str, Head]]
"""Per bolt and topic, the head that it has passed."""


class Reports:
    """What the broker has not heard is told again: a bolt that has nothing more to do would else seem to lag for ever.

    Attributes:
        error: why the broker has not heard the newest, empty where it has.
    """

    def __init__(self, broker: BrokerSection) -> None:
        self.error = ""
        self._refill = Refill(broker)
        self._owed: tuple[str, Positions] | None = None

    def tell(self, log: str, positions: Positions) -> None:
        """Tell how far bolts are in the log of that name; where the broker does not answer, keep it."""
        # A copy: what is folded meanwhile is not in documents yet, and must not be told.
        self._owed = log, {bolt: dict(heads) for bolt, heads in positions.items()}
        self.tell_again()

    def tell_again(self) -> None:
        """Tell what the broker has not heard yet, if there is anything. To hear it twice does it no harm."""
        if (owed := self._owed) is None:
            return
        log, positions = owed
        try:
            for bolt, heads in positions.items():
                self._refill.report(bolt, log, heads)
        except Unavailable as error:
            self.error = str(error)
            return
        if self._owed is owed:
            self._owed, self.error = None, ""

    def close(self) -> None:
        """Close the socket; what is owed is told by whoever starts next."""
        self._refill.close()
