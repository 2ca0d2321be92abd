"""``start``, ``stop`` and ``restart``: what they do, and what they say when something is in the way."""

import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from forms import THOROUGH
from service_suite import Background, running, until

from analytics.cluster import LocalRegistry, NodeEntry
from analytics.config import BrokerSection, Config, ServiceSection
from analytics.config.alert_sections import AlertSection, ChannelSection, DigestSection
from analytics.config.sections import DashboardSection, Game, Interface, WorkerSection
from analytics.errors import AnalyticsError
from analytics.runtime.nodes import needed
from analytics.runtime.service import detached
from analytics.runtime.service.affected import affected, changed
from analytics.runtime.service.conf import rank, text
from analytics.runtime.service.control import drained, restart_node, start
from analytics.runtime.service.reloading import reload
from analytics.runtime.service.supervisor import Process, Supervisor
from analytics.system.processes import process_started

MANY = 20_000 if THOROUGH else 5_000

FAR = '[[gamelog.sources]]\nname = "far"\nkind = "tcp"\nhost = "192.0.2.1"\nport = 5010\n'
"""A source at an address that this machine does not have: the node that reads it ends at its start."""


def test_what_is_in_the_way_is_named(suite: Background) -> None:
    with socket.create_server(("127.0.0.1", suite.ports[1])):
        refused = suite("start")
    assert refused.returncode == 1
    assert f"broker.receiver_port: port {suite.ports[1]} on 127.0.0.1 is taken" in refused.stdout
    with suite.foreground("broker") as broker:
        until(lambda: "broker" in suite.pids())
        refused = suite("start")
    assert refused.returncode == 1
    assert f"broker (process {broker.pid}): running on {suite.folder / 'data'} already" in refused.stdout
    suite.configure('[payment]\nurl = "http://127.0.0.1:9/"\ntoken_env = "A_TOKEN_THAT_IS_NOT_SET"\n')
    refused = suite("start")
    assert refused.returncode == 2 and "environment variable A_TOKEN_THAT_IS_NOT_SET" in refused.stdout
    refused = suite("restart")
    assert refused.returncode == 2 and "not running" not in refused.stdout
    assert suite.supervisor.noted_pid == 0


def test_a_day_in_the_life_of_a_suite(suite: Background) -> None:
    """Started, twice, a node killed, restarted on other ports while lines come: every line counts once."""
    suite.configure()
    suite.write(500)
    starting = suite.popen("start")
    said, _ = starting.communicate(timeout=600)
    assert starting.returncode == 0 and "started (process" in said, said + suite.logs()
    assert f"already running (process {suite.supervisor.pid})" in suite.must("start")
    until(suite.is_well)
    os.kill(suite.supervisor.pid, signal.SIGSTOP)
    try:
        until(lambda: [one.partition(":")[0] for one in suite.status()["unwell"]] == ["supervisor"])
    finally:
        os.kill(suite.supervisor.pid, signal.SIGCONT)
    before = suite.pids()
    os.kill(before["worker-main"], signal.SIGKILL)
    # A busy machine may have started it again before anybody looks.
    problem = until(
        lambda: (
            _problem(suite, "worker-main", "ends soon after each start, is started again: ")
            or suite.pids().get("worker-main", before["worker-main"]) != before["worker-main"]
        )
    )
    if problem is not True:
        assert problem.endswith("terminated by SIGKILL, sent by a user or by the kernel for lack of memory")
    suite.write(500)
    until(lambda: suite.pids().get("worker-main", before["worker-main"]) != before["worker-main"])
    suite.write(MANY)
    suite.move()
    said = suite.must("restart")
    assert "did not answer" not in said
    assert said.index("stopping gamelog") < said.index("stopping broker") < said.index(" main timers")
    assert said.index(" main timers") < said.index("stopping store") < said.index("started (process")
    assert not set(before.values()) & set(suite.pids().values())
    suite.write(500)
    until(lambda: _accepted(suite) == suite.written)
    suite.must("drain")
    assert suite.counted() == suite.written


def test_a_reload_takes_a_new_area_up_while_the_broker_runs_on(suite: Background) -> None:
    suite.ensure_started()
    assert "nothing was changed that a node reads" in suite.must("reload")
    suite.write_and_journal(100)
    before = suite.pids()
    area = f'[games.dl.areas.{"7" * 24}]\nplat = "2001"\n'
    suite.configure(area)
    assert "`analytics reload` takes that up, and restarts main timers gamelog" in suite.must("start")
    said = suite.must("reload")
    assert "reload`" not in suite.must("start")
    assert said.index("restarting main") < said.index("restarting gamelog")
    after = suite.pids()
    assert {name for name in before if before[name] == after[name]} == {"broker", "store"}
    suite.write_and_journal(100)
    suite.must("drain")
    assert suite.counted() == suite.written
    assert "nothing was changed that a node reads" in suite.must("reload")
    suite.configure("[games.dl.areas.short]\n")
    refused = suite("reload")
    assert refused.returncode == 2 and suite.pids() == after
    suite.configure(area)


