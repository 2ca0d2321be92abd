"""What only the engine ``secantus`` needs: tables that are made at once, a full disk that it never gets over."""

import os
import resource
import subprocess

import pytest
from pymongo import MongoClient
from store_nodes import step_until, write_at_last

from analytics.config import Config
from analytics.errors import AnalyticsError, ConfigError, Unavailable
from analytics.store import Write, embedded_uri, open_store
from analytics.store.embedded import StoreNode
from analytics.store.embedded.engine import HOST
from analytics.store.embedded.secantus import Secantus


def test_all_tables_are_made_before_anything_is_counted(node: StoreNode, node_config: Config) -> None:
    folder = node_config.data / "store"
    assert len(list((folder / "db").glob("secantus_documents_sh*.wt"))) == 16
    assert not (folder / "making").exists()


def test_a_database_that_was_killed_while_it_was_made_is_made_again(node_config: Config) -> None:
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
    command = [
        Secantus(node_config).program(),
        "--config",
        str(empty),
        "--host",
        HOST,
        "--storage-path",
        str(database),
    ]
    with subprocess.Popen(
        [*command, "--port", str(node_config.store.port)], env={**os.environ, **Secantus.environment}
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


def test_a_server_that_refuses_everything_is_started_again(
    node: StoreNode, node_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.store.embedded.node.REFUSING_SECONDS", 0.5)
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


def test_a_missing_program_teaches_what_to_install(
    node_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.store.embedded.secantus.PROGRAM", "secantusd-nowhere")
    with pytest.raises(ConfigError, match=r"pip install 'analytics\[embedded\]'.*mongodb.uri"):
        StoreNode(node_config).start()
