"""The Queue: an append-only log in segment files. Its messages are durable and keep their numbers.

Each log has a random identity. A topic's messages are numbered from 1 without gaps; a segment's head record
carries every topic's number and totals, so they outlive the deletion of older segments.
"""

import logging
import math
import secrets
import time
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analytics.broker.checksum import crc32
from analytics.broker.opening import damaged, lost, open_segments
from analytics.broker.records import Damaged, Entry, Record, SegmentHead, StoredPart, encode_record
from analytics.broker.segment import LogSegment
from analytics.broker.times import Times
from analytics.broker.topics import Topics, bounded
from analytics.broker.wire import BatchHeader, Buffer, Head, Message, MessageHeader

logger = logging.getLogger(__name__)

NOTHING = Head(0, 0, 0)
_MAX_MESSAGES = 1000  # of one read
_MAX_CURSORS = 64  # positions of readers, to continue from
_SCAN_BYTES = 32 << 20  # read without a match before a read returns, so that others get their turn

Place = tuple[int, int]  # a segment's first seq, and an offset in its file


@dataclass(frozen=True, slots=True)
class Retention:
    """The segments to retain after all bolts have passed them.

    These are the newest ones written to after ``since`` (Unix seconds), up to ``max_bytes``. By default none.
    """

    since: float = math.inf
    max_bytes: int = 0


