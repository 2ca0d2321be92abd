"""Lines of game logs become tuples on the wire: checked, named, grouped by topic. Pure.

A chunk of usable tuples takes the fast path: decoded whole, checked whole, each line's bytes untouched
but for the ``id`` put in front. If anything in it is unusual, that chunk alone goes line by line
(``analytics.spouts.normalizing``), which corrects what can be corrected and finds the reason for the rest.
Where a C compiler was at hand when the suite was installed, a chunk of plain fresh tuples is not even decoded
(``analytics.core.scan``); what that refuses takes the fast path.

What a record has to say besides its op code, area and time is its topic's schema, which all three paths check.

A decoder of many lines takes any white space between tuples, and inside them. So the fast path checks for itself
that each line begins and ends with a brace: no JSON text has ``}\\n{`` inside, so where there are as many tuples as
lines, each line is one.
"""

import re
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, cast

import msgspec

from analytics.broker.wire import MOST_LINE_BYTES
from analytics.core.schema import GAMELOG, Schema, is_code, shown
from analytics.core.tuples import EARLIEST, LONGEST_NAME, UNDECODABLE, Ts
from analytics.errors import RecordError
from analytics.spouts.large_numbers import has_large_exponent, has_many_digits
from analytics.spouts.normalizing import decode, normalize
from analytics.spouts.polled import POLLED, check_polled
from analytics.spouts.rules import Rules
from analytics.spouts.shares import Bad, Lines, Share, together

DAY = 86_400
_JOURNALED = re.compile(rb'\{"id":"((gamelog|payment|syncuser)/[A-Za-z0-9_.@/-]+):([1-9][0-9]{0,17})",')
_OWN_NAME = re.compile(r"(gamelog|payment|syncuser)/[A-Za-z0-9_.@/-]+:[1-9][0-9]{0,17}")
_SOURCE = re.compile(r"gamelog/[A-Za-z0-9_.@/-]+")
_TOO_LONG = f"$: expected a line of at most {MOST_LINE_BYTES} bytes, got a longer one"
_TAILS_COUNT = 10_000
_TAILS = [b'%04d",' % lower for lower in range(_TAILS_COUNT)]


class _WithCode(msgspec.Struct, gc=False):
    code: str


class _Who(msgspec.Struct, gc=False, frozen=True):
    acct: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)] = ""


class _Fresh(msgspec.Struct, gc=False):
    """A tuple as a game server writes it."""

    op: _WithCode
    area: str
    ts: Ts
    data: _Who = _Who()
    id: msgspec.UnsetType = msgspec.UNSET


class _Journaled(msgspec.Struct, gc=False):
    """A tuple as the journal keeps it."""

    op: _WithCode
    area: str
    ts: Ts
    id: str
    data: _Who = _Who()


class _WithAcct(_Who, gc=False, frozen=True):
    acct: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]


class _FreshOfPlayer(_Fresh, gc=False, kw_only=True):
    """One that says who, as nearly all do."""

    data: _WithAcct


class _JournaledOfPlayer(_Journaled, gc=False, kw_only=True):
    """One that says who, as nearly all do."""

    data: _WithAcct


class _Common(msgspec.Struct, gc=False):
    """What every tuple of a game log says."""

    op: _WithCode
    area: str
    ts: int


_decode_head = msgspec.json.Decoder(_Common).decode
_Tuple = _Fresh | _Journaled
_FRESH = [msgspec.json.Decoder(kind).decode_lines for kind in (_FreshOfPlayer, _Fresh)]
_JOURNALS = [msgspec.json.Decoder(kind).decode_lines for kind in (_JournaledOfPlayer, _Journaled)]
"""How whole chunks are decoded: first as if each line said who."""


def convert(chunk: bytes, source: str, first: int, rules: Rules, now: int) -> list[Share]:
    """Return the shares of ``chunk``: one, or for journal lines one for each source they name.

    Args:
        chunk: whole lines, each with its newline.
        source: name for lines that carry none.
        first: number of the chunk's first line in its source.
        now: Unix seconds.
    """
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
    for path in (_scanned, _fast) if len(chunk) <= MOST_LINE_BYTES else ():
        shares = path(chunk, source, first, rules, now)
        if shares is not None:
            break
    else:
        shares = _line_by_line(chunk, source, first, rules, now)
    for share in shares:
        rules.notice(share.op_codes())
    return shares


def _scanned(chunk: bytes, source: str, first: int, rules: Rules, now: int) -> list[Share] | None:
    """Return None where the chunk is not plain, or nothing is compiled."""
    if rules.scanner is None or not is_utf8(chunk):
        return None
    found = rules.scanner.plain(chunk, first, now + DAY)
    if found is None or any(code in rules.foreign or not is_code(code) for code in found.op_codes()):
        return None
    return [Share(source, range(first, first + len(found)), plains=[found])]


