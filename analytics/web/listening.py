"""The HTTP server of the dashboard: answers leave at once, and nobody holds one of its places by being silent."""

import logging
import socket
from typing import Any

from gevent.pywsgi import WSGIServer

AT_ONCE = 200
SILENT_SECONDS = 60.0
"""For so long a connection may wait for the other side: for TLS, a request, or that an answer is taken."""

log = logging.getLogger(__name__)


class Server(WSGIServer):
    """A WSGI server that has ``AT_ONCE`` places."""

    def __init__(self, address: tuple[str, int], application: Any, **options: Any) -> None:
        super().__init__(address, application, spawn=AT_ONCE, log=None, error_log=log, **options)

    def do_handle(self, client: Any, address: Any) -> None:
        """Take a connection."""
        # Headers and body are two writes: the second would wait until the first was acknowledged, 40 ms.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(SILENT_SECONDS)
        super().do_handle(client, address)

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """Agree on TLS, then answer. Who speaks plain HTTP, or nothing, is cut off."""
        try:
            return super().wrap_socket_and_handle(client_socket, address)
        except OSError as error:
            log.info("no TLS with %s: %s", address[0], error)
            return None
