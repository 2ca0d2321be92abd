"""A report as Prometheus reads it. What each metric means stands in its help text, and in docs/monitoring.md.

Some counters start from 0 with their node; Prometheus' ``rate`` and ``increase`` allow for that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from analytics.broker.wire import BrokerState
from analytics.config import Config
from analytics.runtime.balance import COUNTS
from analytics.runtime.report import NodeReport, StatusReport
from analytics.runtime.usefulness import SourceShare, source_shares

Rows = Iterable[tuple[Sequence[str], float]]
GAUGE, COUNTER = GaugeMetricFamily, CounterMetricFamily


class ReportCollector(Collector):
    """Makes metrics of a report, which it asks for at each scrape."""

    def __init__(self, config: Config, latest: Callable[[], StatusReport]) -> None:
        self._config = config
        self._latest = latest

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; those of the broker or the engine, and the balance, only where that answered."""
        return metrics(self._latest(), self._config)


def registry(config: Config, latest: Callable[[], StatusReport]) -> CollectorRegistry:
    """Return a registry that holds the suite's metrics and nothing else."""
    result = CollectorRegistry(auto_describe=False)
    result.register(ReportCollector(config, latest))
    return result


# Kind, name, help, and the value of a row.
# fmt: off
NODE = (
    (GAUGE, "node_start_time_seconds", "When the node was started, Unix time", lambda one: one.since),
    (GAUGE, "node_records_per_second", "Records or tuples it handled a second", lambda one: one.rate),
    (GAUGE, "node_resident_memory_bytes", "Memory of its process and that one's children", lambda one: one.process.memory_bytes),
    (GAUGE, "node_open_fds", "Open file descriptors of its process and that one's children", lambda one: one.process.descriptors),
    (COUNTER, "node_cpu_seconds", "CPU time of its process and that one's children", lambda one: one.process.cpu_seconds),
    (GAUGE, "node_skipped_records", "Records that were gone from the Queue before the node read them", lambda one: one.state.get("skipped")),
    (GAUGE, "node_lost_writes", "Bolts of the node whose documents lack writes that the database had acknowledged", lambda one: _count(one, "lost_writes")),
)
SPOUT = (
    (GAUGE, "spout_lost_parts", "Parts of logs that were gone before they were read", lambda one: one.state.get("lost")),
    (GAUGE, "spout_failing_requests", "Areas (and days) whose last request failed", lambda one: _count(one, "errors")),
    (COUNTER, "spout_rounds", "Rounds in which the spout asked its interface", lambda one: one.state.get("rounds")),
)
SOURCE = (
    (GAUGE, "source_healthy", "1 if the source can be read", lambda one: one.get("healthy", 0)),
    (GAUGE, "source_lag_bytes", "Bytes of the source that are still to be read", lambda one: one.get("lag_bytes", 0)),
    (GAUGE, "source_last_read_timestamp_seconds", "When records of it were read last, or its spout started", lambda one: one.get("read_at", 0)),
)
TIMERS = (
    (COUNTER, "timers_runs", "Runs of the timer bolts", lambda one: one.state["runs"]),
    (GAUGE, "timers_last_run_timestamp_seconds", "When they ran last, 0: not yet", lambda one: one.state["ran_at"]),
    (GAUGE, "timers_last_run_seconds", "What their last run took", lambda one: one.state["seconds"]),
    (GAUGE, "timers_facts_bytes", "Memory that facts took at most since the start, for the documents of one game", lambda one: one.state.get("facts_bytes", 0)),
    (GAUGE, "timers_waiting", "Changed area-days that are not in their documents yet", lambda one: one.state["changed_days"]),
)
BROKER = (
    (GAUGE, "broker_blocked", "1 while the broker accepts nothing, as the disk is full", lambda one: bool(one.blocked)),
    (GAUGE, "queue_bytes", "Size of the Queue on disk", lambda one: one.disk_bytes),
    (GAUGE, "disk_free_bytes", "Free space on the disk of the data folder", lambda one: one.free_bytes),
    (COUNTER, "broker_repeated_records", "Records that the filter dropped as repeated", lambda one: one.repeated),
)
ENGINE = (
    (COUNTER, "engine_batches", "Batches that the engine has committed", lambda one: one.batch),
    (GAUGE, "engine_batch_timestamp_seconds", "When the last batch was committed, 0: none was", lambda one: one.batch_at),
    (GAUGE, "engine_waiting_bytes", "Bytes of journals that are in no committed batch", lambda one: one.waiting_bytes),
    (GAUGE, "engine_lag_seconds", "For how long the oldest of them waits", lambda one: one.lag_seconds),
    (COUNTER, "engine_repeated_records", "Lines that named a record once more", lambda one: one.repeated),
    (GAUGE, "engine_executors", "Processes that run tasks", lambda one: one.executors),
    (COUNTER, "engine_lost_tasks", "Tasks that were lost and run again since the driver's start", lambda one: one.tasks_lost),
)
BOLT = (
    (COUNTER, "bolt_accounted_records", "Records of the topic in the bolt's documents", lambda one: one.accounted),
    (GAUGE, "bolt_lag_records", "Records of the topic that the bolt has not counted yet", lambda one: one.lag),
    (GAUGE, "bolt_lag_seconds", "For how long the oldest of them is in the Queue", lambda one: one.waiting),
)
# fmt: on


