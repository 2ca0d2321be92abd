"""A node and what runs it: a greenlet that takes one step after the other, until a signal or an error."""

import enum
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import gevent
import msgspec
from gevent.event import Event
from gevent.threadpool import ThreadPool

from analytics import __version__
from analytics.cluster import LocalRegistry, NodeEntry, open_registry
from analytics.config import Config, fingerprint
from analytics.runtime.logs import as_node
from analytics.runtime.shortage import full
from analytics.system.interpreter import tune
from analytics.system.processes import process_started, usage
from analytics.system.tasks import TaskGroup

BEAT_SECONDS = 1.0
ROOM_SECONDS = 1.0
"""Between looks whether a full disk has room again."""
SWITCH_SECONDS = 0.0005
"""A tenth of Python's default."""

SPOUT_NICENESS = 5
RESOLVING_THREADS = 10
"""As many as gevent's own pool has."""

log = logging.getLogger(__name__)


class Exit(enum.IntEnum):
    """How a process of the suite ends."""

    OK = 0
    NODE_DIED = 1
    BAD_CONFIGURATION = 2


class Node(Protocol):
    """A part of the suite that runs for itself.

    A node's further greenlets are watched by it: what ends one of them comes out of :meth:`step`.

    Attributes:
        name: unique in the suite; letters, digits, ``_``, ``.``, ``+`` and ``-``.
        role: ``broker``, ``spout``, ``bolts``, ``store`` or ``metrics``.
    """

    name: str
    role: str

    def start(self) -> None:
        """Open files and sockets."""

    def step(self) -> None:
        """Take one turn of the loop; return within about a second."""

    def stop(self) -> None:
        """End in order. Called once, and only after :meth:`start` succeeded."""

    def state(self) -> dict[str, Any]:
        """Return facts for ``status``, as JSON takes them. Cheap."""
        return {}


def run(nodes: Sequence[Node], config: Config) -> int:
    """Run nodes in this process until SIGTERM, SIGINT or the death of one; return an :class:`Exit`.

    They are started in the order given and stopped in reverse. Each reports to the registry every second;
    one that died stays there with the error that ended it.
    """
    _tune()
    if all(node.role == "spout" for node in nodes):
        os.nice(SPOUT_NICENESS)  # counting goes before reading ahead of it
    ending, asked = Event(), Event()

    def ask() -> None:
        ending.set()
        asked.set()

    handlers = [gevent.signal_handler(number, ask) for number in (signal.SIGTERM, signal.SIGINT)]
    registry = open_registry(config)
    runners: list[_Runner] = []
    try:
        for node in nodes:
            runners.append(_Runner(node, registry, ending, fingerprint(config)))
            as_node(node.name, runners[-1].start)
            if ending.is_set():
                break
        ending.wait()
    finally:
        for runner in reversed(runners):
            as_node(runner.name, runner.stop)
        registry.close()
        if any(runner.error for runner in runners):
            _wait_for_room(config.data, asked)
        for handler in handlers:
            handler.cancel()
    return Exit.NODE_DIED if any(runner.error for runner in runners) else Exit.OK


def _wait_for_room(folder: Path, asked: Event) -> None:
    """Wait while the disk is full, unless asked to end: a supervisor gives up on a process that ends again and again."""
    waiting = False
    while not asked.is_set() and (shortage := full(folder)):
        if not waiting:
            log.error("%s; this process ends then, to be started again", shortage)
        waiting = True
        asked.wait(ROOM_SECONDS)


def _tune() -> None:
    """Set the interpreter up for nodes, which write to disk in a thread: one that comes back would wait 5 ms for its turn."""
    resolve_apart()
    sys.setswitchinterval(SWITCH_SECONDS)
    tune()


def resolve_apart() -> None:
    """Give the resolving of names threads of its own: while DNS is away they hang, and the journal would wait for one."""
    resolver = gevent.get_hub().resolver
    if hasattr(resolver, "pool"):
        resolver.pool = ThreadPool(RESOLVING_THREADS)


class _Runner:
    """Runs one node in greenlets, and reports its state to the registry."""

    def __init__(self, node: Node, registry: LocalRegistry, ending: Event, games: str) -> None:
        self.error = ""
        self.name = node.name
        self._node = node
        self._registry = registry
        self._ending = ending
        self._started = False
        self._total = 0
        self._tasks = TaskGroup(node.name, self._end)
        self._entry = NodeEntry(
            name=node.name,
            role=node.role,
            host=socket.gethostname(),
            pid=os.getpid(),
            started=process_started(),
            version=__version__,
            since=time.time(),
            beat=time.time(),
            games=games,
        )

    def start(self) -> None:
        """Start the node. An error, now or later, is kept, and ends the whole process in order."""
        try:
            self._node.start()
        except Exception as error:
            self._fail(error)
            return
        self._started = True
        self._total = progress(self._state())
        log.info("%s started", self._node.name)
        self._tasks.spawn(self._step_for_ever, may_end=True)
        self._tasks.spawn(self._beat_for_ever)

    def stop(self) -> None:
        """Stop the node if it was started; leave the registry, unless there is an error to show."""
        self._tasks.stop()
        if self._started:
            try:
                self._node.stop()
            except Exception as error:
                self._fail(error)
        if self.error:
            self._report(msgspec.structs.replace(self._entry, last_error=self.error, ended=True))
        else:
            self._registry.leave(self._node.name)
        log.info("%s stopped", self._node.name)

    def _step_for_ever(self) -> None:
        try:
            while True:
                self._node.step()
                gevent.sleep(0)
        except Exception as error:
            self._fail(error)

    def _beat_for_ever(self) -> None:
        while True:
            state, now = self._state(), time.time()
            total = progress(state)
            rate = max(0, total - self._total) / max(BEAT_SECONDS, now - self._entry.beat)
            self._total = total
            self._entry = msgspec.structs.replace(self._entry, beat=now, state=state, rate=rate)
            self._report(self._entry)
            gevent.sleep(BEAT_SECONDS)

    def _state(self) -> dict[str, Any]:
        """Return the node's state, and what its process takes; what keeps it from telling must not keep it from
        working."""
        try:
            return {**self._node.state(), "process": msgspec.to_builtins(usage())}
        except Exception as error:
            log.exception("%s can't report its state", self._node.name)
            return {"error": f"state: {type(error).__name__}: {error}"}

    def _report(self, entry: NodeEntry) -> None:
        try:
            self._registry.beat(entry)
        except Exception as error:  # a full disk, say: the node works on
            log.error("%s can't report to the registry: %s", self._node.name, error)

    def _fail(self, error: Exception) -> None:
        self._end(error)
        log.error("%s died: %s", self._node.name, self.error, exc_info=error)

    def _end(self, error: BaseException) -> None:
        """Keep the first error, and end the process."""
        self.error = self.error or " ".join(
            [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])]
        )
        self._ending.set()


def progress(state: dict[str, Any]) -> int:
    """Return how many records or tuples a node has handled, by its state; 0 for one that handles none."""
    for count in ("published", "folded"):
        if count in state:
            return int(state[count])
    return sum(int(head[1]) for head in state.get("heads", {}).values())
