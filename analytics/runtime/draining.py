"""Waiting until what was accepted is counted."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TypeVar

import gevent

from analytics.broker.clients import Refill
from analytics.broker.wire import Head
from analytics.cluster import LocalRegistry, open_registry
from analytics.cluster.registry import alive
from analytics.config import Config
from analytics.core.bolt import CHANGES
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.balance import NOTHING
from analytics.runtime.engine_progress import EngineProgress, reported_ends, timers_batch
from analytics.runtime.nodes import readers
from analytics.store import Store, open_store

POLL_SECONDS = 0.1
T = TypeVar("T")


class NotDrained(AnalyticsError):
    """Time was up before everything was counted; the message says what is missing."""


def drain(
    config: Config,
    timeout: float,
    progress: Callable[[int], None] = lambda lag: None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Return when every record accepted before the call is in its documents, those of timer bolts included.

    Bolts publish before they save their position. So once every bolt has passed the heads of one moment,
    what they published for it is in the Queue: waiting again, as often as the graph of bolts is deep,
    reaches the last of them.

    Args:
        progress: called at every check with the records that are still to be counted; with an engine, the bytes of journals.
        say: called with a sentence when broker or store begin to be away.

    Raises:
        NotDrained: ``timeout`` seconds have passed.
        Unavailable: they have passed, and the broker or store does not answer.
    """
    until = time.monotonic() + timeout
    ask = _Asking(until, say)
    called = time.time()
    with closing(open_registry(config)) as registry:
        _wait_for(lambda: _on_its_way(registry, called), until, progress)
    patience = max(0.1, min(timeout, 5.0))
    if config.engine.kind:
        with closing(open_store(config, patience)) as store:
            _drain_engine(config, store, ask, until, progress)
        return
    bolts = readers(config)
    with closing(Refill(config.broker, patience)) as refill:
        for _ in range(depth(bolts)):
            _wait_for(_missing(refill, ask, bolts), until, progress)


def _drain_engine(
    config: Config, store: Store, ask: "_Asking", until: float, progress: Callable[[int], None]
) -> None:
    """Return when the engine has counted the journals to their ends of now, and timer bolts all of its batches."""
    goal = ask(lambda: reported_ends(config))

    def waiting() -> dict[str, int]:
        found = ask(lambda: EngineProgress.load(store))
        there = ask(lambda: reported_ends(config))
        # A journal that was deleted meanwhile was counted.
        ends = {journal: end for journal, end in goal.items() if journal in there}
        left = found.waiting(ends) if found is not None else sum(ends.values())
        return {"bytes of journals": left} if left else {}

    _wait_for(waiting, until, progress)
    last = ask(lambda: EngineProgress.load(store))
    if last is None or not last.batch or not config.timers.every_seconds:
        return

    def timers_wait() -> dict[str, int]:
        batch = ask(lambda: timers_batch(store, last.log)) or 0
        return {"batches in timer bolts": last.batch - batch} if batch < last.batch else {}

    _wait_for(timers_wait, until, lambda left: None)


def depth(bolts: Mapping[str, list[str]]) -> int:
    """Return how many bolts lie on the longest way from a spout's topic to a document."""

    reporting = [bolt for bolt, topics in bolts.items() if CHANGES not in topics]

    def of(topic: str) -> int:
        if topic == CHANGES:  # of any bolt with totals; one of the configuration may read bolts
            return max(map(of, reporting), default=0)
        return 1 + max(map(of, bolts[topic]), default=0) if topic in bolts else 0

    return max(map(of, bolts), default=0)


def behind(
    goal: Mapping[str, Head], positions: Mapping[str, Mapping[str, Head]], bolts: Mapping[str, list[str]]
) -> dict[str, int]:
    """Return, per bolt and topic that has not passed the heads of ``goal`` yet, the records that are missing."""
    result = {}
    for bolt, topics in bolts.items():
        for topic in topics:
            head, position = goal.get(topic, NOTHING), positions.get(bolt, {}).get(topic, NOTHING)
            if position.number < head.number:
                result[f"{bolt} on {topic}"] = max(1, head.records - position.records)
    return result


def _missing(refill: Refill, ask: "_Asking", bolts: Mapping[str, list[str]]) -> Callable[[], dict[str, int]]:
    """Return a function that returns what bolts have not counted yet of what is in the Queue now."""
    goal = ask(refill.state)

    def missing() -> dict[str, int]:
        nonlocal goal
        now = ask(refill.state)
        if now.log != goal.log:
            goal = now  # the Queue was replaced; what the old one held can't be waited for
        return behind(goal.heads, now.bolts, bolts)

    return missing


def _on_its_way(registry: LocalRegistry, called: float) -> dict[str, int]:
    """Return, per spout that runs, what it has journaled and the broker has not acknowledged.

    A host that can't be asked counts as one record. The clocks of hosts have to agree to a second or so.
    """
    result = {}
    for node in registry.list():
        if node.role == "spout" and alive(node):
            counts = node.state
            waiting = counts.get("journaled", 0) - counts.get("published", 0) - counts.get("repeated", 0)
            if node.beat - node.stale < called or (waiting > 0 and not counts.get("idle", False)):
                result[node.name] = max(1, waiting)
    if registry.problem:
        result[f"spouts of other hosts; {registry.problem}"] = 1
    return result


class _Asking:
    """Asks until there is an answer, or time is up; says once in a row that there is none."""

    def __init__(self, until: float, say: Callable[[str], None]) -> None:
        self._until = until
        self._say = say

    def __call__(self, question: Callable[[], T]) -> T:
        """Return the answer to a question. Raise Unavailable when time is up."""
        away = False
        while True:
            try:
                return question()
            except Unavailable as error:
                left = self._until - time.monotonic()
                if left <= 0:
                    raise
                if not away:
                    why = str(error)
                    self._say(
                        f"waiting for an answer, for {left:.0f} s at most; see `analytics status`. {why[:1].upper()}{why[1:]}"
                    )
                away = True
                gevent.sleep(POLL_SECONDS)


def _wait_for(missing: Callable[[], dict[str, int]], until: float, progress: Callable[[int], None]) -> None:
    while found := missing():
        progress(sum(found.values()))
        if time.monotonic() >= until:
            listed = ", ".join(f"{where}: {count:,}" for where, count in sorted(found.items()))
            raise NotDrained(f"time is up with records not counted yet ({listed}); see `analytics status`")
        gevent.sleep(POLL_SECONDS)
    progress(0)
