"""Nodes run until told to end; one that dies ends the process, and its error stays readable."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import monkey
from needed import missing
from waiting import eventually

from analytics.cluster import LocalRegistry, NodeEntry
from analytics.cluster.registry import alive
from analytics.config import Config
from analytics.runtime.node import RESOLVING_THREADS, Exit, resolve_apart, run
from analytics.system.processes import process_started


class Counting:
    """Counts its steps and keeps a diary that it shares with others."""

    def __init__(
        self, name: str, diary: list[str], dies_at: int = 0, fails: str = "", role: str = "bolts"
    ) -> None:
        self.name = name
        self.role = role
        self._diary = diary
        self._dies_at = dies_at
        self._fails = fails
        self.steps = 0

    def start(self) -> None:
        self._diary.append(f"start {self.name}")
        if self._fails == "start":
            raise OSError("no such port")

    def step(self) -> None:
        self.steps += 1
        gevent.sleep(0.01)
        if self.steps == self._dies_at:
            error = ValueError(f"step {self.steps}")
            error.add_note("in bolt pets (pets.py, line 7)")
            raise error

    def stop(self) -> None:
        self._diary.append(f"stop {self.name}")
        if self._fails == "stop":
            raise OSError("disk full")

    def state(self) -> dict[str, Any]:
        if self._fails == "state":
            raise KeyError("steps")
        return {"published": self.steps}


def ended_when(condition: Callable[[], bool], number: signal.Signals = signal.SIGTERM) -> None:
    """Send the signal once that holds."""

    def end() -> None:
        while not condition():
            gevent.sleep(0.01)
        os.kill(os.getpid(), number)

    gevent.spawn(end)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_nodes_in_reverse_order(tmp_path: Path, number: signal.Signals) -> None:
    diary: list[str] = []
    nodes = [Counting("a", diary), Counting("b", diary)]
    ended_when(lambda: all(node.steps > 2 for node in nodes), number)
    assert run(nodes, Config(data=tmp_path)) == Exit.OK
    assert diary == ["start a", "start b", "stop b", "stop a"]
    assert LocalRegistry(tmp_path).list() == []


def test_the_death_of_a_node_ends_the_process_and_is_told(tmp_path: Path) -> None:
    diary: list[str] = []
    assert (
        run([Counting("a", diary), Counting("b", diary, dies_at=3)], Config(data=tmp_path)) == Exit.NODE_DIED
    )
    assert diary == ["start a", "start b", "stop b", "stop a"]
    [left] = LocalRegistry(tmp_path).list()
    assert (left.name, left.last_error, alive(left)) == (
        "b",
        "ValueError: step 3 in bolt pets (pets.py, line 7)",
        False,
    )


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder whose disk is full."""
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", tmp_path]).returncode:
        missing("can't mount a small file system: run as root, where mounting is allowed")
    with contextlib.suppress(OSError):
        (tmp_path / "ballast").write_bytes(bytes(4 << 20))
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.parametrize("told", [False, True])
def test_a_node_that_dies_of_a_full_disk_ends_when_there_is_room(full_disk: Path, told: bool) -> None:
    """A supervisor gave up on it after a minute, and it had to be started by hand, although there was room again."""
    diary: list[str] = []
    running = gevent.spawn(run, [Counting("a", diary, dies_at=1)], Config(data=full_disk))
    eventually(lambda: diary == ["start a", "stop a"])
    gevent.sleep(0.5)
    assert not running.ready()
    if told:
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        (full_disk / "ballast").unlink()
    assert running.get(timeout=60) == Exit.NODE_DIED


def test_a_node_that_can_not_start_stops_those_before_it(tmp_path: Path) -> None:
    diary: list[str] = []
    nodes = [Counting("a", diary), Counting("b", diary, fails="start"), Counting("c", diary)]
    assert run(nodes, Config(data=tmp_path)) == Exit.NODE_DIED
    assert diary == ["start a", "start b", "stop a"]
    assert LocalRegistry(tmp_path).list()[0].last_error == "OSError: no such port"


def test_an_error_while_stopping_is_told(tmp_path: Path) -> None:
    diary: list[str] = []
    ended_when(lambda: len(diary) == 2)
    assert (
        run([Counting("a", diary), Counting("b", diary, fails="stop")], Config(data=tmp_path))
        == Exit.NODE_DIED
    )
    assert diary[-1] == "stop a"


def test_a_node_that_can_not_tell_its_state_works_on(tmp_path: Path) -> None:
    node = Counting("a", [], fails="state")
    seen: list[NodeEntry] = []

    def told() -> bool:
        seen[:] = LocalRegistry(tmp_path).list()
        return bool(seen) and node.steps > 5

    ended_when(told)
    assert run([node], Config(data=tmp_path)) == Exit.OK
    assert "KeyError" in seen[0].state["error"]


@pytest.mark.parametrize(
    ("roles", "nicer"), [(["spout", "spout"], [5]), (["spout", "bolts"], []), (["bolts"], [])]
)
def test_counting_goes_before_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, roles: list[str], nicer: list[int]
) -> None:
    told: list[int] = []
    monkeypatch.setattr(os, "nice", told.append)
    nodes = [Counting(f"n{at}", [], role=role) for at, role in enumerate(roles)]
    ended_when(lambda: all(node.steps for node in nodes))
    run(nodes, Config(data=tmp_path))
    assert told == nicer


def test_nodes_beat(tmp_path: Path) -> None:
    seen: list[NodeEntry] = []
    began = time.time()

    def told() -> bool:
        seen[:] = LocalRegistry(tmp_path).list()
        return bool(seen) and seen[0].state["published"] > 20 and seen[0].rate > 0

    ended_when(told)
    run([Counting("a", [])], Config(data=tmp_path))
    [node] = seen
    assert (node.name, node.role, node.pid) == ("a", "bolts", os.getpid())
    assert began <= node.beat <= time.time()


def test_who_is_alive() -> None:
    now = time.time()
    facts: dict[str, Any] = {
        "name": "a",
        "role": "spout",
        "host": "h",
        "version": "1",
        "since": now,
        "beat": now,
    }
    me = NodeEntry(pid=os.getpid(), started=process_started(), **facts)
    assert alive(me)
    assert not alive(me, now + 6)
    assert not alive(NodeEntry(pid=os.getpid(), started=process_started() - 1, **facts)), (
        "a pid that was used again"
    )
    assert not alive(NodeEntry(pid=2**22 + 1, started=1, **facts)), "no such process"


def test_the_registry_passes_over_what_is_no_node(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "torn.json").write_bytes(b'{"name": "to')
    assert LocalRegistry(tmp_path).list() == []


def test_names_that_are_not_resolved_hold_up_no_disk() -> None:
    """Journals are written in gevent's threads, of which there are ten; as many logs may be on hosts without an address."""
    hub = gevent.get_hub()
    before = hub.resolver.pool
    resolve_apart()
    hanging = monkey.get_original("_thread", "allocate_lock")()
    hanging.acquire()
    try:
        for _ in range(RESOLVING_THREADS):
            hub.resolver.pool.spawn(lambda: hanging.acquire() and hanging.release())
        with gevent.Timeout(600):
            assert hub.threadpool.apply(lambda: "written") == "written"
    finally:
        hanging.release()
        hub.resolver.pool = before
