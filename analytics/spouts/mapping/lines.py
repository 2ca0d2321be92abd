"""Chunks of a mapped source: what is published are records, what is journaled are the lines as they came in. Pure.

A journal keeps such a line as ``{"id":"<source>:<n>","as":"<configured source>","raw":…}``: ``raw`` is the line itself where
that is a JSON object, else a string of it; ``header`` is there where the log's first line names its columns. So whatever reads a
journal reads it by the mapping that the configuration has now.
"""

from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from analytics.core.compiled import count_lines
from analytics.errors import RecordError
from analytics.spouts import records
from analytics.spouts.mapping.compiled import LineMapping
from analytics.spouts.mapping.originals import MARK, decode_original
from analytics.spouts.rules import Rules
from analytics.spouts.shares import Bad, Originals, Share
from analytics.spouts.sources.stream import Chunk

_BEGIN = b'{"id":"'
_encode = msgspec.json.encode


@dataclass(slots=True)
class _SourceLines:
    """Lines of one record source that one mapping reads, with their numbers there. ``name``: the configured source.

    ``chunk``: all of them, each with its newline.
    """

    name: str
    source: str
    ns: Sequence[int]
    chunk: bytes
    header: str = ""
    doubled: int = 0

    def lines(self) -> list[bytes]:
        """Return them without their newlines."""
        return self.chunk.split(b"\n")[:-1]


def convert(chunk: bytes, source: str, first: int, rules: Rules, now: int, header: str = "") -> list[Share]:
    """Return the shares of a chunk, as :func:`analytics.spouts.records.convert` does, by the source's mapping if it has one.

    Journal lines are read by the mapping of the source that they name.
    ``header``: the first line of the log, where that names its columns.
    """
    renaming = rules.renaming
    if rules.mapping is not None:
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n")
        if renaming is not None:
            chunk = renaming.mapped(chunk, rules.mapping, header)
        ns = range(first, first + count_lines(chunk, 0, len(chunk)))
        share = _mapped(
            _SourceLines(rules.mapping.name, source, ns, chunk, header), rules, rules.mapping, now
        )
        return [share] if share.ns or share.bad else []
    if renaming is not None:
        chunk = renaming.journal(chunk, rules.mappings)
    if not chunk.startswith(b'{"id":"') or MARK not in chunk:
        shares = records.convert(chunk, source, first, rules, now)
        if not any(share.bad for share in shares) or MARK not in chunk:
            return shares
    originals, rest = _split(chunk)
    shares = [_mapped(one, rules, rules.mappings.get(one.name), now) for one in originals]
    return [*shares, *records.convert(rest, source, first, rules, now)] if rest.strip() else shares


class PlainJournal(NamedTuple):
    """A journal's block with records in place of lines as they came in.

    Attributes:
        unused: by record source, the numbers of lines that are no records by the mapping that there is now.
        unmapped: record sources with lines that nothing can read, each with the configured source whose mapping is gone.
        bad: by record source, lines that can't be used, with the reason.
    """

    block: bytes
    unused: Mapping[str, list[int]]
    unmapped: Mapping[str, str]
    bad: Mapping[str, list[Bad]]


def plain_journal(block: bytes, rules: Rules, now: int) -> PlainJournal:
    """Return a journal's block as records."""
    if MARK not in block:
        return PlainJournal(block, {}, {}, {})
    originals, rest = _split(block)
    unused: defaultdict[str, list[int]] = defaultdict(list)
    unmapped = {}
    rejected: defaultdict[str, list[Bad]] = defaultdict(list)
    bodies = []
    for one in originals:
        share = _mapped(one, rules, rules.mappings.get(one.name), now)
        bodies += [lines.body + b"\n" for lines in share.topics.values()]
        if share.bad:
            rejected[one.source] += share.bad
        used = {*share.ns}
        left = [n for n in one.ns if n not in used]
        if left and one.name in rules.mappings:
            unused[one.source] += left
        elif left:
            unmapped[one.source] = one.name
    return PlainJournal(rest + b"".join(bodies), unused, unmapped, rejected)


def header_of(chunk: bytes) -> str:
    """Return the first line of a log, which names its columns."""
    return chunk.split(b"\n", 1)[0].removeprefix(BOM_UTF8).rstrip(b"\r").decode(errors="replace")


