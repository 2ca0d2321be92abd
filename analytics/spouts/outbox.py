"""From a polled answer to the broker's log: named, journaled, published, acknowledged.

Records are named ``<spout>/<game>@<random>:<n>``; the random part is made with the state, and ``n`` counts on in
it. What was journaled but not acknowledged when the process died is published again under its name.
"""

import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, TypeVar

import msgspec
from gevent.event import AsyncResult

from analytics.broker.wire import Ack, Batch, BatchHeader, Part, portions, tagged
from analytics.config import Config
from analytics.core.intervals import Intervals
from analytics.spouts.acknowledging import publisher
from analytics.spouts.ends import Ends
from analytics.spouts.journal import Journal, JournalMark
from analytics.spouts.rejected import Rejected
from analytics.system.locks import FileLock

WINDOW = 8
MOST_LINES = 20_000
"""In a batch, whose header has a largest size."""


class OutboxState(msgspec.Struct):
    """What outlives the process. ``acknowledged``: per source, the number up to which all records arrived.

    ``at`` is the greatest time of asking (Unix milliseconds) among them, ``journal`` the accepted byte per file,
    ``repeated`` how many of the records had arrived when they were sent again after a crash.
    """

    fingerprint: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))
    at: int = 0
    acknowledged: dict[str, int] = {}
    journal: dict[str, int] = {}
    repeated: int = 0


class JournalLine(msgspec.Struct):
    """What every journaled tuple says first: its name, and when it was asked for."""

    id: str
    at: int

    @property
    def source(self) -> str:
        return self.id.rpartition(":")[0]

    @property
    def n(self) -> int:
        return int(self.id.rpartition(":")[2])


L = TypeVar("L", bound=JournalLine)


@dataclass(slots=True)
class _Sent:
    """A batch that is not acknowledged yet, and what to do when it is."""

    result: "AsyncResult[Ack]"
    source: str
    last: int
    at: int
    mark: JournalMark | None
    then: list[Callable[[], None]] = field(default_factory=list)


