"""What ``status`` says, as data: every node that should run or does, and the balance."""

import time
from typing import Any

import gevent
import msgspec

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState
from analytics.cluster import Node as Entry
from analytics.cluster import Registry, open_registry
from analytics.cluster.registry import alive, process_started
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.runtime.balance import Balance, balance, together
from analytics.runtime.nodes import needed, readers, registered
from analytics.runtime.supervision import failing

BROKER_SECONDS = 1.0
CLUSTER_SECONDS = 1.0
MISSING = "not running"


class NodeReport(msgspec.Struct, frozen=True):
    """One node. ``problem`` is "" where it is healthy; ``last_error`` may be an old one."""

    name: str
    role: str
    healthy: bool
    problem: str
    last_error: str
    host: str
    pid: int
    version: str
    since: float
    rate: float
    state: dict[str, Any]


class StatusReport(msgspec.Struct, frozen=True):
    """All nodes and the balance; ``balance`` is None where the broker does not answer, ``problem`` says why.

    ``cluster`` says why the nodes of other hosts are not known, "" where they are or there are none.
    """

    at: float
    nodes: list[NodeReport]
    balance: Balance | None
    broker: BrokerState | None
    problem: str
    cluster: str = ""

    @property
    def healthy(self) -> bool:
        """Whether every node is well and the balance adds up."""
        return (
            not self.problem
            and not self.cluster
            and self.balance is not None
            and not self.balance.faults
            and all(node.healthy for node in self.nodes)
        )


def report(config: Config) -> StatusReport:
    """Return how the suite does at this moment, within two seconds even if the broker or etcd hangs."""
    problem = ""
    state: BrokerState | None = None
    registry = open_registry(config, CLUSTER_SECONDS)
    looking = gevent.spawn(node_reports, config, registry)
    refill = Refill(config.broker, BROKER_SECONDS)
    try:
        state = refill.state()
    except AnalyticsError as error:
        problem = str(error)
    finally:
        refill.close()
    nodes = looking.get()
    registry.close()
    if state is None:
        return StatusReport(time.time(), nodes, None, None, problem, registry.problem)
    sums = balance(state, _spouts(nodes), readers(config))
    return StatusReport(time.time(), nodes, sums, state, state.blocked, registry.problem)


def _spouts(nodes: list[NodeReport]) -> dict[str, dict[str, Any]]:
    """Return the state of each spout that runs; where several hosts run it, their counts together."""
    result: dict[str, dict[str, Any]] = {}
    for node in nodes:
        if node.role == "spout" and node.pid:
            before = result.get(node.name)
            result[node.name] = node.state if before is None else together(before, node.state)
    return result


def node_reports(config: Config, registry: Registry | None = None) -> list[NodeReport]:
    """Return the nodes that the configuration needs, on whatever host, and any others that are known."""
    entries = (registry or open_registry(config, CLUSTER_SECONDS)).list()
    names = {entry.name for entry in entries}
    wanted = registered(config, needed(config))
    reasons = failing(config)
    missing = [
        NodeReport(name, "", False, reasons.get(name, MISSING), "", "", 0, "", 0.0, 0.0, {})
        for name in wanted
        if name not in names
    ]
    return missing + [
        _of_entry(entry, "" if entry.remote else reasons.get(entry.name, "")) for entry in entries
    ]


def _of_entry(entry: Entry, reason: str) -> NodeReport:
    """Return what is known of a node; ``reason`` is why the supervisor can't keep it running."""
    error = str(entry.state.get("last_error") or entry.state.get("error") or entry.last_error)
    problem = _problem(entry) if alive(entry) or not reason else reason
    return NodeReport(
        entry.name, entry.role, not problem, problem, error, entry.host, entry.pid if alive(entry) else 0,
        entry.version, entry.since, entry.rate, entry.state,
    )  # fmt: skip


def _problem(entry: Entry) -> str:
    """Return what is wrong with a node now, "" if nothing is."""
    state = entry.state
    if not alive(entry):
        if not entry.remote and not entry.ended and process_started(entry.pid) == entry.started:
            return f"hangs: it has told nothing for {time.time() - entry.beat:.0f} s; see its log, or kill it"
        return f"died: {entry.last_error}" if entry.last_error else "died without a word; see its log"
    for key in ("blocked", "error"):
        if state.get(key):
            return str(state[key])
    if state.get("skipped"):
        return f"{state['skipped']} records were gone from the Queue before they were read"
    return _problem_of_sources(state)


def _problem_of_sources(state: dict[str, Any]) -> str:
    """Return what is wrong with a spout's sources or interfaces now."""
    failing = {
        name: source.get("last_error", "")
        for name, source in state.get("sources", {}).items()
        if isinstance(source, dict) and not source.get("healthy", True)
    } | state.get("errors", {})
    for name, error in failing.items():
        more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
        return f"{name}: {error}{more}"
    return ""