def metrics(found: StatusReport, config: Config) -> Iterator[Metric]:
    """Yield what a report says."""
    yield _one(
        GAUGE, "healthy", "1 if everything is healthy, as the exit status of `status` says", found.healthy
    )
    peers = [((peer.name,), peer) for peer in found.peers]
    answered = [(names, not peer.problem) for names, peer in peers]
    yield _family(GAUGE, "peer_healthy", "1 if the peer (broker, store, etcd) answered", ["peer"], answered)
    seconds = [(names, peer.seconds) for names, peer in peers]
    yield _family(
        GAUGE, "peer_answer_seconds", "What the peer's answer to this report took", ["peer"], seconds
    )
    unsafe = config.mongodb.unsafe_uri_options
    yield _one(GAUGE, "unsafe_uri_options", "1 while mongodb.unsafe_uri_options is true", unsafe)
    yield from _of_nodes(found.nodes)
    yield from _of_spouts([node for node in found.nodes if node.role == "spout" and node.pid])
    timers = [((node.host,), node) for node in found.nodes if "runs" in node.state]
    yield from _families(TIMERS, ["host"], timers)
    if found.broker is not None:
        yield from _of_broker(found.broker, config)
    if found.engine is not None:
        yield from _families(ENGINE, [], [((), found.engine)])
        yield from _of_shares(found.shares)
        yield _topics(found.engine.records)
    if found.balance is not None:
        unread = [((one.op_code, one.nearest), one.records) for one in found.unread]
        help = "Records of an op code that no bolt reads, ever; nearest: the one that a bolt reads and that it is most like"
        yield _family(COUNTER, "unread_records", help, ["op_code", "nearest"], unread)
        faults = len(found.balance.faults)
        yield _one(GAUGE, "balance_faults", "What does not add up; see `status`", faults)
        yield from _families(
            BOLT, ["bolt", "topic"], [((one.bolt, one.topic), one) for one in found.balance.bolts]
        )


def _of_nodes(nodes: Sequence[NodeReport]) -> Iterator[Metric]:
    label = ["node", "host"]
    running = [node for node in nodes if node.pid]
    info = [((node.name, node.host, node.role, node.version), 1.0) for node in running]
    yield _family(GAUGE, "node_info", "1 for each node that runs", [*label, "role", "version"], info)
    healthy = [((node.name, node.host), node.healthy) for node in nodes]
    yield _family(GAUGE, "node_healthy", "1 if the node runs and is healthy", label, healthy)
    yield from _families(NODE, label, [((node.name, node.host), node) for node in running])


def _of_spouts(spouts: Sequence[NodeReport]) -> Iterator[Metric]:
    label = ["spout", "host"]
    counts = [((one.name, one.host, count), one.state.get(count, 0)) for one in spouts for count in COUNTS]
    outcomes = "Records, by what became of them in the spout"
    yield _family(COUNTER, "spout_records", outcomes, [*label, "outcome"], counts)
    yield from _families(SPOUT, label, [((one.name, one.host), one) for one in spouts])
    sources = [
        ((one.name, one.host, name), source)
        for one in spouts
        for name, source in one.state.get("sources", {}).items()
        if isinstance(source, dict)
    ]
    yield from _families(SOURCE, [*label, "source"], sources)


def _of_broker(state: BrokerState, config: Config) -> Iterator[Metric]:
    yield from _families(BROKER, [], [((), state)])
    reserve = config.broker.min_free_mb * (1 << 20)
    yield _one(GAUGE, "disk_reserve_bytes", "Free space below which nothing is accepted", reserve)
    refused = [(("unknown_key",), state.refused_keys), (("no_key",), state.refused_keyless)]
    yield _family(COUNTER, "broker_refused_connections", "Refused attempts to connect", ["reason"], refused)
    shares = source_shares(state)
    yield from _of_shares(shares)
    yield _topics({topic: head.records for topic, head in state.heads.items()})


def _of_shares(shares: Sequence[SourceShare]) -> Iterator[Metric]:
    accepted = [((one.spout, one.source), one.accepted) for one in shares]
    help = "Distinct records accepted, ever; with an engine, those that are counted"
    yield _family(COUNTER, "source_accepted_records", help, ["spout", "source"], accepted)
    rejected = [((one.spout, one.source), one.rejected) for one in shares]
    help = "Distinct records rejected, ever; with an engine, since it counts"
    yield _family(COUNTER, "source_rejected_records", help, ["spout", "source"], rejected)


def _topics(records: Mapping[str, int]) -> Metric:
    topics = [((topic,), count) for topic, count in records.items()]
    help = "Records of the topic in the Queue, or counted by the engine, ever"
    return _family(COUNTER, "topic_records", help, ["topic"], topics)


def _count(node: NodeReport, key: str) -> int | None:
    return len(node.state[key]) if key in node.state else None


def _families(
    declared: Iterable[tuple[Any, ...]], labels: Sequence[str], rows: Sequence[tuple[Any, Any]]
) -> Iterator[Metric]:
    """Yield the metrics that a table declares, with a sample for each row of which it has a value."""
    for kind, name, help, value in declared:
        values = [(names, value(row)) for names, row in rows]
        yield _family(kind, name, help, labels, [one for one in values if one[1] is not None])


def _one(kind: Any, name: str, help: str, value: float) -> Metric:
    return _family(kind, name, help, [], [((), value)])


def _family(kind: Any, name: str, help: str, labels: Sequence[str], rows: Rows) -> Metric:
    found = kind(f"analytics_{name}", help, labels=labels)
    for names, value in rows:
        found.add_metric(names, float(value))
    result: Metric = found
    return result
