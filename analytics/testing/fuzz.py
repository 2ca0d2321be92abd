"""Lines of all kinds, many of them damaged, on every path that a record can take: all paths must say the same.

A line may be taken by compiled code, decoded with its whole chunk, or read alone; a journal brings it again; a worker
reads columns of it or decodes it. What becomes of it depends on the line alone, never on the lines around it.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Protocol

from analytics.config import Mapped
from analytics.testing.lines import LineGenerator, Pool
from analytics.testing.mapped import SECTIONS, TABLES, MappedLines, MappedPaths
from analytics.testing.paths import AREAS, NOW, Chunk, DecodingPaths, JournalPaths

FEW_LINES, MOST_LINES = 8, 60
GROUP_LINES = 1000
"""About so many lines are journaled and folded together: a call costs more than a line."""
MAPPED_LINES = 200
"""As many for each mapping, and of journals' blocks: these paths are slower."""

KINDS = {
    (False, False, False): 20,
    (False, True, False): 45,
    (True, False, False): 10,
    (True, True, False): 20,
    (True, False, True): 5,
}
"""How many of 100 groups have lines of a kind: journaled, plain, polled (see :meth:`Lines.good`)."""


class Paths(Protocol):
    """Takes chunks over several paths."""

    accepted: int

    def disagreement(self, *chunks: Chunk) -> str | None:
        """Return on what two paths disagree, None where all agree."""
        ...


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Lines on which two paths disagree, as few as were found, and what each says."""

    lines: Chunk
    what: str


@dataclass
class Fuzzed:
    """What a run has done. ``accepted``: lines that all paths take."""

    lines: int = 0
    accepted: int = 0
    found: Disagreement | None = None


def fuzz(seed: int, seconds: float, most: int = 0, report: Callable[[Fuzzed], None] = lambda done: None) -> Fuzzed:  # fmt: skip
    """Compare all paths on generated chunks until the first disagreement.

    Args:
        seed: the same one makes the same chunks.
        seconds: how long.
        most: end after so many lines, or soon after; 0: only after ``seconds``.
        report: called with what is done so far, many times a second.
    """
    done = Fuzzed()
    until = time.monotonic() + seconds
    sources: list[tuple[Paths, Iterator[list[Chunk]]]] = [(DecodingPaths(), groups(seed))]
    sources.append((JournalPaths(), journal_groups(seed)))
    sources += [(MappedPaths(section), mapped_groups(seed, section)) for section in (*SECTIONS, *TABLES)]
    for paths, made in cycle(sources):
        chunks = next(made)
        what = paths.disagreement(*chunks)
        done.lines += sum(map(len, chunks))
        done.accepted = sum(one.accepted for one, _ in sources)
        if what is not None:
            done.found = narrowed(chunks, what, paths.disagreement)
        report(done)
        if done.found or time.monotonic() >= until or (most and done.lines >= most):
            return done
    raise AssertionError("cycle() ended")


def groups(seed: int) -> Iterator[list[Chunk]]:
    """Yield chunks of lines without end, some together."""
    draw = random.Random(seed)
    lines = LineGenerator(draw, list(AREAS), NOW)
    pools = [Pool(draw, partial(lines.good, *kind)) for kind in KINDS]
    return _groups(draw, lines, pools, list(KINDS.values()), GROUP_LINES)


def journal_groups(seed: int) -> Iterator[list[Chunk]]:
    """Yield chunks of lines of journals without end."""
    draw = random.Random(seed)
    lines = LineGenerator(draw, list(AREAS), NOW)
    pools = [Pool(draw, partial(lines.good, True, False, polled)) for polled in (False, True)]
    return _groups(draw, lines, pools, [1, 1], MAPPED_LINES)


def mapped_groups(seed: int, section: Mapped) -> Iterator[list[Chunk]]:
    """Yield chunks of lines for a mapping without end."""
    draw = random.Random(seed)
    lines = MappedLines(draw, section)
    return _groups(draw, lines, [Pool(draw, lines.good)], [1], MAPPED_LINES)


def _groups(
    draw: random.Random, lines: LineGenerator, pools: Sequence[Pool], weights: Sequence[int], count: int
) -> Iterator[list[Chunk]]:
    while True:
        [pool] = draw.choices(pools, weights)
        good = pool.sample(count + MOST_LINES)
        kind = draw.random()
        chunks: list[Chunk] = []
        while len(good) > MOST_LINES:
            if kind < 0.2:
                # One damage among good lines: only then the paths for good ones take a damaged line, if ever they do.
                chunk = [good.pop() for _ in range(draw.randint(0, FEW_LINES))]
                chunk.insert(draw.randint(0, len(chunk)), lines.damaged(good.pop(), 1))
            else:
                chunk = [good.pop() for _ in range(draw.randint(1, MOST_LINES))]
                if kind < 0.6:
                    chunk = [
                        lines.damaged(line, draw.choice((1, 1, 2, 4))) if draw.random() < 0.3 else line
                        for line in chunk
                    ]  # fmt: skip
            chunks.append(chunk)
        yield chunks


def narrowed(chunks: list[Chunk], what: str, disagreement: Callable[[Chunk], str | None]) -> Disagreement:
    """Return what two paths disagree about among ``chunks``: as little of one chunk, or of all as one, as shows it."""
    whole = [line for chunk in chunks for line in chunk]
    for chunk in (*chunks, whole):
        if (found := disagreement(chunk)) is not None:
            return smallest(chunk, found, disagreement)
    return Disagreement(whole, what)


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
