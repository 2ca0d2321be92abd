"""Reads that see at least a given write, and changes of the primary.

A newly elected primary may show, for a moment, an older state of the majority. A read with the time of a later write waits
until that write is included.

The time is part of the read concern, not of a driver session: a connection that was opened while its server could not be
read never supports sessions.
"""

from typing import Any

from bson.timestamp import Timestamp
from pymongo.monitoring import (
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyListener,
    TopologyOpenedEvent,
)
from pymongo.read_concern import ReadConcern


class MajorityAfter(ReadConcern):
    """Data that a majority has, not older than ``after``, the operation time of a write; None: any."""

    def __init__(self, after: Timestamp | None = None) -> None:
        super().__init__("majority")
        self._after = after

    @property
    def document(self) -> dict[str, Any]:
        """The read concern in the server's form."""
        named = {} if self._after is None else {"afterClusterTime": self._after}
        return super().document | named


class PrimaryListener(TopologyListener):
    """Counts how often a server became primary, be it another one or the same one again."""

    def __init__(self) -> None:
        self.changes = 0
        self._primary: tuple[Any, Any] | None = None

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        """Note who is primary now."""
        servers = event.new_description.server_descriptions().items()
        writable = (
            (address, one.election_id)
            for address, one in servers
            if one.is_server_type_known and one.is_writable
        )
        primary = next(writable, None)
        if primary is not None and primary != self._primary:
            self.changes += 1
        self._primary = primary

    def opened(self, event: TopologyOpenedEvent) -> None:
        """Do nothing: no server is known yet."""

    def closed(self, event: TopologyClosedEvent) -> None:
        """Do nothing."""