def test_a_supervisor_that_is_killed_takes_its_nodes_along(suite: Background) -> None:
    suite.ensure_started()
    suite.write(100)
    until(lambda: suite.counted() == suite.written)
    suite.write(5000)
    killed = suite.supervisor.pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: not suite.left())
    assert suite("status", "--lsb").returncode == 1
    reason = f"process {killed}, which ran the suite, was killed; `analytics start` starts all again"
    assert _problem(suite, "broker", reason)
    assert f"process {killed}, which ran the suite last, was killed" in suite.must("start")
    until(lambda: suite.counted() == suite.written)


def test_a_stop_waits_until_all_is_counted(suite: Background) -> None:
    """The bolts stand still until the spout has ended; all that it read is in the documents when the store ends."""
    suite.ensure_started()
    worker = suite.pids()["worker-main"]
    os.kill(worker, signal.SIGSTOP)
    suite.write_and_journal(5000)
    stopping = suite.popen("stop")
    until(lambda: "gamelog" not in suite.pids())
    time.sleep(1)
    waiting = suite.pids()
    os.kill(worker, signal.SIGCONT)
    said, _ = stopping.communicate(timeout=600)
    assert "broker" in waiting, said
    assert stopping.returncode == 0 and "stopped" in said and "not counted yet" not in said, said
    assert not suite.left()
    assert suite.must("stop") == "not running\n"
    assert suite("status", "--lsb").returncode == 3
    with suite.foreground("store"):
        until(lambda: "store" in suite.pids())
        assert suite.counted() == suite.written


def test_two_suites_side_by_side_of_which_one_can_not_start_a_node(
    suite_without_documents: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suite_without_documents
    for other in running(tmp_path / "other", has_documents=False):
        other.configure(FAR)
        commands = [one.popen("start") for one in (suite, suite, other)]
        said = [command.communicate(timeout=600)[0] for command in commands]
        assert [command.returncode for command in commands] == [0, 0, 1], said
        assert sorted("already running" in one for one in said) == [False, False, True]
        _one_whose_node_dies_at_its_start(other, said[2])
        until(lambda other=other: suite.is_well() and other.is_well())
        other.pids()
        os.kill(other.supervisor.pid, signal.SIGKILL)
        until(lambda other=other: not other.left())
        assert "was killed" in other.must("stop")
        assert other("status", "--lsb").returncode == 3
        until(suite.is_well)
        monkeypatch.setattr(
            Supervisor.__init__, "__defaults__", (1.0,)
        )  # seconds within which it has to answer
        _one_whose_supervisor_hangs(suite)


def _one_whose_node_dies_at_its_start(suite: Background, refused: str) -> None:
    """The others run; it is tried again, then shown as failed with its error; ``start`` tries it once more."""
    assert "gamelog ended at its start" in refused and "Cannot assign requested address" in refused
    assert {"broker", "worker-main"} <= suite.pids().keys()
    problem = until(lambda: _problem(suite, "gamelog", "given up after 3 starts in a row: "))
    assert "Cannot assign requested address" in problem and problem.endswith("then `analytics start`")
    assert suite("status", "--lsb").returncode == 150
    suite.configure()
    assert "started again: gamelog" in suite.must("start")


def _one_whose_supervisor_hangs(suite: Background) -> None:
    """It is not started once more, and ``stop`` kills it."""
    suite.pids()
    pid = suite.supervisor.pid
    os.kill(pid, signal.SIGSTOP)
    refused = suite("start")
    assert refused.returncode == 1 and "end it with `analytics stop`" in refused.stdout
    assert f"(process {pid}) does not answer" in refused.stdout
    assert "Nothing is lost by that" in suite.must("stop")
    until(lambda: not suite.left())


def _accepted(suite: Background) -> int:
    """Return how many records of the first spout were ever accepted; -1 where the broker does not answer."""
    balance = suite.status()["balance"]
    return int(balance["spouts"][0]["ever_accepted"]) if balance and balance["spouts"] else -1


def _problem(suite: Background, node: str, words: str) -> str:
    found = next((one["problem"] for one in suite.status()["nodes"] if one["name"] == node), "")
    return found if words in found else ""


def test_every_node_is_looked_after_and_stopped_in_its_turn() -> None:
    made = text(Config())
    assert all(f"[program:{name}]" in made for name in needed(Config()))
    some = text(Config(service=ServiceSection(nodes=["workers", "gamelog"])))
    assert re.findall(r"\[program:(\w+)\]", some) == ["workers", "gamelog"]
    assert rank("gamelog") > rank("broker") > rank("main") == rank("dashboard") > rank("store")


def test_a_stop_does_not_wait_for_what_can_not_come(tmp_path: Path) -> None:
    config = Config(
        data=tmp_path, broker=BrokerSection(refill_port=9), service=ServiceSection(drain_seconds=0.1)
    )
    said: list[str] = []
    broker = Process("broker", "RUNNING", 1, 1, "")
    drained({"broker": broker, "main": Process("main", "FATAL", 0, 1, "")}, config, said.append)
    assert said.pop().startswith("not waiting until all is counted, as main does not run")
    drained({"broker": broker}, config, said.append)
    assert said.pop().endswith("What is not counted yet will be after the next start")


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(AnalyticsError, match="data/run: Not a directory, but the suite has to write there"):
        start(Config(data=tmp_path / "data"), print)


ONE = Config(games={"dl": Game()}, payment=Interface(url="http://127.0.0.1/{day}"))
FEW = {"few": AlertSection(collection="kpi", value="dau", below=1, to=["ops"])}
ALERTING = msgspec.structs.replace(ONE, alerts=FEW)


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ({}, []),
        ({"games": {"dl": Game(), "wsdx": Game()}}, ["main", "timers", "dashboard", "payment"]),
        ({"payment": Interface(url="http://127.0.0.1/{day}", every_seconds=9)}, ["payment"]),
        ({"dashboard": DashboardSection(session_hours=9)}, ["dashboard"]),
        ({"worker": WorkerSection(flush_seconds=9)}, ["main"]),
        ({"worker": WorkerSection(left_out=["shop"])}, None),
        ({"dashboard": DashboardSection(port=0)}, None),
        ({"broker": BrokerSection(segment_mb=1)}, None),
        (
            {"file": Path("/etc/analytics/other.toml")},
            None,
        ),  # each node reads the one that the suite was started with
    ],
)
def test_a_reload_restarts_what_reads_the_change_and_bolts_first(
    changed: dict[str, Any], restarted: list[str] | None
) -> None:
    found = affected(ONE, msgspec.structs.replace(ONE, **changed))
    assert (found and sorted(found)) == (restarted and sorted(restarted))
    assert found is None or "payment" not in found or found[-1] == "payment"


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ({"alerts": {"few": msgspec.structs.replace(FEW["few"], below=2)}}, ["alerts"]),
        ({"digest": DigestSection(at="08:00")}, ["alerts"]),
        ({"worker": WorkerSection(flush_seconds=9)}, ["main"]),
        ({"channels": {"ops": ChannelSection("json", url_env="NEW")}}, None),
        ({"alerts": {}}, None),
    ],
)
def test_a_reload_of_rules_restarts_the_node_that_judges_them(
    changed: dict[str, Any], restarted: list[str] | None
) -> None:
    assert affected(ALERTING, msgspec.structs.replace(ALERTING, **changed)) == restarted


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"bolt_files": {"pets.py": ""}}, "bolts changed, which concerns all nodes"),
        (
            {"broker": BrokerSection(segment_mb=1), "log_level": "debug"},
            "log_level, broker changed, which concerns all nodes",
        ),
    ],
)
def test_a_reload_that_restarts_all_says_why(new: dict[str, Any], said: str) -> None:
    assert changed(ONE, msgspec.structs.replace(ONE, **new)) == said
    assert changed(None, ONE) == "what was changed is not known"


