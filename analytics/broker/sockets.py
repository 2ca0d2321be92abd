"""ZeroMQ sockets of the broker and its clients: green, bounded, and closed without lingering."""

from typing import Any, TypeAlias

import zmq.green as zmq

from analytics.config import BrokerSection
from analytics.errors import Unavailable

Socket: TypeAlias = "zmq.Socket[Any]"

HANDSHAKE_MS = 5000  # a refused client is disconnected after this, and tries again
_PAUSES = 3  # until the first probe, and between the next ones
_CONNECT_MS = 3000  # the kernel would retry a silent host for two minutes, with growing intervals


def new_socket(kind: int, **options: int | bytes) -> Socket:
    """Return a socket with ZeroMQ options given by their names (``SNDHWM=8``)."""
    context: zmq.Context[Any] = zmq.Context.instance()
    socket: Socket = context.socket(kind)
    socket.set(zmq.LINGER, 0)
    for name, value in options.items():
        set_option(socket, name, value)
    return socket


def set_option(socket: Socket, name: str, value: int | bytes) -> None:
    """Set a ZeroMQ option given by its name. It applies to later binds and connects."""
    socket.set(getattr(zmq, name), value)


def patience(broker: BrokerSection) -> dict[str, int | bytes]:
    """Return the options of a socket that detects a vanished peer and reconnects.

    By default, TCP would notice after a quarter of an hour if there is data to send, and otherwise never. The kernels probe
    each other at intervals of whole seconds. ZeroMQ's own heartbeat would abort a process that has not read for a while when
    the peer is gone (libzmq 4.3.5: its timer writes to an abandoned connection).
    """
    pause = max(1, round(broker.silence_seconds / _PAUSES))
    return {
        "TCP_KEEPALIVE": 1,
        "TCP_KEEPALIVE_IDLE": pause,
        "TCP_KEEPALIVE_INTVL": pause,
        "TCP_KEEPALIVE_CNT": _PAUSES - 1,
        "TCP_MAXRT": int(broker.silence_seconds * 1000),  # sent data may stay unacknowledged for this long
        "CONNECT_TIMEOUT": _CONNECT_MS,
        "HANDSHAKE_IVL": HANDSHAKE_MS,
    }


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
