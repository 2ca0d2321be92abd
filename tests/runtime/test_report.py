"""Each way in which a node can be unwell is told in words."""

import errno
import os
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import gevent
import pytest

from analytics.app import UnknownNode, build
from analytics.bolts import BOLTS
from analytics.broker.wire import BrokerState
from analytics.cluster import LocalRegistry, NodeEntry
from analytics.config import (
    Config,
    DashboardSection,
    GamelogSection,
    MongoDB,
    Source,
    TimersSection,
    WorkerSection,
)
from analytics.errors import AnalyticsError
from analytics.runtime import shortage
from analytics.runtime.nodes import needed, readers, registered
from analytics.runtime.report import Reply, node_reports, report
from analytics.store import MemoryStore, Store
from analytics.system.processes import process_started

SOURCE = Source(name="a", kind="file", path="/x")


def node_of(**changes: Any) -> NodeEntry:
    facts: dict[str, Any] = {
        "name": "gamelog", "role": "spout", "host": "h", "pid": os.getpid(), "started": process_started(),
        "version": "1", "since": time.time(), "beat": time.time(),
    }  # fmt: skip
    return NodeEntry(**{**facts, **changes})


def beating(data: Path, **changes: Any) -> None:
    LocalRegistry(data).beat(node_of(**changes))


