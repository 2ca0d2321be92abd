"""A real Prometheus watches a real suite, also while a part of the suite hangs."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import gevent
import pytest
import requests
from needed import need
from running_suite import ROOT, RunningSuite

from analytics.runtime.report import report
from analytics.runtime.suite import Suite
from analytics.testing.ports import free_ports

Query = Callable[[str], dict[str, float]]


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
