"""A report as Prometheus reads it, and the rules that watch it."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from monitoring import promtool
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from analytics.app import build
from analytics.broker.wire import BrokerState, Head, SourceState
from analytics.config import BrokerSection, Config, MetricsSection
from analytics.errors import AnalyticsError
from analytics.runtime.balance import balance
from analytics.runtime.engine_progress import EngineReport
from analytics.runtime.nodes import needed
from analytics.runtime.report import NodeReport, Peer, StatusReport
from analytics.runtime.usefulness import Unread
from analytics.system.processes import Usage
from analytics.testing.ports import free_ports
from analytics.web.metrics import registry
from analytics.web.metrics_node import Metrics
from analytics.web.probes import ReportCache, with_probes

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "conf" / "prometheus" / "alerts.yml"
MONITORING = (ROOT / "docs" / "monitoring.md").read_text()
LOGINS = "gamelog.login_logcount"
BROKER = BrokerState(
    log="l",
    heads={LOGINS: Head(3, 9, 9), "loginhour": Head(2, 4, 9)},
    sources={"gamelog/a": SourceState(9, 1, 2)},
    bolts={"loginhour": {LOGINS: Head(3, 9, 9)}, "loginday": {"loginhour": Head(1, 3, 6)}},
    blocked="",
    disk_bytes=100,
    free_bytes=2000,
    repeated=7,
    waiting={"loginday": {"loginhour": 2.5}},
    refused_keys=2,
    refused_keyless=5,
)
SPOUT = {
    "read": 10, "journaled": 9, "rejected": 1, "published": 9, "repeated": 0, "idle": True, "errors": {"a/1": "503"},
    "rounds": 4, "lost": 3, "sources": {'a"b\\': {"healthy": False, "lag_bytes": 12, "read_at": 1000.5}, "payment/dl@1": 5},
}  # fmt: skip
TIMERS = {"runs": 3, "ran_at": 50.0, "seconds": 0.25, "facts_bytes": 7_000_000, "changed_days": 6}


def node(name: str, role: str, state: dict[str, Any], pid: int = 7, problem: str = "") -> NodeReport:
    usage = Usage(1_000_000, 12, 3.5)
    return NodeReport(name, role, not problem, problem, "", "h", pid, "0.1", 100.0, 20.0, state, usage)


def reported(broker: BrokerState | None = BROKER) -> StatusReport:
    nodes = [
        node("gamelog", "spout", SPOUT),
        node("timers", "bolts", TIMERS),
        node("worker-main", "bolts", {"skipped": 2, "lost_writes": ["coinday", "shop"]}),
        node("store", "", {}, 0, "not running"),
    ]
    sums = (
        balance(broker, {"gamelog": SPOUT}, {"loginhour": [LOGINS], "loginday": ["loginhour"]})
        if broker
        else None
    )
    peers = [Peer("broker", 0.01, ""), Peer("store", 1.2, "hangs")]
    unread = [Unread("Login", 8, "login_logcount")] if broker else []
    return StatusReport(2000.0, nodes, sums, broker, "", peers, unread=unread)


def text(found: StatusReport) -> str:
    return generate_latest(registry(Config(), lambda: found)).decode()


def samples(page: str) -> dict[str, float]:
    """Return each sample's value by its name and its labels' values, in the order of the labels' names."""
    return {
        ":".join(
            [sample.name.removeprefix("analytics_"), *(value for _, value in sorted(sample.labels.items()))]
        ): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_every_figure_of_a_report_is_a_metric() -> None:
    found = samples(text(reported()))
    expected = {
        "healthy": 0,
        "peer_healthy:broker": 1,
        "peer_healthy:store": 0,
        "peer_answer_seconds:store": 1.2,
        "node_info:h:gamelog:spout:0.1": 1,
        "node_healthy:h:gamelog": 1,
        "node_healthy:h:store": 0,
        "node_resident_memory_bytes:h:gamelog": 1_000_000,
        "node_open_fds:h:gamelog": 12,
        "node_cpu_seconds_total:h:gamelog": 3.5,
        "node_start_time_seconds:h:gamelog": 100,
        "node_records_per_second:h:gamelog": 20,
        "node_skipped_records:h:worker-main": 2,
        "node_lost_writes:h:worker-main": 2,
        "unsafe_uri_options": 0,
        "spout_records_total:h:read:gamelog": 10,
        "spout_records_total:h:rejected:gamelog": 1,
        "spout_lost_parts:h:gamelog": 3,
        "spout_failing_requests:h:gamelog": 1,
        "spout_rounds_total:h:gamelog": 4,
        'source_healthy:h:a"b\\:gamelog': 0,
        'source_lag_bytes:h:a"b\\:gamelog': 12,
        'source_last_read_timestamp_seconds:h:a"b\\:gamelog': 1000.5,
        "source_accepted_records_total:a:gamelog": 9,
        "source_rejected_records_total:a:gamelog": 1,
        "topic_records_total:loginhour": 4,
        "unread_records_total:login_logcount:Login": 8,
        "broker_repeated_records_total": 7,
        "broker_refused_connections_total:unknown_key": 2,
        "broker_refused_connections_total:no_key": 5,
        "broker_blocked": 0,
        "queue_bytes": 100,
        "disk_free_bytes": 2000,
        "disk_reserve_bytes": 512 * (1 << 20),
        "balance_faults": 0,
        "bolt_accounted_records_total:loginday:loginhour": 3,
        "bolt_lag_records:loginday:loginhour": 1,
        "bolt_lag_seconds:loginday:loginhour": 2.5,
        "bolt_lag_seconds:loginhour:gamelog.login_logcount": 0,
        "timers_runs_total:h": 3,
        "timers_last_run_timestamp_seconds:h": 50,
        "timers_last_run_seconds:h": 0.25,
        "timers_facts_bytes:h": 7_000_000,
        "timers_waiting:h": 6,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert not any(name.startswith("node_open_fds:h:store") for name in found), "it does not run"


def test_nodes_of_one_name_on_two_hosts_stay_apart() -> None:
    found = reported()
    others = [msgspec.structs.replace(one, host="other") for one in found.nodes]
    page = text(msgspec.structs.replace(found, nodes=[*found.nodes, *others]))
    assert samples(page)["node_healthy:h:gamelog"] == samples(page)["node_healthy:other:gamelog"] == 1
    series = [line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))


def test_without_the_broker_the_rest_is_told() -> None:
    found = samples(text(msgspec.structs.replace(reported(None), problem="the broker hangs")))
    assert found["healthy"] == 0
    assert found["node_healthy:h:gamelog"] == 1
    assert not any(name.startswith(("bolt_", "balance_", "topic_", "disk_")) for name in found)


def test_promtool_finds_nothing_wrong_with_the_metrics() -> None:
    assert promtool("check", "metrics", stdin=text(reported()).encode()) == ""


def test_promtool_finds_the_alerts_right_and_each_fires_when_it_should() -> None:
    promtool("check", "rules", str(RULES))
    promtool("check", "config", str(RULES.with_name("prometheus.yml")))
    assert "SUCCESS" in promtool("test", "rules", str(Path(__file__).with_name("alerts_played.yml")))


def test_each_alert_is_played_and_explained() -> None:
    alerts = re.findall(r"alert: (\w+)", RULES.read_text())
    played = Path(__file__).with_name("alerts_played.yml").read_text()
    assert len(alerts) > 10
    for alert in alerts:
        assert re.search(rf"alertname: {alert}\n +exp_alerts:\n", played), f"{alert} is never played to fire"
        assert f"`{alert}`" in MONITORING, f"docs/monitoring.md does not tell of {alert}"


def test_alerts_ask_for_metrics_that_exist_and_all_are_explained() -> None:
    engine = EngineReport("local", 3, 100.0, 3, 20, 4.5, {LOGINS: 9}, 2, None, 2, 1)
    both = reported(), msgspec.structs.replace(reported(), broker=None, engine=engine)
    names = {name.partition(":")[0] for one in both for name in samples(text(one))}
    asked = set(re.findall(r"\banalytics_(\w+)", re.sub(r"job=\"\w+\"", "", RULES.read_text())))
    assert asked <= names
    for name in names:
        assert f"`analytics_{name}`" in MONITORING, f"docs/monitoring.md does not explain analytics_{name}"


def ask(application: Any, path: str) -> tuple[str, bytes]:
    told: list[str] = []

    def start_response(status: str, headers: Iterable[tuple[str, str]]) -> None:
        told.append(status)

    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    body = b"".join(application(environ, start_response))
    return told[0], body


def test_the_probes_where_nothing_runs(tmp_path: Path) -> None:
    receiver, sender, refill = free_ports(3)
    section = BrokerSection(receiver_port=receiver, sender_port=sender, refill_port=refill)
    config = Config(data=tmp_path, broker=section, file=tmp_path / "a.toml")
    probes = with_probes(config, lambda environ, start_response: [start_response("200 OK", []) or b"a page"])
    status, body = ask(probes, "/metrics")
    assert (status, samples(body.decode())["healthy"]) == ("200 OK", 0)
    status, body = ask(probes, "/healthz")
    assert status == "503 Service Unavailable"
    assert "worker-main: not running" in msgspec.json.decode(body)["unwell"]
    assert ask(probes, "/")[1] == b"a page"
    assert ask(with_probes(config), "/")[0] == "404 Not Found"


def test_the_node_needs_a_port_of_its_own() -> None:
    with pytest.raises(AnalyticsError, match=r"metrics\.port: expected a port, got 0"):
        Metrics(Config()).start()
    [port] = free_ports(1)
    config = Config(metrics=MetricsSection(port=port))
    assert "metrics" in needed(config) and "metrics" not in needed(Config())
    [node] = build(["metrics"], config)
    node.start()
    try:
        with pytest.raises(AnalyticsError, match=f"127.0.0.1:{port} can't be listened on"):
            Metrics(config).start()
    finally:
        node.stop()


def test_many_who_ask_at_once_share_one_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.web.probes.FRESH_SECONDS", 60.0)
    receiver, sender, refill = free_ports(3)
    section = BrokerSection(receiver_port=receiver, sender_port=sender, refill_port=refill)
    reports = ReportCache(Config(data=tmp_path, broker=section))
    asking = [gevent.spawn(reports.latest) for _ in range(50)]
    gevent.joinall(asking, timeout=600)
    assert len({id(one.value) for one in asking}) == 1