def tables(chunk: Chunk, rules: Rules) -> Iterator[tuple[bytes, int, str]]:
    """Yield the lines of a chunk below each header: lines, the first one's number, and the header, "" if lines need none.

    The last header is kept with the chunk's position.
    """
    mapping, position = rules.mapping, chunk.position
    data, first, header = chunk.data, chunk.first, ""
    if mapping is not None and mapping.needs_header:
        header = chunk.header if position is None else position.header
        if not header and first == 1:
            header = header_of(data)
        mark, begin, at = mapping.time_field.encode(), 0, 0
        while (at := data.find(mark, at)) >= 0:
            line = data.rfind(b"\n", 0, at) + 1
            at = (data.find(b"\n", at) + 1) or len(data)
            if new := mapping.header_in(data[line:at].removeprefix(BOM_UTF8).rstrip(b"\r\n"), header):
                if line > begin:
                    yield data[begin:line], first, header
                    first += count_lines(data, begin, line)
                begin, header = line, new
        data = data[begin:]
        if position is not None:
            # What follows in the stream begins from this very position, and so has it, too.
            position.header = header
    yield data, first, header


def _mapped(found: _SourceLines, rules: Rules, mapping: LineMapping | None, now: int) -> Share:
    """Return what lines come to. Without a mapping, as the source has none any more, they are read as they are."""
    share = _at_once(found, rules, mapping, now) or _each(found, rules, mapping, now)
    share.doubled += found.doubled
    if not share.ns:
        return share
    header = b'"header":%b,' % _encode(found.header) if found.header else b""
    begin, end = (
        b'{"id":"%b:' % found.source.encode(),
        b'","as":%b,%b"raw":' % (_encode(found.name), header),
    )
    if mapping is not None and mapping.keeps_json and isinstance(share.ns, range) and share.ns == found.ns:
        share.originals = [Originals(begin, end, share.ns, chunk=found.chunk)]
        return share
    texts = dict(zip(found.ns, found.lines(), strict=True))
    lines = [texts[n].removeprefix(BOM_UTF8) for n in share.ns]
    if mapping is None or not mapping.keeps_json:
        lines = [_encode(line.decode()) for line in lines]
    share.originals = [Originals(begin, end, share.ns, lines)]
    return share


def _at_once(found: _SourceLines, rules: Rules, mapping: LineMapping | None, now: int) -> Share | None:
    """Return what many JSON lines come to; None where any of them is unusual."""
    # What the mapping leaves out is not in its records, but in the journal.
    text = mapping.records(found.chunk) if mapping and records.is_utf8(found.chunk) else None
    if text is None:
        return None
    if not isinstance(found.ns, range):
        begin = b'{"id":"%b:' % found.source.encode()
        named = zip(found.ns, text.split(b"\n"), strict=False)
        text = b"".join([b'%b%d",%b\n' % (begin, n, line[1:]) for n, line in named])
    shares = records.convert(text, found.source, found.ns[0], rules, now)
    return None if len(shares) != 1 or shares[0].bad or len(shares[0].ns) != len(found.ns) else shares[0]


def _each(found: _SourceLines, rules: Rules, mapping: LineMapping | None, now: int) -> Share:
    """Return what lines come to, one by one."""
    texts: dict[int, bytes] = {}
    bad: list[Bad] = []
    pieces = []
    for n, line in zip(found.ns, found.lines(), strict=True):
        text = line.removeprefix(BOM_UTF8)
        if not text.strip():
            continue
        texts[n] = line
        try:
            piece = mapping.piece(text, found.header) if mapping else text.strip()[1:-1]
        except RecordError as error:
            bad.append(Bad(n, str(error), line))
            continue
        if piece is not None:
            # An object inside is no record, even if it has the id of one: only a quote that begins a key follows a brace.
            piece = piece.replace(_BEGIN, b'{ "id":"')
            pieces.append(b'{"id":"%b:%d",%b}' % (found.source.encode(), n, piece))
    share = Share(found.source)
    if pieces:
        (share,) = records.convert(b"\n".join(pieces) + b"\n", found.source, 1, rules, now)
    for one in share.bad:
        bad.append(Bad(one.n, mapping.reason(one.reason) if mapping else one.reason, texts[one.n]))
    share.bad = sorted(bad, key=lambda one: one.n)
    return share


def _split(chunk: bytes) -> tuple[list[_SourceLines], bytes]:
    """Return the lines that are kept as they came in, by source, and the others, each at its place."""
    groups: dict[tuple[str, str, str], dict[int, bytes]] = {}
    doubled: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    rest = []
    for line in chunk.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n"):
        one = decode_original(line)
        if one is None:
            rest.append(line)
            continue
        rest.append(b"")
        journaled, text = one
        source, _, n = journaled.id.rpartition(":")
        key = journaled.source, source, journaled.header
        lines = groups.setdefault(key, {})
        doubled[key] += int(n) in lines
        lines[int(n)] = text
    found = [
        _SourceLines(
            name,
            source,
            list(lines),
            b"\n".join(lines.values()) + b"\n",
            header,
            doubled[name, source, header],
        )
        for (name, source, header), lines in groups.items()
    ]
    return found, b"\n".join(rest) + b"\n"
