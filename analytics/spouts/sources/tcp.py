"""Game logs that come in over TCP, one record a line."""

import logging
import socket as sockets
import time
from collections.abc import Iterator

from gevent.server import StreamServer
from gevent.socket import socket
from gevent.socket import timeout as SocketTimeout

from analytics.config import Source
from analytics.spouts.sources.log_source import LogSource, SourceContext
from analytics.spouts.sources.stream import BLOCK
from analytics.spouts.sources.unrepeatable import Unrepeatable

logger = logging.getLogger(__name__)

_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 20,  # seconds of silence until the sender's host is asked whether it is there
    "TCP_KEEPINTVL": 10,  # seconds from one question to the next
    "TCP_KEEPCNT": 3,  # unanswered ones until it is given up: 50 s in all
}


class TcpSource(LogSource):
    """Listens, and journals lines before anything else.

    TCP does not report to a sender which lines were handled: lines that the spout has not journaled when it dies are
    gone, unless the sender sends them again (under other names then).
    """

    def __init__(self, source: Source, given: SourceContext) -> None:
        self._source = source
        self._section = given.section
        self._lines = Unrepeatable(source, given.section, given.emit)
        self._server = StreamServer((source.host, source.port), self._serve)

    def start(self) -> None:
        """Listen. Raise OSError where the address can't be had."""
        self._server.start()
        self.port = int(self._server.server_port or 0)

    def run(self) -> None:
        self._server.serve_forever()

    def close(self) -> None:
        self._server.stop(timeout=1)

    def _serve(self, connection: "socket", _address: object) -> None:
        _keep_alive(connection)
        self._lines.take(self._received(connection))

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
