"""Failures of an interface under load, reproducible by seed."""

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any, NoReturn

import gevent

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

SOCKET_KEY = "simulate.socket"
ANY_CLIENT = ("error 500", "error 503", "half", "delay", "reset")
JSON_CLIENT = (*ANY_CLIENT, "html", "empty")
PAGE = b"<html><body><h1>Maintenance</h1><p>Back soon.</p></body></html>\n"
LONGEST_DELAY = 2.0  # seconds, below the interfaces' time-out


class Faults:
    """Wraps an application so that about ``share`` of its answers fail.

    Logs are never answered with HTML or nothing at status 200: a static web server does not do that, and a client could not
    distinguish such a page from a log that was replaced.
    """

    def __init__(self, application: Application, share: float, seed: int) -> None:
        self._application = application
        self._share = share
        self._random = Random(f"faults {seed}").random

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._random() >= self._share:
            return self._application(environ, start_response)
        kinds = ANY_CLIENT if environ["PATH_INFO"].startswith("/logs/") else JSON_CLIENT
        kind = kinds[int(self._random() * len(kinds))]
        return self._spoil(kind, environ, start_response)

    def _spoil(self, kind: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if kind == "delay":
            gevent.sleep(self._random() * LONGEST_DELAY)
            return self._application(environ, start_response)
        if kind == "half":
            return _half(self._application, environ, start_response)
        if kind == "reset":
            _reset(environ[SOCKET_KEY])
        status, body = {
            "error 500": ("500 Internal Server Error", PAGE),
            "error 503": ("503 Service Unavailable", PAGE),
            "html": ("200 OK", PAGE),
            "empty": ("200 OK", b""),
        }[kind]
        start_response(status, [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
        return [body]


def _half(application: Application, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Announce the whole answer, send the first half of it, and close the connection."""
    length = 0

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        nonlocal length
        length = int(dict(headers)["Content-Length"])
        start_response(status, [*headers, ("Connection", "close")])

    rest: int | None = None
    for piece in application(environ, start):
        if rest is None:
            rest = length // 2
        yield piece[:rest]
        rest -= len(piece[:rest])
        if rest <= 0:
            return


def _reset(connection: socket.socket) -> NoReturn:
    """Reset the connection.

    The server treats the error as the peer's, sends nothing, and closes; lingering for 0 s makes this a reset.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError(errno.ECONNRESET, "reset on purpose")
