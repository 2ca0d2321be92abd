"""The node ``store``, with each engine: it keeps a real server running, loses nothing acknowledged, leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from forms import thorough
from needed import need_engine
from store_nodes import gone, running, step_until, wait_gone, write_at_last

from analytics.config import Config, StoreSection
from analytics.errors import AnalyticsError, Unavailable
from analytics.store import Write, open_store
from analytics.store.embedded import StoreNode
from analytics.store.embedded.choice import NAMES, Name, open_engine
from analytics.testing.ports import free_ports

FIRST, *OTHERS = NAMES


@pytest.fixture(scope="module", params=[FIRST, *(pytest.param(name, marks=thorough) for name in OTHERS)])
def engine(request: pytest.FixtureRequest) -> Name:
    need_engine(request.param)
    return request.param


@pytest.fixture
def node_config(tmp_path: Path, engine: Name) -> Config:
    return Config(data=tmp_path, store=StoreSection(engine=engine, port=free_ports(1)[0]))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, engine: Name) -> Config:
    return Config(
        data=tmp_path_factory.mktemp("shared"), store=StoreSection(engine=engine, port=free_ports(1)[0])
    )


@pytest.fixture(scope="module")
def node(shared: Config) -> Iterator[StoreNode]:
    """Runs for all tests of this file that leave its server healthy, whatever they did to it."""
    with running(shared) as node:
        yield node


def test_it_starts_answers_and_stops(node_config: Config) -> None:
    node = StoreNode(node_config)
    node.start()
    began = time.monotonic()
    node.step()
    assert time.monotonic() - began > 0.9
    step_until(node, lambda: node.state()["healthy"])
    state = node.state()
    assert state["error"] == "" and state["restarts"] == 0
    msgspec.json.encode(state)
    node.stop()
    assert gone(state["server_pid"]) and not node.state()["healthy"]


def test_files_are_private_and_documents_survive_a_stop(node_config: Config, engine: Name) -> None:
    for expected in (0, 1):
        node = StoreNode(node_config)
        node.start()
        store = open_store(node_config)
        assert store.write("c", [Write("a", {"_v": expected + 1}, expected)]) == set()
        store.close()
        node.stop()
    database = open_engine(engine, node_config).database
    files = [database, *database.rglob("*")]
    assert len(files) > 1 and all(path.stat().st_mode & 0o077 == 0 for path in files)


def insisted(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a store gives, once it answers."""
    while True:
        try:
            return ask()
        except Unavailable:
            time.sleep(0.05)


def test_a_server_that_was_killed_in_mid_bulk_has_lost_nothing_acknowledged(
    node: StoreNode, shared: Config
) -> None:
    ids = [f"a:{n}" for n in range(400)]
    acknowledged: dict[str, int] = dict.fromkeys(ids, 0)
    interrupted: list[int] = []
    done = threading.Event()

    def write_on() -> None:
        store = open_store(shared)
        version = 0
        while not done.is_set() or version < 3:
            writes = [Write(id, {"_v": version + 1, "fill": "x" * 200, "of": version}, version) for id in ids]
            tried = 0
            while True:
                try:
                    refused = store.write("c", writes)
                    break
                except Unavailable:
                    tried += 1
                    time.sleep(0.05)
            if tried:
                interrupted.append(version)
            # What conflicts can only be our own write, whose answer was lost.
            assert tried or not refused
            found = insisted(lambda refused=refused: store.load("c", sorted(refused)))
            assert all(document["_v"] == version + 1 for document in found.values()) and len(found) == len(
                refused
            )
            version += 1
            acknowledged.update(dict.fromkeys(ids, version))
        store.close()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write_on)
        for kills in range(20):
            if kills >= 2 and interrupted:
                break
            time.sleep(0.2)
            restarts = node.state()["restarts"]
            os.kill(node.state()["server_pid"], signal.SIGKILL)
            step_until(
                node, lambda before=restarts: node.state()["restarts"] > before and node.state()["healthy"]
            )
        done.set()
        writer.result(60)
    assert interrupted, "no kill hit a bulk: the test shows nothing"
    found = insisted(lambda: open_store(shared).load("c", ids))
    assert {id: document["_v"] for id, document in found.items()} == acknowledged


