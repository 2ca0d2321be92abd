"""What ``status`` says, as data: every node that should run or does, the balance, and who did not answer.

``status``, ``/metrics`` and the dashboard show the same report. What it needs of others is asked side by side,
each within the same time: a peer that hangs does not delay the report of the others.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import Event

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState
from analytics.cluster import LocalRegistry, NodeEntry, open_registry
from analytics.cluster.place import located
from analytics.cluster.registry import alive
from analytics.config import Config, catalogue
from analytics.config.checks import unset_variables
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.balance import Balance, balance, engine_balance, together
from analytics.runtime.engine_progress import EngineReport, engine_report, with_driver
from analytics.runtime.nodes import BROKER, ENGINE, STORE, needed, readers, registered
from analytics.runtime.outdated import outdated
from analytics.runtime.service.supervisor import Supervisor, failing
from analytics.runtime.shortage import shortage
from analytics.runtime.usefulness import SourceShare, Unread, counted_shares, source_shares, unread_topics
from analytics.store import Store, open_store
from analytics.system.processes import Usage, process_started

BALANCE_TRIES = 40
SECONDS = 1.2
"""For one answer, as a rule. With the start of the interpreter ``status`` takes less than two."""

CLIENTS_SHARE = 0.9
"""Of this time, what a peer's client has: it times out a little earlier, with its own message."""

MISSING = "not running"
NOTHING_RUNS = "the suite does not run on this host: `bin/analytics start` starts it, also where a `stop` or `restart` was killed"


@dataclass(slots=True)
class Reply:
    """What came of one question: ``value``, or why there is none in ``problem``, and the seconds that it took."""

    value: Any = None
    problem: str = ""
    seconds: float = 0.0


NONE = Reply()


class NodeReport(msgspec.Struct, frozen=True):
    """One node. ``problem`` is "" where it is healthy; ``last_error`` may be an old one; ``process`` may be that of
    several nodes."""

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
    process: Usage = Usage()


class Peer(msgspec.Struct, frozen=True):
    """What the suite needs besides its nodes' word, asked for this report: ``problem`` is "" where it answered."""

    name: str
    seconds: float
    problem: str


class StatusReport(msgspec.Struct, frozen=True):
    """All nodes, the balance and the peers. ``balance`` and ``broker``, or with an engine ``engine``, are None where what they are
    made from does not answer; ``problem`` says why, or why the broker accepts nothing. Without etcd's answer the nodes are those of this host. ``warnings``
    are risks that the configuration takes, changes of it that nodes do not know yet, and what costs more than it should;
    they make nothing unhealthy. ``shares``: what became of each source's records; ``unread``: op codes that no bolt reads."""

    at: float
    nodes: list[NodeReport]
    balance: Balance | None
    broker: BrokerState | None
    problem: str
    peers: list[Peer] = []
    warnings: list[str] = []
    shares: list[SourceShare] = []
    unread: list[Unread] = []
    engine: EngineReport | None = None

    @property
    def lag(self) -> int | None:
        """The records that are not counted yet; None where that is not known, as with an engine."""
        return self.balance.lag if self.balance is not None and self.engine is None else None

    @property
    def lag_seconds(self) -> float | None:
        """For how long the oldest record waits that is not counted yet."""
        if self.engine is not None:
            return self.engine.lag_seconds
        return self.balance.lag_seconds if self.balance is not None else None

    @property
    def healthy(self) -> bool:
        """Whether every node is healthy, everything answered, and the balance adds up."""
        return (
            not self.problem
            and self.balance is not None
            and not self.balance.faults
            and all(node.healthy for node in self.nodes)
            and not any(peer.problem for peer in self.peers)
        )

    @property
    def unwell(self) -> list[str]:
        """Every problem, the most severe first; empty if ``healthy``."""
        return [
            *([f"broker: {self.problem}"] if self.broker is not None and self.problem else []),
            *(f"{peer.name}: {peer.problem}" for peer in self.peers if peer.problem),
            *(f"{node.name}: {node.problem}" for node in self.nodes if not node.healthy),
            *(self.balance.faults if self.balance is not None else []),
        ]


def facts(found: StatusReport) -> dict[str, Any]:
    """Return a report as plain data, with what follows from it."""
    return {
        "healthy": found.healthy,
        "unwell": found.unwell,
        "lag": found.lag,
        "lag_seconds": found.lag_seconds,
        **msgspec.to_builtins(found),
    }


