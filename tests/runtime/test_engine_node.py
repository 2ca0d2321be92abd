"""The node ``engine``: its driver is a process of its own, whose trouble it reports."""

import os
import signal
from pathlib import Path

import gevent
import pytest

from analytics.config import load
from analytics.engine.node import DriverEnded, EngineNode
from analytics.system.processes import process_started
from analytics.testing.ports import free_ports

PATIENCE = 600.0


def started(folder: Path) -> EngineNode:
    """Return a node whose store is away."""
    [port] = free_ports(1)
    file = folder / "analytics.toml"
    file.write_text(
        f'data = "data"\n[engine]\nkind = "local"\n[mongodb]\nuri = "mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=200"\n'
    )
    node = EngineNode(load(file))
    node.start()
    with gevent.Timeout(PATIENCE):
        while not node.state().get("error"):
            node.step()
    return node


def test_a_store_that_is_away_is_reported_and_waited_for(tmp_path: Path) -> None:
    node = started(tmp_path)
    assert "does not answer" in node.state()["error"] and node.state()["lag_seconds"] >= 0
    pid = node._process.pid
    node.stop()
    assert not process_started(pid)


def test_a_driver_that_ends_ends_its_node(tmp_path: Path) -> None:
    node = started(tmp_path)
    os.kill(node._process.pid, signal.SIGKILL)
    with gevent.Timeout(PATIENCE), pytest.raises(DriverEnded, match="status -9"):
        while True:
            node.step()
    node.stop()