class Log:
    """The log of one folder. One thread at a time may run :meth:`commit`; the main thread runs everything else.

    Args:
        expect: identity and seq that were acknowledged. If the folder has this log and it ends before this seq, records
            were lost and LogError is raised.
        read: the topics that bolts read.

    Attributes:
        topics: the topics with their own numbers.
    """

    def __init__(
        self,
        folder: Path,
        segment_bytes: int,
        sync: bool = True,
        expect: tuple[str, int] = ("", 0),
        read: Iterable[str] = (),
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._cursors: OrderedDict[frozenset[tuple[str, int]], Place] = OrderedDict()
        self._staged: list[Buffer] = []
        self._times: dict[str, Times] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._segments = open_segments(folder, read)
        self.seq = 0
        self.heads: dict[str, Head] = {}
        if self._segments:
            self._recover(expect)
        else:
            head = SegmentHead(secrets.token_hex(8), 0, {})
            self._segments.append(LogSegment.create(folder, 1, head, sync))
        self.identity = self._segments[0].log
        self._holes = self._find_holes()
        self._bound_topics(set(read))
        self.topics = Topics(read, self.heads)
        self._next_seq, self._next_heads = self.seq, dict(self.heads)

    # Writing

    def stage(self, header: BatchHeader, bodies: Sequence[Buffer]) -> list[MessageHeader]:
        """Number a batch and stage it for the next commit. Return a header for each part.

        The bodies must not change until the commit is done.
        """
        at = time.time()
        parts = []
        for part, body in zip(header.parts, bodies, strict=True):
            last = self._next_heads.get(part.topic, NOTHING)
            head = Head(last.number + 1, last.records + part.count, last.tuples + part.tuples)
            self._next_heads[part.topic] = head
            self._note(part.topic, head.number, at)
            crc = crc32(body)
            parts.append(
                StoredPart(part.topic, head.number, part.count, head.records, head.tuples, len(body), crc)
            )
        self._next_seq += 1
        entry = Entry(header.source, header.ns, header.rejected, at, parts)
        self._staged.append(encode_record(self._next_seq, entry))
        self._staged.extend(bodies)
        return [self._header(entry, part) for part in parts]

    def staged(self, heads: Mapping[str, Head]) -> dict[str, int]:
        """Return, per topic, the numbered records beyond ``heads``."""
        more = {
            topic: head.records - heads.get(topic, NOTHING).records
            for topic, head in self._next_heads.items()
        }
        return {topic: records for topic, records in more.items() if records}

    @property
    def staged_seq(self) -> int:
        return self._next_seq

    def commit(self) -> bool:
        """Write the staged batches durably. Return whether a new segment was started.

        After an OSError nothing has changed, and the staged batches wait for the next call.
        """
        if not self._staged:
            return False
        rotated = self._active.size >= self._segment_bytes
        if rotated:
            head = SegmentHead(self.identity, self._active.first, self.heads)
            self._segments.append(LogSegment.create(self._folder, self.seq + 1, head, self._sync))
            for segment in self._segments[:-2][-1:]:
                segment.cool()
        self._active.write(self._staged, self._sync)
        self.seq, self.heads = self._next_seq, dict(self._next_heads)
        self._active.mark(self._active.size, self.heads)
        self._staged = []
        return rotated

    # Reading

    def read(
        self, after: Mapping[str, int], max_bytes: int = 8_000_000
    ) -> tuple[list[Message], bool, dict[str, int]]:
        """Return messages above ``after`` in the log's order, whether there are more, and each topic's oldest.

        At least one message is returned if one is near, and as many as fit ``max_bytes``. A read that scans much without
        a match may return none although there are more; the next call continues from there.
        ``oldest`` is the lowest number above ``after`` that is still in the log (the head + 1 if there is none).
        """
        position = dict(after)
        oldest = {topic: self._oldest(topic, number) for topic, number in after.items()}
        messages: list[Message] = []
        if self._wanted(position):
            place = self._cursors.pop(frozenset(position.items()), None) or self._find(position)
            place = self._collect(place, position, max_bytes, messages)
            self._cursors[frozenset(position.items())] = place
            while len(self._cursors) > _MAX_CURSORS:
                self._cursors.popitem(last=False)
        return messages, self._wanted(position), oldest

    def waiting(self, after: Mapping[str, int]) -> dict[str, float]:
        """Return, for topics with messages above ``after``, the time (Unix seconds) of the oldest of them.

        For messages that were in older segments when the log was opened, it may be too early.
        """
        result = {}
        for topic, number in after.items():
            if topic in self._times and self.heads.get(topic, NOTHING).number > number:
                result[topic] = self._times[topic].after(number)
        return result

    def entries(self, seq: int) -> Iterator[Entry]:
        """Yield the header of every record after ``seq``."""
        for index, segment in enumerate(self._segments):
            following = self._segments[index + 1] if index + 1 < len(self._segments) else None
            if following is not None and following.first <= seq + 1:
                continue
            for record in self._records(segment, 0):
                if record.seq > seq and isinstance(record.header, Entry):
                    yield record.header

    # Keeping

    def drop(self, passed: Mapping[str, int], through: int, keep: Retention = Retention()) -> None:
        """Delete the oldest segments without messages above ``passed`` or seqs above ``through``, except those to ``keep``.

        Topics that ``passed`` lacks don't count. The newest segment stays.
        """
        for topic, number in passed.items():
            if topic in self._times:
                self._times[topic].forget(number)
        while len(self._segments) > 1:
            following = self._segments[1]
            ends = following.start
            if following.first - 1 > through:
                break
            if any(ends.get(topic, NOTHING).number > number for topic, number in passed.items()):
                break
            if self._segments[0].written_at > keep.since and self.disk_bytes() <= keep.max_bytes:
                break
            self._segments.pop(0).remove()

    def disk_bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    def close(self) -> None:
        for segment in self._segments:
            segment.close()

    # Inside

    @property
    def _active(self) -> LogSegment:
        return self._segments[-1]

    def _header(self, entry: Entry, part: StoredPart) -> MessageHeader:
        totals = (part.number, part.count, part.records, part.tuples)
        return MessageHeader(self.identity, *totals, entry.source, entry.ns, entry.at)

    def _note(self, topic: str, number: int, at: float) -> None:
        self._times.setdefault(topic, Times()).note(number, at)

    def _wanted(self, position: Mapping[str, int]) -> bool:
        heads = self.heads
        return any(heads.get(topic, NOTHING).number > number for topic, number in position.items())

    def _find(self, after: Mapping[str, int]) -> Place:
        def ahead(segment: LogSegment) -> bool:
            return any(segment.start.get(topic, NOTHING).number > number for topic, number in after.items())

        segment = self._segments[max(bisect_right(self._segments, False, key=ahead) - 1, 0)]
        return segment.first, segment.seek(after)

    def _collect(self, place: Place, position: dict[str, int], max_bytes: int, into: list[Message]) -> Place:
        """Move ``position`` and ``into`` forward from ``place``. Return the place to continue from."""
        index = bisect_left(self._segments, place[0], key=lambda segment: segment.first)
        offset = place[1] if self._segments[index].first == place[0] else 0
        taken = looked = 0
        while True:
            segment = self._segments[index]
            if index + 1 == len(self._segments) or self._holds(index, position):
                for record in self._records(segment, offset):
                    wanted = _wanted_parts(record, position)
                    size = sum(part.size for part in wanted)
                    looked += record.end - record.offset
                    full = taken + size > max_bytes or len(into) >= _MAX_MESSAGES
                    if full and wanted and into:
                        return segment.first, record.offset
                    if not wanted and looked > _SCAN_BYTES + max_bytes:
                        return segment.first, record.end
                    taken += size
                    for part in wanted:
                        into.append(self._load(segment, record, part))
                        position[part.topic] = part.number
                    offset = record.end
            if index + 1 == len(self._segments):
                return segment.first, max(offset, segment.begin)
            index, offset = index + 1, 0

    def _holds(self, index: int, position: Mapping[str, int]) -> bool:
        ends = self._ends(index)
        return any(ends.get(topic, NOTHING).number > number for topic, number in position.items())

    def _ends(self, index: int) -> Mapping[str, Head]:
        """Return every topic's Head at the end of a segment."""
        segment = self._segments[index]
        if segment.first in self._holes:
            return self._holes[segment.first]
        return self.heads if index + 1 == len(self._segments) else self._segments[index + 1].start

    def _oldest(self, topic: str, after: int) -> int:
        def end(index: int) -> int:
            return self._ends(index).get(topic, NOTHING).number

        index = bisect_right(range(len(self._segments)), after, key=end)
        if index == len(self._segments):
            return self.heads.get(topic, NOTHING).number + 1
        return max(self._segments[index].start.get(topic, NOTHING).number, after) + 1

    def _records(self, segment: LogSegment, offset: int) -> Iterator[Record]:
        try:
            yield from segment.records(offset)
        except Damaged as damage:
            raise damaged(segment.path, damage) from damage

    def _load(self, segment: LogSegment, record: Record, part: StoredPart) -> Message:
        assert isinstance(record.header, Entry)
        try:
            body = segment.body(record, part.topic)
        except Damaged as damage:
            raise damaged(segment.path, damage) from damage
        return Message(part.topic, self._header(record.header, part), body)

    def _recover(self, expect: tuple[str, int]) -> None:
        """Scan the newest segment, truncate it at the first incomplete record, and read its numbers."""
        segment = self._active
        self.seq, self.heads = segment.first - 1, dict(segment.start)
        self._note_older()
        end, damage = segment.begin, None
        try:
            for record in segment.records():
                if record.seq != self.seq + 1:
                    raise Damaged(record.offset, f"expected seq {self.seq + 1}, got {record.seq}")
                segment.check(record)
                _advance(self.heads, record)
                if isinstance(record.header, Entry):
                    for part in record.header.parts:
                        self._note(part.topic, part.number, record.header.at)
                self.seq, end = record.seq, record.end
                segment.mark(end, self.heads)
        except Damaged as found:
            damage = found
        if expect[0] == segment.log and expect[1] > self.seq:
            raise lost(segment.path, self.seq, expect[1], damage)
        if damage is not None:
            torn = segment.size - end
            logger.warning(
                "%s: truncated %d bytes that were never acknowledged: %s", segment.path, torn, damage
            )
            segment.cut(end, self._sync)

    def _bound_topics(self, read: set[str]) -> None:
        """Merge topics into shared ones if the log of an earlier version has too many.

        A new segment starts with their totals, so that the next start does not add them up again.
        """
        heads = bounded(self.heads, read)
        if len(heads) == len(self.heads):
            return
        logger.warning(
            "%s: %d topics, expected %d at most: the others share topics from now on",
            self._folder, len(self.heads), len(heads),
        )  # fmt: skip
        newest = self._active
        empty = newest.first == self.seq + 1
        head = SegmentHead(self.identity, newest.previous if empty else newest.first, heads)
        segment = LogSegment.create(self._folder, self.seq + 1, head, self._sync)
        if empty:
            newest.close()
            self._segments.pop()
        self._segments.append(segment)
        self.heads = heads
        self._times = {topic: times for topic, times in self._times.items() if topic in heads}

    def _note_older(self) -> None:
        """Record approximate times for the messages of older segments, without scanning them."""
        first = next(self._records(self._segments[0], 0), None) if len(self._segments) > 1 else None
        for before, following in zip(self._segments, self._segments[1:], strict=False):
            for topic, head in following.start.items():
                begin = before.start.get(topic, NOTHING).number
                if head.number > begin:
                    if topic not in self._times and first is not None and isinstance(first.header, Entry):
                        self._note(topic, begin, first.header.at)
                    self._note(topic, head.number, before.written_at)

    def _find_holes(self) -> dict[int, Mapping[str, Head]]:
        """Return, for each segment whose next one is missing, every topic's Head at its end."""
        holes: dict[int, Mapping[str, Head]] = {}
        for before, following in zip(self._segments, self._segments[1:], strict=False):
            if following.previous != before.first:
                logger.error("%s: the segment that follows is missing", before.path)
                heads = dict(before.start)
                for record in self._records(before, 0):
                    _advance(heads, record)
                holes[before.first] = heads
        return holes


def _advance(heads: dict[str, Head], record: Record) -> None:
    if isinstance(record.header, Entry):
        for part in record.header.parts:
            heads[part.topic] = Head(part.number, part.records, part.tuples)


def _wanted_parts(record: Record, position: Mapping[str, int]) -> list[StoredPart]:
    if not isinstance(record.header, Entry):
        return []
    return [part for part in record.header.parts if part.number > position.get(part.topic, part.number)]