def report(config: Config, seconds: float = SECONDS) -> StatusReport:
    """Return how the suite does at this moment, within two seconds whatever hangs; ``seconds``: for each answer."""
    local = LocalRegistry(config.data).list()
    runs = Supervisor(config).noted_pid or any(process_started(one.pid) == one.started for one in local)
    stopped = set() if runs else {BROKER, *([STORE, ENGINE] if STORE in needed(config) else [])}
    answers = ask_all(_questions(config, seconds * CLIENTS_SHARE), seconds, stopped)
    peers = [Peer(name, round(one.seconds, 3), one.problem) for name, one in answers.items()]
    entries: list[NodeEntry] | None = answers["etcd"].value if "etcd" in answers else None
    nodes = node_reports(config, local if entries is None else entries, answers.get("supervisor", NONE).value)
    late = outdated(config, local if entries is None else entries)
    down = "" if runs else NOTHING_RUNS
    warned = [*filter(None, (down, late)), *warnings(config, nodes)]
    counting: Reply = answers[ENGINE if config.engine.kind else BROKER]
    if counting.value is None:
        return StatusReport(time.time(), nodes, None, None, counting.problem, peers, warned)
    if config.engine.kind:
        return _of_engine(config, counting.value, nodes, peers, warned)
    state: BrokerState = counting.value
    sums = balance(state, _spouts(nodes), readers(config))
    unread = _unread(config, sums)
    return StatusReport(
        time.time(), nodes, sums, state, state.blocked, peers, warned, source_shares(state), unread
    )


def _of_engine(
    config: Config, found: EngineReport, nodes: list[NodeReport], peers: list[Peer], warned: list[str]
) -> StatusReport:
    """Return the report of a suite whose records an engine counts."""
    driver = next((node.state for node in nodes if node.name == ENGINE and not node.state.get("standby")), {})
    sums = engine_balance(found.records, _spouts(nodes), found.problem)
    return StatusReport(
        time.time(), nodes, sums, None, "", peers, warned, counted_shares(found.sources, found.rejected),
        _unread(config, sums), with_driver(found, driver),
    )  # fmt: skip


def _unread(config: Config, sums: Balance) -> list[Unread]:
    return unread_topics(sums.topics, [bolt.reads for bolt in catalogue(config).values()])


def warnings(config: Config, nodes: Sequence[NodeReport] = ()) -> list[str]:
    """Return the risks that the configuration takes, and what the nodes' sources warn of, each in a sentence."""
    found = [
        f"source {name}: {source['warning']}"
        for node in nodes
        for name, source in node.state.get("sources", {}).items()
        if node.pid and isinstance(source, dict) and source.get("warning")
    ]
    if config.mongodb.unsafe_uri_options:
        found.append(
            "mongodb.unsafe_uri_options is true: a failover may lose records that were counted, and no balance shows it"
        )
    return found


def report_with_balance(config: Config) -> StatusReport:
    """Return a report for which the broker, or what is known of the engine, has answered: it is asked again for up to a minute, as a busy
    disk makes it late.

    ``balance`` is None only where it has kept silent all the time.
    """
    for _ in range(BALANCE_TRIES):
        if (found := report(config)).balance is not None:
            break
        gevent.sleep(0.5)
    return found


def _questions(config: Config, patience: float) -> dict[str, Callable[[], Any]]:
    """Return what is asked, by whom. A store whose address only the nodes' environment holds is left out.

    The broker is asked after the nodes: otherwise a spout could report records that the broker had not seen yet when it
    answered.
    """
    listed = Event()
    questions: dict[str, Callable[[], Any]] = {}
    if config.engine.kind:
        questions[ENGINE] = lambda: _ask_engine(config, patience)
    else:
        questions[BROKER] = lambda: _ask_broker(config, listed, patience)
    if Supervisor(config).noted_pid:
        questions["supervisor"] = lambda: failing(config)
    if not any(fault.startswith("mongodb.") for fault in unset_variables(config)):
        questions["store"] = lambda: _ask_store(config, patience)
    if config.etcd.endpoints:
        questions["etcd"] = lambda: _ask_etcd(config, listed, patience)
    else:
        listed.set()
    return questions


def _ask_broker(config: Config, listed: Event, patience: float) -> BrokerState:
    """Ask it where the cluster knows it to be; an etcd that hangs leaves it less time."""
    began = time.monotonic()
    listed.wait(patience / 4)
    broker = located(config).broker
    with closing(Refill(broker, patience - (time.monotonic() - began))) as refill:
        return refill.state()


def _ask_engine(config: Config, patience: float) -> EngineReport:
    with _opened_store(config, patience) as store:
        return engine_report(config, store)


def _ask_store(config: Config, patience: float) -> None:
    with _opened_store(config, patience) as store:
        store.ping()


@contextmanager
def _opened_store(config: Config, patience: float) -> Iterator[Store]:
    store = open_store(config, patience)
    try:
        yield store
    finally:
        # The driver waits half a second for the thread that watches the server; the answer is there.
        gevent.spawn(store.close)


