"""The gamelog spout: sources, journal, broker.

    source ─▶ chunk ─▶ convert ─▶ │queue│ ─▶ journal (durable) ─▶ publish ─▶ │queue│ ─▶ acknowledged ─▶ position

The steps overlap: while one chunk is written and another published, the next is converted. All queues
are short, so a broker that is away or full makes the sources wait.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import gevent
from gevent.event import AsyncResult
from gevent.queue import Empty, Queue

from analytics.broker.wire import Ack, Batch
from analytics.config import Config, Source, areas
from analytics.spouts.acknowledging import publisher
from analytics.spouts.ends import Ends
from analytics.spouts.journal import Journal, JournalMark
from analytics.spouts.lost import Lost
from analytics.spouts.mapping.compiled import line_mappings
from analytics.spouts.mapping.lines import convert, tables
from analytics.spouts.memory import Memory
from analytics.spouts.outbox import alone
from analytics.spouts.positions import SpoutState, StreamPosition
from analytics.spouts.rejected import Reject, Rejected, reject
from analytics.spouts.renaming import renaming_of
from analytics.spouts.rules import Rules
from analytics.spouts.schemas import schemas_of
from analytics.spouts.shares import Bad, Share, by_source
from analytics.spouts.sources.file import FileSource
from analytics.spouts.sources.health import Health
from analytics.spouts.sources.kinds import KINDS
from analytics.spouts.sources.log_source import LogSource, SourceContext
from analytics.spouts.sources.stream import LONGEST_LINE, Chunk
from analytics.system.locks import FileLock
from analytics.system.tasks import TaskGroup

logger = logging.getLogger(__name__)

_TOGETHER = 12
_TOGETHER_BYTES = 8 << 20
_TOGETHER_LINES = 40_000
"""What travels together is less than that, and one chunk more: a message has a largest size."""
_FLOOD_SECONDS = 0.05
_NEARLY = 0.9
"""A chunk of a flood has about so many lines as it should have, often a few less."""
_OVERSIZE = f"$: expected a line of at most {LONGEST_LINE} bytes, got a longer one"
_CUT_OFF = "line: expected a newline at its end, got none, so some of it may be missing"


@dataclass(slots=True)
class Work:
    """One chunk in flight. ``position`` is the source's once all ``shares`` are acknowledged."""

    shares: list[Share]
    rejects: list[Reject]
    source: str = ""
    position: StreamPosition | None = None

    @property
    def lines(self) -> int:
        """Usable lines in all shares."""
        return sum(len(share.ns) for share in self.shares)

    @property
    def bytes(self) -> int:
        """About how many bytes they have."""
        return sum(share.size for share in self.shares)


@dataclass(slots=True)
class Counts:
    """Records since the start of this process."""

    read: int = 0
    journaled: int = 0
    rejected: int = 0
    published: int = 0
    repeated: int = 0


