"""ZeroMQ sockets as the broker and its clients use them: green, bounded, and closed without lingering."""

from typing import Any, TypeAlias

import zmq.green as zmq

from analytics.errors import Unavailable

Socket: TypeAlias = "zmq.Socket[Any]"


def new_socket(kind: int, **options: int | bytes) -> Socket:
    """Return a socket with ZeroMQ options given by their names (``SNDHWM=8``)."""
    context: zmq.Context[Any] = zmq.Context.instance()
    socket: Socket = context.socket(kind)
    socket.set(zmq.LINGER, 0)
    for name, value in options.items():
        socket.set(getattr(zmq, name), value)
    return socket


def bind(socket: Socket, address: str) -> None:
    """Bind a socket. Raise Unavailable, naming the address, if that can't be done."""
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise Unavailable(
            f"can't listen on {address}: {error}. Does another broker run? Its host and ports are keys of [broker]"
        ) from error


def bound_port(socket: Socket) -> int:
    """Return the TCP port that a socket is bound to."""
    endpoint = socket.get(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    return int(endpoint.rstrip(b"\0").rpartition(b":")[2])
