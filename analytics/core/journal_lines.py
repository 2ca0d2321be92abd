"""Lines of a journal's block by topic, each record once, and which records they are. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from analytics.core.compiled import JournalScan, journal_scan
from analytics.core.fold import UnusableLine
from analytics.core.intervals import Intervals, Pair
from analytics.core.numberset import pairs_of
from analytics.core.tuples import UNDECODABLE

SPOUTS = ("gamelog", "payment", "syncuser")
LONGEST_NUMBER = 18
"""Digits: a longer one is no line's number."""

Array = np.ndarray[Any, np.dtype[Any]]


class _OpCode(msgspec.Struct, gc=False):
    code: str


class Line(msgspec.Struct, gc=False):
    """What decides where a record goes."""

    id: str
    area: str
    ts: int
    op: _OpCode | None = None


_decode = msgspec.json.Decoder(Line).decode


@dataclass(slots=True)
class BlockLines:
    """The records of a block.

    Attributes:
        topics: per topic, how many lines, and all of them, the last newline left out.
        numbers: per source, the numbers of these lines: sorted pairs of first and last.
        unusable: lines that are no records of a spout, with the reason.
        left_out: how many lines name a record again, or one that is not wanted.
        newest: the latest ``ts`` of all lines that are records, Unix seconds; 0 if there is none.
    """

    topics: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    numbers: dict[str, list[Pair]] = field(default_factory=dict)
    unusable: list[UnusableLine] = field(default_factory=list)
    left_out: int = 0
    newest: int = 0


def by_topic(block: bytes, without: Mapping[str, Sequence[Pair]] | None = None) -> BlockLines:
    """Return a block's lines by topic.

    Args:
        block: whole lines, each with its newline.
        without: per source, the numbers of records to leave out: sorted, disjoint pairs.
    """
    found = journal_scan(block)
    return _one_by_one(block, without or {}) if found is None else _scanned(block, found, without or {})


def _scanned(block: bytes, found: JournalScan, without: Mapping[str, Sequence[Pair]]) -> BlockLines:
    topics, sources, numbers, ends, newest = found
    result, view = BlockLines(newest=newest), memoryview(block)
    all_numbers, all_ends = np.frombuffer(numbers, np.int64), np.frombuffer(ends, np.int64)
    begins = [0, *all_ends.tolist()]
    kept = np.ones(len(all_ends), bool)
    for source, runs in _runs(sources, len(all_ends)).items():
        places = np.concatenate([np.arange(first, end) for first, end in runs])
        mine = np.sort(all_numbers[places], kind="stable")
        unwanted = _among(mine, without.get(source, ()))
        if unwanted.any() or (np.diff(mine) == 0).any():
            mine, firsts = np.unique(all_numbers[places], return_index=True)
            wanted = ~_among(mine, without.get(source, ()))
            mine = mine[wanted]
            kept[places] = False
            kept[places[firsts[wanted]]] = True
        if len(mine):
            result.numbers[source] = pairs_of(mine)
    kept_before = np.append(0, np.cumsum(kept)).tolist()
    result.left_out = len(kept) - kept_before[-1]
    for topic, runs in _runs(topics, len(all_ends)).items():
        if result.left_out:
            runs = [run for one in runs for run in _shorter(kept, kept_before, *one)]
        if runs:
            lines = [view[begins[first] : begins[end] - 1] for first, end in runs]
            result.topics[topic] = sum(end - first for first, end in runs), b"\n".join(lines)
    return result


def _runs(starts: list[tuple[str, int]], count: int) -> dict[str, list[Pair]]:
    """Return, by name, the first of its lines and the one after its last, for each run of lines of one name."""
    runs = defaultdict(list)
    for (name, first), (_, end) in pairwise([*starts, ("", count)]):
        runs[name].append((first, end))
    return runs


def _shorter(kept: Array, kept_before: Sequence[int], first: int, end: int) -> list[Pair]:
    """Return the runs of lines that are kept of one. ``kept_before``: how many are kept of those before each line."""
    count = kept_before[end] - kept_before[first]
    if count in (0, end - first):
        return [(first, end)] if count else []
    places = np.flatnonzero(kept[first:end]) + first
    return [(begin, last + 1) for begin, last in pairs_of(places)]


def _among(numbers: Array, pairs: Sequence[Pair]) -> Array:
    """Return of each number whether it is in one of the pairs."""
    firsts, lasts = np.array([*pairs, (1 << 62, 1 << 62)], np.int64).T
    found: Array = firsts[np.searchsorted(lasts, numbers)] <= numbers
    return found


def _one_by_one(block: bytes, without: Mapping[str, Sequence[Pair]]) -> BlockLines:
    result = BlockLines()
    seen: defaultdict[str, Intervals] = defaultdict(Intervals)
    unwanted = {source: Intervals(pairs) for source, pairs in without.items()}
    topics: defaultdict[str, list[bytes]] = defaultdict(list)
    for text in filter(bytes.strip, (text.removesuffix(b"\n") for text in BytesIO(block))):
        try:
            line = _decode(text)
            topic, source, n = named(line)
        except UNDECODABLE as error:
            result.unusable.append(UnusableLine(text, str(error)))
            continue
        result.newest = max(result.newest, line.ts)
        if n in seen[source] or n in unwanted.get(source, ()):
            result.left_out += 1
            continue
        seen[source].add(n, n)
        topics[topic].append(text)
    result.topics = {topic: (len(texts), b"\n".join(texts)) for topic, texts in topics.items()}
    result.numbers = {source: list(numbers) for source, numbers in seen.items() if numbers}
    return result


def lines(body: bytes) -> Iterator[tuple[Line, bytes]]:
    """Yield lines, as far as they can be decoded, each with its text."""
    for text in body.split(b"\n"):
        try:
            yield _decode(text), text
        except UNDECODABLE:
            continue


def named(line: Line) -> tuple[str, str, int]:
    """Return a line's topic, source, and number there. Raise ValidationError if no spout named it."""
    source, _, n = line.id.rpartition(":")
    spout, _, name = source.partition("/")
    if spout not in SPOUTS or not name or not n.isdecimal() or len(n) > LONGEST_NUMBER:
        raise msgspec.ValidationError(f"$.id: expected <spout>/<source>:<n>, got {line.id!r}")
    if spout != "gamelog":
        return spout, source, int(n)
    return f"gamelog.{line.op.code if line.op else ''}", source, int(n)


def whole_lines(rest: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Return the whole lines of what was read so far, and what follows the last newline.

    ``rest``: what followed the last newline before ``data`` was read.
    """
    cut = data.rfind(b"\n") + 1
    return (rest + data[:cut], data[cut:]) if cut else (b"", rest + data)
