"""Lines that can be read once only, as from a connection or a pipe."""

import dataclasses
import secrets
from collections.abc import Iterable, Iterator

from analytics.config import GamelogSection, Source
from analytics.spouts.positions import StreamPosition
from analytics.spouts.sources.stream import Chunk, Emit, Stream


class Unrepeatable:
    """Names the lines of all connections of a source, from its start to its stop, as one record source.

    Their ends are not reported: senders may connect for each record, for years.
    """

    def __init__(self, source: Source, section: GamelogSection, emit: Emit) -> None:
        self._lines = section.batch_lines
        self._emit = emit
        self._name = f"gamelog/{source.name}@{secrets.token_hex(8)}"
        self._next = 1

    def take(self, blocks: Iterable[bytes]) -> None:
        """Emit the lines of one connection, from ``blocks`` of its bytes. Several greenlets may call this."""
        first = 0
        for chunk in self._chunks(blocks):
            if chunk.part <= 1:  # the parts of a long line share its number
                first = self._next
                self._next += 1 if chunk.part else chunk.data.count(b"\n")
            self._emit(dataclasses.replace(chunk, first=first, position=None))

    def _chunks(self, blocks: Iterable[bytes]) -> Iterator[Chunk]:
        stream = Stream(self._name, StreamPosition(""), self._lines)
        for data in blocks:
            yield from stream.feed(data)
        yield from stream.give_up()
