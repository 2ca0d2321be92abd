"""A suite that runs, as scripts and operators see it: by commands, by a Prometheus, and beside the game that it counts."""

import io
import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess

import gevent
import pytest
import requests
from forms import thorough
from in_process import in_process
from needed import need
from rich.console import Console
from running_suite import ROOT, Run, RunningSuite

from analytics.cli.demo import conclude
from analytics.cli.demo_tables import WIDTH
from analytics.core.compiled import COMPILED
from analytics.runtime.report import report
from analytics.runtime.suite import Suite
from analytics.store import Write, open_store
from analytics.testing.ports import free_ports

Query = Callable[[str], dict[str, float]]

PATIENT = ("--patience", "60")
"""However busy the machine is."""


@pytest.fixture(scope="module")
def probes(running: RunningSuite) -> Iterator[str]:
    """The address at which the suite is scraped: a node of its own, in a process of its own."""
    [port] = free_ports(1)
    file = running.file.with_name("watched.toml")
    file.write_text(f"{running.file.read_text()}\n[metrics]\nport = {port}\n")
    with Suite(file, [["metrics"]]):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def query(probes: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    """Asks a Prometheus that scrapes the suite every three seconds; returns values by the labels that tell them apart."""
    program = need("prometheus", "apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    shipped = (ROOT / "conf" / "prometheus" / "prometheus.yml").read_text()
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {evaluation_interval: 500ms}\n"
        + shipped.replace("127.0.0.1:5090", probes)
        .replace("15s", "3s")
        .replace("10s", "3s")
        .replace("- alerts.yml", f"- {ROOT / 'conf' / 'prometheus' / 'alerts.yml'}")
    )
    [port] = free_ports(1)
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def ask(expression: str) -> dict[str, float]:
        url = f"http://127.0.0.1:{port}/api/v1/query"
        try:
            answered = requests.get(url, {"query": expression}, timeout=30)
            if answered.status_code == 503:  # it is still reading its own files
                return {}
            answer = answered.json()
        except requests.ConnectionError:
            assert process.poll() is None, (folder / "log").read_text()
            return {}
        known = ("__name__", "job", "instance", "host")
        return {
            ":".join(value for name, value in one["metric"].items() if name not in known): float(
                one["value"][1]
            )
            for one in answer.get("data", {}).get("result", [])
        }

    yield ask
    process.kill()
    process.wait()


def in_time(run: Callable[[], CompletedProcess[str]]) -> CompletedProcess[str]:
    """Return what a command does once it succeeds, or after a minute: what a busy machine does in time varies."""
    until = time.monotonic() + 60
    while (done := run()).returncode and time.monotonic() < until:
        gevent.sleep(0.5)
    return done


def test_status_of_a_suite_that_is_well(analytics: Run, running: RunningSuite) -> None:
    shown = in_time(lambda: analytics("--config", str(running.file), "status", "--json", *PATIENT))
    assert shown.returncode == 0, shown.stdout
    facts = json.loads(shown.stdout)
    assert facts["healthy"] is True
    assert {node["name"] for node in facts["nodes"]} == {
        "store",
        "broker",
        "worker-main",
        "timers",
        "gamelog",
        "payment",
        "syncuser",
    }
    spouts = {spout["name"]: spout for spout in facts["balance"]["spouts"]}
    assert spouts["gamelog"]["ever_accepted"] == running.game.ledger.records
    table = in_time(lambda: in_process("--config", str(running.file), "status", *PATIENT))
    assert table.returncode == 0
    assert "The balance adds up." in table.stdout
    assert f"{running.game.ledger.records:,}" in table.stdout


def test_drain_returns_at_once_when_all_is_counted(analytics: Run, running: RunningSuite) -> None:
    assert analytics("--config", str(running.file), "drain", "--timeout", "50").returncode == 0


def test_check_tries_everything(running: RunningSuite) -> None:
    checked = in_time(lambda: in_process("--config", str(running.file), "check"))
    assert checked.returncode == 0, checked.stdout
    for name in (
        "configuration",
        "store",
        "broker",
        "payment interface",
        "gamelog source server1001",
        f"reading of game logs: {'' if COMPILED else 'not '}compiled",
    ):
        assert re.search(rf"^ok +{name}", checked.stdout, re.MULTILINE), checked.stdout


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(600, AssertionError("Prometheus does not see it")):
        while not condition():
            gevent.sleep(0.1)


def test_prometheus_sees_what_status_says(query: Query, running: RunningSuite) -> None:
    until(lambda: query("analytics_healthy") == {"": 1.0})
    until(lambda: query("up") == {"": 1.0})
    until(lambda: report(running.suite.config).balance is not None)
    names = {node.name for node in report(running.suite.config).nodes}
    accepted = "analytics_source_accepted_records_total{spout='gamelog'}"
    until(lambda: sum(query(accepted).values()) == running.game.ledger.records)
    for facts in ("healthy", "resident_memory_bytes > 1e7", "open_fds > 3"):
        until(lambda facts=facts: set(query(f"analytics_node_{facts}")) == names)


def test_scraping_goes_on_while_the_store_hangs(query: Query, running: RunningSuite, probes: str) -> None:
    [pid] = [node.state["server_pid"] for node in report(running.suite.config).nodes if node.name == "store"]
    until(lambda: query("analytics_peer_healthy") == {"broker": 1.0, "store": 1.0})
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: requests.get(f"http://{probes}/healthz", timeout=30).status_code == 503)
        health = requests.get(f"http://{probes}/healthz", timeout=30)
        assert any(one.startswith("store: ") for one in health.json()["unwell"])
        assert (
            'analytics_peer_healthy{peer="store"} 0.0'
            in requests.get(f"http://{probes}/metrics", timeout=30).text
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: requests.get(f"http://{probes}/healthz", timeout=30).status_code == 200)


