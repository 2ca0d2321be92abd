"""What every kind of source has in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from analytics.config import GamelogSection, Source
from analytics.spouts.lost import Loss
from analytics.spouts.memory import Memory
from analytics.spouts.sources.health import Health
from analytics.spouts.sources.identity import Streams
from analytics.spouts.sources.stream import Chunk, Emit


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the spout gives a source.

    Attributes:
        section: the keys that all sources share.
        emit: takes a chunk; blocks while the spout has enough to do.
        health: what ``status`` shows of the source, which reports its failures there.
        memory: which streams are known, and how far they were read; for sources that can read a log again.
        lost: takes a part of a log that was deleted before it was read.
    """

    section: GamelogSection
    emit: Emit
    health: Health
    memory: Memory
    lost: Callable[[Loss], None]


class LogSource(ABC):
    """A configured source of game logs: reads bytes, and gives the spout chunks of whole lines."""

    def start(self) -> None:  # noqa: B027  # most kinds have nothing to do here
        """Acquire what can be refused, such as a port, before any source runs. Raise OSError if it is."""

    @abstractmethod
    def run(self) -> None:
        """Read until the greenlet is killed. Report failures to ``health`` and try again: an exception ends the node."""

    @abstractmethod
    def close(self) -> None:
        """Close files and connections, after :meth:`run` has ended."""

    def path_of(self, source: str) -> str:
        """Return the path of the file that a record source's lines are read from, "" if there is none."""
        return ""


class FollowingSource(LogSource):
    """A source of logs that grow, and that can be read again from where they were left."""

    def __init__(self, source: Source, given: SourceContext) -> None:
        section, memory = given.section, given.memory
        self.name = source.name
        self._source = source
        self._emit = given.emit
        self._health = given.health
        self._lost = given.lost
        self._streams = Streams(source.name, memory.catalogue, section.batch_lines, memory.begun)

    def _emit_all(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            self._emit(chunk)
