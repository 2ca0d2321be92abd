"""A report as Prometheus reads it. What each metric means stands in its help text, and in docs/monitoring.md.

Counters that begin again at 0 with their node are as Prometheus expects them: ``rate`` and ``increase`` allow for it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from analytics.broker.wire import BrokerState
from analytics.config import Config
from analytics.runtime.balance import COUNTS, Balance
from analytics.runtime.report import NodeReport, StatusReport

Rows = Iterable[tuple[Sequence[str], float]]


class ReportCollector(Collector):
    """Makes metrics of a report, which it asks for at each scrape."""

    def __init__(self, config: Config, latest: Callable[[], StatusReport]) -> None:
        self._config = config
        self._latest = latest

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; those of the broker and the balance only where the broker answered."""
        return metrics(self._latest(), self._config)


def registry(config: Config, latest: Callable[[], StatusReport]) -> CollectorRegistry:
    """Return a registry that holds the suite's metrics and nothing else."""
    result = CollectorRegistry(auto_describe=False)
    result.register(ReportCollector(config, latest))
    return result


def metrics(found: StatusReport, config: Config) -> Iterator[Metric]:
    """Yield what a report says."""
    yield _gauge(
        "healthy", "1 if everything is well, as the exit status of `status` says", [], [((), found.healthy)]
    )
    peers = [((peer.name,), not peer.problem) for peer in found.peers]
    yield _gauge("peer_healthy", "1 if the peer (broker, store, etcd) answered", ["peer"], peers)
    seconds = [((peer.name,), peer.seconds) for peer in found.peers]
    yield _gauge("peer_answer_seconds", "What the peer's answer to this report took", ["peer"], seconds)
    unsafe = [((), float(config.mongodb.unsafe_uri_options))]
    yield _gauge("unsafe_uri_options", "1 while mongodb.unsafe_uri_options is true", [], unsafe)
    yield from _of_nodes(found.nodes)
    yield from _of_spouts([node for node in found.nodes if node.role == "spout" and node.pid])
    yield from _of_timers([node for node in found.nodes if "runs" in node.state])
    if found.broker is not None:
        yield from _of_broker(found.broker, config)
    if found.balance is not None:
        yield from _of_balance(found.balance)


def _of_nodes(nodes: Sequence[NodeReport]) -> Iterator[Metric]:
    label = ["node", "host"]
    running = [node for node in nodes if node.pid]

    def rows(value: Callable[[NodeReport], float], of: Sequence[NodeReport] = running) -> Rows:
        return [((node.name, node.host), value(node)) for node in of]

    info = [((node.name, node.host, node.role, node.version), 1.0) for node in running]
    yield _gauge("node_info", "1 for each node that runs", [*label, "role", "version"], info)
    yield _gauge(
        "node_healthy", "1 if the node runs and is well", label, rows(lambda node: node.healthy, nodes)
    )
    yield _gauge(
        "node_start_time_seconds",
        "When the node was started, Unix time",
        label,
        rows(lambda node: node.since),
    )
    yield _gauge(
        "node_records_per_second",
        "Records or tuples it handled a second",
        label,
        rows(lambda node: node.rate),
    )
    yield _gauge(
        "node_resident_memory_bytes", "Memory of its process and that one's children", label,
        rows(lambda node: node.process.memory_bytes),
    )  # fmt: skip
    yield _gauge(
        "node_open_fds", "Open file descriptors of its process and that one's children", label,
        rows(lambda node: node.process.descriptors),
    )  # fmt: skip
    yield _counter(
        "node_cpu_seconds", "CPU time of its process and that one's children", label,
        rows(lambda node: node.process.cpu_seconds),
    )  # fmt: skip
    skipping = [node for node in running if "skipped" in node.state]
    yield _gauge(
        "node_skipped_records", "Records that were gone from the Queue before the node read them", label,
        rows(lambda node: node.state["skipped"], skipping),
    )  # fmt: skip
    counting = [node for node in running if "lost_writes" in node.state]
    yield _gauge(
        "node_lost_writes", "Bolts of the node whose documents lack writes that the database had acknowledged", label,
        rows(lambda node: len(node.state["lost_writes"]), counting),
    )  # fmt: skip


