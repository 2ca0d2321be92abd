"""The balance: where every record is, and whether that adds up. Pure; ``status`` and tests feed it.

    read by a spout      = journaled + rejected                 (once nothing is in flight)
    journaled            ≤ published + repeated                 (what was left over by a crash is published again)
    published by a spout ≤ what the filter accepted of it       (which remembers earlier processes, too)
    accepted by the filter, all sources = records on the spouts' topics in the Queue, or on the way to its disk
    accounted for by a bolt + its lag   = records on the topic, for every topic that it reads

Spouts count since they were started; the filter, the Queue and the bolts' positions survive every process.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from analytics.broker.wire import BrokerState, Head, totals

NOTHING = Head(0, 0, 0)
SPOUTS = ("gamelog", "payment", "syncuser")
"""Each publishes the topic of its name, or topics that begin with it and a dot."""

COUNTS = ("read", "journaled", "rejected", "repeated", "published")


class SpoutBalance(msgspec.Struct, frozen=True):
    """One spout: what it counted since its start, and what the filter knows of its sources for ever. ``lost``: parts of logs
    that were gone before they were read, and of which nobody has taken note. With an engine, ``ever_accepted`` is what it has counted,
    and nobody knows ``sources`` and ``ever_rejected``."""

    name: str
    read: int
    journaled: int
    rejected: int
    repeated: int
    published: int
    on_its_way: int
    sources: int | None
    ever_accepted: int
    ever_rejected: int | None
    lost: int = 0


class BoltBalance(msgspec.Struct, frozen=True):
    """One bolt and one topic, in records. The oldest that it has not accounted for is in the Queue for ``waiting``
    seconds."""

    bolt: str
    topic: str
    accounted: int
    lag: int
    waiting: float = 0.0


class Balance(msgspec.Struct, frozen=True):
    """All of it. ``faults`` describes what does not add up; empty if everything does."""

    spouts: list[SpoutBalance]
    topics: dict[str, int]
    bolts: list[BoltBalance]
    faults: list[str]

    @property
    def lag(self) -> int:
        """The records that the slowest reader of each topic still has before it, over all topics."""
        slowest: dict[str, int] = {}
        for one in self.bolts:
            slowest[one.topic] = max(slowest.get(one.topic, 0), one.lag)
        return sum(slowest.values())

    @property
    def lag_seconds(self) -> float:
        """For how long the oldest record that any bolt has before it is in the Queue."""
        return max((one.waiting for one in self.bolts), default=0.0)


def balance(
    broker: BrokerState, spouts: Mapping[str, Mapping[str, Any]], bolts: Mapping[str, Iterable[str]]
) -> Balance:
    """Return the balance.

    Args:
        spouts: per spout that runs, its state.
        bolts: per bolt, the topics that it reads.
    """
    names = sorted({*spouts, *(source.partition("/")[0] for source in broker.sources)})
    of_spouts = [_of_spout(name, spouts.get(name), broker) for name in names]
    of_bolts = [_of_topic(bolt, topic, broker) for bolt, topics in bolts.items() for topic in sorted(topics)]
    faults = [
        *(
            fault
            for one in of_spouts
            if one.name in spouts
            for fault in _faults_of_spout(one, spouts[one.name])
        ),
        *_faults_of_queue(broker, of_spouts),
        *(
            f"{one.bolt}: accounted for {one.accounted} records of {one.topic}, which holds {-one.lag} fewer"
            for one in of_bolts
            if one.lag < 0
        ),
    ]
    topics = {topic: head.records for topic, head in sorted(broker.heads.items())}
    return Balance(of_spouts, topics, of_bolts, faults)


def engine_balance(
    records: Mapping[str, int], spouts: Mapping[str, Mapping[str, Any]], problem: str = ""
) -> Balance:
    """Return the balance where an engine counts. All bolts are at the same batch, so it has none of them.

    Args:
        records: per topic, what all batches have counted.
        spouts: per spout that runs, its state.
        problem: why the engine must not count, "" if it may.
    """
    names = sorted({*spouts, *(topic.partition(".")[0] for topic in records)})
    of_spouts = [
        _spout(
            name,
            spouts.get(name),
            sum(count for topic, count in records.items() if topic.partition(".")[0] == name),
            None,
            None,
        )
        for name in names
    ]
    faults = [
        fault
        for one in of_spouts
        if one.name in spouts
        for fault in _faults_of_journal(one, spouts[one.name])
    ]
    return Balance(of_spouts, dict(sorted(records.items())), [], [*filter(None, [problem]), *faults])


def together(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of two instances of a spout as one: both count, and it is idle when both are."""
    counts = {count: int(one.get(count, 0)) + int(other.get(count, 0)) for count in COUNTS}
    known = [state["idle"] for state in (one, other) if "idle" in state]
    lost = int(one.get("lost", 0)) + int(other.get("lost", 0))
    return counts | ({"idle": all(known)} if known else {}) | ({"lost": lost} if lost else {})


def _of_spout(name: str, state: Mapping[str, Any] | None, broker: BrokerState) -> SpoutBalance:
    mine = [known for source, known in broker.sources.items() if source.startswith(f"{name}/")]
    return _spout(
        name,
        state,
        sum(known.accepted for known in mine),
        sum(known.rejected for known in mine),
        sum(known.streams for known in mine),
    )


def _spout(
    name: str, state: Mapping[str, Any] | None, accepted: int, rejected: int | None, sources: int | None
) -> SpoutBalance:
    counts = {count: int((state or {}).get(count, 0)) for count in COUNTS}
    return SpoutBalance(
        name,
        **counts,
        on_its_way=max(0, counts["read"] - counts["rejected"] - counts["published"] - counts["repeated"]),
        sources=sources,
        ever_accepted=accepted,
        ever_rejected=rejected,
        lost=int((state or {}).get("lost", 0)),
    )


def _of_topic(bolt: str, topic: str, broker: BrokerState) -> BoltBalance:
    accounted = broker.bolts.get(bolt, {}).get(topic, NOTHING).records
    lag = broker.heads.get(topic, NOTHING).records - accounted
    return BoltBalance(bolt, topic, accounted, lag, broker.waiting.get(bolt, {}).get(topic, 0.0))


def _faults_of_spout(one: SpoutBalance, state: Mapping[str, Any]) -> Iterable[str]:
    # The filter's word is newer than the spout's, which is up to a second old: so only these ways round.
    if one.published > one.ever_accepted:
        yield f"{one.name}: published {one.published}, but the filter accepted only {one.ever_accepted} of its records"
    yield from _faults_of_journal(one, state)


def _faults_of_journal(one: SpoutBalance, state: Mapping[str, Any]) -> Iterable[str]:
    if not state.get("idle", True):
        return
    if one.read != one.journaled + one.rejected:
        yield f"{one.name}: read {one.read}, but journaled {one.journaled} and rejected {one.rejected}"
    if one.journaled > one.published + one.repeated and "idle" in state:
        yield (
            f"{one.name}: journaled {one.journaled}, but published only {one.published} "
            f"and found {one.repeated} repeated"
        )


def _faults_of_queue(broker: BrokerState, spouts: Iterable[SpoutBalance]) -> Iterable[str]:
    accepted = sum(one.ever_accepted for one in spouts)
    queued = sum(totals(broker.heads, spout) for spout in SPOUTS)
    queued += sum(count for topic, count in broker.staged.items() if topic.partition(".")[0] in SPOUTS)
    if accepted != queued:
        yield (
            f"broker: the filter accepted {accepted} records, but the Queue numbers {queued} on the spouts' topics; "
            "was data/queue or data/filter removed?"
        )
