"""Lines of game logs become tuples on the wire: checked, named, grouped by topic. Pure.

A chunk of usable tuples takes the fast road: decoded whole, checked whole, each line's bytes untouched
but for the ``id`` put in front. If anything in it is unusual, that chunk alone goes line by line
(``analytics.spouts.mending``), which mends what can be mended and finds the reason for the rest.
"""

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from operator import attrgetter, itemgetter
from typing import Annotated, cast

import msgspec

from analytics.broker.wire import Batch, BatchHeader, Part, tagged_from
from analytics.core.areas import Areas
from analytics.core.intervals import Pair
from analytics.core.tuples import Payment, Syncuser
from analytics.errors import RecordError
from analytics.spouts import mending

EARLIEST = 946_684_800
"""2000-01-01 UTC."""

DAY = 86_400

_JOURNALED = re.compile(rb'\{"id":"((gamelog|payment|syncuser)/[A-Za-z0-9_.@/-]+):([1-9][0-9]{0,17})",')
_SOURCE = re.compile(r"gamelog/[A-Za-z0-9_.@/-]+")
_DIGITS = bytes(48 if chr(code).isdigit() else 32 for code in range(128)) + b" " * 128
_MANY_DIGITS = b"0" * 19
_LONG_NUMBER = re.compile(rb"[:,\[\s-][0-9]{19}")
_IN_CACHE = 1 << 16


class _Op(msgspec.Struct, gc=False):
    code: str


class _Who(msgspec.Struct, gc=False, frozen=True):
    acct: Annotated[str, msgspec.Meta(max_length=mending.LONGEST_NAME)] = ""


class _Fresh(msgspec.Struct, gc=False):
    """A tuple as a game server writes it."""

    op: _Op
    area: str
    ts: Annotated[int, msgspec.Meta(ge=EARLIEST)]
    data: _Who = _Who()
    id: None = None


class _Journaled(msgspec.Struct, gc=False):
    """A tuple as the journal keeps it."""

    op: _Op
    area: str
    ts: Annotated[int, msgspec.Meta(ge=EARLIEST)]
    id: str
    data: _Who = _Who()


_Tuple = _Fresh | _Journaled
_decode_fresh = msgspec.json.Decoder(_Fresh).decode_lines
_decode_journaled = msgspec.json.Decoder(_Journaled).decode_lines
_FIRST_BYTE, _BRACE = itemgetter(0), {ord("{")}
_CODE, _AREA, _TS, _ACCT = map(attrgetter, ("op.code", "area", "ts", "data.acct"))
_POLLED = {
    "payment": msgspec.json.Decoder(Payment).decode,
    "syncuser": msgspec.json.Decoder(Syncuser).decode,
}


class Rules:
    """What a source's records are held against. ``game`` empty: any game's areas are right."""

    def __init__(self, areas: Areas, opcodes: Mapping[str, Mapping[str, str]], game: str = "") -> None:
        """``opcodes``: per game, its own op codes to the suite's."""
        self.areas = areas
        self.game = game
        self.claimed = {key for key, area in areas.items() if not game or area.game == game}
        self.opcodes = opcodes
        self.foreign = {own for name, codes in opcodes.items() if not game or name == game for own in codes}


@dataclass(slots=True)
class Bad:
    """A record that can't be used."""

    n: int
    reason: str
    raw: bytes


@dataclass(slots=True)
class Share:
    """What a chunk holds of one source: ``lines`` ready for wire and journal, by topic in ``topics``."""

    source: str
    ns: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    topics: dict[str, list[bytes]] = field(default_factory=dict)
    bad: list[Bad] = field(default_factory=list)
    doubled: int = 0
    """Lines left out because another one here has the same name."""

    def only(self, ns: Container[int]) -> "Share":
        """Return the share without the usable lines whose numbers are not in ``ns``."""
        if all(n in ns for n in self.ns):
            return self
        kept = [(n, line) for n, line in zip(self.ns, self.lines, strict=True) if n in ns]
        lines = {line for _, line in kept}
        topics = {topic: [line for line in group if line in lines] for topic, group in self.topics.items()}
        return Share(
            self.source,
            [n for n, _ in kept],
            [line for _, line in kept],
            {topic: group for topic, group in topics.items() if group},
            self.bad,
            self.doubled,
        )

    def batch(self) -> Batch:
        """Return the share as it is published."""
        parts = [Part(topic, len(lines), len(lines)) for topic, lines in self.topics.items()]
        header = BatchHeader(self.source, pairs(self.ns), parts, pairs(bad.n for bad in self.bad))
        return Batch(header, [b"\n".join(lines) for lines in self.topics.values()])


def pairs(numbers: Iterable[int]) -> list[Pair]:
    """Return distinct ``numbers`` as sorted pairs of first and last."""
    ordered = sorted(numbers)
    if ordered and ordered[-1] - ordered[0] + 1 == len(ordered):
        return [(ordered[0], ordered[-1])]
    found: list[Pair] = []
    for n in ordered:
        if found and n == found[-1][1] + 1:
            found[-1] = (found[-1][0], n)
        else:
            found.append((n, n))
    return found


def convert(
    chunk: bytes, source: str, first: int, rules: Rules, now: int, lines: Sequence[bytes] = ()
) -> list[Share]:
    """Return the shares of ``chunk``: one, or for journal lines one for each source they name.

    Args:
        chunk: whole lines, each with its newline.
        source: name for lines that carry none.
        first: number of the chunk's first line in its source.
        now: Unix seconds.
        lines: the chunk's lines, each with its newline, where the caller has them.
    """
    if b"\r" in chunk:
        chunk, lines = chunk.replace(b"\r\n", b"\n"), ()
    shares = _fast(chunk, lines or BytesIO(chunk).readlines(), source, first, rules, now)
    return _line_by_line(chunk, source, first, rules, now) if shares is None else shares


