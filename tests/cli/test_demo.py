"""The demo counts a game and says that it agrees only where it does; what it starts ends with it."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from running_suite import ROOT, Run

from analytics.cli.demo_results import differences
from analytics.cluster import LocalRegistry
from analytics.cluster.registry import process_started
from analytics.store import MemoryStore, Write

SMALL = ("--areas", "2", "--players", "40", "--seconds", "4")


def test_the_demo_agrees(analytics: Run, tmp_path: Path) -> None:
    done = analytics("demo", "--once", *SMALL, "--data", str(tmp_path / "demo"), timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Agrees: " in done.stdout
    assert LocalRegistry(tmp_path / "demo").list() == []


def test_the_demo_takes_no_folder_of_others(analytics: Run, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    refused = analytics("demo", "--once", "--data", str(tmp_path))
    assert refused.returncode == 1
    assert "expected an empty folder or that of an earlier demo" in refused.stderr
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_the_demo_started_ends_with_it(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "demo"
    command = [
        sys.executable,
        "-m",
        "analytics",
        "demo",
        "--areas",
        "1",
        "--players",
        "20",
        "--data",
        str(data),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    demo = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    registry = LocalRegistry(data)
    until = time.monotonic() + 30
    while len(nodes := registry.list()) < 5 or not any(node.state.get("server_pid") for node in nodes):
        assert time.monotonic() < until, f"only {[node.name for node in nodes]} came up"
        time.sleep(0.1)
    pids = {node.pid for node in nodes} | {node.state["server_pid"] for node in nodes if node.name == "store"}
    demo.send_signal(number)
    demo.wait(60)
    until = time.monotonic() + 10
    while any(process_started(pid) for pid in pids):
        assert time.monotonic() < until, "processes were left behind"
        time.sleep(0.1)


DAY: dict[str, Any] = {"area": "a", "game": "dl", "plat": "1", "ts": 5, "count": 2, "userlist": ["x", "y"]}


def test_differences_are_found() -> None:
    store = MemoryStore()
    stored = {**copy.deepcopy(DAY), "userlist": ["y", "x"], "_v": 3, "_at": {}}
    store.write("loginday", [Write("a:5", stored, None), Write("a:6", {**stored, "ts": 6, "count": 3}, None)])
    assert differences(store, {"loginday": {"a:5": DAY, "a:6": {**DAY, "ts": 6, "count": 3}}}) == []
    assert differences(store, {"loginday": {"a:5": DAY, "a:6": {**DAY, "ts": 6}, "a:7": DAY}}) == [
        "loginday a:6: differs in count",
        "loginday a:7: expected a document, found none",
    ]
    assert differences(store, {"loginday": {"a:5": DAY}}) == ["loginday a:6: expected none, found a document"]
