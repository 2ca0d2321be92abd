"""How much a client may send, and how much of it may wait in the broker's memory. Beyond that its connection ends.

ZeroMQ bounds a frame, and how many whole messages wait. It bounds neither the frames of a message nor their sum, and nobody
sees a message before its last frame has come. So :class:`Watch` looks at the connections themselves: how many bytes the
kernel received since the last message that arrived whole, and how much memory the process has.
"""

import ctypes
import logging
import os
import socket as sockets
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent
import zmq.green as zmq
from gevent import monkey

from analytics.broker.sockets import Socket
from analytics.broker.wire import MOST_BYTES

logger = logging.getLogger(__name__)

MOST_FRAMES = 40_000
MOST_UNSEEN_BYTES = 6 * MOST_BYTES
"""Four messages that wait, one that arrives, and what the kernel holds."""
MOST_CONNECTIONS = 512
MOST_GROWTH_BYTES = 80 << 20
_TICK_SECONDS = 0.02
_BASE_SECONDS = 60.0
_STALE_SECONDS = 0.5
_GIVE_BACK_SECONDS = 0.5
_BREATH = 1000
"""Frames that nobody wants are deleted in such lots, so that others get their turn."""
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_EVENT = struct.Struct("<HI")
_TCP_INFO_BYTES = 136
_RECEIVED = struct.Struct("<128xQ")
"""``tcpi_bytes_received`` in Linux' ``struct tcp_info``."""

_socket = monkey.get_original("socket", "socket")


@dataclass(slots=True)
class _Connection:
    """``received``, ``seen``: bytes in all, and through the last whole message; of unix sockets nobody counts them."""

    socket: sockets.socket
    address: str
    arrived_at: float
    received: int = 0
    seen: int = 0
    arrived: bool = False
    messages: int = 0

    def look(self) -> None:
        """Read the kernel's counter."""
        if self.socket.family != sockets.AF_UNIX:
            info = self.socket.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _TCP_INFO_BYTES)
            [self.received] = _RECEIVED.unpack(info)
        if self.arrived:
            self.seen, self.arrived, self.arrived_at = self.received, False, time.monotonic()


