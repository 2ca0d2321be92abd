"""Starting and stopping the whole suite in the background, in order, with answers that say what to do."""

import errno
import math
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager

from analytics.cluster import LocalRegistry, NodeEntry, open_registry
from analytics.cluster.registry import alive
from analytics.config import Config
from analytics.config.checks import endpoints
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.declarations import Declarations
from analytics.runtime.draining import NotDrained, drain
from analytics.runtime.nodes import STORE, registered
from analytics.runtime.owner import refuse_others
from analytics.runtime.rate_notes import RateNotes
from analytics.runtime.service import systemd
from analytics.runtime.service.affected import affected
from analytics.runtime.service.conf import BROKER, STOP_SECONDS, nodes, rank
from analytics.runtime.service.refusals import STORE_SECONDS, refuse_lost_rates, refuse_unset
from analytics.runtime.service.supervisor import (
    RUNNING,
    STOPPABLE,
    UNDER_WAY,
    Process,
    Supervisor,
    last_error,
)
from analytics.runtime.suite import UP_SECONDS
from analytics.store import open_store
from analytics.system import ports
from analytics.system.locks import FileLock, LockTaken
from analytics.system.processes import process_started

FREE_SECONDS = 5.0
"""For the kernel to end the nodes of a supervisor that was killed."""

DOWN_SECONDS = STOP_SECONDS + 10.0
LOOK_SECONDS = 0.1

STARTS = 2
"""A node that ended after so many starts is reported; it goes on being started again."""

Say = Callable[[str], None]


class NotStarted(AnalyticsError):
    """The suite, or some of its nodes, did not start; the message says which, why, and what to do."""


def start(config: Config, say: Say) -> None:
    """Start every node that the configuration needs, or those that are missing; return when all are up.

    Where systemd has called, the suite is its own afterwards: a suite that was started beside it is stopped first.

    Raises:
        ConfigError: a variable that the configuration names is not set.
        NotStarted: something is in the way, or a node does not come up. The other nodes run on.
    """
    refuse_unset(config)
    supervisor = Supervisor(config)
    refuse_lost_rates(config, running=bool(supervisor.pid))
    if systemd.waits() and supervisor.pid:
        say(f"process {supervisor.pid} runs the suite beside systemd: it is stopped, then started by systemd")
        stop(config, say)
    with alone(config, say):
        try:
            if supervisor.pid:
                _start_missing(supervisor, config, say)
            else:
                _start_all(supervisor, config, say)
        finally:
            if systemd.waits() and supervisor.answers():  # also where a node does not come up
                systemd.notify(supervisor.pid)
        report_contradictions(config, say)


def stop(config: Config, say: Say, wait: bool = True) -> None:
    """Stop every node in order: spouts, the broker when all is counted or after a time, bolts, the store.

    What does not run needs no stopping, and is no error. ``wait``: until all is counted, as far as that can come to pass.
    """
    with alone(config, say):
        supervisor = Supervisor(config)
        if not supervisor.pid:
            left = f"; process {supervisor.noted_pid} was killed" if supervisor.noted_pid else ""
            say(f"not running{left}")
            _forget(supervisor)
            return
        try:
            stop_nodes(supervisor, supervisor.started_with, say, wait=wait)
            supervisor.shut_down()
        except Unavailable as error:
            say(f"{error}; it is killed, and its nodes with it. Nothing is lost by that")
            _kill(supervisor.pid)
        _wait_for_end(supervisor, config)
        say("stopped")


def restart(config: Config, say: Say) -> None:
    """Stop and start; what a start would refuse is refused, as far as it is known, while everything still runs."""
    refuse_unset(config)
    refuse_lost_rates(config)
    stop(config, say)
    start(config, say)


def restart_node(supervisor: Supervisor, config: Config, name: str, say: Say) -> None:
    """Have one node end, so that the supervisor starts it again; return when it is up, whatever others do.

    It is never stopped: if this command is killed, the node runs, or is being started. Raise NotStarted if it does not come up.
    """
    say(f"restarting {name}")
    _end(supervisor, name)
    if supervisor.processes()[name].statename not in UNDER_WAY:
        supervisor.start([name])
    _wait_until_up(supervisor, config, lambda text: None, [name])


def _end(supervisor: Supervisor, name: str) -> None:
    """Return when the process of a node has ended, if it had one. One that does not end in time is killed."""
    # A node that ends within its first seconds would be taken for one that can't start.
    while (before := supervisor.processes()[name]).statename == "STARTING":
        time.sleep(LOOK_SECONDS)
    if before.statename != "RUNNING":
        return
    supervisor.signal(name, "TERM")
    until = time.monotonic() + STOP_SECONDS
    while supervisor.processes()[name].pid == before.pid:
        if time.monotonic() > until:
            supervisor.signal(name, "KILL")
        time.sleep(LOOK_SECONDS)


