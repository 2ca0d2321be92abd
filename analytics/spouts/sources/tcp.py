"""Game logs that come in over TCP, one record a line. Each connection is a stream of its own."""

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
        fingerprint = secrets.token_hex(8)
        name = f"gamelog/{self._source.name}@{fingerprint}"
        stream = Stream(name, Position(fingerprint), self._section.batch_lines)
        for data in self._received(connection):
            self._hand_on(stream.feed(data))
        self._hand_on(stream.finish())

    def _hand_on(self, chunks: Iterator[Chunk]) -> None:
        for chunk in chunks:
            self._emit(chunk)

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