class Pipeline:
    """The way from a chunk to its acknowledgement, which ``read_stdin_gamelog`` shares with the spout."""

    def __init__(
        self,
        config: Config,
        name: str,
        journal: Journal,
        acknowledged: Callable[[str, StreamPosition], None] = lambda source, position: None,
    ) -> None:
        self.counts = Counts()
        self.blocked = ""
        self.journal = journal
        self._rejected = Rejected(config)
        self.path_of: Callable[[str], str] = lambda source: ""  # the file that a record source is read from
        self._acknowledged = acknowledged
        self._publisher = publisher(config, name, config.gamelog.window)
        self._to_write: Queue[Work] = Queue(_TOGETHER)
        # What happens when all before it is acknowledged, in the order of publishing.
        self._to_acknowledge: Queue[Callable[[], object]] = Queue(config.gamelog.window + _TOGETHER)
        self._much = config.gamelog.batch_lines * _NEARLY
        self._pending = 0
        self._together = 1
        self.tasks = TaskGroup(name)
        self.tasks.spawn(self._write_all)
        self.tasks.spawn(self._acknowledge_all)

    def put(self, work: Work) -> None:
        """Take a converted chunk over; wait while there is enough to do."""
        paths = {source: self.path_of(source) for source in {one.source for one in work.rejects}}
        for one in work.rejects:
            one.path = paths[one.source]
        self._pending += 1
        self._to_write.put(work)
        gevent.sleep(0)  # converting computes for milliseconds: let journal and broker answer in between

    def converted(self, chunk: Chunk, rules: Rules) -> Work:
        """Return a chunk as shares and rejected records."""
        if chunk.part:
            ending = [Share(chunk.source, bad=[Bad(chunk.first, _OVERSIZE, b"")])] if chunk.last else []
            one = reject("gamelog", chunk.source, _OVERSIZE, chunk.data, chunk.first, chunk.part, chunk.last)
            self.counts.read += chunk.last
            self.counts.rejected += chunk.last
            return Work(ending, [one], chunk.source, chunk.position)
        shares: list[Share] = []
        rejects: list[Reject] = []
        for data, first, header in tables(chunk, rules):
            some = convert(data, chunk.source, first, rules, int(time.time()), header)
            if chunk.cut_off and rules.mapping and rules.mapping.is_text and any(share.ns for share in some):
                some = [Share(chunk.source, bad=[Bad(first, _CUT_OFF, data.removesuffix(b"\n"))])]
            shares += some
            rejects += _rejects(some, rules, header)
        self.counts.read += sum(len(share.ns) + len(share.bad) for share in shares)
        self.counts.rejected += len(rejects)
        return Work(shares, rejects, chunk.source, chunk.position)

    def again(self, data: bytes, mark: JournalMark, rules: Rules) -> None:
        """Publish lines that the journal has already; ``mark`` is acknowledged with them."""
        shares = convert(data, "gamelog/journal", 1, rules, int(time.time()))
        self._rejected.put_all(_rejects(shares, rules))
        for share in shares:
            # Not counted: what was read again from its source since counts there, as repeated.
            self._publish(share.batch(), Counts())
        self._mark(mark)

    @property
    def unanswered(self) -> str:
        """Why the broker has acknowledged nothing for long, "" where it has."""
        return self._publisher.problem

    def idle(self) -> bool:
        """Say whether everything taken over is acknowledged."""
        return not self._pending

    def close(self, timeout: float = 5.0) -> bool:
        """Wait until all is acknowledged, up to ``timeout``, then end. Return whether it was."""
        until = time.monotonic() + timeout
        while not self.idle() and time.monotonic() < until and self.tasks.error is None:
            gevent.sleep(0.02)
        self.tasks.stop()
        self._publisher.close(0.1)
        self.journal.close()
        self._rejected.close()
        return self.idle()

    def _write_all(self) -> None:
        while True:
            works = self._next()
            shares = by_source(share for work in works for share in work.shares)
            mark = self._write(works, [block for share in shares for block in share.journaled()])
            for share in shares:
                self._publish(share.batch(), self.counts)
            for work in works:
                self._to_acknowledge.put(partial(self._finish, work))
            if mark is not None:
                self._mark(mark)

    def _next(self) -> list[Work]:
        """Return the chunks to write next: in a flood several, since what travels together costs less a line.

        It begins with one, and each time twice as many: those who count are not to wait for the first twelve.
        """
        works = [self._to_write.get()]
        try:
            while len(works) < self._together and _fit(works):
                flood = works[-1].lines >= self._much
                works.append(self._to_write.get(flood, _FLOOD_SECONDS if flood else None))
        except Empty:
            self._together = 1
        else:
            self._together = min(2 * self._together, _TOGETHER)
        return works

    def _publish(self, batch: Batch, counts: Counts) -> None:
        self._pending += 1
        self._to_acknowledge.put(partial(_count, self._publisher.publish(batch), counts))

    def _mark(self, mark: JournalMark) -> None:
        self._pending += 1
        self._to_acknowledge.put(partial(self.journal.acknowledge, mark))

    def _finish(self, work: Work) -> None:
        if work.position is not None:
            self._acknowledged(work.source, work.position)

    def _write(self, works: list[Work], bodies: list[bytes]) -> JournalMark | None:
        """Make the works durable, waiting as long as the disk is full.

        The journal keeps the very bytes that are published: within a batch, lines stand by topic. Of lines that a mapping
        reads it keeps what they said.
        """
        rejects = [one for work in works for one in work.rejects]
        while True:
            try:
                if rejects:
                    self._rejected.put_all(rejects)
                    rejects = []
                mark = self.journal.append(*bodies) if bodies else None
                self.blocked = ""
                break
            except OSError as error:
                if not self.blocked:
                    logger.error("the journal can't be written: %s; waiting", error)
                self.blocked = (
                    f"the journal can't be written: {error}; free space on the disk of {self.journal.folder}"
                )
                gevent.sleep(1)
        self.counts.journaled += sum(len(share.ns) for work in works for share in work.shares)
        return mark

    def _acknowledge_all(self) -> None:
        while True:
            self._to_acknowledge.get()()
            self._pending -= 1


