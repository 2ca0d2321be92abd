"""Game logs and journals piped in: read, journaled and published by a process of their own."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import gevent
from gevent import monkey

from analytics.broker.clients import Refill
from analytics.config import Config
from analytics.core.intervals import Intervals, Pair
from analytics.errors import AnalyticsError, Unavailable
from analytics.spouts.acknowledging import AcceptedRecords, why_held_back
from analytics.spouts.ends import Ends
from analytics.spouts.gamelog import Pipeline, Work, rules_of
from analytics.spouts.journal import Journal
from analytics.spouts.piped import PipedStreams, putting_in, refuse_others
from analytics.spouts.positions import StreamPosition
from analytics.spouts.shares import Share, pairs
from analytics.spouts.sources.identity import beginning, fingerprint
from analytics.spouts.sources.packed import START, Foreign, opener
from analytics.spouts.sources.stream import BLOCK, HEAD, NUL, Chunk, Stream

_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,100}")
_TOGETHER_SECONDS = 0.2
_REPORT_SECONDS = 1.0
"""How often it is reported to an engine how much of the journal is accepted."""

T = TypeVar("T")


@dataclass(slots=True)
class LineCounts:
    """What became of the lines so far. Once all is done, the last three add up to ``read``."""

    read: int = 0
    accepted: int = 0
    repeated: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        return (
            f"read {self.read}, accepted {self.accepted}, repeated {self.repeated}, rejected {self.rejected}"
        )


class Piped:
    """Puts in what a file descriptor holds.

    Journal lines keep their names. Fresh lines are named after ``source``, or without one after the stream, which is
    recognised if it was piped in before, or read by the gamelog spout: it counts once.
    """

    def __init__(
        self,
        config: Config,
        source: str = "",
        game: str = "",
        timeout: float = 60.0,
        mapping: str = "",
        accepted: AcceptedRecords | None = None,
    ) -> None:
        """``mapping``: the configured source whose mapping reads the lines; ``accepted``: None: ask the broker. Raise AnalyticsError
        where a name can't be, or while accts are forgotten."""
        if source and not _NAME.fullmatch(source):
            raise AnalyticsError(f'--source: expected letters, digits, "_", ".", "@" and "-", got "{source}"')
        if game and game not in config.games:
            known = ", ".join(sorted(config.games)) or "none"
            raise AnalyticsError(f'--game: expected a game of the configuration ({known}), got "{game}"')
        if mapping and not any(one.name == mapping and one.format for one in config.gamelog.sources):
            known = ", ".join(one.name for one in config.gamelog.sources if one.format) or "none"
            raise AnalyticsError(f'--mapping: expected a source with a format ({known}), got "{mapping}"')
        self._config = config
        self._source = source
        self._lock = putting_in(config.data)
        self._rules = rules_of(config, mapping, game)
        self._timeout = timeout
        self._sent: dict[str, Intervals] = {}
        self._known = 0
        self._lines = 0
        self._streams = PipedStreams(config.data)
        self._known_stream = StreamPosition("")
        self._ends = Ends(config, "stdin")
        self._report_due = time.monotonic() + _REPORT_SECONDS
        self._accepted = accepted or Refill(config.broker)
        self._journal = Journal(config, "gamelog", {}, self._streams.journals)
        self._pipeline = Pipeline(config, f"stdin-{os.getpid()}", self._journal)

    def totals(self) -> LineCounts:
        """Return what became of the lines so far."""
        counts = self._pipeline.counts
        return LineCounts(self._lines, counts.published, self._known + counts.repeated, counts.rejected)

    def read(self, fd: int, progress: Callable[[LineCounts], None] = lambda totals: None) -> LineCounts:
        """Read ``fd`` to its end and return the totals once every record is acknowledged.

        Raise Unavailable where the broker does not answer for the timeout.
        """
        self._ask(self._accepted.state)
        blocks = _plain(_blocks(fd))
        stream, data = self._begun(blocks)
        while stream is not None and data:
            self._put_all(stream, stream.feed(data))
            self._report()
            progress(self.totals())
            data = next(blocks, b"")
        if stream is not None:
            self._put_all(stream, stream.give_up())
        self._wait(progress)
        self._streams.accepted(self._journal, self._ends)
        if stream is not None and not self._source:
            self._streams.keep(stream.source, stream.position)
        return self.totals()

    def close(self) -> None:
        """End, whatever is still unacknowledged."""
        self._pipeline.close(0)
        self._accepted.close()
        self._lock.close()

    def _report(self) -> None:
        """With an engine, report now and then what is accepted of the journal. Raise Unavailable if it counts no more."""
        if self._config.engine.kind and time.monotonic() >= self._report_due:
            if reason := why_held_back(self._config):
                raise Unavailable(reason)
            self._streams.accepted(self._journal, self._ends)
            self._report_due = time.monotonic() + _REPORT_SECONDS

    def _begun(self, blocks: Iterator[bytes]) -> tuple[Stream | None, bytes]:
        """Read as much as says which stream this is. Return it, None where nothing comes, and what was read."""
        if self._source:
            return self._stream(f"gamelog/{self._source}"), next(blocks, b"")
        data = b""
        for block in blocks:
            data += block
            lines = self._beginning(data)
            if lines and (len(data) >= HEAD or not self._streams.alike(lines)):
                break
        else:
            lines = self._beginning(data, final=True)
        if not lines:
            return None, b""
        name, known = self._streams.name(data[:HEAD], lines)
        self._known_stream = known
        return self._stream(name, known.fingerprint or fingerprint(lines)), data

    def _beginning(self, data: bytes, final: bool = False) -> list[bytes]:
        zeros = len(data) - len(data.lstrip(NUL))
        return beginning(lambda offset, length: data[offset : offset + length], zeros, final=final)

    def _stream(self, name: str, begin: str = "") -> Stream:
        grown = None if self._source else self._streams.grown
        return Stream(
            name, StreamPosition(begin), self._config.gamelog.batch_lines, begun=grown, journals=True
        )

    def _put_all(self, stream: Stream, chunks: Iterator[Chunk]) -> None:
        for chunk in chunks:
            if chunk.position is not None:
                refuse_others(stream.source, self._known_stream, chunk.position)
            self._publish(self._pipeline.converted(chunk, self._rules))

    def _publish(self, work: Work) -> None:
        shares = []
        for share in work.shares:
            self._lines += len(share.ns) + len(share.bad) + share.doubled
            kept = self._new(share)
            self._known += len(share.ns) - len(kept.ns) + share.doubled
            shares.append(kept)
        work.shares = shares
        self._pipeline.tasks.check()
        with gevent.Timeout(self._timeout, self._silent()):
            self._pipeline.put(work)

    def _new(self, share: Share) -> Share:
        """Return the share without what the broker has accepted already: it is not journaled again."""
        if not share.ns:
            return share
        unknown: list[Pair] = self._ask(lambda: self._accepted.unknown(share.source, pairs(share.ns)))
        # What is still in flight is unknown to the broker too.
        sent = self._sent.setdefault(share.source, Intervals())
        kept = share.only({n for first, last in unknown for n in range(first, last + 1) if n not in sent})
        sent.update(pairs(kept.ns))
        return kept

    def _wait(self, progress: Callable[[LineCounts], None]) -> None:
        before, since = self._pipeline.counts.published, time.monotonic()
        while not self._pipeline.idle():
            gevent.sleep(0.02)
            self._pipeline.tasks.check()
            progress(self.totals())
            if self._pipeline.counts.published != before:
                before, since = self._pipeline.counts.published, time.monotonic()
            if time.monotonic() - since > self._timeout:
                raise self._silent()

    def _ask(self, question: Callable[[], T]) -> T:
        until = time.monotonic() + self._timeout
        while True:
            try:
                return question()
            except Unavailable as error:
                if time.monotonic() >= until:
                    raise self._silent() from error
                gevent.sleep(0.1)

    def _silent(self) -> Unavailable:
        broker = self._config.broker
        if self._config.engine.kind:
            if reason := why_held_back(self._config):
                return Unavailable(reason)
            return Unavailable(
                f"expected an answer of the store within {self._timeout:g} s, got none (so far: {self.totals()}). Pipe the same in "
                "again when it is back: nothing counts twice"
            )
        return Unavailable(
            f"expected an answer of the broker ({broker.host}, ports {broker.receiver_port} and "
            f"{broker.refill_port}) within {self._timeout:g} s, got none (so far: {self.totals()}). "
            "Start it with `bin/analytics run broker` and pipe the same in again: nothing counts twice"
        )