def is_utf8(chunk: bytes) -> bool:
    """Say whether lines are text in UTF-8."""
    try:
        return chunk.isascii() or bool(chunk.decode())
    except UnicodeDecodeError:
        return False


def _fast(chunk: bytes, source: str, first: int, rules: Rules, now: int) -> list[Share] | None:
    """Return None where anything in the chunk is unusual."""
    if b"\0" in chunk or b"\\u0000" in chunk or has_many_digits(chunk) or has_large_exponent(chunk):
        return None
    fresh = not chunk.startswith(b'{"id":')
    if not is_utf8(chunk):
        return None
    of_players, tuples = _decoded(chunk, _FRESH if fresh else _JOURNALS)
    pieces = _pieces(chunk)
    if not pieces or len(pieces) != len(tuples) or not _usable(tuples, rules, now):
        return None
    shares: list[Share] | None
    if fresh:
        shares = [_named(source, range(first, first + len(pieces)), tuples, pieces)]
    else:
        shares = _journaled(cast(Sequence[_Journaled], tuples), pieces)
    if shares is None or not all(_details(share, rules, of_players) for share in shares):
        return None
    return shares


def _decoded(
    chunk: bytes, decoders: Iterable[Callable[[bytes], Sequence[_Tuple]]]
) -> tuple[bool, Sequence[_Tuple]]:
    """Return the tuples of a chunk, and whether all of them say who; none where anything in it is unusual."""
    for place, decode_lines in enumerate(decoders):
        try:
            return place == 0, decode_lines(chunk)
        except UNDECODABLE:
            continue
    return False, []


def _pieces(chunk: bytes) -> list[bytes]:
    """Return what each line has between its outer braces; nothing where a line has none."""
    import numpy as np  # where the compiled code reads the lines, a spout does without

    text = np.frombuffer(chunk, np.uint8)
    ends = np.flatnonzero(text == ord("\n")) - 1
    begins = np.concatenate(([0], ends[:-1] + 2))
    if (text[begins] != ord("{")).any() or (text[ends] != ord("}")).any():
        return []
    return [chunk[begin:end] for begin, end in zip((begins + 1).tolist(), ends.tolist(), strict=True)]


def _usable(tuples: Sequence[_Tuple], rules: Rules, now: int) -> bool:
    """Say whether times, areas and accts are right, as far as the types have not checked them."""
    if max([one.ts for one in tuples]) > now + DAY:
        return False
    return rules.claimed.issuperset([one.area for one in tuples])


def _named(source: str, ns: range, tuples: Sequence[_Tuple], pieces: Sequence[bytes]) -> Share:
    """Return a share of lines that have no names yet, from their pieces."""
    codes = [one.op.code for one in tuples]
    shares: list[Share] = []
    at = 0
    while at < len(ns):
        name, numbers = _names(source, ns[at:])
        groups: defaultdict[str, list[bytes]] = defaultdict(list)
        for code, number, piece in zip(codes[at:], numbers, pieces[at:], strict=False):
            groups[code].append(number + piece)
        cut = b"}\n{" + name
        topics = {
            GAMELOG + code: Lines(len(group), b"{%b%b}" % (name, cut.join(group)))
            for code, group in groups.items()
        }
        shares.append(Share(source, ns, topics))
        at += len(numbers)
    return Share(source, ns, shares[0].topics if len(shares) == 1 else together(shares, source).topics)


def _names(source: str, ns: range) -> tuple[bytes, list[bytes]]:
    """Return the ids of the first of ``ns``: what begins all of them, and the last digits of each."""
    upper, lower = divmod(ns[0], _TAILS_COUNT)
    if upper:
        return b'"id":"%b:%d' % (source.encode(), upper), _TAILS[lower : lower + len(ns)]
    return b'"id":"%b:' % source.encode(), [b'%d",' % n for n in ns[: _TAILS_COUNT - lower]]


def _journaled(tuples: Sequence[_Journaled], pieces: Sequence[bytes]) -> list[Share] | None:
    """Return the shares of lines that carry their names, None where a name can't be the suite's."""
    found: dict[str, tuple[list[int], dict[str, list[bytes]]]] = {}
    for one, piece in zip(tuples, pieces, strict=True):
        name = one.id
        source, _, n = name.rpartition(":")
        if (
            not piece.startswith(b'"id":"%b",' % name.encode())
            or not n.isdecimal()
            or n[0] == "0"
            or len(n) > 18
        ):
            return None
        if source not in found:
            if not _SOURCE.fullmatch(source):
                return None
            found[source] = ([], defaultdict(list))
        ns, groups = found[source]
        ns.append(int(n))
        groups[one.op.code].append(piece)
    if any(len(set(ns)) < len(ns) for ns, _ in found.values()):
        return None
    return [
        Share(
            source,
            ns,
            {
                GAMELOG + code: Lines(len(group), b"{%b}" % b"}\n{".join(group))
                for code, group in groups.items()
            },
        )
        for source, (ns, groups) in found.items()
    ]


