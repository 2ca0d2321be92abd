"""Every path that lines can take: compiled code, a decoded chunk, line by line, a journal, and workers' folds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analytics.bolts import BOLTS
from analytics.core import journal_lines
from analytics.core.areas import Area, Areas
from analytics.core.bolt import Key
from analytics.core.compiled import journal_scan
from analytics.core.fold import Delta, Folder
from analytics.core.intervals import Intervals
from analytics.core.journal_lines import BlockLines
from analytics.core.periods import zone
from analytics.spouts import records
from analytics.spouts.records import convert
from analytics.spouts.rules import Rules
from analytics.spouts.shares import Share

NOW = 1_700_000_000
SOURCE = "gamelog/fuzz@0000000000000000"
SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas(
    [
        Area("549140c8dbdb67794fc0fa3b", "dl", "2001", SHANGHAI, "2001", "server1009"),
        Area("5461bb1bec8b9c686a8b4576", "wsdx", "1059", zone("America/New_York")),
        Area("777777777777777777777777", "dl", "2001", SHANGHAI),
    ]
)
RULES = Rules(AREAS, {"wsdx": {"enter_game": "login_logcount", "9": "signup_logcount"}})
COLUMNS = {f"gamelog.{code}" for code, schema in RULES.codes.items() if schema.is_of_acct}
"""Topics of which workers read columns, where no line of the message is unusual."""
SMALL = 9
"""Up to so many lines, what a chunk has of these topics is folded alone: more lines hide an unusual one."""
DIVIDED = 8
"""One chunk in so many is also read in two parts."""
LEFT_OUT = 3
"""One record in so many is left out the second time."""
Chunk = list[bytes]


class DecodingPaths:
    """Takes chunks over every path.

    Attributes:
        accepted: lines that all paths took.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self._folders = Folder(BOLTS.values(), AREAS), Folder(BOLTS.values(), AREAS)
        self._folders[1].decode_only()
        self._topics = {topic for bolt in BOLTS.values() for topic in bolt.reads}

    def disagreement(self, *chunks: Chunk) -> str | None:
        """Return on what two paths disagree, None where all agree.

        Each chunk is read alone. What is accepted of all of them is journaled and folded together, which costs less.
        """
        first = 1
        journals: list[list[Share]] = [[]]
        bodies: defaultdict[str, list[bytes]] = defaultdict(list)
        for place, lines in enumerate(chunks):
            shares = _line_by_line(lines, first)
            taken, what = self._taken(lines, first, shares)
            if what is None and place % DIVIDED == 0:
                what = self._divided(lines, first, shares)
            if what is None:
                what = self._gather(shares, bodies, len(lines) <= SMALL)
            if what is not None:
                return what
            if taken:
                journals[0].extend(shares)
            else:
                journals.append(shares)  # alone: one unusual line has all of a journal read line by line
            first += len(lines)
        return next(filter(None, map(self._again, journals)), None) or self._folded(bodies)

    def _taken(self, lines: Chunk, first: int, shares: list[Share]) -> tuple[bool, str | None]:
        """Return whether a path for whole chunks takes these lines, and what it says other than reading by line does."""
        text, taken = _text(lines), False
        for name, path in (("compiled", records._scanned), ("decoded", records._fast)):
            found = path(text, SOURCE, first, RULES, NOW)
            if found is not None:
                taken = True
                if _plain(found) != _plain(shares):
                    return True, f"{name}: {_plain(found)}\nline by line: {_plain(shares)}"
        return taken, None

    def _divided(self, lines: Chunk, first: int, shares: list[Share]) -> str | None:
        """Compare with what becomes of the lines among other neighbours."""
        cut = len(lines) // 2 or 1
        alone = _line_by_line(lines[:cut], first) + _line_by_line(lines[cut:], first + cut)
        one, other = _verdicts(alone), _verdicts(shares)
        if one is None or other is None or one == other:
            return None  # where a name comes twice, which line has it depends on the order
        return f"in two chunks: {sorted(one - other)}\nin one: {sorted(other - one)}"

    def _again(self, shares: Sequence[Share]) -> str | None:
        """Read what was accepted back from a journal."""
        journal = b"".join([lines.body + b"\n" for share in shares for lines in share.topics.values()])
        if not journal:
            return None
        again = convert(journal, "gamelog/other@1", 1, RULES, NOW)
        if any(share.doubled for share in again):
            return None  # two chunks have a name in common
        bad = [bad for one in again for bad in one.bad]
        good, before = _names(again), _names(shares)
        self.accepted += sum(map(len, before.values()))
        if bad or good != before:
            return f"accepted, but from a journal: {bad or (good, before)}"
        return None

    def _gather(self, shares: Iterable[Share], bodies: dict[str, list[bytes]], small: bool) -> str | None:
        """Add what workers are to read to ``bodies``, by topic; small parts are folded at once."""
        for share in shares:
            for topic, lines in share.topics.items():
                if small and topic in COLUMNS:
                    if what := self._fold(topic, lines.body):
                        return what
                elif topic in self._topics:
                    bodies[topic].append(lines.body)
        return None

    def _folded(self, bodies: Mapping[str, list[bytes]]) -> str | None:
        """Have workers read what was accepted."""
        what = (self._fold(topic, b"\n".join(some)) for topic, some in bodies.items())
        return next(filter(None, what), None)

    def _fold(self, topic: str, body: bytes) -> str | None:
        (one, bad), (other, _) = (folder.fold(topic, 1, body) for folder in self._folders)
        if bad:
            return f"accepted, but no bolt can use it: {bad[0].line!r}: {bad[0].reason}"
        if meaning(one) != meaning(other):
            return f"{topic}: columns and decoded tuples differ: {one}\n{other}"
        return None


