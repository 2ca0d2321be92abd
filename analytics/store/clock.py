"""The point in a replica set's history that reads must not fall behind, and who takes writes.

A primary that was just elected may show, for a moment, a majority's state of before. A read in a session that knows the
time of a later write waits until that write is included.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.monitoring import (
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyListener,
    TopologyOpenedEvent,
)
from pymongo.server_description import ServerDescription


class Clock:
    """Hands out sessions whose reads include everything up to the latest barrier. Usable from many greenlets at once."""

    def __init__(self, client: MongoClient[dict[str, Any]]) -> None:
        self._client = client
        self._operation: Any = None
        self._cluster: Any = None

    @contextmanager
    def reading(self) -> Iterator[ClientSession | None]:
        """Yield a session for reads that include everything up to the barrier; None where there was none yet."""
        if self._operation is None:
            yield None
            return
        with self._client.start_session(causal_consistency=True) as session:
            session.advance_cluster_time(self._cluster)
            session.advance_operation_time(self._operation)
            yield session

    @contextmanager
    def barrier(self) -> Iterator[ClientSession]:
        """Yield a session for one write, and take up its time. A server without replicas has no such time."""
        with self._client.start_session(causal_consistency=True) as session:
            yield session
            if session.operation_time is not None and session.cluster_time is not None:
                self._operation, self._cluster = session.operation_time, session.cluster_time


class PrimaryListener(TopologyListener):
    """Counts how often another server began to take writes, or the same one after it was away."""

    def __init__(self) -> None:
        self.changes = 0
        self._primary: tuple[Any, Any] | None = None

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        """Note who is primary now."""
        primary = next(
            (
                (address, server.election_id)
                for address, server in event.new_description.server_descriptions().items()
                if _is_writable(server)
            ),
            None,
        )
        if primary is not None and primary != self._primary:
            self.changes += 1
        self._primary = primary

    def opened(self, event: TopologyOpenedEvent) -> None:
        """Do nothing: no server is known yet."""

    def closed(self, event: TopologyClosedEvent) -> None:
        """Do nothing."""


def _is_writable(server: ServerDescription) -> bool:
    return server.is_server_type_known and server.is_writable