def _fast(
    chunk: bytes, lines: Sequence[bytes], source: str, first: int, rules: Rules, now: int
) -> list[Share] | None:
    """Return None where anything in the chunk is unusual."""
    if b"\0" in chunk or _has_many_digits(chunk):
        return None
    fresh = not chunk.startswith(b'{"id":')
    tuples: Sequence[_Tuple]
    try:
        if not chunk.isascii():
            chunk.decode()
        tuples = _decode_fresh(chunk) if fresh else _decode_journaled(chunk)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if len(lines) != len(tuples) or set(map(_FIRST_BYTE, lines)) != _BRACE or not _usable(tuples, rules, now):
        return None
    shares: list[Share] | None
    if fresh:
        shares = [_share(source, range(first, first + len(lines)), tuples, tagged_from(source, first, lines))]
    else:
        shares = _journaled(cast(Sequence[_Journaled], tuples), lines)
    if shares is None or not all(_details(share, rules) for share in shares):
        return None
    return shares


def _has_many_digits(chunk: bytes) -> bool:
    """Say whether a number may have 19 digits: less can't be an integer past 64 bits.

    Digits that stand in a row are found quickly; only then is it worth to see whether they begin an id, as
    an area's may, or a number.
    """
    starts = range(0, len(chunk), _IN_CACHE)
    found = any(_MANY_DIGITS in chunk[at : at + _IN_CACHE + 18].translate(_DIGITS) for at in starts)
    return found and _LONG_NUMBER.search(chunk) is not None


def _usable(tuples: Sequence[_Tuple], rules: Rules, now: int) -> bool:
    """Say whether times, areas and accts are right, as far as the types have not checked them."""
    if max(map(_TS, tuples)) > now + DAY or not rules.claimed.issuperset(map(_AREA, tuples)):
        return False
    return "" not in map(_ACCT, tuples) or all(
        one.data.acct or one.op.code not in mending.FIELDS for one in tuples
    )


def _share(source: str, ns: Iterable[int], tuples: Sequence[_Tuple], lines: list[bytes]) -> Share:
    topics: defaultdict[str, list[bytes]] = defaultdict(list)
    for code, line in zip(map(_CODE, tuples), lines, strict=True):
        topics[code].append(line)
    return Share(source, list(ns), lines, {f"gamelog.{code}": group for code, group in topics.items()})


def _details(share: Share, rules: Rules) -> bool:
    """Say whether every op code is the suite's own and has the fields that it needs."""
    for topic, lines in share.topics.items():
        code = topic.removeprefix("gamelog.")
        if code in rules.foreign or not mending.is_code(code):
            return False
        if code in mending.DETAILS:
            try:
                mending.DETAILS[code](b"\n".join(lines))
            except msgspec.MsgspecError:
                return False
    return True


def _journaled(tuples: Sequence[_Journaled], lines: Sequence[bytes]) -> list[Share] | None:
    found: dict[str, tuple[list[int], list[_Journaled], list[bytes]]] = {}
    for one, line in zip(tuples, lines, strict=True):
        name = one.id
        source, _, n = name.rpartition(":")
        if (
            not line.startswith(b'{"id":"%b",' % name.encode())
            or not n.isdecimal()
            or n[0] == "0"
            or len(n) > 18
        ):
            return None
        if source not in found:
            if not _SOURCE.fullmatch(source):
                return None
            found[source] = ([], [], [])
        ns, group, whole = found[source]
        ns.append(int(n))
        group.append(one)
        whole.append(line[:-1])
    if any(len(set(ns)) < len(ns) for ns, _, _ in found.values()):
        return None
    return [_share(source, ns, group, whole) for source, (ns, group, whole) in found.items()]


def _line_by_line(chunk: bytes, source: str, first: int, rules: Rules, now: int) -> list[Share]:
    shares: dict[str, Share] = {}
    seen: set[tuple[str, int]] = set()
    many_digits = _has_many_digits(chunk)
    for number, line in enumerate(chunk[:-1].split(b"\n"), first):
        if not line.strip():
            continue
        own = _JOURNALED.match(line)
        name, n = (own[1].decode(), int(own[3])) if own else (source, number)
        share = shares.setdefault(name, Share(name))
        if (name, n) in seen:
            share.doubled += 1
            continue
        if own:
            seen.add((name, n))
        try:
            topic, usable = _one(line, own[2].decode() if own else "", rules, now, many_digits)
        except RecordError as error:
            share.bad.append(Bad(n, str(error), line))
            continue
        whole = usable if own and usable is line else b'{"id":"%b:%d",' % (name.encode(), n) + usable[1:]
        share.ns.append(n)
        share.lines.append(whole)
        share.topics.setdefault(topic, []).append(whole)
    return list(shares.values())


def _one(line: bytes, spout: str, rules: Rules, now: int, many_digits: bool) -> tuple[str, bytes]:
    """Return the topic and the tuple as text: ``line`` itself where nothing had to be mended.

    ``spout`` is the one that named a journal line, else empty.
    """
    record = mending.decode(line, many_digits)
    if spout in _POLLED:
        mending.place(record, rules.areas, rules.claimed, EARLIEST, now + DAY)
        try:
            _POLLED[spout](line)
        except msgspec.ValidationError as error:
            raise RecordError(f"{spout}: {error}") from error
        return spout, line
    if spout:
        del record["id"]
    mended = mending.mend(record, rules.areas, rules.claimed, rules.opcodes, EARLIEST, now + DAY)
    text = msgspec.json.encode(mended.record) if mended.changed else line.strip()
    return f"gamelog.{mended.code}", line if text == line else text
