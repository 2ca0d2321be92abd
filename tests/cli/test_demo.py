"""The demo counts a game and says that it agrees only where it does; what it starts ends with it."""

import io
import os
import signal
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click import UsageError
from forms import long_form, thorough
from needed import need_engine
from pymongo import MongoClient
from rich.console import Console
from running_suite import ROOT, Run

from analytics.bolts import BOLTS
from analytics.cli.demo import TIMEZONE
from analytics.cli.demo_results import compare, verdict
from analytics.cli.demo_setup import first_day
from analytics.cli.demo_store import tell_engine
from analytics.cli.demo_tables import CHAPTERS, WIDTH, Numbers, retention_table, worth_table
from analytics.cluster import LocalRegistry
from analytics.config import Config
from analytics.config.sections import StoreSection
from analytics.core.areas import Area, Areas
from analytics.core.funnels import STEPS
from analytics.core.periods import zone
from analytics.core.segments import PROPERTIES
from analytics.runtime.timers.collections import WRITTEN
from analytics.store import MemoryStore, Write
from analytics.store.embedded.choice import Name
from analytics.system.processes import process_started
from analytics.testing.mongod import Server
from analytics.testing.ports import free_ports

SMALL = ("--areas", "2", "--players", "15", "--days", "4", "--seconds", "2")


