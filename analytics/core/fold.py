"""Folding: from the tuples of one message to what they change, per bolt and document key. Pure."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

import msgspec

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.columns import Columns
from analytics.core.compiled import scanner
from analytics.core.exchange import Converter
from analytics.core.excluder import ColumnsByArea, Excluder, MessageColumns
from analytics.core.exclusion import ExcludedRecord
from analytics.core.measures import Getter
from analytics.core.payment_days import on_named_days
from analytics.core.periods import PeriodName, Zone
from analytics.core.schema import is_of_spout, schema
from analytics.core.tuples import EARLIEST, LATEST, UNDECODABLE

COLUMNS = frozenset({"ts", "data.acct"})
"""The attribute paths that lines can be read by as columns: all that bolts need which count accts."""

COLUMNS_SECONDS = 2 * 3600
"""Columns are divided among few periods only: no more than so long, of which each lasts an hour or more."""

FEW_PERIODS = 4
"""Tuples of so many periods are told apart by one look at them for each; of more, by working out each tuple's."""

KNOWN_TYPES = 256
"""Of so many tuple types it is remembered how they are read: a folder is made for each group of documents, always from the same bolts."""


class Delta(msgspec.Struct, gc=False):
    """What one message, or several that follow each other, change in one document.

    Attributes:
        topic, first, number: the messages' topic, and the numbers there of the first and the last of them.
        states: what they say to this document: a measure's delta for each of the bolt's readers of the topic.
        tuples: the spout tuples that they account for.
    """

    topic: str
    first: int
    number: int
    states: list[Any]
    tuples: int

    @classmethod
    def of(cls, bolt: Bolt, topic: str, number: int, rows: Sequence[Any], tuples: int) -> "Delta":
        """Return what ``rows`` of a message change in a document of ``bolt``."""
        return cls(topic, number, number, [gather(rows) for gather in bolt.gathers[topic]], tuples)


@dataclass(frozen=True, slots=True)
class UnusableLine:
    """A line of a message that no bolt can use, with the reason."""

    line: bytes
    reason: str


Keyed = dict[Key, Any]
"""By the first parts of a key: tuples, or the columns of tuples."""


@dataclass(frozen=True, slots=True)
class _MessageTuples:
    """A message's tuples, or their columns, by area, and the earliest and latest ``ts`` of them all."""

    by_area: Mapping[str, Any]
    earliest: int
    latest: int

    @classmethod
    def of_columns(cls, by_area: ColumnsByArea, earliest: int, latest: int) -> "_MessageTuples":
        columns = {
            area: Columns({"ts": times, "data.acct": accts}, ordered)
            for area, (times, accts, ordered) in by_area.items()
        }
        return cls(columns, earliest, latest)

    @classmethod
    def of(cls, tuples: Sequence[Any]) -> "_MessageTuples":
        by_area: dict[str, list[Any]] = defaultdict(list)
        for one in tuples:
            by_area[one.area].append(one)
        times = [one.ts for one in tuples] or [0]
        return cls(by_area, min(times), max(times))