def test_a_dead_server_is_reported_and_started_again(node: StoreNode, shared: Config) -> None:
    restarts = node.state()["restarts"]
    os.kill(node.state()["server_pid"], signal.SIGKILL)
    step_until(node, lambda: "ended with code -9" in node.state()["error"])
    assert not node.state()["healthy"] and "store-server.log" in node.state()["error"]
    step_until(node, lambda: node.state()["healthy"])
    assert node.state()["restarts"] == restarts + 1
    open_store(shared).ping()


def test_a_server_that_hangs_is_reported(
    node: StoreNode, shared: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(shared)
    store.ping()
    monkeypatch.setattr("analytics.store.mongo.PING_SECONDS", 0.3)
    pid, restarts = node.state()["server_pid"], node.state()["restarts"]
    os.kill(pid, signal.SIGSTOP)
    # The signal has been sent, not taken: on a busy machine one more check may pass.
    step_until(node, lambda: not node.state()["healthy"])
    assert "does not answer" in node.state()["error"]
    with gevent.Timeout(25), pytest.raises(Unavailable, match="does not answer"):
        store.ping()  # who only asks whether it is there does not wait as long as who writes
    os.kill(pid, signal.SIGCONT)
    step_until(node, lambda: node.state()["healthy"])
    assert node.state()["restarts"] == restarts


def test_one_node_looks_after_a_folder(node: StoreNode, shared: Config) -> None:
    other = StoreNode(
        msgspec.structs.replace(
            shared, store=msgspec.structs.replace(shared.store, port=shared.store.port + 1)
        )
    )
    with pytest.raises(AnalyticsError, match=f"another store node .* process {os.getpid()}"):
        other.start()
    other.stop()
    open_store(shared).ping()


def test_a_port_that_is_taken_is_said(node_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.store.embedded.process.PORT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", node_config.store.port)):
        node = StoreNode(node_config)
        with pytest.raises(AnalyticsError, match=f"port {node_config.store.port} is taken.*store.port"):
            node.start()
        node.stop()


RUN_A_NODE = """
import sys, time
from pathlib import Path
from analytics.config import Config, StoreSection
from analytics.store.embedded import StoreNode
node = StoreNode(Config(data=Path(sys.argv[1]), store=StoreSection(engine=sys.argv[3], port=int(sys.argv[2]))))
node.start()
print(node.state()["server_pid"], flush=True)
time.sleep(60)
"""


def test_the_server_dies_with_its_node_and_another_node_takes_over(node_config: Config, engine: Name) -> None:
    command = [sys.executable, "-c", RUN_A_NODE, str(node_config.data), str(node_config.store.port), engine]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        store = open_store(node_config)
        store.write("c", [Write("a", {"_v": 1}, 0)])
        process.kill()
    wait_gone(server)
    node = StoreNode(node_config)
    node.start()
    assert store.load("c", ["a"]) == {"a": {"_id": "a", "_v": 1}}
    node.stop()


def test_a_server_left_behind_is_ended(node_config: Config, engine: Name) -> None:
    node = StoreNode(node_config)
    node.start()
    command = Path(f"/proc/{node.state()['server_pid']}/cmdline").read_bytes().decode().split("\0")[:-1]
    node.stop()
    environment = {**os.environ, **open_engine(engine, node_config).environment}
    quiet = subprocess.DEVNULL
    leftover = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
    try:
        store = open_store(node_config)
        write_at_last(store, Write("a", {"_v": 1}, 0))
        node = StoreNode(node_config)
        node.start()
        assert leftover.wait(600) == -signal.SIGKILL
        assert node.state()["healthy"] and store.load("c", ["a"])["a"]["_v"] == 1
        node.stop()
    finally:
        leftover.kill()
        leftover.wait()