def _of_spouts(spouts: Sequence[NodeReport]) -> Iterator[Metric]:
    label = ["spout", "host"]
    counts = [
        ((one.name, one.host, count), float(one.state.get(count, 0))) for one in spouts for count in COUNTS
    ]
    yield _counter(
        "spout_records", "Records, by what became of them in the spout", [*label, "outcome"], counts
    )
    lost = [((one.name, one.host), float(one.state["lost"])) for one in spouts if "lost" in one.state]
    yield _gauge("spout_lost_parts", "Parts of logs that were gone before they were read", label, lost)
    errors = [
        ((one.name, one.host), float(len(one.state["errors"]))) for one in spouts if "errors" in one.state
    ]
    yield _gauge("spout_failing_requests", "Areas (and days) whose last request failed", label, errors)
    rounds = [((one.name, one.host), float(one.state["rounds"])) for one in spouts if "rounds" in one.state]
    yield _counter("spout_rounds", "Rounds in which the spout asked its interface", label, rounds)
    sources = {
        (one.name, one.host, name): source
        for one in spouts
        for name, source in one.state.get("sources", {}).items()
        if isinstance(source, dict)
    }
    label = [*label, "source"]

    def rows(key: str) -> Rows:
        return [(names, float(source.get(key, 0))) for names, source in sources.items()]

    yield _gauge("source_healthy", "1 if the source can be read", label, rows("healthy"))
    yield _gauge(
        "source_lag_bytes", "Bytes of the source that are still to be read", label, rows("lag_bytes")
    )
    yield _gauge(
        "source_last_read_timestamp_seconds", "When records of it were read last, or its spout started", label,
        rows("read_at"),
    )  # fmt: skip


def _of_timers(nodes: Sequence[NodeReport]) -> Iterator[Metric]:
    def rows(key: str) -> Rows:
        return [((node.host,), float(node.state[key])) for node in nodes]

    label = ["host"]
    yield _counter("timers_runs", "Runs of the timer bolts", label, rows("runs"))
    yield _gauge("timers_last_run_timestamp_seconds", "When they ran last, 0: not yet", label, rows("ran_at"))
    yield _gauge("timers_last_run_seconds", "What their last run took", label, rows("seconds"))
    yield _gauge(
        "timers_waiting", "Changed area-days that are not in their documents yet", label, rows("changed_days")
    )


def _of_broker(state: BrokerState, config: Config) -> Iterator[Metric]:
    reserve = config.broker.min_free_mb * (1 << 20)
    blocked = [((), float(bool(state.blocked)))]
    yield _gauge("broker_blocked", "1 while the broker accepts nothing, as the disk is full", [], blocked)
    yield _gauge("queue_bytes", "Size of the Queue on disk", [], [((), state.disk_bytes)])
    yield _gauge("disk_free_bytes", "Free space on the disk of the data folder", [], [((), state.free_bytes)])
    yield _gauge("disk_reserve_bytes", "Free space below which nothing is accepted", [], [((), reserve)])
    yield _counter(
        "broker_repeated_records", "Records that the filter dropped as repeated", [], [((), state.repeated)]
    )
    refused = [(("unknown_key",), float(state.refused_keys)), (("no_key",), float(state.refused_keyless))]
    yield _counter("broker_refused_connections", "Tries to connect that were refused", ["reason"], refused)
    accepted: Counter[tuple[str, str]] = Counter()
    rejected: Counter[tuple[str, str]] = Counter()
    for source, known in state.sources.items():
        spout, _, rest = source.partition("/")
        name = rest.rpartition("@")[0] or rest
        accepted[spout, name] += known.accepted
        rejected[spout, name] += known.rejected
    label = ["spout", "source"]
    yield _counter("source_accepted_records", "Distinct records accepted, ever", label, _counted(accepted))
    yield _counter(
        "source_rejected_records", "Distinct records that were no use, ever", label, _counted(rejected)
    )
    topics = [((topic,), float(head.records)) for topic, head in state.heads.items()]
    yield _counter("topic_records", "Records of the topic in the Queue, ever", ["topic"], topics)


def _of_balance(sums: Balance) -> Iterator[Metric]:
    yield _gauge(
        "balance_faults", "What does not add up; `status` says it in words", [], [((), len(sums.faults))]
    )
    label = ["bolt", "topic"]
    bolts = [((one.bolt, one.topic), one) for one in sums.bolts]
    accounted = [(names, float(one.accounted)) for names, one in bolts]
    yield _counter("bolt_accounted_records", "Records of the topic in the bolt's documents", label, accounted)
    lag = [(names, float(one.lag)) for names, one in bolts]
    yield _gauge("bolt_lag_records", "Records of the topic that the bolt has still before it", label, lag)
    waiting = [(names, one.waiting) for names, one in bolts]
    yield _gauge("bolt_lag_seconds", "For how long the oldest of them is in the Queue", label, waiting)


def _counted(counts: Mapping[tuple[str, str], int]) -> Rows:
    return [(names, float(count)) for names, count in counts.items()]


def _gauge(name: str, help: str, labels: Sequence[str], rows: Rows) -> Metric:
    return _filled(GaugeMetricFamily(f"analytics_{name}", help, labels=labels), rows)


def _counter(name: str, help: str, labels: Sequence[str], rows: Rows) -> Metric:
    return _filled(CounterMetricFamily(f"analytics_{name}", help, labels=labels), rows)


def _filled(family: Any, rows: Rows) -> Metric:
    for labels, value in rows:
        family.add_metric(labels, value)
    result: Metric = family
    return result
