"""From broker and workers to the engine, and back: what was counted is handed over, once all of it is counted.

    adopt      filter ─▶ engine_seen    positions of journals ─▶ engine's position    note in the store, mark in the data folder
    release    engine_seen ─▶ filter    records by topic ─▶ a new Queue               note in the store, mark removed

Nothing that counts runs meanwhile. Each step may be done again, so an interrupted call is called again. The note says who counts: an
engine does not start where broker and workers do. The mark keeps the broker from starting where an engine counts.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from secrets import token_hex
from typing import Any

import msgspec

from analytics.broker.opening import ENGINE_COUNTS
from analytics.broker.stored import StoredBroker, begin_queue, lock, open_stored
from analytics.broker.topics import shared_topic
from analytics.broker.wire import Head, totals
from analytics.config import Config, EngineSection
from analytics.core.intervals import Pair
from analytics.core.numberset import NumberSet
from analytics.engine.blocks import HalfForgotten
from analytics.engine.journals import ClosedJournals
from analytics.engine.position import FORGETTING, PLANS, EnginePosition, SavedPosition
from analytics.engine.seen import SeenRecords
from analytics.errors import AnalyticsError
from analytics.runtime.balance import NOTHING, SPOUTS
from analytics.runtime.engine_progress import COUNTING, counted_by_broker, counting, reported_ends
from analytics.runtime.known_filter import forget_filter
from analytics.runtime.nodes import TIMERS, all_readers, readers
from analytics.runtime.timers.position import TimersPosition
from analytics.spouts.acknowledging import RELEASED
from analytics.spouts.ends import journal_folder, shared_folder
from analytics.spouts.outbox import OutboxState
from analytics.spouts.piped import PipedStreams
from analytics.spouts.polled import POLLED
from analytics.spouts.positions import StateFile
from analytics.store import POSITIONS, Store, Write
from analytics.system import files

PAIRS_AT_ONCE = 10_000

Say = Callable[[str], None]


class NotHandedOver(AnalyticsError):
    """Something is not counted yet, or counted elsewhere; the message says what to do. Nothing has changed."""


class _Outboxed(msgspec.Struct):
    outbox: OutboxState = msgspec.field(default_factory=OutboxState)


def adopt(config: Config, store: Store, say: Say) -> None:
    """Hand over to the engine. Nothing but the store runs.

    Raises:
        NotHandedOver: something is not counted yet, or the engine counts already.
        LockTaken: the broker runs.
        Unavailable: the store does not answer.
    """
    if counting(store) == "engine":
        raise NotHandedOver("the engine counts already: there is nothing to adopt")
    before = msgspec.structs.replace(config, engine=EngineSection())
    bolts = readers(before)
    read = {topic for topics in bolts.values() for topic in topics}
    with lock(config.data), closing(open_stored(config.broker, config.data, read)) as stored:
        _require_counted(store, stored, bolts)
        ends = _accepted_ends(config)
        streams = _fill_seen(store, stored.accepted())
        sources = {name: one.accepted for name, one in stored.filter.states().items()}
        heads = dict(stored.log.heads)
    records = {
        topic: head.records
        for topic, head in heads.items()
        if topic.partition(".")[0] in SPOUTS and head.records
    }
    position = EnginePosition(store)
    saved = position.load()
    store.delete(PLANS, [id for id in store.ids(PLANS) if int(id) > saved.batch])
    saved = position.commit(
        replace(saved, id=token_hex(8), ends=ends, records=records, sources=sources, repeated=0, written={})
    )
    _move_timers(store, saved.log, {topic: Head(saved.batch, 0, 0) for topic in bolts.get(TIMERS, ())})
    note(store, "engine")
    files.write(config.data / ENGINE_COUNTS, b"")
    (shared_folder(config) / RELEASED).unlink(missing_ok=True)
    say(
        f"adopted {sum(records.values()):,} records of {streams:,} streams; {len(ends):,} journals are read on"
    )


def release(config: Config, store: Store, say: Say) -> None:
    """Hand over to broker and workers. Nothing but the store runs.

    Raises:
        NotHandedOver: something is not counted yet, or no engine has counted.
        HalfForgotten: accts are being forgotten.
        LockTaken: a broker runs.
        Unavailable: the store does not answer.
    """
    if counting(store) != "engine":
        raise NotHandedOver("no engine has counted: there is nothing to release")
    released = shared_folder(config) / RELEASED
    files.write(released, b"")  # first: from now on, nothing more is acknowledged
    try:
        _begin_queue(config, store, _require_nothing_waits(config, store), say)
    except BaseException:
        released.unlink(missing_ok=True)
        raise


def _begin_queue(config: Config, store: Store, saved: SavedPosition, say: Say) -> None:
    """Let broker and workers count from where the engine stands."""
    bolts = readers(msgspec.structs.replace(config, engine=EngineSection()))
    own = all_readers(config)
    read = {topic for topics in bolts.values() for topic in topics}
    seen = SeenRecords(store).everything()
    records = _records_by_topic(saved.records, seen)
    with lock(config.data):
        identity, heads = begin_queue(config.data, records, bolts, own)
        with closing(open_stored(config.broker, config.data, read)) as stored:
            for source, numbers in seen.items():
                stored.filter.note(source, _runs(numbers), [])
            stored.save_filter()
        _move_bolts(
            store, identity, heads, {name: topics for name, topics in bolts.items() if name != TIMERS}
        )
        _move_timers(store, identity, {topic: heads.get(topic, NOTHING) for topic in bolts.get(TIMERS, ())})
        forget_filter(store)
        note(store, "broker")
        (config.data / ENGINE_COUNTS).unlink(missing_ok=True)
    say(f"released {sum(records.values()):,} records of {len(seen):,} streams to broker and workers")


def _require_nothing_waits(config: Config, store: Store) -> SavedPosition:
    """Return where the engine stands. Raise NotHandedOver where it has not counted all of the journals."""
    saved = EnginePosition(store).load()
    if saved.held == FORGETTING:
        raise HalfForgotten
    counted = {**ClosedJournals(store).ends(), **saved.ends}
    waiting = sum(max(0, end - counted.get(name, 0)) for name, end in _all_ends(config).items())
    if saved.frozen or waiting:
        raise NotHandedOver(
            f"{waiting:,} bytes of journals are not counted by the engine yet: start the suite with it, `bin/analytics drain`, and "
            "call this again"
        )
    return saved


def note(store: Store, by: str) -> None:
    """Note who counts from now on."""
    store.write(POSITIONS, [Write(COUNTING, {"by": by, "_v": 1}, None)])


def expect_no_broker(config: Config, store: Store) -> None:
    """Raise NotHandedOver where broker and workers have counted, Unavailable where the store does not answer."""
    if problem := counted_by_broker(config, store):
        raise NotHandedOver(problem)


def begin_to_count(config: Config, store: Store) -> None:
    """Note that the engine counts, where nobody has counted before.

    Raise NotHandedOver if broker and workers have counted, Unavailable if the store does not answer.
    """
    expect_no_broker(config, store)
    if not counting(store):
        note(store, "engine")
    mark = config.data / ENGINE_COUNTS
    if not mark.exists():
        mark.parent.mkdir(parents=True, exist_ok=True)
        files.write(mark, b"")
    (shared_folder(config) / RELEASED).unlink(missing_ok=True)


def _require_counted(store: Store, stored: StoredBroker, bolts: Mapping[str, Iterable[str]]) -> None:
    """Raise NotHandedOver where a bolt has not counted all of the Queue."""
    positions = store.load(POSITIONS, list(bolts))
    for bolt, topics in bolts.items():
        saved = positions.get(bolt, {})
        passed = {topic: number for topic, number, *_ in saved.get("topics", ())}
        for topic in topics:
            newest = stored.log.heads.get(topic, NOTHING).number
            if newest and (saved.get("log") != stored.log.identity or passed.get(topic, 0) < newest):
                raise NotHandedOver(
                    f"{bolt} has not counted all of {topic} yet: start the suite without [engine], `bin/analytics drain`, and call "
                    "this again"
                )
    accepted = sum(one.accepted for one in stored.filter.states().values())
    queued = sum(totals(stored.log.heads, spout) for spout in SPOUTS)
    if accepted != queued:
        raise NotHandedOver(
            f"the filter accepted {accepted:,} records, but the Queue numbers {queued:,}: see `bin/analytics status` first"
        )


def _accepted_ends(config: Config) -> dict[str, int]:
    """Return the byte of each of this host's journals before which everything was sent to the broker.

    Raise NotHandedOver if journals move to the shared folder, and some of those before were not sent whole.
    """
    ends = _noted_ends(config)
    folder = journal_folder(config)
    if folder != config.data:
        for name, end in ends.items():
            path = config.data / name
            if path.exists() and path.stat().st_size > end:
                raise NotHandedOver(
                    f"{path} has lines that were not sent to the broker, and journals move to {folder}: start the suite once more "
                    "without [engine], which sends them, then stop it and call this again"
                )
    prefix = folder.relative_to(shared_folder(config))
    return {str(prefix / name): end for name, end in ends.items()}


def _noted_ends(config: Config) -> dict[str, int]:
    """Return the byte of each of this host's journals before which its spout will not send anything again."""
    ends = PipedStreams(config.data).journals()
    for spout in POLLED:
        found = StateFile(config.data / "state" / f"{spout}.json").load(_Outboxed)
        ends |= found.outbox.journal
    return ends