class Outbox(Generic[L]):
    """One spout's way to the broker. ``state`` changes with every acknowledgement; the caller keeps it.

    Args:
        name: the spout's name, which is also the journal's prefix and the topic.
        line: how to read a journaled line back.
    """

    def __init__(
        self, config: Config, name: str, state: OutboxState, line: type[L], rejected: Rejected
    ) -> None:
        self._name = name
        self._state = state
        self._rejected = rejected
        self._decode = msgspec.json.Decoder(line).decode
        self._journal = Journal(config, name, state.journal)
        # One round of answers may make a batch a game: they must not wait for each other inside the publisher.
        self._publisher = publisher(config, f"{name}-{os.getpid()}", WINDOW + len(config.games))
        self._ends = Ends(config, name)
        self._waiting: deque[_Sent] = deque()
        self._last = dict(state.acknowledged)
        self._at = state.at
        self._left_over = self._unacknowledged()

    @property
    def full(self) -> bool:
        """Whether as much as may be is waiting for acknowledgement."""
        return len(self._waiting) >= WINDOW

    @property
    def unanswered(self) -> str:
        """Why the broker has acknowledged nothing for long, "" where it has."""
        return self._publisher.problem

    @property
    def last(self) -> dict[str, int]:
        """The newest number of each source: so many of its records are journaled."""
        return dict(self._last)

    @property
    def published(self) -> int:
        """How many records the broker accepted, without those that it had already."""
        return sum(self._state.acknowledged.values()) - self._state.repeated

    @property
    def at(self) -> int:
        """The greatest time of asking (Unix milliseconds) among what earlier processes sent, once all is recovered.

        A later answer must have a greater one, wherever the clock stands: else what it says would count as older.
        """
        return self._at

    def source(self, game: str) -> str:
        """Return the source of records of ``game``."""
        return f"{self._name}/{game}@{self._state.fingerprint}"

    def wait(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for the next acknowledgement."""
        if self._waiting:
            self._waiting[0].result.wait(timeout=timeout)

    def accepted(self) -> Iterator[list[L]]:
        """Yield, some at a time, what the journals that are kept say was acknowledged. Nothing of it is published."""
        for data in self._journal.accepted():
            lines: list[L] = []
            for line in data.split(b"\n")[:-1]:
                # What can't be decoded was rejected when it was recovered.
                with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    lines.append(self._decode(line))
            yield lines

    def recover(self) -> list[L] | None:
        """Publish some of what an earlier process left, and return it; None when nothing is left.

        To be called until then, while not ``full``, before anything new is sent.
        """
        found = next(self._left_over, None)
        if found is None:
            return None
        parsed, lines, mark = found
        source, numbers = parsed[0].source, [line.n for line in parsed]
        self._last[source] = max(self._last.get(source, 0), *numbers)
        at = max(line.at for line in parsed)
        self._at = max(self._at, at)
        self._publish(source, numbers, lines, at, mark)
        return parsed

    def send(self, game: str, tuples: Sequence[bytes], at: int, then: Callable[[], None]) -> None:
        """Name, journal and publish tuples of ``game``; call ``then`` once they are acknowledged.

        Raise OSError where the disk does not take them: nothing has happened then.
        """
        source = self.source(game)
        first = self._last.get(source, 0) + 1
        last = first + len(tuples) - 1
        lines = tagged(source, range(first, last + 1), tuples)
        mark = self._journal.append(*lines)
        self._last[source] = last
        self._publish(source, range(first, last + 1), lines, at, mark)
        self.after(then)

    def after(self, then: Callable[[], None]) -> None:
        """Call ``then`` once everything sent so far is acknowledged; at once where it is."""
        if self._waiting:
            self._waiting[-1].then.append(then)
        else:
            then()

    def settle(self) -> bool:
        """Take the acknowledgements that have come, in order. Return whether there were any."""
        moved = False
        while self._waiting and self._waiting[0].result.ready():
            sent, state = self._waiting.popleft(), self._state
            ack = sent.result.get()
            assert ack is not None
            known = state.acknowledged.get(sent.source, 0)
            # What was acknowledged here before, and is sent again as something else was lost, is counted already.
            state.repeated += min(ack.repeated, max(0, sent.last - known))
            state.acknowledged[sent.source] = max(sent.last, known)
            state.at = max(state.at, sent.at)
            if sent.mark is not None:
                self._journal.acknowledge(sent.mark)
                state.journal = dict(self._journal.acknowledged)
            for then in sent.then:
                then()
            moved = True
        self._ends.report(self._journal.acknowledged)
        return moved

    def close(self) -> None:
        """Wait a little for what is not acknowledged, and take what came of it."""
        self._publisher.close()
        self.settle()
        self._journal.close()

    def _publish(
        self, source: str, numbers: Sequence[int], lines: list[bytes], at: int, mark: JournalMark | None
    ) -> None:
        """Publish lines in as many batches as they take; ``mark`` is acknowledged with the last one."""
        begin = 0
        for some in portions(lines, MOST_LINES, len):
            end = begin + len(some)
            ns = list(Intervals.of(numbers[begin:end]))
            header = BatchHeader(source, ns, [Part(self._name, len(some), len(some))])
            result = self._publisher.publish(Batch(header, [b"\n".join(some)]))
            self._waiting.append(_Sent(result, source, ns[-1][1], at, mark if end == len(lines) else None))
            begin = end

    def _unacknowledged(self) -> Iterator[tuple[list[L], list[bytes], JournalMark | None]]:
        """Yield the journal's lines beyond what is acknowledged, those of one source together."""
        for block in self._journal.unacknowledged():
            runs = [list(run) for _, run in groupby(self._parsed(block.data), lambda pair: pair[0].source)]
            for run in runs:
                mark = block.mark if run is runs[-1] else None
                yield [parsed for parsed, _ in run], [line for _, line in run], mark

    def _parsed(self, data: bytes) -> Iterator[tuple[L, bytes]]:
        for line in data.split(b"\n")[:-1]:
            try:
                yield self._decode(line), line
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._rejected.put(
                    spout=self._name, source=f"{self._name}/journal", reason=str(error), raw=line
                )


def alone(config: Config, name: str) -> FileLock:
    """Keep a second spout ``name``, which would give other records the same names, off the same data folder.

    Return the lock, to be closed at the end. Raise LockTaken where there is one already.
    """
    path = config.data / "state" / f"{name}.lock"
    return FileLock(path, f"another {name} spout runs on this data folder: stop it first")