def test_a_reload_restarts_all_where_it_is_not_known_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, restarted = Config(data=tmp_path), []
    monkeypatch.setattr(Supervisor, "pid", 1)
    monkeypatch.setattr(detached, "restart", lambda config, say: restarted.append(config))
    reload(config, print)
    assert restarted == [config]
    Supervisor(config).folder.mkdir()
    Supervisor(config).note_configuration()
    reload(config, print)
    assert restarted == [config]


class OneDown:
    """A supervisor of two nodes, of which one was given up."""

    def __init__(self) -> None:
        self.found = {
            "main": Process("main", "RUNNING", os.getppid(), 1, ""),
            "dashboard": Process("dashboard", "FATAL", 0, 1, ""),
        }

    def processes(self) -> dict[str, Process]:
        return self.found

    def signal(self, name: str, signal: str) -> None:
        self.found[name] = msgspec.structs.replace(self.found[name], pid=os.getpid())

    def start(self, names: list[str]) -> None:
        self._change(names, "RUNNING")

    def _change(self, names: list[str], state: str) -> None:
        self.found |= {name: msgspec.structs.replace(self.found[name], statename=state) for name in names}


def test_a_node_is_restarted_although_another_one_is_down(tmp_path: Path) -> None:
    supervisor, now = OneDown(), time.time()
    LocalRegistry(tmp_path).beat(
        NodeEntry(
            name="worker-main", role="bolts", host="h", pid=os.getpid(), started=process_started(),
            version="1", since=now, beat=now,
        )
    )  # fmt: skip
    said: list[str] = []
    restart_node(cast(Supervisor, supervisor), Config(data=tmp_path), "main", said.append)
    assert said == ["restarting main"]
    assert supervisor.found["main"].statename == "RUNNING"
