"""The HTTP server: it limits connections, and the time that a request, an answer or silence may take."""

import io
import logging
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent
from gevent.pywsgi import Input, WSGIHandler, WSGIServer

from analytics.broker.limits import is_logged
from analytics.config.addresses import network

AT_ONCE, OF_ONE_ADDRESS = 400, 100
"""Connections in total, and of one address (of IPv6: one /64 network)."""
LARGEST_REQUEST = 64 * 1024
"""Bytes of a body: forms and entries are small."""

REQUEST_SECONDS = 20.0
"""The limit for receiving a whole request, for a TLS handshake, and for an idle connection."""
SILENT_SECONDS = 60.0
"""The limit for a client that reads nothing of an answer."""
ANSWER_SECONDS = 900.0
"""The limit for sending a whole answer."""

_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-length: 0\r\n\r\n"

log = logging.getLogger(__name__)


class _Late(gevent.Timeout):
    """The client was too slow."""


class RequestHandler(WSGIHandler):
    """Answers the requests of one connection."""

    def handle_one_request(self) -> Any:
        """Take a request and answer it. Return None where the connection ends."""
        self._deadline = _Late.start_new(REQUEST_SECONDS)
        try:
            return super().handle_one_request()
        except _Late:
            return None
        finally:
            self._deadline.close()

    def read_request(self, raw_requestline: str) -> Any:
        """Read line and headers of a request. Raise ValueError if its URL is neither ASCII nor UTF-8, as no page could read its query."""
        found = super().read_request(raw_requestline)
        me: Any = self
        me.path.encode("latin-1").decode()
        return found

    def handle_one_response(self) -> None:
        """Take the rest of the request, its body, then answer."""
        try:
            self._take_body()
        except OSError:  # it broke off, or is not what its headers say
            self.close_connection = True
            me: Any = self
            me._send_error_response_if_possible(400)
            return
        self._deadline.close()
        self._deadline = _Late.start_new(ANSWER_SECONDS)
        super().handle_one_response()

    def handle_error(self, t: Any, v: Any, tb: Any) -> None:
        """Log what went wrong in an answer; one that was not taken in time just ends."""
        self.close_connection = True
        if not isinstance(v, _Late):
            super().handle_error(t, v, tb)

    def _handle_client_error(self, error: Exception) -> tuple[str, bytes]:
        """Answer what is no HTTP. It is logged at growing intervals: a stranger could push everything else out of the log."""
        me: Any = self
        me.server.malformed += 1
        if is_logged(me.server.malformed):
            log.info(
                "no valid request from %s (%d so far): %s", me.client_address, me.server.malformed, error
            )
        return "400", _BAD_REQUEST

    def _take_body(self) -> None:
        """Read the body into memory. One that is too large is left unread, which the application refuses by its size."""
        environ: Any = self.environ
        unread: Any = self.wsgi_input
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = unread.read(LARGEST_REQUEST + 1) if length <= LARGEST_REQUEST else b""
        if length > LARGEST_REQUEST or len(body) > LARGEST_REQUEST:
            self.close_connection = True
        self.wsgi_input = environ["wsgi.input"] = Input(io.BufferedReader(io.BytesIO(body)), len(body))


class LimitedServer(WSGIServer):
    """A WSGI server with ``at_once`` connections at most.

    Args:
        exempt: whether an address may have all of them, as a proxy does.

    Attributes:
        malformed: how many requests were no HTTP.
    """

    handler_class = RequestHandler

    def __init__(
        self,
        address: tuple[str, int],
        application: Any,
        at_once: int = AT_ONCE,
        exempt: Callable[[str], bool] = lambda address: False,
        **options: Any,
    ) -> None:
        super().__init__(address, application, spawn=at_once, log=None, error_log=log, **options)
        self.malformed = 0
        self._exempt = exempt
        self._connections: Counter[str] = Counter()

    def do_handle(self, client: Any, address: Any) -> None:
        """Accept a connection, unless its address has too many."""
        whom = network(address[0])
        if self._connections[whom] >= OF_ONE_ADDRESS and not self._exempt(address[0]):
            log.info("%s has %d connections: another one is refused", whom, OF_ONE_ADDRESS)
            client.close()
            return
        # Headers and body are two writes: the second would wait until the first was acknowledged, 40 ms.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(SILENT_SECONDS)
        self._connections[whom] += 1
        super().do_handle(client, address)

    def do_close(self, client: Any, address: Any) -> None:
        """Release the place of a connection."""
        whom = network(address[0])
        self._connections[whom] -= 1
        if not self._connections[whom]:
            del self._connections[whom]
        super().do_close(client, address)

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """Do the TLS handshake, then answer. A client that speaks plain HTTP, or nothing, is disconnected."""
        late = TimeoutError(f"not within {REQUEST_SECONDS:g} s")
        me: Any = self
        try:
            with gevent.Timeout(REQUEST_SECONDS, late):
                secured = me.wrap_socket(client_socket, **me.ssl_args)
        except OSError as error:
            log.info("no TLS with %s: %s", address[0], error)
            return None
        with secured:
            return self.handle(secured, address)