class JournalPaths:
    """Divides blocks in both ways, once whole and once without some records.

    Attributes:
        accepted: lines that compiled code took.
    """

    def __init__(self) -> None:
        self.accepted = 0

    def disagreement(self, *chunks: Chunk) -> str | None:
        """Return on what both disagree, None where they agree or compiled code refuses the chunk."""
        return next(filter(None, map(self._of_one, chunks)), None)

    def _of_one(self, lines: Chunk) -> str | None:
        block = b"".join([line + b"\n" for line in lines])
        found = journal_scan(block)
        if found is None:
            return None
        self.accepted += len(lines)
        whole = journal_lines._one_by_one(block, {})
        for without in ({}, _some_of(whole)):
            one = journal_lines._scanned(block, found, without)
            other = journal_lines._one_by_one(block, without)
            if one != other:
                return f"compiled, without {without}: {one}\nline by line: {other}"
        return None


def _some_of(lines: BlockLines) -> dict[str, list[tuple[int, int]]]:
    return {
        source: list(
            Intervals.of(
                n for first, last in pairs for n in range(first, last + 1) if n // LEFT_OUT % LEFT_OUT == 0
            )
        )
        for source, pairs in lines.numbers.items()
        if sum(first for first, _ in pairs) % 2
    }


def meaning(folded: Mapping[str, Mapping[Key, Delta]]) -> list[Any]:
    """Return what deltas say: values that are listed as they came are a set."""
    return [
        (
            name,
            key,
            one.tuples,
            [dict.fromkeys(some) if isinstance(some, list) else some for some in one.states],
        )
        for name, deltas in folded.items()
        for key, one in deltas.items()
    ]


def _text(lines: Chunk) -> bytes:
    return b"".join([line + b"\n" for line in lines]).replace(b"\r\n", b"\n")


def _line_by_line(lines: Chunk, first: int) -> list[Share]:
    return records._line_by_line(_text(lines), SOURCE, first, RULES, NOW) if lines else []


def _plain(shares: Iterable[Share]) -> list[Any]:
    return [(one.source, list(one.ns), one.topics, one.bad, one.doubled) for one in shares]


def _names(shares: Iterable[Share]) -> dict[str, list[int]]:
    """Return the numbers of all usable lines, sorted, by source."""
    names: defaultdict[str, list[int]] = defaultdict(list)
    for share in shares:
        if share.ns:
            names[share.source].extend(share.ns)
    return {source: sorted(ns) for source, ns in names.items()}


def _verdicts(shares: Iterable[Share]) -> set[tuple[Any, ...]] | None:
    """Return what became of each line, None where a name comes twice."""
    found: set[tuple[Any, ...]] = set()
    count = 0
    names: set[tuple[str, int]] = set()
    for share in shares:
        if share.doubled:
            return None
        good = [("good", topic, line) for topic, some in share.topics.items() for line in some.body.split(b"\n")]  # fmt: skip
        bad = [("bad", share.source, one.n, one.reason, one.raw) for one in share.bad]
        count += len(share.ns)
        names.update((share.source, n) for n in share.ns)
        found.update(good, bad)
    return found if count == len(names) else None