def lsb_status(config: Config, healthy: bool) -> int:
    """Return what init scripts end ``status`` with: 0 healthy, 1 killed, 3 stopped; 150 if it runs and is not healthy."""
    supervisor = Supervisor(config)
    if supervisor.pid:
        return 0 if healthy else 150
    return 1 if supervisor.noted_pid else 3


def report_contradictions(config: Config, say: Say) -> None:
    """Say where documents contradict the configuration, and what those of its own bolts lack. The suite runs anyway; that a store is away is reported elsewhere."""
    # With it comes numpy, while every node is up by now.
    from analytics.runtime.contradictions import contradictions, summary

    try:
        with closing(open_store(config, STORE_SECONDS)) as store:
            found = contradictions(config, store)
            lacking = list(Declarations(config, store).disagreements(config))
            lost = list(RateNotes(config, store).lost())
    except AnalyticsError:
        return
    if found:
        say(f"warning: {summary(config, found)}")
    for one in lacking:
        say(f"warning: {one}")
    for one in lost:
        say(f"error: {one}")


def _start_all(supervisor: Supervisor, config: Config, say: Say) -> None:
    if supervisor.noted_pid:
        say(f"process {supervisor.noted_pid}, which ran the suite last, was killed; starting again")
    _wait_until_free(config, FREE_SECONDS if supervisor.noted_pid else 0.0)
    registry = LocalRegistry(config.data)
    for entry in registry.list():
        registry.leave(entry.name)  # what died earlier is no news any more
    supervisor.launch()
    _wait_until_up(supervisor, config, say)
    say(f"started (process {supervisor.pid}): {' '.join(nodes(config))}")


def _start_missing(supervisor: Supervisor, config: Config, say: Say) -> None:
    try:
        processes = supervisor.processes()
    except Unavailable as error:
        raise NotStarted(f"{error}. It hangs: end it with `analytics stop`, then start again") from error
    missing = [name for name, one in processes.items() if one.statename not in UNDER_WAY]
    supervisor.start(missing)
    _wait_until_up(supervisor, config, say if missing else lambda text: None)
    more = f"; started again: {' '.join(missing)}" if missing else ""
    say(f"already running (process {supervisor.pid}){more}")
    before = supervisor.noted_configuration
    names = affected(before, config) if before is not None else []
    if names != []:
        say(
            f"the configuration was changed since they were started: `analytics reload` takes that up, and restarts "
            f"{'all nodes' if names is None else ' '.join(names)}"
        )


def _wait_until_free(config: Config, patience: float) -> None:
    """Return when no node runs on this data folder and no port is taken: what was killed takes a moment to end."""
    until = time.monotonic() + patience
    while found := _in_the_way(config):
        if time.monotonic() > until:
            raise NotStarted(found)
        time.sleep(LOOK_SECONDS)


def _in_the_way(config: Config) -> str:
    """Return what keeps the suite from starting, "" if nothing does."""
    if running := _running(config):
        listed = ", ".join(f"{node.name} (process {node.pid})" for node in running)
        return (
            f"{listed}: running on {config.data} already, not started by `start`. End it where it was started, "
            "or set `data` to another folder"
        )
    for key, (host, port) in endpoints(config).items():
        if key.partition(".")[0] in nodes(config) and _is_taken(host, port):
            return (
                f"{config.file}: {key}: port {port} on {host} is taken by another program. End that (`ss -ltnp` as "
                "root says what it is), or choose a free port"
            )
    return ""


def _running(config: Config) -> list[NodeEntry]:
    """Return the nodes of this data folder whose process lives, however they were started."""
    return [node for node in LocalRegistry(config.data).list() if process_started(node.pid) == node.started]


def _is_taken(host: str, port: int) -> bool:
    error = ports.refusal(host, port)
    return error is not None and error.errno == errno.EADDRINUSE  # the node itself reports anything else


def _wait_until_up(
    supervisor: Supervisor, config: Config, say: Say, names: Collection[str] | None = None
) -> None:
    """Return when every node beats; say which is up. Raise NotStarted when the others end again and again, or hang.

    ``names``: the nodes to wait for, None for all.
    """
    began = time.monotonic()
    until = began + UP_SECONDS
    starts: dict[str, set[int]] = {}
    waiting: set[str] | None = None
    while True:
        processes = {
            name: one for name, one in supervisor.processes().items() if names is None or name in names
        }
        beating = {(node.name, node.pid) for node in LocalRegistry(config.data).list() if alive(node)}
        down = {name: one for name, one in processes.items() if not _up(one, config, beating)}
        for name in sorted((processes.keys() if waiting is None else waiting) - down.keys()):
            say(f"{name} is up after {time.monotonic() - began:.1f} s")
        waiting = set(down)
        for name, one in processes.items():
            starts.setdefault(name, set()).add(one.start)
        lost = [one for name, one in down.items() if _ended(one) and len(starts[name]) >= STARTS]
        lost += [one for one in down.values() if one.statename == "FATAL"]
        if not down:
            return
        if len(lost) >= len(down) or time.monotonic() > until:
            raise NotStarted("\n".join(_why(one, config) for one in down.values()))
        time.sleep(LOOK_SECONDS)


