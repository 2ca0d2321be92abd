"""Game logs that come in over TCP, one record a line.

All connections together are one record source from start to stop, and their ends are not reported: senders may
connect for each record, for years.
"""

import dataclasses
import logging
import secrets
import socket as sockets
import time
from collections.abc import Iterator

from gevent.server import StreamServer
from gevent.socket import socket
from gevent.socket import timeout as SocketTimeout

from analytics.config import GamelogSection, Source
from analytics.spouts.positions import Position
from analytics.spouts.sources.stream import BLOCK, Chunk, Emit, Stream

logger = logging.getLogger(__name__)

_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 20,  # seconds of silence until the sender's host is asked whether it is there
    "TCP_KEEPINTVL": 10,  # seconds from one question to the next
    "TCP_KEEPCNT": 3,  # unanswered ones until it is given up: 50 s in all
}


class TcpSource:
    """Listens, and journals lines before anything else.

    TCP does not report to a sender which lines were handled: lines that the spout has not journaled when it dies are
    gone, unless the sender sends them again (under other names then).
    """

    def __init__(self, source: Source, section: GamelogSection, emit: Emit) -> None:
        self._source = source
        self._section = section
        self._emit = emit
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
        _keep_alive(connection)
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
                # One sender's end, perhaps of its host: the others send on, and it may come again.
                logger.warning("source %s: a sender's connection ended: %s", self._source.name, error)
                yield b"".join(gathered)
                return
            yield b"".join(gathered)


def _keep_alive(connection: "socket") -> None:
    """Have the kernel end a connection whose other host has vanished, which sends nothing to say so."""
    connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(sockets, name):  # not on every system
            connection.setsockopt(sockets.IPPROTO_TCP, getattr(sockets, name), value)