class Folder:
    """Folds messages for some bolts, which share the decoding and grouping of what they read alike."""

    def __init__(self, bolts: Iterable[Bolt], areas: Areas) -> None:
        self._areas = areas
        self._excluder = Excluder.of(areas)
        self._converter = Converter.of(areas)
        self._decoders: dict[type, msgspec.json.Decoder[Any]] = {}
        self._plans: dict[str, list[_Plan]] = {}
        self._of_excluded: dict[str, list[_Plan]] = {}
        for bolt in bolts:
            for topic, reads in bolt.reads.items():
                if bolt.of_excluded:
                    self._plans.setdefault(topic, [])
                    self._of_excluded.setdefault(topic, []).append(_Plan(bolt, topic, areas))
                    continue
                self._decoders.setdefault(reads.tuple_type, msgspec.json.Decoder(reads.tuple_type))
                self._plans.setdefault(topic, []).append(_Plan(bolt, topic, areas))
        self._scanner = scanner(areas, EARLIEST)

    def decode_only(self) -> None:
        """Read no columns from now on: each line is decoded."""
        self._scanner = None

    def fold(
        self,
        topic: str,
        number: int,
        body: bytes,
        only: Collection[str] | None = None,
        first: int | None = None,
    ) -> tuple[dict[str, dict[Key, Delta]], list[UnusableLine]]:
        """Return, per bolt, what message ``number`` of ``topic`` changes, and its lines that nobody can use.

        Args:
            body: newline-delimited JSON.
            only: names of the bolts to fold for; None: all that read the topic.
            first: where ``body`` has all messages from this one on; None: it has the one.
        """
        span = number if first is None else first, number
        read: dict[tuple[type, bool], _MessageTuples] = {}
        keyed: dict[tuple[type, bool, PeriodName | None], Keyed] = {}
        unusable: dict[bytes, UnusableLine] = {}
        result = {}
        plans = [plan for plan in self._plans[topic] if only is None or plan.bolt.name in only]
        # One that needs tuples has them made for all. Measured: columns take 0.19 µs a line, tuples 0.26 µs, and columns save
        # each bolt 0.06 µs, so both together pay for none but many bolts.
        columns = self._columns(body) if plans and all(plan.can_read(COLUMNS) for plan in plans) else None
        if topic == "payment":
            body = on_named_days(body, self._areas)
        excluded: list[ExcludedRecord] = []
        departures = b""
        if self._excluder is not None and is_of_spout(topic):
            if any(plan.departures for plan in plans):
                departures = self._excluder.departures(body)
            if columns is not None:
                columns, excluded = self._excluder.divide_columns(columns)
            else:
                body, excluded = self._excluder.divide(topic, body)
        if self._converter is not None and topic == "payment":
            body, left = self._converter.convert(body)
            unusable |= {line: UnusableLine(line, reason) for line, reason in left}
        for plan in plans:
            more = departures if plan.departures else b""
            kind = plan.tuple_type, bool(more)
            if kind not in read:
                lines = b"\n".join(filter(None, (body, more)))
                read[kind], bad = self._read(lines, plan.tuple_type, columns)
                unusable |= {one.line: one for one in bad}
            shared = *kind, plan.bolt.period
            if shared not in keyed:
                keyed[shared] = self._by_period(plan.bolt.period, read[kind])
            try:
                result[plan.bolt.name] = plan.fold(span, keyed[shared])
            except Exception as error:
                plan.bolt.note_failure(error)
                raise
        for plan in self._of_excluded.get(topic, ()):
            if only is None or plan.bolt.name in only:
                records = self._by_period(plan.bolt.period, _MessageTuples.of(excluded))
                result[plan.bolt.name] = plan.fold(span, records)
        return result, list(unusable.values())

    def _columns(self, body: bytes) -> MessageColumns | None:
        """Return a message's columns, None where it has to be decoded."""
        found = self._scanner.by_area(body, LATEST) if self._scanner is not None else None
        return found if found is not None and found[2] - found[1] <= COLUMNS_SECONDS else None

    def _read(
        self, body: bytes, tuple_type: type, columns: MessageColumns | None
    ) -> tuple[_MessageTuples, list[UnusableLine]]:
        """Return a message's columns if there are some, else its tuples, and the lines that are no tuples."""
        if columns is not None:
            return _MessageTuples.of_columns(*columns), []
        decoder = self._decoders[tuple_type]
        try:
            tuples = decoder.decode_lines(body)
            read = _MessageTuples.of(tuples)
            # The decoder takes a value that spans several lines, too: one line's rubbish could swallow the next lines.
            if len(tuples) == body.count(b"\n") + 1 and all(area in self._areas for area in read.by_area):
                return read, []
        except UNDECODABLE:
            pass
        return self._read_slowly(body, decoder)

    def _read_slowly(
        self, body: bytes, decoder: msgspec.json.Decoder[Any]
    ) -> tuple[_MessageTuples, list[UnusableLine]]:
        tuples: list[Any] = []
        unusable: list[UnusableLine] = []
        for line in filter(bytes.strip, body.split(b"\n")):
            try:
                one = decoder.decode(line)
            except UNDECODABLE as error:
                unusable.append(UnusableLine(line, str(error)))
                continue
            if one.area in self._areas:
                tuples.append(one)
            else:
                reason = f"$.area: expected an area that a game of the configuration claims, got {one.area!r}"
                unusable.append(UnusableLine(line, reason))
        return _MessageTuples.of(tuples), unusable

    def _by_period(self, period: PeriodName | None, read: _MessageTuples) -> Keyed:
        """Return tuples by area and period: the part of a key that bolts have in common."""
        if period is None:
            return {(area,): tuples for area, tuples in read.by_area.items()}
        keyed: Keyed = {}
        starts: dict[Zone, list[int]] = {}
        for area, tuples in read.by_area.items():
            zone = self._areas[area].zone
            if zone not in starts:
                starts[zone] = list(islice(zone.starts(period, read.earliest, read.latest), FEW_PERIODS + 1))
            if len(starts[zone]) <= FEW_PERIODS:
                keyed |= {(area, start): some for start, some in _cut(tuples, starts[zone])}
                continue
            for one in tuples:
                keyed.setdefault((area, zone.start(period, one.ts)), []).append(one)
        return keyed


