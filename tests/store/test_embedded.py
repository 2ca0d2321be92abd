"""The node ``store``: it keeps a real server running, loses nothing acknowledged, leaves nothing behind."""

import os
import resource
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
from pymongo import MongoClient

from analytics.config import Config, StoreSection
from analytics.errors import AnalyticsError, ConfigError, Unavailable
from analytics.store import EMBEDDED_HOST, Store, Write, embedded_uri, open_store
from analytics.store.embedded import _SYNC_EACH_TRANSACTION, StoreNode, _program


@pytest.fixture
def node(node_config: Config) -> Iterator[StoreNode]:
    node = StoreNode(node_config)
    node.start()
    yield node
    node.stop()


def step_until(node: StoreNode, reached: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until, node.state()
        node.step()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    except FileNotFoundError:
        return True


def wait_gone(pid: int) -> None:
    until = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.05)


def write_at_last(store: Store, write: Write, seconds: float = 120) -> None:
    """Write to a server that is still coming up."""
    until = time.monotonic() + seconds
    while True:
        try:
            store.write("c", [write])
            return
        except Unavailable:
            if time.monotonic() > until:
                raise


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


def test_all_tables_are_made_before_anything_is_counted(node: StoreNode, node_config: Config) -> None:
    folder = node_config.data / "store"
    assert len(list((folder / "db").glob("secantus_documents_sh*.wt"))) == 16
    assert not (folder / "making").exists()


def test_a_database_that_was_killed_while_it_was_made_is_made_anew(node_config: Config) -> None:
    """One that had been finished is never touched, whatever is wrong with it."""
    folder = node_config.data / "store"
    (folder / "db").mkdir(parents=True)
    (folder / "db" / "WiredTiger.turtle").write_text("half")
    node = StoreNode(node_config)
    with pytest.raises(AnalyticsError, match="ended at its start"):
        node.start()
    node = StoreNode(node_config)
    assert (folder / "db" / "WiredTiger.turtle").exists()
    (folder / "making").touch()
    node.start()
    step_until(node, lambda: node.state()["healthy"])
    assert not (folder / "making").exists()
    node.stop()


def test_a_database_that_kept_a_log_of_changes_is_taken_over_and_keeps_none(node_config: Config) -> None:
    """Servers that ran as a replica set of one wrote each document twice; the documents are what counts."""
    database = node_config.data / "store" / "db"
    database.parent.mkdir()
    empty = node_config.data / "server.toml"
    empty.touch()
    command = [_program(), "--config", str(empty), "--host", EMBEDDED_HOST, "--storage-path", str(database)]
    with subprocess.Popen(
        [*command, "--port", str(node_config.store.port)], env={**os.environ, **_SYNC_EACH_TRANSACTION}
    ) as server:
        store = open_store(node_config)
        write_at_last(store, Write("a", {"_v": 1}, 0))
        assert logged(node_config) > 0
        server.kill()
    node = StoreNode(node_config)
    node.start()
    assert store.load("c", ["a"]) == {"a": {"_id": "a", "_v": 1}}
    assert store.write("c", [Write("a", {"_v": 2}, 1), Write("b", {"_v": 1}, 0)]) == set()
    assert logged(node_config) == 0
    assert store.load("c", ["a", "b"]) == {"a": {"_id": "a", "_v": 2}, "b": {"_id": "b", "_v": 1}}
    store.close()
    node.stop()


def logged(config: Config) -> int:
    """Return how many changes the server's log of changes shows."""
    with MongoClient[dict[str, object]](embedded_uri(config)) as client:
        return client["local"]["oplog.rs"].count_documents({})


def test_files_are_private_and_documents_survive_a_stop(node_config: Config) -> None:
    for expected in (0, 1):
        node, store = StoreNode(node_config), open_store(node_config)
        node.start()
        assert store.write("c", [Write("a", {"_v": expected + 1}, expected)]) == set()
        store.close()
        node.stop()
    files = list((node_config.data / "store" / "db").rglob("*"))
    assert files and all(path.stat().st_mode & 0o077 == 0 for path in files)


