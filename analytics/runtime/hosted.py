"""Nodes that run on several hosts: they look up where the broker is, and one instance of each is active.

A node is made for one place of the broker. When the broker moves to another one, or this host is no longer active,
the node is stopped in order, and a new one is made when it is to work again; its state is in the store and on the disk,
as for a restart.
"""

from collections.abc import Callable
from typing import Any

import gevent
import msgspec
from gevent.event import Event

from analytics.cluster import Election, open_keys
from analytics.cluster.election import SAFE_SHARE
from analytics.cluster.place import Finder
from analytics.config import BrokerSection, Config
from analytics.runtime.node import Node
from analytics.system.tasks import TaskGroup

WAIT_SECONDS = 1.0


class Hosted(Node):
    """Runs the node that ``make`` returns, while it is this process's turn.

    Args:
        make: returns the node for a configuration in which the broker's place is as found.
        alone: only one instance of that name works at a time, the others stand by.
    """

    def __init__(
        self, config: Config, name: str, role: str, make: Callable[[Config], Node], alone: bool
    ) -> None:
        self.name = name
        self.role = role
        self._config = config
        self._make = make
        self._alone = alone
        self._node: Node | None = None
        self._place = config.broker
        self._election: Election | None = None
        self._finder: Finder | None = None
        self._tasks = TaskGroup(name)
        self._turned = Event()

    def start(self) -> None:
        """Begin to contend and to look for the broker. The node itself starts in :meth:`step`."""
        config = self._config
        self._keys = open_keys(config, patience(config))
        if config.etcd.endpoints and not config.engine.kind:
            self._finder = Finder(self._keys, config)
            self._finder.look()
            self._tasks.spawn(self._look_for_ever, self._finder)
        if self._alone:
            mark = config.data / "run" / f"active-{self.name}"
            self._election = Election(
                self._keys, self.name, config.etcd, lambda active: self._turned.set(), mark
            )
            self._tasks.include(self._election.tasks)
            self._election.start()

    def step(self) -> None:
        """Take a step of the node if it is its turn, else wait for that, up to a second."""
        self._tasks.check()
        place = self._wanted()
        if self._node is not None and place != self._place:
            self._end()
        if self._node is None and place is not None:
            self._begin(place)
        if self._node is not None:
            self._node.step()
        else:
            self._turned.wait(WAIT_SECONDS)
            self._turned.clear()

    def stop(self) -> None:
        """Stop the node, then let another instance take over at once."""
        self._end()
        self._tasks.stop()
        if self._election is not None:
            self._election.stop()
        self._keys.close()

    def state(self) -> dict[str, Any]:
        """Return the node's state; of one that stands by, that it does, and why if that is no choice of others."""
        if self._node is not None:
            return self._node.state()
        problems = [one.problem for one in (self._finder, self._election) if one is not None]
        return {"standby": True, "error": next(filter(None, problems), "")}

    def _wanted(self) -> BrokerSection | None:
        """Return where the broker is that the node is to work with, None while it is not to work."""
        if self._election is not None and not self._election.standing:
            return None
        if self._finder is None:
            return self._config.broker
        return None if self._finder.problem else self._finder.section

    def _begin(self, place: BrokerSection) -> None:
        self._place = place
        node = self._make(msgspec.structs.replace(self._config, broker=place))
        node.start()
        self._node = node

    def _end(self) -> None:
        node, self._node = self._node, None
        if node is not None:
            node.stop()

    def _look_for_ever(self, finder: Finder) -> None:
        while True:
            gevent.sleep(self._config.etcd.poll_seconds)
            before = finder.section, finder.problem
            finder.look()
            if before != (finder.section, finder.problem):
                self._turned.set()


def patience(config: Config) -> float:
    """Return how long a call may take: an instance whose etcd is gone has to know it before its own time ends."""
    section = config.etcd
    left = section.ttl_seconds * SAFE_SHARE - section.beat_seconds
    return min(section.timeout_seconds, max(0.2, 0.75 * left))