def _cut(tuples: list[Any] | Columns, starts: Sequence[int]) -> Iterator[tuple[int, list[Any] | Columns]]:
    """Yield the tuples of each of the periods that begin at ``starts``, where it has any."""
    for start, end in pairwise(starts):
        some, tuples = _until(tuples, end)
        if some:
            yield start, some
    if tuples:
        yield starts[-1], tuples


def _until(tuples: list[Any] | Columns, end: int) -> tuple[list[Any], list[Any]] | tuple[Columns, Columns]:
    """Return the tuples whose ``ts`` is before ``end``, and the others."""
    if isinstance(tuples, Columns):
        return tuples.until(end)
    some = [one for one in tuples if one.ts < end]
    return (some, [one for one in tuples if one.ts >= end]) if some else ([], tuples)


class _Plan:
    """How one bolt handles one topic, worked out once."""

    def __init__(self, bolt: Bolt, topic: str, areas: Areas) -> None:
        self.bolt = bolt
        self._areas = areas
        self.topic = topic
        self.tuple_type = bolt.reads[topic].tuple_type
        self._rows = bolt.reads[topic].rows
        self.departures = bolt.reads[topic].departures
        self._part_of, self._many_parts = _joint(bolt.key_getters), len(bolt.key_getters) > 1
        self._weigh = _weigher(self.tuple_type)
        self._paths: frozenset[str] | None = frozenset()
        for measure in bolt.measures.values():
            if measure.reads(topic) and self._paths is not None:
                self._paths = None if measure.paths is None else self._paths | measure.paths
        if self._rows or self.departures or self._part_of or not _is_of_acct(topic, self.tuple_type):
            self._paths = None

    def can_read(self, columns: AbstractSet[str]) -> bool:
        """Say whether the tuples' columns of these attribute paths are all that the bolt needs of them."""
        return self._paths is not None and self._paths <= columns

    def fold(self, span: tuple[int, int], keyed: Keyed) -> dict[Key, Delta]:
        """Return what the tuples of messages change, by document. ``span``: the numbers of the first and the last of them."""
        topic, gathers, weigh = self.topic, self.bolt.gathers[self.topic], self._weigh
        first, number = span
        if self._rows is None:
            return {
                key: Delta(topic, first, number, [gather(rows) for gather in gathers], weigh(rows))
                for key, rows in self._divide(keyed)
            }
        rows: Keyed = {}
        weights: dict[Key, int] = {}
        for key, tuples in keyed.items():
            zone = self._areas[key[0]].zone
            for one in tuples:
                # A tuple without rows still belongs to a document whose key needs none.
                weight = weigh([one])
                for full, some in self._divide({key: list(self._rows(one, zone))}):
                    rows.setdefault(full, []).extend(some)
                    weights[full] = weights.get(full, 0) + weight
        return {
            key: Delta(topic, first, number, [gather(some) for gather in gathers], weights[key])
            for key, some in rows.items()
        }

    def _divide(self, keyed: Keyed) -> Iterable[tuple[Key, list[Any]]]:
        """Return rows by their whole keys: divided by the further parts that the bolt's documents have."""
        if self._part_of is None:
            return keyed.items()
        return _divided(keyed, self._part_of, self._many_parts)


def _divided(keyed: Keyed, part_of: Getter, many: bool) -> Iterator[tuple[Key, list[Any]]]:
    """Yield rows by whole keys. ``part_of``: what a row adds to its key, where ``many`` a tuple of parts."""
    for key, rows in keyed.items():
        parts: dict[Any, list[Any]] = defaultdict(list)
        for part, row in zip(map(part_of, rows), rows, strict=True):
            parts[part].append(row)
        for part, some in parts.items():
            yield ((*key, *part) if many else (*key, part)), some


def _joint(getters: Sequence[Getter]) -> Getter | None:
    """Return what reads all of these from a row: one as it is, more as a tuple; None for none."""
    if len(getters) < 2:
        return getters[0] if getters else None
    return lambda row: tuple([get(row) for get in getters])


@lru_cache(KNOWN_TYPES)
def _is_of_acct(topic: str, tuple_type: type) -> bool:
    """Say whether what reads a topic as this type wants times and accts alone."""
    return schema(topic, [tuple_type]).is_of_acct


@lru_cache(KNOWN_TYPES)
def _weigher(tuple_type: type) -> Callable[[list[Any]], int]:
    """A bolt's tuple says how many spout tuples it stands for; a spout's stands for itself."""
    fields = {field.name for field in msgspec.structs.fields(tuple_type)}
    return (lambda tuples: sum(one.tuples for one in tuples)) if "tuples" in fields else len
