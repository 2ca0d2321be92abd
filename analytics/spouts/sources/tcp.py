"""Game logs that come in over TCP, one record a line.

What comes is one record source from start to stop, whatever connections it comes by, and nobody is told where one of
them ended: senders may connect for each record, for years.
"""

import dataclasses
import secrets
import time
from collections.abc import Iterator

from gevent.server import StreamServer
from gevent.socket import socket
from gevent.socket import timeout as SocketTimeout

from analytics.config import GamelogSection, Source
from analytics.spouts.positions import Position
from analytics.spouts.sources.health import Health
from analytics.spouts.sources.stream import BLOCK, Chunk, Emit, Stream


class TcpSource:
    """Listens. What a sender was told nothing about is not lost: it is journaled before anything else.

    TCP tells a sender nothing about what was handled: what the spout has not journaled when it dies is gone,
    unless the sender sends it again (under other names then).
    """

    def __init__(self, source: Source, section: GamelogSection, emit: Emit, health: Health) -> None:
        self._source = source
        self._section = section
        self._emit = emit
        self._health = health
        self._name = f"gamelog/{source.name}@{secrets.token_hex(8)}"
        self._next = 1
        self._server = StreamServer((source.host, source.port), self._serve)

    def start(self) -> None:
        """Listen. Raise OSError where the address can't be had."""
        self._server.start()
        self.port = int(self._server.server_port or 0)

    def run(self) -> None:
        """Serve until stopped."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stop listening and end the connections."""
        self._server.stop(timeout=1)

    def _serve(self, connection: "socket", _address: object) -> None:
        first = 0
        for chunk in self._chunks(connection):
            if chunk.part <= 1:  # the parts of a long line share its number
                first = self._next
                self._next += 1 if chunk.part else chunk.data.count(b"\n")
            self._emit(dataclasses.replace(chunk, first=first, position=None))

    def _chunks(self, connection: "socket") -> Iterator[Chunk]:
        stream = Stream(self._name, Position(""), self._section.batch_lines)
        for data in self._received(connection):
            yield from stream.feed(data)
        yield from stream.give_up()

    def _received(self, connection: "socket") -> Iterator[bytes]:
        """Yield what comes within ``batch_seconds``, up to a block, at a time."""
        while True:
            connection.settimeout(None)
            gathered: list[bytes] = []
            size = 0
            until = time.monotonic() + self._section.batch_seconds
            try:
                while not gathered or (size < BLOCK and time.monotonic() < until):
                    if gathered:
                        connection.settimeout(max(0.001, until - time.monotonic()))
                    data = connection.recv(BLOCK - size)
                    if not data:
                        yield b"".join(gathered)
                        return
                    if not gathered:
                        until = time.monotonic() + self._section.batch_seconds
                    gathered.append(data)
                    size += len(data)
            except SocketTimeout:
                pass
            except OSError as error:
                self._health.failed(f"{self._source.host}:{self._source.port}: {error}")
                yield b"".join(gathered)
                return
            yield b"".join(gathered)