def test_the_rules_see_a_node_that_died(query: Query, running: RunningSuite) -> None:
    unwell = "ALERTS{alertname='AnalyticsNodeUnwell'}"
    until(lambda: query(unwell) == {})
    running.suite.kill("timers")
    until(lambda: "timers" in query("analytics_node_healthy == 0"))
    until(lambda: any(":pending:timers:" in name for name in query(unwell)))
    running.suite.restart("timers")
    until(lambda: query("analytics_healthy") == {"": 1.0})


@pytest.mark.parametrize(
    ("frozen", "told"),
    [
        pytest.param(["broker"], ["No balance: (the )?broker "], marks=thorough),
        pytest.param(["server"], ["No answer: store: "], marks=thorough),
        (["broker", "server"], ["No balance: (the )?broker ", "No answer: store: "]),
    ],
)
def test_status_within_two_seconds_whatever_hangs(
    analytics: Run, running: RunningSuite, frozen: list[str], told: list[str]
) -> None:
    nodes = {node.name: node for node in report(running.suite.config).nodes}
    pids = {"broker": running.suite.pid("broker"), "server": nodes["store"].state["server_pid"]}
    try:
        for name in frozen:
            os.kill(pids[name], signal.SIGSTOP)
        shown = analytics("--config", str(running.file), "status", timeout=600)
    finally:
        for name in frozen:
            os.kill(pids[name], signal.SIGCONT)
    assert shown.returncode == 1
    for words in told:
        assert re.search(words, shown.stdout)
    # How long it waits; what it computes takes well below half a second where nothing else is computed.
    assert "[default: 1.2;" in in_process("status", "--help").stdout


def test_a_killed_node_is_shown_and_comes_back(running: RunningSuite) -> None:
    running.suite.kill("gamelog")
    shown = in_process("--config", str(running.file), "status", "--json")
    assert shown.returncode == 1
    problems = {node["name"]: node["problem"] for node in json.loads(shown.stdout)["nodes"]}
    assert problems["gamelog"].startswith("died")
    running.suite.restart("gamelog")
    again = in_time(lambda: in_process("--config", str(running.file), "status", "--json", *PATIENT))
    assert again.returncode == 0, again.stdout


def test_tail_prints_tuples_as_they_pass(analytics: Run, running: RunningSuite) -> None:
    tailing = gevent.spawn(
        analytics, "--config", str(running.file), "tail", "gamelog.*", "--count", "2", timeout=300
    )
    area = running.game.servers[0].id
    ts = int(time.time())
    lines = "".join(
        json.dumps({"op": {"code": "hello"}, "area": area, "ts": ts, "data": {"corpid": 1, "acct": f"a{n}"}})
        + "\n"
        for n in range(3)
    )
    for number in itertools.count():  # one that begins to listen has missed what came before
        put = gevent.subprocess.run(
            [str(ROOT / "bin" / "read_stdin_gamelog"), "--source", f"hello{number}"],
            input=lines.encode(), capture_output=True, env={"ANALYTICS_CONFIG": str(running.file), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert put.returncode == 0, put.stderr
        tailing.join(1)
        if tailing.ready():
            break
    tailed = tailing.get()
    assert tailed.returncode == 0, tailed.stderr
    tuples = [json.loads(line) for line in tailed.stdout.splitlines()]
    assert [one["id"].rpartition(":")[2] for one in tuples] == ["1", "2"]
    assert tuples[0]["op"]["code"] == "hello"


def test_a_document_that_was_tampered_with_is_shown(running: RunningSuite) -> None:
    said = io.StringIO()
    console = Console(file=said, width=WIDTH)
    assert conclude(console, running.game, running.suite.config), said.getvalue()
    store = open_store(running.suite.config)
    whole_game = next(one for one in store.find("kpi_total") if one["scope"] == "game" and one["dau"])
    item = next(store.find("shop"))
    store.write("kpi_total", [Write(whole_game["_id"], {**whole_game, "dau": 10**6}, None)])
    store.delete("shop", [item["_id"]])
    store.close()
    assert not conclude(console, running.game, running.suite.config, patience=0)
    lines = said.getvalue()
    assert f"{whole_game['_id']}: dau: expected {whole_game['dau']}, found 1000000" in lines
    assert f"{item['_id']}: expected " in lines and lines.count("✗ differs: 1 of ") == 2
    assert lines.count("All of it agrees") == 1