@pytest.mark.parametrize("keep", [pytest.param(False, marks=long_form), True])
def test_the_demo_leaves_nothing_on_a_mongodb_of_the_users(
    analytics: Run, tmp_path: Path, keep: bool
) -> None:
    need_engine("mongod")
    with Server(tmp_path / "mongod") as server, MongoClient(server.uri) as client:
        client["mine"]["c"].insert_one({"_id": 1})
        before = set(client.list_database_names())
        arguments = (
            "demo",
            "--once",
            *SMALL,
            "--data",
            str(tmp_path / "demo"),
            "--uri",
            f"mongodb://{server.address}/",
        )
        done = analytics(*arguments, *(["--keep"] if keep else []), timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        left = set(client.list_database_names()) - before
        assert client["mine"].list_collection_names() == ["c"]
        if not keep:
            assert left == set() and "MongoDB address" not in done.stdout
            return
        (name,) = left
        assert f"MongoDB address: mongodb://{server.address}/ (database {name})" in done.stdout
        assert_agrees(done.stdout, tmp_path / "demo")
        assert client[name]["server"].find_one() is not None
        assert_agrees(done.stdout, tmp_path / "demo")
    assert (tmp_path / "demo" / "analytics.toml").stat().st_mode & 0o077 == 0


def test_a_mongodb_that_does_not_answer_is_reported_at_once(analytics: Run, tmp_path: Path) -> None:
    arguments = (
        "demo",
        "--once",
        "--data",
        str(tmp_path / "demo"),
        "--uri",
        f"mongodb://127.0.0.1:{free_ports(1)[0]}/",
    )
    refused = analytics(*arguments)
    assert refused.returncode == 1 and "refused" in refused.stderr and "Topology" not in refused.stderr


@pytest.mark.parametrize(
    ("store", "counting"),
    [
        pytest.param("mongod", ["--engine", "local"], marks=thorough),
        pytest.param("secantus", [], marks=long_form),
    ],
)
def test_the_demo_agrees_and_names_the_server_that_it_runs(
    analytics: Run, tmp_path: Path, store: Name, counting: list[str]
) -> None:
    """Once with an engine in place of broker and workers."""
    need_engine(store)
    data = tmp_path / "demo"
    done = analytics("demo", "--once", *SMALL, "--data", str(data), "--store", store, *counting, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        f"Documents are kept by {store}" in done.stdout and f'store.engine = "{store}" is set' in done.stdout
    )
    assert_agrees(done.stdout, data)


def assert_agrees(said: str, data: Path) -> None:
    """Assert that a demo says that each chapter agrees, in lines that fit, and that nothing of it runs on."""
    assert said.count("✓ agrees") == len(CHAPTERS) and "All of it agrees: " in said
    assert all(len(line) <= WIDTH or "MongoDB address" in line for line in tables(said))
    assert LocalRegistry(data).list() == []


def test_the_demo_names_the_server_that_it_runs(tmp_path: Path) -> None:
    need_engine("mongod")
    said = io.StringIO()
    config = Config(data=tmp_path, store=StoreSection(engine="mongod"))
    tell_engine(Console(file=said, width=WIDTH), config)
    assert said.getvalue().startswith("Documents are kept by mongod ")
    assert 'store.engine = "mongod" is set' in said.getvalue()


def tables(text: str) -> list[str]:
    """Return the lines from the first table to the last."""
    return text[text.index("Areas: ") : text.index("All of it agrees")].splitlines()


def test_every_collection_is_compared_once() -> None:
    """A bolt that somebody adds needs no chapter."""
    compared = [name for chapter in CHAPTERS for name in chapter.collections]
    assert len(compared) == len({*compared}) and {*compared} <= {*BOLTS, *WRITTEN, PROPERTIES, STEPS}


def test_tables_show_what_a_last_day_says_that_is_not_over() -> None:
    """Its retention is known as soon as it has begun, what it has brought in when it has ended."""
    local = zone("Asia/Shanghai")
    first, last = date(2026, 3, 2), date(2026, 3, 7)
    rates = {str(n): {"count": 1, "rate": 50.0} for n in range(1, 6)}
    fields = {
        "loginretention": {first: {"retention": rates}, last: {"retention": {}}},
        "ltv": {first: {"ltv": {str(n): 1.25 for n in range(5)}}, last: {"ltv": {}}},
    }
    store = MemoryStore()
    for name, said in fields.items():
        for day, one in said.items():
            about = {"scope": "game", "game": "dl", "ts": local.day_of(f"{day}"), "reg": 2}
            store.write(f"{name}_total", [Write(f"{day}", about | one, 0)])
    numbers = Numbers(store, Areas([Area("5" * 24, "dl", "1", local)]), local, first, last)
    text = io.StringIO()
    for table in (retention_table, worth_table):
        Console(file=text, width=WIDTH).print(table(numbers))
    rows = [row.split() for row in text.getvalue().splitlines() if "2026-03" in row]
    assert [row[2:] for row in rows] == [
        ["2", "50.0", "50.0", "50.0"],
        ["2"],
        ["2", "1.25", "1.25", "1.25"],
        ["2"],
    ]


def test_the_demo_takes_no_folder_of_others(analytics: Run, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    refused = analytics("demo", "--once", "--data", str(tmp_path))
    assert refused.returncode == 1
    assert "expected an empty folder or that of an earlier demo" in refused.stderr
    assert (tmp_path / "precious").exists()


def test_the_demos_last_day_is_yesterday_or_the_one_that_is_asked_for() -> None:
    yesterday = datetime.now(ZoneInfo(TIMEZONE)).date() - timedelta(days=1)
    assert first_day(36, None) in (
        yesterday - timedelta(days=35),
        yesterday - timedelta(days=34),
    )  # midnight may pass
    assert first_day(1, datetime(2026, 3, 2)) == date(2026, 3, 2)
    with pytest.raises(UsageError, match="expected a day that has ended"):
        first_day(1, datetime.now() + timedelta(days=3))
    assert first_day(36, datetime(2000, 2, 6)) == date(2000, 1, 2)
    for last in (datetime(2000, 2, 5), datetime(1999, 12, 31), datetime(1, 1, 1)):
        with pytest.raises(UsageError, match="expected 2000-02-06 or later for 36 days"):
            first_day(36, last)


def ignore_interrupts() -> None:
    """Start as a shell starts what it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=long_form),
        pytest.param(signal.SIGTERM, marks=thorough),
        signal.SIGKILL,
    ],
)
def test_what_the_demo_started_ends_with_it(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "demo"
    command = [sys.executable, "-m", "analytics", "demo", *SMALL, "--data", str(data)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    demo = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=ignore_interrupts,
    )
    registry = LocalRegistry(data)
    until = time.monotonic() + 120
    while len(nodes := registry.list()) < 5 or not any(node.state.get("server_pid") for node in nodes):
        assert time.monotonic() < until, f"only {[node.name for node in nodes]} came up"
        time.sleep(0.1)
    pids = {node.pid for node in nodes} | {node.state["server_pid"] for node in nodes if node.name == "store"}
    demo.send_signal(number)
    demo.wait(600)
    until = time.monotonic() + 60
    while any(process_started(pid) for pid in pids):
        assert time.monotonic() < until, "processes were left behind"
        time.sleep(0.1)


DAY: dict[str, Any] = {"area": "a", "game": "dl", "plat": "1", "ts": 5, "count": 2, "userlist": ["x", "y"]}


def test_differences_are_found() -> None:
    store = MemoryStore()
    stored = {**DAY, "userlist": ["y", "x"], "_v": 3, "_at": {}}
    store.write("loginday", [Write("a:5", stored, None), Write("a:6", {**stored, "ts": 6, "count": 3}, None)])

    def wrong(expected: dict[str, dict[str, Any]]) -> list[str]:
        return compare(store, {"loginday": expected})["loginday"].wrong

    right = {**DAY, "ts": 6, "count": 3}
    assert wrong({"a:5": DAY, "a:6": right}) == []
    assert [line[:50] for line in wrong({"a:5": DAY, "a:6": {**DAY, "ts": 6}, "a:7": DAY})] == [
        "a:6: count: expected 2, found 3",
        "a:7: expected {'area': 'a', 'game': 'dl', 'plat': ",
    ]
    assert wrong({"a:5": DAY, "a:6": {**right, "userlist": ["x", "z"]}}) == [
        "a:6: userlist: expected ['z'], found ['y']"
    ]
    assert [line[:26] for line in wrong({"a:5": DAY})] == ["a:6: expected none, found "]
    assert verdict(compare(store, {"loginday": {"a:5": DAY}}).values())[0] is False


def test_a_document_that_says_nothing_is_no_difference() -> None:
    store = MemoryStore()
    retention = {"1": {"count": 0, "rate": 0}}
    key = {"area": "a", "game": "dl", "plat": "1", "ts": 5}
    nobody = {**key, "pay_user": 0, "retention": retention, "final": False}
    store.write("paytraceday", [Write("a:5", nobody, None)])
    assert not compare(store, {"paytraceday": {}})["paytraceday"].wrong
    retention["1"]["count"] = 1
    store.write("paytraceday", [Write("a:5", nobody, None)])
    assert len(compare(store, {"paytraceday": {}})["paytraceday"].wrong) == 1
