"""Connections that send frames of all kinds, most of them malformed, to a broker's three ports, as bytes of ZMTP 3.

A client of libzmq would neither send half a frame nor an endless message, so they are written to TCP as they are.
"""

import json
import random
import socket
import struct
from collections.abc import Callable
from typing import Any

import gevent

PORTS = ("receiver", "sender", "refill")
MORE, LARGE, COMMAND = 1, 2, 4
BLOCK_MESSAGES = 64
MOST_BLOCKS = 12
TINY_FRAMES = 20_000
"""So many frames of a message without end stand in a block."""
SECONDS = 10.0
MB = bytes(1 << 20)
SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
GREETING = SIGNATURE + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
GREETINGS = [
    *(SIGNATURE, SIGNATURE + b"\x01\x05", SIGNATURE + b"\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32), bytes(64)),
    *(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\xff" * 4096, b"\x01\x00" * 64, GREETING[:40], b""),
]  # fmt: skip
SCRAPS = [
    *(b"", b"\0", b"batch", b"ack", b"-1", b"9" * 400, b"{}", b"[]", b"null", b"\xff\xfe", b"x" * 300),
    *(b"[" * 2000, b'{"source":' * 300, b"1e400", b"NaN", b"\x01", b"\x00topic", b"heartbeat\0"),
]  # fmt: skip
LARGE_SCRAPS = [MB, 3 * MB, b"[" * (1 << 20), b'{"a":' * (1 << 18)]
LARGE_SHARE = 0.01
"""Of scraps and requests that are large. More of them would leave time for little else."""
UNREAD_SHARE, UNREAD_SECONDS = 0.05, 1.0
"""The share of connections that do not read what they asked for, and how long these stay open."""
NUMBERS: list[Any] = [
    *(-1, 0, 1, 2, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, 0.5),
    *(None, "1", [], [[1, 1]], True, {}),
]
REQUESTS: list[dict[str, object]] = [
    {"type": "state"},
    {"type": "read", "after": {"a": 0}, "max_bytes": 1000},
    {"type": "read", "after": {"a": 2**63}, "max_bytes": 2**62},
    {"type": "join", "bolts": ["loginday", "x" * 500]},
    {"type": "join", "bolts": ["server"], "session": "0" * 32},
    {"type": "leave", "session": "0" * 32},
    {
        "type": "report",
        "bolt": "loginday",
        "log": "0" * 16,
        "positions": {"a": [9, 9, 9]},
        "session": "0" * 32,
    },
    {"type": "report", "bolt": "server", "log": "", "positions": {"a": [2**62, 1, 1]}, "again": True},
    {"type": "unknown", "source": "real", "ns": [[1, 2**62]]},
    {"type": "unknown", "source": "", "ns": [[5, 1], [1, 1]]},
]
LARGE_REQUESTS: list[dict[str, object]] = [
    {"type": "read", "after": {"a": 0}, "max_bytes": 2**62},
    {"type": "unknown", "source": "many", "ns": [[n, n] for n in range(0, 100_000, 2)]},
]


def frame(data: bytes, flags: int = 0) -> bytes:
    """Return a frame as it travels."""
    if len(data) < 256:
        return bytes([flags, len(data)]) + data
    return bytes([flags | LARGE]) + struct.pack(">Q", len(data)) + data


class Frames:
    """Draws what hostile clients send. ``source`` is one that an honest publisher uses."""

    def __init__(self, draw: random.Random, source: str) -> None:
        self._draw = draw
        self._source = source

    def block(self, port: str) -> tuple[bytes, int]:
        """Return some messages to a port, which may end within a frame, and how many frames they have."""
        draw = self._draw
        if draw.random() < 0.005:
            return frame(b"x" * draw.randrange(3), MORE) * TINY_FRAMES, TINY_FRAMES
        some = [self._message(port) for _ in range(8)]
        chosen = [draw.choice(some) for _ in range(draw.randint(1, BLOCK_MESSAGES))]
        text = b"".join([one for one, _ in chosen])
        if draw.random() < 0.2:
            text = self._damaged(text)
        return text, sum(count for _, count in chosen)

    def greeting(self, port: str) -> bytes:
        """Return how a connection begins: mostly as a client of this port does."""
        draw = self._draw
        if draw.random() < 0.1:
            return draw.choice(GREETINGS)
        kind = draw.choice([b"SUB", b"XSUB"] if port == "sender" else [b"DEALER", b"REQ"])
        if draw.random() < 0.05:
            kind = draw.choice([b"PUB", b"ROUTER", b"PAIR", b"STREAM", b"x" * 200])
        body = b"\5READY" + _property(b"Socket-Type", kind)
        if draw.random() < 0.3:
            body += _property(b"Identity", draw.choice([b"", b"a", b"\0" * 5, b"x" * 255, b"x" * 3000]))
        return GREETING + frame(body, COMMAND)

    def _message(self, port: str) -> tuple[bytes, int]:
        draw = self._draw
        frames = {"receiver": self._batch, "sender": self._subscription, "refill": self._request}[port]()
        for _ in range(draw.choice([0, 1, 1, 1, 2])):
            frames = _changed(draw, frames)
        wire = b"".join([frame(one, MORE if at < len(frames) else 0) for at, one in enumerate(frames, 1)])
        if draw.random() < 0.05:
            # No PING: libzmq 4.3.5 aborts where one waits behind unread messages of a connection that ends.
            name = draw.choice([b"PONG", b"SUBSCRIBE", b"CANCEL", b"READY", b"ERROR", b"JOIN", b""])
            wire = frame(bytes([len(name)]) + name + draw.choice([b"", b"\0\0", b"x" * 300]), COMMAND) + wire
        return wire, len(frames)

    def _batch(self) -> list[bytes]:
        """Return a batch, whose header claims what the batch does not hold wherever it names the honest source."""
        draw, count = self._draw, self._draw.randint(1, 5)
        # Beyond what the honest one sends: a damage may make this one right.
        first = 10**12 + draw.randint(1, 10**6)
        source = draw.choice([self._source, "forged", f"forged{first}"])
        lines = [b'{"id":"%b:%d","x":1}' % (source.encode(), first + n) for n in range(count)]
        header: dict[str, Any] = {
            "source": source,
            "ns": [[first, first + count - 1]],
            "parts": [["a", count, count]],
        }
        if source == self._source:
            header["ns"] = draw.choice(
                [[[first, first + count]], [[first + 10, first + 9 + count]], [[1, 2**62]]]
            )
        elif draw.random() < 0.4:
            header[draw.choice(["source", "ns", "parts", "rejected"])] = draw.choice(NUMBERS)
        publisher = b"hostile-publisher-%d" % draw.randrange(10)
        number = b"%d" % draw.randint(-1, 50)
        return [b"batch", number, publisher, json.dumps(header).encode(), b"\n".join(lines)]

    def _subscription(self) -> list[bytes]:
        topic = self._draw.choice(
            [b"a\0", b"", b"topic%d\0" % self._draw.randrange(10**6), b"x" * 299, b"\xff"]
        )
        return [bytes([self._draw.choice([0, 1, 1, 1, 2, 255])]) + topic]

    def _request(self) -> list[bytes]:
        request = dict(self._draw.choice(LARGE_REQUESTS if self._draw.random() < LARGE_SHARE else REQUESTS))
        if self._draw.random() < 0.3:
            request[self._draw.choice(list(request))] = self._draw.choice(NUMBERS)
        return [b"%d" % self._draw.randrange(9), json.dumps(request).encode()]

    def _damaged(self, text: bytes) -> bytes:
        """Return text cut short, with other bits, or before a frame of an impossible length."""
        at = self._draw.randrange(len(text))
        length = struct.pack(">Q", self._draw.choice([2**63, 2**64 - 1, 2**40, 17 << 20, 0]))
        bits = bytes([text[at] ^ 1 << self._draw.randrange(8)])
        return self._draw.choice(
            [text[:at], text[:at] + bits + text[at + 1 :], text + b"\x02" + length, text + b"\xf8\x00"]
        )


def connect(port: int, greeting: bytes) -> socket.socket:
    """Return a connection that has begun so. What the other side says is read only as far as a client waits for it."""
    client = socket.create_connection(("127.0.0.1", port), SECONDS)
    try:
        client.sendall(greeting)
        if greeting.startswith(GREETING):
            client.settimeout(1.0)
            client.recv(4096)  # frames that come before it is ready would be taken for parts of the handshake
        client.settimeout(SECONDS)
    except BaseException:
        client.close()
        raise
    return client


def attack(port: str, number: int, frames: Frames, draw: random.Random, sent: Callable[[int], None]) -> None:
    """Send blocks over one connection until it ends or there are enough; then close it, in order or not."""
    try:
        with connect(number, frames.greeting(port)) as client:
            for _ in range(draw.randint(1, MOST_BLOCKS)):
                text, count = frames.block(port)
                client.sendall(text)
                sent(count)
            if draw.random() < UNREAD_SHARE:
                gevent.sleep(UNREAD_SECONDS)
            if draw.random() < 0.5:  # reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        return  # the broker ended it


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def _changed(draw: random.Random, frames: list[bytes]) -> list[bytes]:
    """Return the frames in another order, or with another one, several or none in place of one of them."""
    if draw.random() < SWAPPED_SHARE:
        return draw.sample(frames, len(frames))
    at = draw.randrange(len(frames))
    return [*frames[:at], *draw.choice(CHANGES)(draw, frames[at]), *frames[at + 1 :]] or [b""]


def _scrap(draw: random.Random) -> bytes:
    return draw.choice(LARGE_SCRAPS if draw.random() < LARGE_SHARE else SCRAPS)


def _flipped(draw: random.Random, frame: bytes) -> bytes:
    one = bytearray(frame or b"\0")
    one[draw.randrange(len(one))] ^= 1 << draw.randrange(8)
    return bytes(one)


SWAPPED_SHARE = 1 / 7
CHANGES: list[Callable[[random.Random, bytes], list[bytes]]] = [
    lambda draw, one: [],
    lambda draw, one: [one] * draw.choice([2, 2, 3, 300]),
    lambda draw, one: [_scrap(draw)],
    lambda draw, one: [_flipped(draw, one)],
    lambda draw, one: [one[: draw.randrange(len(one) + 1)]],
    lambda draw, one: [one + _scrap(draw)],
]
"""What comes in place of a frame."""
