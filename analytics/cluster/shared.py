"""The registry of several hosts: this machine's, and the others' in etcd."""

import logging
from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec

from analytics.cluster.keys import Keys
from analytics.cluster.registry import LocalRegistry, NodeEntry
from analytics.config import EtcdSection
from analytics.errors import Unavailable
from analytics.system.tasks import TaskGroup

NODES = "nodes/"
ENDED_SECONDS = 86_400  # a node that died is listed for a day
MOST_BYTES = 512 << 10  # of an entry; etcd refuses more than 1.5 MB
log = logging.getLogger(__name__)


class SharedRegistry(LocalRegistry):
    """Nodes of every host. Those of this machine are listed without etcd, too.

    A beat only stores the report; a greenlet sends it, so that no caller waits for a hanging etcd. The entry of a node that
    vanishes expires; that of a node that died with an error stays for a day, or until the node is started again.
    ``problem``: why etcd can't be reached, "" if it can; updated by :meth:`list` and by each report.
    """

    def __init__(self, data: Path, keys: Keys, host: str, section: EtcdSection) -> None:
        super().__init__(data)
        self._keys = keys
        self._host = host
        self._section = section
        self._mine: dict[str, NodeEntry] = {}
        self._left: set[str] = set()
        self._tasks = TaskGroup("registry")

    def beat(self, node: NodeEntry) -> None:
        """Replace the entry of the node of this name on this machine."""
        super().beat(node)
        self._mine[node.name] = msgspec.structs.replace(node, host=self._host)
        self._left.discard(node.name)
        if not self._tasks.running:
            self._tasks.spawn(self._report_forever)

    def list(self) -> list[NodeEntry]:
        return sorted([*super().list(), *self._others()], key=lambda node: node.name)

    def leave(self, name: str) -> None:
        """Forget a node of this machine that ended in order."""
        super().leave(name)
        if self._mine.pop(name, None) is not None:
            self._left.add(name)

    def close(self) -> None:
        """Send pending reports, if etcd can be reached, and close."""
        self._tasks.stop()
        if self._mine or self._left:
            self._report()
        self._keys.close()

    def _others(self) -> Iterator[NodeEntry]:
        try:
            found = self._keys.list(NODES)
        except Unavailable as error:
            self.problem = str(error)
            return
        self.problem = ""
        for key, value in found.items():
            if key.startswith(f"{NODES}{self._host}:"):
                continue
            try:
                yield msgspec.structs.replace(msgspec.json.decode(value, type=NodeEntry), remote=True)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue

    def _report_forever(self) -> None:
        while True:
            self._report()
            gevent.sleep(self._section.poll_seconds if self.problem else self._section.beat_seconds)

    def _report(self) -> None:
        """Report every node. The first failure ends the attempt: the next call would time out as well."""
        try:
            for name in list(self._left):
                self._keys.forget(self._key(name))
                self._left.discard(name)
            for node in list(self._mine.values()):
                ttl = ENDED_SECONDS if node.ended else self._section.ttl_seconds
                self._keys.beat(self._key(node.name), _encoded(node), ttl)
        except Unavailable as error:
            if not self.problem:
                log.warning("this machine can't report to etcd, work goes on: %s", error)
            self.problem = str(error)
        else:
            if self.problem:
                log.info("this machine reports to etcd again")
            self.problem = ""

    def _key(self, name: str) -> str:
        return f"{NODES}{self._host}:{name}"


def _encoded(node: NodeEntry) -> bytes:
    """Return an encoded entry. etcd refuses more than 1.5 MB: then only the state's scalar values are sent."""
    text = msgspec.json.encode(node)
    if len(text) <= MOST_BYTES:
        return text
    facts = {name: fact for name, fact in node.state.items() if not isinstance(fact, dict | list)}
    return msgspec.json.encode(msgspec.structs.replace(node, state=facts))