def _ended(process: Process) -> bool:
    return process.statename not in RUNNING


def _up(process: Process, config: Config, beating: Collection[tuple[str, int]]) -> bool:
    """Return whether all that the registry should know of a node's process beats. ``beating``: names and process ids."""
    return process.statename in RUNNING and all(
        (name, process.pid) in beating for name in registered(config, [process.name])
    )


def _why(process: Process, config: Config) -> str:
    log = config.data / "log" / f"{process.name}.log"
    if not _ended(process):
        return f"{process.name}: not up after {UP_SECONDS:g} s; see {log}"
    again = "it is not started again" if process.statename == "FATAL" else "it is started again and again"
    return f"{process.name} ended at its start, {again}: {last_error(process, config)}. The other nodes run. Its log: {log}"


def stop_nodes(
    supervisor: Supervisor, config: Config, say: Say, but: Collection[str] = (), wait: bool = True
) -> None:
    """Stop nodes in order, all ``but`` some; ``wait`` before the broker or the engine until all is counted."""
    ranks = sorted({rank(name) for name in supervisor.processes()}, reverse=True)
    for one in ranks:
        processes = supervisor.processes()
        if one == BROKER and wait:
            drained(processes, config, say)
        names = [
            name
            for name, it in processes.items()
            if rank(name) == one and it.statename in UNDER_WAY and name not in but
        ]
        if names:
            say(f"stopping {' '.join(names)}")
        _stop_some(supervisor, names)


def stop_counting(config: Config, say: Say) -> None:
    """Stop every node but the store, in order, when all is counted or time is up.

    Raise AnalyticsError if nodes run that `start` has not started, or on other hosts.
    """
    with alone(config, say):
        supervisor = Supervisor(config)
        if supervisor.pid:
            stop_nodes(supervisor, supervisor.started_with, say, but=(STORE,))
        with closing(open_registry(config, STORE_SECONDS)) as registry:
            left = [node for node in registry.list() if node.name != STORE and alive(node)]
        if left:
            listed = ", ".join(f"{node.name} (process {node.pid} on {node.host})" for node in left)
            raise AnalyticsError(
                f"{listed}: running. Stop what `start` has not started, and the suite on other hosts"
            )


def _stop_some(supervisor: Supervisor, names: Collection[str]) -> None:
    """Return when these nodes have ended. Raise Unavailable if they do not in time."""
    until = time.monotonic() + DOWN_SECONDS
    while living := {
        name: it.statename
        for name, it in supervisor.processes().items()
        if name in names and it.statename in UNDER_WAY
    }:
        # One that had just crashed, and was started again, is asked again.
        supervisor.stop([name for name, state in living.items() if state in STOPPABLE])
        if time.monotonic() > until:
            raise Unavailable(f"{' '.join(names)} did not end within {DOWN_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)


def drained(processes: dict[str, Process], config: Config, say: Say) -> None:
    """Return when everything accepted is counted, or time is up; at once where that can't come to pass."""
    ended = [
        name for name, one in processes.items() if rank(name) <= BROKER and one.statename not in UNDER_WAY
    ]
    if ended:
        say(
            f"not waiting until all is counted, as {' '.join(ended)} does not run; that goes on after the next start"
        )
        return
    try:
        drain(config, config.service.drain_seconds)
    except (NotDrained, Unavailable) as error:
        say(f"{error}. What is not counted yet will be after the next start")


def _wait_for_end(supervisor: Supervisor, config: Config) -> None:
    until = time.monotonic() + DOWN_SECONDS
    while supervisor.pid or _running(config):
        if time.monotonic() > until:
            _kill(supervisor.pid)
        time.sleep(LOOK_SECONDS)
    _forget(supervisor)


def _kill(pid: int) -> None:
    if pid:
        os.kill(pid, signal.SIGKILL)


def _forget(supervisor: Supervisor) -> None:
    """Remove what a supervisor that was killed left behind."""
    for left in supervisor.left_behind:
        left.unlink(missing_ok=True)


@contextmanager
def alone(config: Config, say: Say) -> Iterator[None]:
    """Keep a second ``start`` or ``stop`` waiting, and users out whose files the suite could not write later."""
    refuse_others(config.data, "service analytics …")
    path, refusal = config.data / "run" / "service.lock", "another start or stop is under way"
    try:
        try:
            lock = FileLock(path, refusal)
        except LockTaken as error:
            say(f"{error}: waiting for it to end")
            lock = FileLock(path, refusal, math.inf)
    except OSError as error:
        raise AnalyticsError(
            f"{error.filename}: {error.strerror}, but the suite has to write there; change its permissions, or set "
            f"`data` in {config.file} to another folder"
        ) from error
    with lock:
        yield
