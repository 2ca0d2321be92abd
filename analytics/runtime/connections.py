"""What a node that counts has open while it runs: the store, and its clients of the broker."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import gevent

from analytics.broker.clients import Publisher, Refill, Subscriber
from analytics.config import Config
from analytics.errors import Unavailable
from analytics.runtime.outlet import Outlet, new_session
from analytics.runtime.position_reporter import PositionReporter
from analytics.store import open_store

RETRY_SECONDS = 1.0
T = TypeVar("T")


class Connections:
    """The open connections of one node. None waits for its peer: calls do, as long as it takes.

    Attributes:
        error: why the store does not answer, "" where it does.
    """

    def __init__(self, config: Config, name: str, topics: Iterable[str]) -> None:
        session = f"{name}-{new_session()}"  # the name of this process's own tuples
        self.error = ""
        self.store = open_store(config)
        self.refill = Refill(config.broker)
        self.reporter = PositionReporter(config.broker)
        self.live = Subscriber(config.broker, topics)
        self._publisher = Publisher(config.broker, session)
        self.outlet = Outlet(self._publisher, session)

    def persist(self, action: Callable[..., T], *arguments: object) -> T:
        """Do something with the store; while it is away, say so in :attr:`error` and try again."""
        while True:
            try:
                result = action(*arguments)
            except Unavailable as error:
                self.error = str(error)
                gevent.sleep(RETRY_SECONDS)
            else:
                self.error = ""
                return result

    def close(self) -> None:
        """Wait a little for what is published and reported, then close everything."""
        for client in (self._publisher, self.refill, self.reporter, self.live):
            client.close()
        self.store.close()