class Port:
    """One of the broker's sockets and its connections. Messages are taken from it by :meth:`receive`.

    Args:
        most_ever: bytes that a connection may send in its life, where those are few.
        most_messages: messages that a connection may send in its life, where those are few.
        most_unseen: bytes that may come over a connection without a whole message among them.
        keyless: called where a handshake failed.

    Attributes:
        hung_up: how many connections were ended here.
    """

    def __init__(
        self,
        socket: Socket,
        keyless: Callable[[], None],
        most_ever: int | None = None,
        most_messages: int | None = None,
        most_unseen: int = MOST_UNSEEN_BYTES,
    ) -> None:
        self.hung_up = 0
        self.waiting = False
        self._socket = socket
        self._keyless = keyless
        self._most_ever = most_ever
        self._most_messages = most_messages
        self._most_unseen = most_unseen
        self._monitor: Socket = socket.get_monitor_socket(_EVENTS)
        self._connections: dict[int, _Connection] = {}

    def receive(self, most_frames: int) -> "list[zmq.Frame]":
        """Return the next message; of one with more frames, only so many and one more."""
        self.waiting = True
        frame = self._socket.recv(copy=False)
        self.waiting = False
        frames = [frame]
        count = 1
        while frame.more:
            frame = self._socket.recv(copy=False)
            count += 1
            if count <= most_frames + 1:
                frames.append(frame)
            elif count % _BREATH == 0:
                gevent.sleep(0)
        self._note(frame, count if count > most_frames + 1 else 0)
        return frames

    def follow(self) -> None:
        """Follow connections as they come and go, forever."""
        while True:
            event, address = self._monitor.recv_multipart()
            kind, value = _EVENT.unpack(event)
            if kind == zmq.EVENT_ACCEPTED:
                self._add(value, address.decode(errors="replace"))
            elif kind == zmq.EVENT_DISCONNECTED:
                self._forget(value)
            else:
                self._keyless()
            gevent.sleep(0)

    def check(self) -> None:
        """End connections that sent too much."""
        for fd, one in list(self._connections.items()):
            try:
                one.look()
            except OSError:
                continue  # it has just ended
            if (unseen := one.received - one.seen) > self._most_unseen:
                self._hang_up(fd, f"it sent {unseen >> 20} MB that are no whole message")
            elif self._most_ever is not None and one.received > self._most_ever:
                self._hang_up(fd, f"it sent {one.received} bytes, expected {self._most_ever} at most")

    def relieve(self) -> None:
        """End those connections from which something other than whole messages comes, as far as that can be known.

        Those over unix sockets stay: nobody counts their bytes, and only the suite's user reaches them.
        """
        now = time.monotonic()
        for fd, one in list(self._connections.items()):
            if (
                one.socket.family != sockets.AF_UNIX
                and now - one.arrived_at > _STALE_SECONDS
                and (one.received > one.seen or not one.received)
            ):
                self._hang_up(fd, "memory runs short, and its last whole message was a while ago")

    def close(self) -> None:
        """Close all connections, and what watches them."""
        for fd in list(self._connections):
            self._forget(fd)
        self._socket.disable_monitor()
        self._monitor.close()

    def _note(self, frame: "zmq.Frame", too_many: int) -> None:
        try:
            fd = int(frame.get("__fd"))
        except (zmq.ZMQError, ValueError, TypeError):
            return
        if (one := self._connections.get(fd)) is None:
            return
        one.arrived = True
        one.messages += 1
        if too_many:
            self._hang_up(fd, f"it sent a message of {too_many} frames")
        elif self._most_messages is not None and one.messages > self._most_messages:
            self._hang_up(fd, f"it sent {one.messages} messages, expected {self._most_messages} at most")

    def _add(self, fd: int, address: str) -> None:
        self._forget(fd)
        try:
            mine = _socket(fileno=os.dup(fd))
        except OSError:
            return  # it has just ended
        self._connections[fd] = _Connection(mine, address, time.monotonic())
        if len(self._connections) > MOST_CONNECTIONS:
            self._hang_up(fd, f"there are {MOST_CONNECTIONS} others")

    def _hang_up(self, fd: int, why: str) -> None:
        one = self._connections[fd]
        try:
            peer = one.socket.getpeername() or "a process of this host"
            # When ZeroMQ closes it, too, the other end is reset, and does not wait for room to send more.
            one.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
            one.socket.shutdown(sockets.SHUT_RDWR)
        except OSError:
            peer = "one that has just ended"
        self._forget(fd)
        self.hung_up += 1
        if self.hung_up & (self.hung_up - 1) == 0:
            logger.warning("%s: hung up on %s (%d times so far): %s", one.address, peer, self.hung_up, why)

    def _forget(self, fd: int) -> None:
        if (one := self._connections.pop(fd, None)) is not None:
            one.socket.close()


class Watch:
    """Looks at all ports, often enough that no client can fill the memory in between."""

    def __init__(self, *ports: Port) -> None:
        self._ports = ports
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._base, self._based_at = self._memory(), time.monotonic()

    @property
    def hung_up(self) -> int:
        """How many connections were ended."""
        return sum(port.hung_up for port in self._ports)

    def loops(self) -> Iterator[Callable[[], None]]:
        """Yield what is to run forever, each in a greenlet of its own."""
        yield from (port.follow for port in self._ports)
        yield self._run

    def close(self) -> None:
        """Let go of all connections."""
        for port in self._ports:
            port.close()
        os.close(self._statm)

    def _run(self) -> None:
        before = self.hung_up
        while True:
            gevent.sleep(_TICK_SECONDS)
            for port in self._ports:
                port.check()
            self._check_memory()
            if self.hung_up != before:
                before = self.hung_up
                gevent.spawn_later(_GIVE_BACK_SECONDS, _give_back)

    def _check_memory(self) -> None:
        """Where memory has grown although every message that arrived is dealt with, messages without end are what takes it."""
        memory, now = self._memory(), time.monotonic()
        if memory < self._base or now - self._based_at > _BASE_SECONDS:
            self._base, self._based_at = memory, now
        elif memory - self._base > MOST_GROWTH_BYTES and all(port.waiting for port in self._ports):
            for port in self._ports:
                port.relieve()

    def _memory(self) -> int:
        return int(os.pread(self._statm, 64, 0).split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _give_back() -> None:
    """Return free memory to the system, which glibc would keep."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