def _plain(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks of plain text. Raise AnalyticsError if they are packed: each line would be rejected."""
    first = next(blocks, b"")
    try:
        packed = opener(first[:START]) is not None
    except Foreign:
        packed = True
    if packed:
        raise AnalyticsError(
            "stdin: expected plain text, got a packed file. Try: zcat FILE | bin/read_stdin_gamelog"
        )
    yield first
    yield from blocks


def _blocks(fd: int) -> Iterator[bytes]:
    """Yield what comes, about a block at a time; other greenlets run while nothing does."""
    pool = gevent.get_hub().threadpool
    while data := pool.apply(_gather, (fd,)):
        yield data


def _gather(fd: int) -> bytes:
    """Return what comes within a moment of the first bytes, up to a block; nothing at the end. Runs in a thread."""
    select = monkey.get_original("select", "select")
    select([fd], [], [])  # a pipe may be set not to block, by another program that has it, too
    gathered = [os.read(fd, BLOCK)]
    size = len(gathered[0])
    until = time.monotonic() + _TOGETHER_SECONDS
    while gathered[-1] and size < BLOCK // 2 and (left := until - time.monotonic()) > 0:
        if not select([fd], [], [], left)[0]:
            break
        gathered.append(os.read(fd, BLOCK - size))
        size += len(gathered[-1])
    return b"".join(gathered)