def insisted(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a store gives, once it answers."""
    while True:
        try:
            return ask()
        except Unavailable:
            time.sleep(0.05)


def test_a_server_that_was_killed_in_mid_bulk_has_lost_nothing_acknowledged(
    node: StoreNode, node_config: Config
) -> None:
    ids = [f"a:{n}" for n in range(400)]
    acknowledged: dict[str, int] = dict.fromkeys(ids, 0)
    interrupted: list[int] = []
    done = threading.Event()

    def write_on() -> None:
        store = open_store(node_config)
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
    found = insisted(lambda: open_store(node_config).load("c", ids))
    assert {id: document["_v"] for id, document in found.items()} == acknowledged


def test_a_dead_server_is_reported_and_started_again(node: StoreNode, node_config: Config) -> None:
    os.kill(node.state()["server_pid"], signal.SIGKILL)
    step_until(node, lambda: "ended with code -9" in node.state()["error"])
    assert not node.state()["healthy"] and "store-server.log" in node.state()["error"]
    step_until(node, lambda: node.state()["healthy"])
    assert node.state()["restarts"] == 1
    open_store(node_config).ping()


def test_a_server_that_hangs_is_reported(
    node: StoreNode, node_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(node_config)
    store.ping()
    monkeypatch.setattr("analytics.store.mongo.PING_SECONDS", 0.3)
    pid = node.state()["server_pid"]
    os.kill(pid, signal.SIGSTOP)
    # The signal has been sent, not taken: on a busy machine one more check may pass.
    step_until(node, lambda: not node.state()["healthy"])
    assert "does not answer" in node.state()["error"]
    with gevent.Timeout(25), pytest.raises(Unavailable, match="does not answer"):
        store.ping()  # who only asks whether it is there does not wait as long as who writes
    os.kill(pid, signal.SIGCONT)
    step_until(node, lambda: node.state()["healthy"])
    assert node.state()["restarts"] == 0


def test_a_server_that_refuses_everything_is_started_again(
    node: StoreNode, node_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.store.embedded.REFUSING_SECONDS", 0.5)
    # No file of this one server's may grow past 1 MB: as on a full disk, it refuses from then on for good.
    resource.prlimit(node.state()["server_pid"], resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    store = open_store(node_config)
    with pytest.raises(Unavailable):
        for number in range(100):
            writes = [Write(f"{number}:{n}", {"_v": 1, "fill": os.urandom(2000)}, 0) for n in range(50)]
            assert store.write("c", writes) == set()
    node.step()
    assert not node.state()["healthy"] and node.state()["error"]
    step_until(node, lambda: node.state()["healthy"])
    store.write("c", writes)
    assert len(store.load("c", [write.id for write in writes])) == 50


def test_one_node_looks_after_a_folder(node: StoreNode, node_config: Config) -> None:
    other = StoreNode(
        msgspec.structs.replace(node_config, store=StoreSection(port=node_config.store.port + 1))
    )
    with pytest.raises(AnalyticsError, match=f"another store node \\(process {os.getpid()}\\)"):
        other.start()
    other.stop()
    open_store(node_config).ping()


def test_a_port_that_is_taken_is_said(node_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.store.embedded.PORT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", node_config.store.port)):
        node = StoreNode(node_config)
        with pytest.raises(AnalyticsError, match=f"port {node_config.store.port} is taken.*store.port"):
            node.start()
        node.stop()


def test_a_missing_program_teaches_what_to_install(
    node_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.store.embedded.PROGRAM", "secantusd-nowhere")
    with pytest.raises(ConfigError, match=r"pip install 'analytics\[embedded\]'.*mongodb.uri"):
        StoreNode(node_config).start()


RUN_A_NODE = """
import sys, time
from pathlib import Path
from analytics.config import Config, StoreSection
from analytics.store.embedded import StoreNode
node = StoreNode(Config(data=Path(sys.argv[1]), store=StoreSection(port=int(sys.argv[2]))))
node.start()
print(node.state()["server_pid"], flush=True)
time.sleep(60)
"""


def test_the_server_dies_with_its_node_and_another_node_takes_over(node_config: Config) -> None:
    command = [sys.executable, "-c", RUN_A_NODE, str(node_config.data), str(node_config.store.port)]
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


def test_a_server_left_behind_is_ended(node_config: Config) -> None:
    node = StoreNode(node_config)
    node.start()
    command = Path(f"/proc/{node.state()['server_pid']}/cmdline").read_bytes().decode().split("\0")[:-1]
    node.stop()
    environment = {**os.environ, **_SYNC_EACH_TRANSACTION}
    leftover = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        store = open_store(node_config)
        write_at_last(store, Write("a", {"_v": 1}, 0))
        node = StoreNode(node_config)
        node.start()
        assert leftover.wait(60) == -signal.SIGKILL
        assert node.state()["healthy"] and store.load("c", ["a"])["a"]["_v"] == 1
        node.stop()
    finally:
        leftover.kill()
        leftover.wait()
