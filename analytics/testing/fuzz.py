"""Lines of all kinds, most of them damaged, on every road that a record can take: all roads must say the same.

A line may be taken by compiled code, decoded with its whole chunk, or read by itself; a journal brings it again; a worker
reads columns of it or decodes it. What becomes of it depends on the line alone, never on the lines around it.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.fold import Folder
from analytics.core.periods import zone
from analytics.spouts import records
from analytics.spouts.records import Rules, convert
from analytics.spouts.shares import Share
from analytics.testing.lines import Lines

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
FEW_LINES, MOST_LINES = 8, 60
Chunk = list[bytes]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Lines on which two roads disagree, as few as were found, and what each says."""

    lines: Chunk
    what: str


@dataclass
class Fuzzed:
    """What a run has done. ``accepted``: lines that all roads take."""

    lines: int = 0
    accepted: int = 0
    found: Disagreement | None = None


def fuzz(seed: int, seconds: float, most: int = 0, report: Callable[[Fuzzed], None] = lambda done: None) -> Fuzzed:  # fmt: skip
    """Compare all roads on generated chunks until the first disagreement.

    Args:
        seed: the same one makes the same chunks.
        seconds: how long.
        most: end after so many lines; 0: only after ``seconds``.
        report: called about once a second.
    """
    done, roads = Fuzzed(), Roads()
    until = time.monotonic() + seconds
    told = time.monotonic()
    for chunk in chunks(seed):
        what = roads.disagreement(chunk)
        done.lines += len(chunk)
        done.accepted = roads.accepted
        if what is not None:
            done.found = smallest(chunk, what, roads.disagreement)
            return done
        now = time.monotonic()
        if now >= until or (most and done.lines >= most):
            return done
        if now - told >= 1:
            told = now
            report(done)
    return done


def chunks(seed: int) -> Iterator[Chunk]:
    """Yield chunks of lines without end."""
    draw = random.Random(seed)
    lines = Lines(draw, list(AREAS), NOW)
    while True:
        journaled, kind = draw.random() < 0.3, draw.random()
        if kind < 0.6:
            # One damage among good lines: only then the roads for good ones take a damaged line, if ever they do.
            chunk = [lines.good(journaled) for _ in range(draw.randint(0, FEW_LINES))]
            chunk.insert(draw.randint(0, len(chunk)), lines.damaged(journaled, 1))
        else:
            damage = 0.3 if kind < 0.8 else 0.0
            chunk = [
                lines.damaged(journaled, draw.choice((1, 1, 2, 4))) if draw.random() < damage else lines.good(journaled)
                for _ in range(draw.randint(1, MOST_LINES))
            ]  # fmt: skip
        yield chunk


class Roads:
    """Takes chunks over every road."""

    def __init__(self) -> None:
        self.accepted = 0
        self._folders = Folder(BOLTS.values(), AREAS), Folder(BOLTS.values(), AREAS)
        self._folders[1].decode_only()
        self._topics = {topic for bolt in BOLTS.values() for topic in bolt.reads}

    def disagreement(self, lines: Chunk) -> str | None:
        """Return on what two roads disagree, None where all agree."""
        text = _text(lines)
        shares = _line_by_line(lines)
        for name, road in (("compiled", records._scanned), ("decoded", records._fast)):
            found = road(text, SOURCE, 1, RULES, NOW)
            if found is not None and _plain(found) != _plain(shares):
                return f"{name}: {_plain(found)}\nline by line: {_plain(shares)}"
        return self._divided(lines, shares) or self._again(shares) or self._folded(shares)

    def _divided(self, lines: Chunk, shares: list[Share]) -> str | None:
        """Compare with what becomes of the lines among other neighbours."""
        cut = len(lines) // 2 or 1
        alone = _line_by_line(lines[:cut]) + _line_by_line(lines[cut:], 1 + cut)
        one, other = _verdicts(alone), _verdicts(shares)
        if one is None or other is None or one == other:
            return None  # where a name comes twice, which line has it depends on the order
        return f"in two chunks: {sorted(one - other)}\nin one: {sorted(other - one)}"

    def _again(self, shares: Iterable[Share]) -> str | None:
        """Read what was accepted back from a journal."""
        journal = b"".join(lines.body + b"\n" for share in shares for lines in share.topics.values())
        if not journal:
            return None
        again = convert(journal, "gamelog/other@1", 1, RULES, NOW)
        good = {(one.source, n) for one in again for n in one.ns}
        bad = [bad for one in again for bad in one.bad]
        before = {(one.source, n) for one in shares for n in one.ns}
        self.accepted += len(before)
        if bad or good != before:
            return f"accepted, but from a journal: {bad or good ^ before}"
        return None

    def _folded(self, shares: Iterable[Share]) -> str | None:
        """Have workers read what was accepted."""
        for share in shares:
            for topic, lines in share.topics.items():
                if topic not in self._topics:
                    continue
                (one, bad), (other, _) = (folder.fold(topic, 1, lines.body) for folder in self._folders)
                if bad:
                    return f"accepted, but no bolt can use it: {bad[0].line!r}: {bad[0].reason}"
                if one != other:
                    return f"{topic}: columns and decoded tuples differ: {one}\n{other}"
        return None


def smallest(lines: Chunk, what: str, disagreement: Callable[[Chunk], str | None]) -> Disagreement:
    """Return the disagreement with as few lines, and as short ones, as leaving out shows."""
    for size in (len(lines) // 2, len(lines) // 4, 1):
        at = 0
        while size and at < len(lines):
            fewer = lines[:at] + lines[at + size :]
            if fewer and (found := disagreement(fewer)) is not None:
                lines, what = fewer, found
            else:
                at += size
    for place in range(len(lines)):
        for size in (64, 16, 4, 1):
            at = 0
            while at < len(lines[place]):
                line = lines[place]
                shorter = [*lines[:place], line[:at] + line[at + size :], *lines[place + 1 :]]
                if (found := disagreement(shorter)) is not None:
                    lines, what = shorter, found
                else:
                    at += size
    return Disagreement(lines, what)


def _text(lines: Chunk) -> bytes:
    return b"".join([line + b"\n" for line in lines]).replace(b"\r\n", b"\n")


def _line_by_line(lines: Chunk, first: int = 1) -> list[Share]:
    return records._line_by_line(_text(lines), SOURCE, first, RULES, NOW) if lines else []


def _plain(shares: Iterable[Share]) -> list[Any]:
    return [(one.source, list(one.ns), one.topics, one.bad, one.doubled) for one in shares]


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