def _all_ends(config: Config) -> dict[str, int]:
    """Return the ends of journals that spouts have reported to the engine, or that a killed one of this host has noted only."""
    ends, folder = reported_ends(config), journal_folder(config)
    prefix = folder.relative_to(shared_folder(config))
    for name, end in _noted_ends(config).items():
        if (folder / name).exists():
            journal = str(prefix / name)
            ends[journal] = max(end, ends.get(journal, 0))
    return ends


def _fill_seen(store: Store, accepted: Iterable[tuple[str, NumberSet]]) -> int:
    """Let accepted records count; return of how many streams they are."""
    seen, sources = SeenRecords(store), 0
    for source, numbers in accepted:
        runs = _runs(numbers)
        for begin in range(0, len(runs), PAIRS_AT_ONCE):
            seen.add({source: runs[begin : begin + PAIRS_AT_ONCE]})
        sources += bool(runs)
    return sources


def _records_by_topic(counted: Mapping[str, int], seen: Mapping[str, NumberSet]) -> dict[str, int]:
    """Return how many records each topic begins a new Queue with.

    Args:
        counted: records that batches counted, by topic.
        seen: all records, by source. Those that only a backfill counted have no topic here: they go to the one that op codes
            share, or that is the spout's own.
    """
    records, by_spout = Counter(counted), Counter[str]()
    for source, numbers in seen.items():
        by_spout[source.partition("/")[0]] += numbers.count()
    for spout, count in by_spout.items():
        with_topic = sum(count for topic, count in counted.items() if topic.partition(".")[0] == spout)
        without_topic = max(0, count - with_topic)
        records[shared_topic("gamelog.") if spout == "gamelog" else spout] += without_topic
    return dict(records)


