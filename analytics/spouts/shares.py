"""What a chunk of lines comes to: usable lines of one source by topic, their numbers, and the bad ones. Pure."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from analytics.broker.wire import MOST_LINE_BYTES, Batch, BatchHeader, Part, number_of
from analytics.core.compiled import named, numbered
from analytics.core.intervals import Intervals, Pair

if TYPE_CHECKING:
    from analytics.core.plain import Plain


@dataclass(slots=True)
class Bad:
    """A record that can't be used."""

    n: int
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of one topic as they travel: no newline at the end."""

    count: int
    body: bytes


@dataclass(slots=True)
class Originals:
    """Lines of another shape as the journal keeps them: not what they mean, but what they say.

    Each is ``begin``, its number, ``end``, its text, and a brace. They are ``texts``, or where their numbers follow each other
    ``chunk``, each with its newline.
    """

    begin: bytes
    end: bytes
    ns: Sequence[int]
    texts: Sequence[bytes] = ()
    chunk: bytes = b""

    @property
    def body(self) -> bytes:
        """All of them, the last one's newline left out."""
        if self.chunk:
            return numbered(self.chunk, self.ns[0], self.begin, self.end)
        end = self.end
        lines = [b"%d%b%b" % (n, end, text) for n, text in zip(self.ns, self.texts, strict=True)]
        return b"%b%b}" % (self.begin, (b"}\n" + self.begin).join(lines))

    def only(self, ns: Container[int]) -> "Originals":
        """Return those whose numbers are in ``ns``."""
        texts = self.texts or self.chunk.split(b"\n")[:-1]
        kept = [(n, text) for n, text in zip(self.ns, texts, strict=True) if n in ns]
        return Originals(self.begin, self.end, [n for n, _ in kept], [text for _, text in kept])


@dataclass(slots=True)
class Share:
    """What chunks hold of one source: lines ready for wire and journal by topic, and their numbers, distinct.

    Lines that are plain as they came in (``plains``, instead of ``lines``) are named and sorted when they are asked for,
    those of all chunks that travel together at once: to copy them is most of what they cost.
    """

    source: str
    ns: Sequence[int] = ()
    lines: dict[str, Lines] = field(default_factory=dict)
    bad: list[Bad] = field(default_factory=list)
    doubled: int = 0
    """Lines left out because another one here has the same name."""
    plains: "Sequence[Plain]" = ()
    originals: Sequence[Originals] = ()
    """What the journal keeps of the lines, where that is not what is published."""

    @property
    def topics(self) -> dict[str, Lines]:
        """The lines by topic."""
        if self.plains:
            found = named(self.plains, self.source)
            self.lines = {f"gamelog.{code}": Lines(count, body) for code, (count, body) in found.items()}
            self.plains = ()
        return self.lines

    def op_codes(self) -> Iterable[str]:
        """Return the op codes of its lines of game logs."""
        named = (topic.removeprefix("gamelog.") for topic in self.lines if topic.startswith("gamelog."))
        return {*named, *(code for one in self.plains for code in one.op_codes())}

    @property
    def size(self) -> int:
        """About how many bytes the lines have."""
        return sum(one.size for one in self.plains) + sum(len(lines.body) for lines in self.lines.values())

    def only(self, ns: Container[int]) -> "Share":
        """Return the share without the usable lines whose numbers are not in ``ns``."""
        if all(n in ns for n in self.ns):
            return self
        topics = {}
        for topic, lines in self.topics.items():
            kept = [line for line in lines.body.split(b"\n") if number_of(self.source, line) in ns]
            if kept:
                topics[topic] = Lines(len(kept), b"\n".join(kept))
        kept_ns = [n for n in self.ns if n in ns]
        originals = [one.only(ns) for one in self.originals] if kept_ns else ()
        return Share(self.source, kept_ns, topics, self.bad, self.doubled, originals=originals)

    def journaled(self) -> list[bytes]:
        """Return what the journal keeps: whole lines, the last newline of each block left out."""
        if self.originals:
            return [one.body for one in self.originals if one.ns]
        return [lines.body for lines in self.topics.values()]

    def batch(self) -> Batch:
        """Return the share as it is published."""
        topics = self.topics
        parts = [Part(topic, lines.count, lines.count) for topic, lines in topics.items()]
        header = BatchHeader(self.source, pairs(self.ns), parts, pairs(list({bad.n for bad in self.bad})))
        return Batch(header, [lines.body for lines in topics.values()])


def pairs(numbers: Sequence[int]) -> list[Pair]:
    """Return distinct ``numbers`` as sorted pairs of first and last."""
    if isinstance(numbers, range):
        return [(numbers[0], numbers[-1])]
    ordered = sorted(numbers)
    if ordered and ordered[-1] - ordered[0] + 1 == len(ordered):
        return [(ordered[0], ordered[-1])]
    found: list[Pair] = []
    first = ordered[0] if ordered else 0
    for last, n in pairwise(ordered):
        if n != last + 1:
            found.append((first, last))
            first = n
    return [*found, (first, ordered[-1])] if ordered else found


def together(shares: Sequence[Share], source: str) -> Share:
    """Return several shares of ``source`` as one."""
    whole = Share(
        source,
        _joined([share.ns for share in shares]),
        bad=[one for share in shares for one in share.bad],
        doubled=sum(share.doubled for share in shares),
        originals=[one for share in shares for one in share.originals],
    )
    if all(share.plains for share in shares):
        whole.plains = [one for share in shares for one in share.plains]
        return whole
    groups: defaultdict[str, list[Lines]] = defaultdict(list)
    for share in shares:
        for topic, lines in share.topics.items():
            groups[topic].append(lines)
    whole.lines = {
        topic: Lines(sum(lines.count for lines in group), b"\n".join([lines.body for lines in group]))
        for topic, group in groups.items()
    }
    return whole


def _joined(runs: Sequence[Sequence[int]]) -> Sequence[int]:
    """Return the numbers of all ``runs``: a range where they are ranges that follow each other."""
    whole = range(runs[0][0], runs[-1][-1] + 1) if all(runs) else range(0)
    if sum(map(len, runs)) == len(whole) and all(isinstance(run, range) for run in runs):
        return whole
    return [n for run in runs for n in run]


def by_source(shares: Iterable[Share]) -> list[Share]:
    """Return shares, those of one source as one.

    A record that is named again begins another one: the filter finds repeats between batches, not within one. So does what
    would be too much for one batch, and what the journal keeps in another way.
    """
    kept: dict[str, bool] = {}
    sizes: defaultdict[str, int] = defaultdict(int)
    found: defaultdict[str, list[list[Share]]] = defaultdict(list)
    named: defaultdict[str, Intervals] = defaultdict(Intervals)
    for share in shares:
        seen, ns = named[share.source], pairs(share.ns)
        size = share.size
        full = sizes[share.source] + size > MOST_LINE_BYTES
        if share.ns:
            full |= kept.setdefault(share.source, bool(share.originals)) != bool(share.originals)
            kept[share.source] = bool(share.originals)
        if not found[share.source] or full or any(seen.missing(*pair) != [pair] for pair in ns):
            found[share.source].append([])
            sizes[share.source] = 0
            seen = named[share.source] = Intervals()
        seen.update(ns)
        sizes[share.source] += size
        found[share.source][-1].append(share)
    return [
        group[0] if len(group) == 1 else together(group, source)
        for source, groups in found.items()
        for group in groups
    ]
