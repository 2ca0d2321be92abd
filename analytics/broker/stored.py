"""What a broker keeps in its data folder, opened: the Queue, and the filter with all that the Queue's records add to it."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from analytics.broker.filter import Filter
from analytics.broker.filterstore import FilterStore, encoded
from analytics.broker.log import Log
from analytics.broker.opening import QUEUE, RESTORING, refuse
from analytics.broker.positions import Positions
from analytics.broker.records import SegmentHead
from analytics.broker.segment import LogSegment
from analytics.broker.topics import bounded
from analytics.broker.wire import Head
from analytics.config import BrokerSection
from analytics.core.numberset import NumberSet
from analytics.system import files
from analytics.system.locks import FileLock

FILTER = "filter"


@dataclass
class StoredBroker:
    """The parts, which their owner closes."""

    store: FilterStore
    filter: Filter
    log: Log

    def save_filter(self) -> None:
        """Save a snapshot with a short tail. Raise OSError, with the old ones as they were, on a full disk."""
        quiet = self.filter.quiet()
        self.store.quiet.put(quiet)
        self.filter.leave(quiet)
        self.store.save(self.log.identity, self.log.seq, encoded(self.filter))

    def accepted(self) -> Iterator[tuple[str, NumberSet]]:
        """Yield each source of which records were accepted, with their numbers."""
        after = ""
        while page := self.store.page(self.filter, after).sources:
            yield from ((source, NumberSet.load(numbers)) for source, numbers in page.items())
            after = max(page)

    def close(self) -> None:
        self.log.close()
        self.store.close()


def lock(data: Path) -> FileLock:
    """Keep brokers off a data folder. Raise LockTaken if one runs."""
    return FileLock(data / "broker.lock", "another broker runs on this data folder: stop it first")


def open_stored(section: BrokerSection, data: Path, read: Iterable[str]) -> StoredBroker:
    """Open what lies in a data folder, new where nothing does. The caller holds the :func:`lock`.

    Args:
        read: the topics that bolts read.

    Raises:
        LogError: the log can't be used.
    """
    refuse(data, RESTORING)
    store = FilterStore(data / FILTER)
    known = Filter(store.quiet.find)
    expect = store.load(known)
    log = Log(data / QUEUE, int(section.segment_mb * (1 << 20)), section.fsync, expect, read)
    for entry in log.entries(store.saved(log.identity)):
        if entry.ns or entry.rejected:
            known.note(entry.source, entry.ns, entry.rejected)
    return StoredBroker(store, known, log)


def begin_queue(
    data: Path, records: Mapping[str, int], bolts: Mapping[str, Iterable[str]], own: Iterable[str]
) -> tuple[str, dict[str, Head]]:
    """Replace an empty or finished Queue by a new one, before whose first message so many records were counted.

    Args:
        records: per topic.
        bolts: those that read the Queue, with their topics: they have counted as much.
        own: as for :class:`Positions`.

    Returns:
        The new log's identity, and every topic's head.
    """
    folder = data / QUEUE
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    read = {topic for topics in bolts.values() for topic in topics}
    heads = bounded({topic: Head(0, count, count) for topic, count in records.items()}, read)
    identity = secrets.token_hex(8)
    LogSegment.create(folder, 1, SegmentHead(identity, 0, heads), sync=True).close()
    positions = Positions(folder / "bolts.json", identity, bolts, list(own))
    for bolt, topics in bolts.items():
        positions.report(bolt, identity, {t: heads[t] for t in topics if t in heads}, again=True)
    files.sync_folder(folder)
    return identity, heads