def _ask_etcd(config: Config, listed: Event, patience: float) -> list[NodeEntry]:
    with closing(open_registry(config, patience)) as registry:
        try:
            entries = registry.list()
        finally:
            listed.set()
        if registry.problem:
            raise Unavailable(registry.problem)
        return entries


def ask_all(
    questions: Mapping[str, Callable[[], Any]], seconds: float, stopped: Collection[str] = ()
) -> dict[str, Reply]:
    """Ask all ``questions`` side by side; return the answers by name within ``seconds``.

    A question that hangs is given up by name; its own clean-up goes on without anybody waiting for it. ``stopped``: those
    whose peer is known not to run.
    """
    asking = {name: gevent.spawn(_asked, question) for name, question in questions.items()}
    gevent.joinall(list(asking.values()), timeout=seconds)
    answers = {}
    for name, greenlet in asking.items():
        if greenlet.ready():
            answers[name] = greenlet.value or Reply()
        else:
            greenlet.kill(block=False)
            why = "the suite, which runs it, does not run" if name in stopped else "it may be busy: ask again"
            problem = f"{name} did not answer within {seconds:g} s; {why}"
            answers[name] = Reply(problem=problem, seconds=seconds)
    return answers


def _asked(question: Callable[[], Any]) -> Reply:
    began = time.monotonic()
    try:
        answer = Reply(question())
    except AnalyticsError as error:
        answer = Reply(problem=str(error))
    except Exception as error:  # one that can't be asked must not hide what the others say
        answer = Reply(problem=f"{type(error).__name__}: {error}")
    answer.seconds = time.monotonic() - began
    return answer


def _spouts(nodes: list[NodeReport]) -> dict[str, dict[str, Any]]:
    """Return the state of each spout that runs; where several hosts run it, their counts together."""
    result: dict[str, dict[str, Any]] = {}
    for node in nodes:
        if node.role == "spout" and node.pid:
            before = result.get(node.name)
            result[node.name] = node.state if before is None else together(before, node.state)
    return result


def node_reports(
    config: Config, entries: Sequence[NodeEntry], failed: Mapping[str, str] | None = None
) -> list[NodeReport]:
    """Return the nodes that the configuration needs, and any others.

    Args:
        entries: what the registry knows of nodes.
        failed: the nodes that the supervisor can't keep running, and why.
    """
    names = {entry.name for entry in entries}
    wanted = registered(config, needed(config))
    reasons = failed or {}
    missing = [
        NodeReport(name, "", False, reasons.get(name, MISSING), "", "", 0, "", 0.0, 0.0, {})
        for name in wanted
        if name not in names
    ]
    return missing + [
        _of_entry(entry, "" if entry.remote else reasons.get(entry.name, ""), config.data)
        for entry in entries
    ]


def _of_entry(entry: NodeEntry, reason: str, data: Path) -> NodeReport:
    """Return what is known of a node; ``reason`` is why the supervisor can't keep it running."""
    error = str(entry.state.get("last_error") or entry.state.get("error") or entry.last_error)
    problem = _problem(entry, data) if alive(entry) or not reason else reason
    return NodeReport(
        entry.name, entry.role, not problem, problem, error, entry.host, entry.pid if alive(entry) else 0,
        entry.version, entry.since, entry.rate, {key: value for key, value in entry.state.items() if key != "process"},
        msgspec.convert(entry.state.get("process", {}), Usage),
    )  # fmt: skip


def _problem(entry: NodeEntry, data: Path) -> str:
    """Return what is wrong with a node now, the cause first, "" if nothing is."""
    state = entry.state
    if not alive(entry):
        if not entry.remote and not entry.ended and process_started(entry.pid) == entry.started:
            silent = f"it has reported nothing for {time.time() - entry.beat:.0f} s"
            cause = shortage(data / "run", entry.pid)
            return f"{cause} ({silent})" if cause else f"hangs: {silent}; see its log, or kill it"
        return f"died: {entry.last_error}" if entry.last_error else "died without an error; see its log"
    if entry.stale:
        cause = shortage(data / "run", entry.pid) or "it can't write to data/run; its log says why"
        return f"{cause} (it works, but has reported no figures for {entry.stale:.0f} s)"
    for key in ("blocked", "error"):
        if state.get(key):
            return str(state[key])
    if state.get("lost"):
        more = f" (and {state['lost'] - 1} more)" if state["lost"] > 1 else ""
        return f"lost: {state['lost_first']}{more}; see `bin/analytics lost`"
    if state.get("skipped"):
        return f"{state['skipped']} records were gone from the Queue before they were read: run `bin/analytics rebuild`"
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