class GamelogSpout:
    """The node: follows every configured source, from where it was accepted up to."""

    name = "gamelog"
    role = "spout"

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock: FileLock | None = None
        self._tasks = TaskGroup(self.name)
        self._sources: list[LogSource] = []
        self._health: list[Health] = []

    def start(self) -> None:
        """Publish again what the journal holds beyond what was accepted, then follow the sources.

        Raise AnalyticsError where another one, whose positions would overwrite these, has the data folder.
        """
        self._lock = alone(self._config, self.name)
        self._memory = memory = Memory(self._config.data, self._fill)
        self._lost = Lost(self._config)
        self._rules = rules_of(self._config)
        journal = Journal(self._config, "gamelog", memory.state.journal, memory.journals)
        self._ends = Ends(self._config, self.name)
        self._pipeline = Pipeline(self._config, self.name, journal, memory.acknowledged)
        self._tasks.include(self._pipeline.tasks)
        for source in self._config.gamelog.sources:
            self._add(source, memory)
        memory.save(now=True)
        for one in self._sources:
            one.start()
        self._tasks.spawn(self._run, may_end=True)

    def step(self) -> None:
        """Save positions; raise what ended any greenlet."""
        self._tasks.check(0.2)
        acknowledged = self._pipeline.journal.acknowledged
        # First, as the engine has to know of all that this spout will not send again.
        self._ends.report(acknowledged)
        self._memory.step(acknowledged != self._memory.state.journal)

    def stop(self) -> None:
        """Stop reading, wait a little for acknowledgements, save."""
        self._end(5.0)
        self._ends.report(self._pipeline.journal.acknowledged)
        self._memory.save(now=True)
        self._unlock()

    def abandon(self) -> None:
        """End at once, as a crash would: nothing is waited for, nothing saved."""
        self._end(0)
        self._unlock()

    def state(self) -> dict[str, Any]:
        lost = self._lost.waiting()
        return {
            **asdict(self._pipeline.counts),
            "idle": self._pipeline.idle() and self._ends.are(self._pipeline.journal.acknowledged),
            "blocked": self._pipeline.blocked or self._pipeline.unanswered,
            "lost": len(lost),
            "lost_first": lost[0].words if lost else "",
            "sources": {health.name: health.state() for health in self._health},
        }

    def _end(self, timeout: float) -> None:
        self._tasks.stop()
        for source in self._sources:
            source.close()
        self._pipeline.close(timeout)
        self._lost.close()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def _run(self) -> None:
        sources = self._sources
        self._pipeline.path_of = lambda source: next(
            filter(None, (one.path_of(source) for one in sources)), ""
        )
        for block in self._pipeline.journal.unacknowledged():
            self._pipeline.again(block.data, block.mark, self._rules)
        for source in self._sources:
            self._tasks.spawn(source.run)

    def _add(self, source: Source, memory: Memory) -> None:
        health = Health(source.name)
        rules = self._rules.of_source(source.name, source.game)

        def emit(chunk: Chunk) -> None:
            work = self._pipeline.converted(chunk, rules)
            reasons = [one.reason for one in work.rejects if one.last or not one.part]
            health.converted(work.lines, reasons, rules.alike)
            self._pipeline.put(work)

        self._health.append(health)
        given = SourceContext(self._config.gamelog, emit, health, memory, self._lost.put)
        self._sources.append(KINDS[source.kind](source, given))

    def _fill(self, state: SpoutState) -> None:
        state.journal = dict(self._pipeline.journal.acknowledged)
        state.looked.update({one.name: one.looked for one in self._sources if isinstance(one, FileSource)})


def rules_of(config: Config, source: str = "", game: str = "") -> Rules:
    """Return what records are checked against. ``source``: the configured one whose lines they are, if that matters."""
    opcodes = {name: one.opcodes for name, one in config.games.items() if one.opcodes}
    schemas = schemas_of(config)
    mappings = line_mappings(config, schemas)
    return Rules(areas(config), opcodes, game, schemas, mappings, source, renaming_of(config.data))


def _count(result: "AsyncResult[Ack]", counts: Counts) -> None:
    """Add what the broker says of a batch, as soon as it does."""
    ack = result.get()
    assert ack is not None
    counts.published += ack.accepted
    counts.repeated += ack.repeated


def _fit(works: list[Work]) -> bool:
    """Say whether one more chunk may travel with these: a message and its header have largest sizes."""
    lines = sum(work.lines + len(work.rejects) for work in works)
    return lines < _TOGETHER_LINES and sum(work.bytes for work in works) < _TOGETHER_BYTES


def _rejects(shares: list[Share], rules: Rules, header: str = "") -> list[Reject]:
    found = [
        reject("gamelog", share.source, bad.reason, bad.raw, bad.n) for share in shares for bad in share.bad
    ]
    if rules.mapping is not None:
        for one in found:
            one.mapping, one.header = rules.mapping.name, header
    return found