def problem(data: Path) -> str:
    [found] = [
        node.problem
        for node in node_reports(Config(data=data), LocalRegistry(data).list())
        if node.name == "gamelog"
    ]
    return found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"state": {"error": "", "blocked": "", "errors": {}, "sources": {}}}, ""),
        ({"beat": 0.0}, "hangs: it has reported nothing for "),
        ({"beat": 0.0, "ended": True, "last_error": "ValueError: x"}, "died: ValueError: x"),
        ({"started": 1}, "died without an error; see its log"),
        ({"state": {"blocked": "disk full"}}, "disk full"),
        ({"state": {"error": "no store"}}, "no store"),
        ({"state": {"lost": 2, "lost_first": "a@1: all"}}, "lost: a@1: all (and 1 more)"),
        ({"state": {"lost": 0, "lost_first": ""}}, ""),
        (
            {"state": {"skipped": 7}},
            "7 records were gone from the Queue before they were read: run `bin/analytics rebuild`",
        ),
        ({"state": {"sources": {"s1": {"healthy": False, "last_error": "404"}}}}, "s1: 404"),
        ({"state": {"sources": {"s1": {"healthy": True, "last_error": "404"}}}}, ""),
        ({"state": {"errors": {"a/1": "503", "b/2": "504"}}}, "a/1: 503 (and 1 more)"),
        ({"state": {"sources": {"payment/dl@1": 5}}}, ""),
    ],
)
def test_what_is_wrong_with_a_node(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    beating(tmp_path, **changes)
    found = problem(tmp_path)
    assert found.startswith(told) if told else found == ""


class NoRoom:
    """A file system that takes nothing."""

    def __init__(self, folder: Path, flag: int = 0, free: int = 0, inodes: int = 9) -> None:
        self.f_flag, self.f_bavail, self.f_frsize, self.f_files, self.f_favail = flag, free, 4096, 100, inodes


@pytest.mark.parametrize(
    ("lacks", "told"),
    [
        ({}, "is full: make room"),
        ({"free": 10_000, "inodes": 0}, "has no inodes left"),
        ({"free": 10_000, "flag": os.ST_RDONLY}, "is read-only"),
    ],
)
@pytest.mark.parametrize("silent", [False, True])
def test_a_node_that_cannot_write_how_it_does_is_not_said_to_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: dict[str, int], told: str, silent: bool
) -> None:
    """A read-only file system takes not even a time, so the node tells nothing at all."""
    beating(tmp_path, beat=time.time() - 30)
    if not silent:
        full = LocalRegistry(tmp_path)
        (tmp_path / "run" / f".gamelog.json.{os.getpid()}.new").mkdir()  # no file can be written there
        with pytest.raises(OSError):
            full.beat(node_of())
    monkeypatch.setattr(shortage.os, "statvfs", lambda folder: NoRoom(folder, **lacks))
    found = problem(tmp_path)
    assert told in found and "hangs" not in found and "kill" not in found
    assert ("it works" in found) is not silent
    [node] = [
        node
        for node in node_reports(Config(data=tmp_path), LocalRegistry(tmp_path).list())
        if node.name == "gamelog"
    ]
    assert bool(node.pid) is not silent, "one that beats counts as running"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_file_system_that_refuses_files_without_a_sign_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As ext4 does that has found itself damaged, and a quota."""

    def refuse(**_: Any) -> None:
        raise OSError(number, os.strerror(number))

    beating(tmp_path, beat=time.time() - 30)
    monkeypatch.setattr(shortage.tempfile, "TemporaryFile", refuse)
    assert f"takes no file ({os.strerror(number)})" in problem(tmp_path)


def test_a_process_without_files_left(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    assert shortage.shortage(tmp_path, os.getpid()) == ""
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 2, hard))
    try:
        found = shortage.shortage(tmp_path, os.getpid())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "files and connections open" in found and "LimitNOFILE" in found


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    gone = subprocess.Popen(["sleep", "600"])
    started = process_started(gone.pid)
    gone.kill()
    gone.wait()
    beating(tmp_path, pid=gone.pid, started=started)
    assert problem(tmp_path) == "died without an error; see its log"


def test_nodes_that_should_run_are_shown_where_they_do_not(tmp_path: Path) -> None:
    config = Config(data=tmp_path, gamelog=GamelogSection(sources=[SOURCE]))
    assert {node.name: node.problem for node in node_reports(config, [])} == dict.fromkeys(
        ["store", "broker", "worker-main", "timers", "gamelog", "dashboard"], "not running"
    )


def test_which_nodes_a_configuration_needs() -> None:
    assert needed(Config()) == ["store", "broker", "main", "timers", "dashboard"]
    groups = {"day": ["loginday"], "hour": ["loginhour"]}
    config = Config(
        mongodb=MongoDB(uri="mongodb://h"),
        worker=WorkerSection(groups=groups),
        timers=TimersSection(every_seconds=0),
        dashboard=DashboardSection(port=0),
    )
    assert needed(config) == ["broker", "day", "hour", "main"]


def test_bolts_in_no_group_run_in_one_more() -> None:
    """Whoever waits for bolts, or shows them, knows of them by ``readers``."""
    for name, rest in (("hours", "main"), ("main", "main-rest")):
        config = Config(worker=WorkerSection(groups={name: ["loginhour", "signuphour"]}, left_out=["shop"]))
        names = [node.name for node in build(["workers"], config)]
        assert names == registered(config, needed(config))[2:4] == [f"worker-{name}", f"worker-{rest}"]
        assert readers(config).keys() == BOLTS.keys() - {"shop"} | {"timers"}
        assert [node.name for node in build([rest], config)] == [f"worker-{rest}"]


def test_bolts_named_together_share_a_worker(tmp_path: Path) -> None:
    config = Config(data=tmp_path)
    names = ["loginday", "broker", "loginhour", "loginday"]
    assert [node.name for node in build(names, config)] == ["broker", "worker-loginday+loginhour"]
    assert registered(config, names) == ["broker", "worker-loginday+loginhour"]
    assert (
        [node.name for node in build(["workers"], config)]
        == registered(config, ["workers"])
        == ["worker-main"]
    )


def test_a_name_that_no_node_has() -> None:
    with pytest.raises(UnknownNode, match='got "brokr"; did you mean broker') as refused:
        build(["brokr"], Config())
    assert isinstance(refused.value, AnalyticsError)


def test_what_spouts_tell_is_not_newer_than_what_the_broker_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_all(*_: Any) -> dict[str, Reply]:
        beating(tmp_path, state={"published": 2})
        return {"broker": Reply(BrokerState("log", {}, {}, {}, "", 0, 0, 0))}

    beating(tmp_path, state={"published": 1})
    monkeypatch.setattr("analytics.runtime.report.ask_all", ask_all)
    [told] = [node.state for node in report(Config(data=tmp_path)).nodes if node.name == "gamelog"]
    assert told == {"published": 1}


def test_a_report_does_not_wait_until_the_store_has_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clinging(MemoryStore):
        def close(self) -> None:
            letting_go.append(self)
            gevent.sleep(3600)

    letting_go: list[Store] = []
    monkeypatch.setattr("analytics.runtime.report.open_store", lambda config, timeout: Clinging())
    monkeypatch.setattr("analytics.runtime.report._ask_broker", lambda config, listed: BrokerState("", {}))
    [store] = [one for one in report(Config(data=tmp_path)).peers if one.name == "store"]
    assert not store.problem and letting_go


def test_where_nothing_runs_status_names_the_command_that_helps(tmp_path: Path) -> None:
    config = Config(data=tmp_path)
    assert any("`bin/analytics start` starts it" in one for one in report(config, 0.2).warnings)
    beating(tmp_path)
    assert not any("start` starts" in one for one in report(config, 0.2).warnings)