def _runs(numbers: NumberSet) -> list[Pair]:
    """Return the members as pairs of first and last."""
    if not numbers:
        return []
    first, last = numbers.first(), numbers.last()
    return (NumberSet([(first, last)]) - numbers).missing(first, last)


def _move_bolts(
    store: Store, log: str, heads: Mapping[str, Head], bolts: Mapping[str, Iterable[str]]
) -> None:
    """Save for each bolt that it has counted all before the first message of a new log."""
    found = store.load(POSITIONS, list(bolts))
    writes = []
    for bolt, topics in bolts.items():
        version = found.get(bolt, {}).get("_v")
        document: dict[str, Any] = {
            "log": log,
            "topics": [[t, *msgspec.structs.astuple(heads.get(t, NOTHING))] for t in topics],
            "written": [],
            "_v": (version or 0) + 1,
        }
        writes.append(Write(bolt, document, version if bolt in found else 0))
    if store.write(POSITIONS, writes):
        raise NotHandedOver(
            "a worker runs, and has saved its position meanwhile: stop it, and call this again"
        )


def _move_timers(store: Store, log: str, heads: dict[str, Head]) -> None:
    """Let timer bolts go on in another log, if they have counted all of the one before."""
    position = TimersPosition(store, f"handover-{time.time_ns():x}")
    saved = position.load()
    if heads and saved.now and not saved.run:
        position.finish(log, heads, saved.now, saved.rules)