def _details(share: Share, rules: Rules, of_players: bool) -> bool:
    """Say whether every op code is the suite's own and has the fields that it needs.

    Of a field that comes twice each has to be right, as for the bolts. ``of_players``: each tuple is known to say who.
    """
    for topic, lines in share.topics.items():
        code = topic.removeprefix(GAMELOG)
        if code in rules.foreign or not is_code(code):
            return False
        schema = rules.codes.get(code)
        if schema and not (of_players and schema.is_of_acct) and not schema.fits(lines.body):
            return False
    return True


def _line_by_line(chunk: bytes, source: str, first: int, rules: Rules, now: int) -> list[Share]:
    shares: dict[str, Share] = {}
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    groups: defaultdict[str, dict[str, list[bytes]]] = defaultdict(dict)
    seen: set[tuple[str, int]] = set()
    many_digits = has_many_digits(chunk)
    lines = chunk[:-1].split(b"\n")
    for number, line in enumerate(lines, first):
        line = line.removeprefix(BOM_UTF8)  # of a file, which may have been put behind another
        if not line.strip():
            continue
        own = _JOURNALED.match(line)
        if own is None and b'"id"' in line:
            line = _as_journaled(line)
            own = _JOURNALED.match(line)
        name, n = (own[1].decode(), int(own[3])) if own else (source, number)
        share = shares.setdefault(name, Share(name))
        if (name, n) in seen:
            share.doubled += 1
            continue
        try:
            if len(line) > MOST_LINE_BYTES:
                raise RecordError(_TOO_LONG)
            topic, whole = _one(line, own, b'{"id":"%b:%d",' % (name.encode(), n), rules, now, many_digits)
        except RecordError as error:
            if own and (following := _JOURNALED.search(line, 1)):
                # A journal that ended within a line, and the one that was piped in after it.
                lines.append(line[following.start() :])
                line = line[: following.start()]
            share.bad.append(Bad(n, str(error), line))
            continue
        if own:
            seen.add((name, n))
        numbers[name].append(n)
        groups[name].setdefault(topic, []).append(whole)
    for name, share in shares.items():
        share.ns = numbers[name]
        share.lines = {topic: Lines(len(group), b"\n".join(group)) for topic, group in groups[name].items()}
    return list(shares.values())


def _as_journaled(line: bytes) -> bytes:
    """Return a journal's line that a tool has rewritten with other spaces or in another order in the form of the journal."""
    try:
        record = msgspec.json.decode(line)
    except UNDECODABLE:
        return line
    name = record.pop("id", None) if isinstance(record, dict) else None
    if not isinstance(name, str) or not _OWN_NAME.fullmatch(name) or not record:
        return line
    return b'{"id":"%b",' % name.encode() + msgspec.json.encode(record)[1:]


def _one(
    line: bytes, own: re.Match[bytes] | None, begin: bytes, rules: Rules, now: int, many_digits: bool
) -> tuple[str, bytes]:
    """Return the topic and the named tuple as text: that of ``line`` where nothing had to be corrected.

    ``own`` is what says the name of a journal line, ``begin`` how the tuple begins, with its name.
    """
    record = decode(line, many_digits)
    spout, changed = own[2].decode() if own else "", False
    if own:
        changed = record["id"] != own[0][len(b'{"id":"') : -len(b'",')].decode()
        if changed and spout in POLLED:
            raise RecordError(f"$.id: expected one id, got two, the second one {shown(record['id'])}")
        del record["id"]
    if spout in POLLED:
        check_polled(record, line, spout, rules.areas, rules.claimed, now + DAY, rules.polled)
        return spout, line
    tuple_ = normalize(record, rules.areas, rules.claimed, rules.opcodes, rules.codes, EARLIEST, now + DAY)
    schema = rules.codes.get(tuple_.code)
    text = line.strip()
    whole = text if own else begin + text[1:]
    if tuple_.changed or changed or _fault(whole, schema):
        whole = begin + msgspec.json.encode(tuple_.record)[1:]
        if schema and not schema.complete and (fault := _fault(whole, schema)):
            raise RecordError(fault)
    return GAMELOG + tuple_.code, whole


def _fault(line: bytes, schema: Schema | None) -> str:
    """Return why readers with a type cannot decode a line: readers of journals, and bolts; "" where all can."""
    try:
        _decode_head(line)
    except UNDECODABLE as error:
        return str(error)
    return schema.fault(line) if schema else ""
