"""Limits on what a client may send and on the memory it may take. The broker closes connections that exceed them.

ZeroMQ bounds the size of a frame and the number of complete messages that wait. It bounds neither the frames of a message nor
their sum, and a message is visible only when its last frame has arrived. Nor does it bound the bytes of messages that wait for
a client to read them. So :class:`Watch` checks the connections themselves: the bytes that ZeroMQ has read since the last complete
message, whether the client reads what was sent to it, and the allocated memory.
"""

import contextlib
import fcntl
import logging
import math
import os
import resource
import socket as sockets
import struct
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter

import gevent
import zmq.green as zmq
from gevent import monkey

from analytics.broker.memory import allocated, give_back
from analytics.broker.sockets import Socket
from analytics.broker.wire import MOST_BYTES
from analytics.config.addresses import network

logger = logging.getLogger(__name__)

MOST_FRAMES = 40_000  # of a message; a batch has one frame a topic
MOST_UNSEEN_BYTES = 6 * MOST_BYTES
"""Four waiting messages, one that arrives, and the kernel's buffers."""
MOST_CONNECTIONS, MOST_OF_ONE_ADDRESS = 512, 128
"""Connections over TCP to one port, in total and of one address (of IPv6: one /64 network)."""
MOST_GROWTH_BYTES = 48 << 20
"""The most growth of allocated memory while a message is unfinished and all complete ones are read."""
MOST_BUSY_GROWTH_BYTES = 110 << 20
_FILES_OF_A_CONNECTION, _OTHER_FILES = 6, 256
"""One of ZeroMQ and one here, at three ports. Where a process may open fewer files, it has fewer connections: ZeroMQ would abort."""
_AMPLIFIED = 2
"""Memory may grow by this factor of the bytes of unfinished messages."""
_MOST_AMPLIFIED = 40
"""An empty frame has two bytes and takes 64 bytes of memory."""
_MOST_UNREAD_GROWTH_BYTES = 64 << 20
"""The most growth of allocated memory while a client does not read what was sent to it."""
_STUCK_SECONDS = (
    0.25  # without reading _PROGRESS_BYTES, after which a client counts as one that does not read
)
_PROGRESS_BYTES = 256 << 10
_LOCAL_MESSAGES = 6
"""Complete messages of a client over a unix socket that are in memory at once: four wait, one arrives, one is committed."""
_LOCAL_SECONDS = 2.0  # after a client's last message, until which more of them may wait
_HANDSHAKE_BYTES = 2048
"""More than what precedes a connection's first message."""
_BUSY_SECONDS, _IDLE_SECONDS = 0.02, 0.1
"""The interval of checks while data arrives, and otherwise."""
_FREED_SECONDS = 2.0
"""After connections were closed, until which their memory may still be allocated on a slow machine, and is no one else's."""
_TURN_SECONDS = 0.02
"""After so long, reading messages waits for the loop's timers: `gevent.sleep(0)` alone may keep them waiting for fifty messages."""
_GIVE_BACK_SECONDS = 0.5  # after which memory of closed connections is free
_BREATH = 1000
"""Unwanted frames are freed in groups of this size, so that other greenlets can run."""
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_EVENT = struct.Struct("<HI")
_COUNT = struct.Struct("i")
_INFO = struct.Struct("<120xQQ8xI")
"""``tcpi_bytes_acked``, ``tcpi_bytes_received`` and ``tcpi_notsent_bytes`` in Linux' ``struct tcp_info``."""

_MOST_DISCARDED = 16 << 20  # of a closed connection's buffered bytes
_discarded = bytearray(1 << 16)
_socket = monkey.get_original("socket", "socket")


def _host_of(socket: sockets.socket) -> str:
    if socket.family == sockets.AF_UNIX:
        return ""
    try:
        return network(socket.getpeername()[0])
    except OSError:
        return "?"  # it has just ended


def is_logged(count: int) -> bool:
    """Return whether the ``count``-th event of a kind is logged: growing intervals keep clients from filling the disk."""
    return count & (count - 1) == 0


@dataclass(slots=True)
class _Connection:
    """A client. ``host``: its address, "" over a unix socket.

    ``taken``, ``seen``: all bytes that ZeroMQ has read, and those through the last complete message; 0 for unix sockets.
    ``size``, ``at``: of its last message, in bytes and seconds.
    ``unsent``: bytes that wait in the kernel until it reads what was sent before.
    ``read``, ``read_at``: how many bytes it had acknowledged when it last made progress in reading, and when that was.
    """

    socket: sockets.socket
    address: str
    host: str
    taken: int = 0
    seen: int = 0
    messages: int = 0
    size: int = 0
    at: float = 0.0
    unsent: int = 0
    read: int = 0
    read_at: float = 0.0

    @property
    def unseen(self) -> int:
        """Bytes since the last complete message."""
        return self.taken - self.seen

    def refresh(self) -> bool:
        """Read the kernel's counters; return whether any data arrived. Raise OSError if the connection has ended."""
        before = self.taken
        if self.socket.family == sockets.AF_UNIX:
            self.unsent, acked = self._count(termios.TIOCOUTQ), 0
        else:
            acked, received, self.unsent = _INFO.unpack(
                self.socket.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _INFO.size)
            )
            if received != before:
                # Bytes that arrived in between are unread, but not in the first number.
                self.taken = max(before, received - self._count(termios.FIONREAD))
        if not self.unsent or acked - self.read >= _PROGRESS_BYTES:
            self.read, self.read_at = acked, time.monotonic()
        return self.taken != before

    def _count(self, kind: int) -> int:
        [count] = _COUNT.unpack(fcntl.ioctl(self.socket, kind, bytes(_COUNT.size)))
        return int(count)


class Port:
    """One of the broker's sockets and its connections. Messages are taken from it by :meth:`receive`.

    Args:
        most_ever: the most bytes that a connection may send in its life, for clients that send little.
        most_messages: the most messages that it may send in its life.
        most_unseen: the most bytes that a connection may send without completing a message.
        keyless: called when a handshake has failed.

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
        self._turn_ends = 0.0
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = (files - _OTHER_FILES) // _FILES_OF_A_CONNECTION
        self._most_connections = (
            MOST_CONNECTIONS if files == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, most)
        )
        self._monitor: Socket = socket.get_monitor_socket(_EVENTS)
        self._connections: dict[int, _Connection] = {}

    def receive(self, most_frames: int) -> "list[zmq.Frame]":
        """Return the next message, truncated to ``most_frames`` + 1 frames."""
        if time.monotonic() > self._turn_ends:
            hub = gevent.get_hub()
            hub.wait(hub.loop.timer(0))
            self._turn_ends = time.monotonic() + _TURN_SECONDS
        self.waiting = True
        frame = self._socket.recv(copy=False)
        self.waiting = False
        frames = [frame]
        count, size = 1, len(frame)
        while frame.more:
            frame = self._socket.recv(copy=False)
            count += 1
            size += len(frame)
            if count <= most_frames + 1:
                frames.append(frame)
            elif count % _BREATH == 0:
                gevent.sleep(0)
        self._note(frame, size, count if count > most_frames + 1 else 0)
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

    def check(self) -> bool:
        """Close connections that sent too much; return whether any data arrived."""
        came = False
        for fd, one in list(self._connections.items()):
            try:
                came |= one.refresh()
            except OSError:
                continue  # it has just ended
            if one.unseen > self._most_unseen:
                self.disconnect(fd, f"it sent {one.unseen >> 20} MB without completing a message")
            elif self._most_ever is not None and one.taken > self._most_ever:
                self.disconnect(fd, f"it sent {one.taken} bytes, expected at most {self._most_ever}")
        return came

    def unfinished(self) -> list[tuple[int, int]]:
        """Return connections within a message, and how many bytes each sent of it.

        None over a unix socket: they have no counters, and only the suite's user can reach them.
        """
        return [(fd, one.unseen) for fd, one in self._connections.items() if one.unseen > _HANDSHAKE_BYTES]

    def unread(self) -> list[tuple[float, int]]:
        """Return connections to which bytes wait to be sent, each with the time when its client last made progress in reading."""
        return [(one.read_at, fd) for fd, one in self._connections.items() if one.unsent]

    def local_bytes(self) -> int:
        """Return how many bytes complete messages that came over unix sockets may take: no other client is to blame for them."""
        since = time.monotonic() - _LOCAL_SECONDS
        return _LOCAL_MESSAGES * sum(
            one.size
            for one in self._connections.values()
            if one.at > since and one.socket.family == sockets.AF_UNIX
        )

    def disconnect(self, fd: int, why: str) -> None:
        """Close a connection, and discard what the kernel has buffered, which ZeroMQ would still read."""
        one = self._connections[fd]
        try:
            peer = one.socket.getpeername() or "a process of this host"
            # When ZeroMQ closes it as well, the peer gets a reset and stops waiting to send.
            one.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
            one.socket.shutdown(sockets.SHUT_RDWR)
            for _ in range(_MOST_DISCARDED // len(_discarded)):
                if not one.socket.recv_into(_discarded, 0, sockets.MSG_TRUNC):
                    break
        except BlockingIOError:
            pass
        except OSError:
            peer = "one that has just ended"
        self._forget(fd)
        self.hung_up += 1
        if is_logged(self.hung_up):
            logger.warning("%s: disconnected %s (%d times so far): %s", one.address, peer, self.hung_up, why)

    def close(self) -> None:
        """Close all connections, and what watches them."""
        for fd in list(self._connections):
            self._forget(fd)
        self._socket.disable_monitor()
        self._monitor.close()

    def _note(self, frame: "zmq.Frame", size: int, too_many: int) -> None:
        try:
            fd = int(frame.get("__fd"))
        except (zmq.ZMQError, ValueError, TypeError):
            return
        if (one := self._connections.get(fd)) is None:
            return
        with contextlib.suppress(OSError):  # it has just ended
            one.refresh()
        one.seen = one.taken
        one.messages += 1
        one.size, one.at = size, time.monotonic()
        if too_many:
            self.disconnect(fd, f"it sent a message of {too_many} frames")
        elif self._most_messages is not None and one.messages > self._most_messages:
            self.disconnect(fd, f"it sent {one.messages} messages, expected at most {self._most_messages}")

    def _add(self, fd: int, address: str) -> None:
        self._forget(fd)
        try:
            mine = _socket(fileno=os.dup(fd))
        except OSError:
            return  # it has just ended
        host = _host_of(mine)
        self._connections[fd] = _Connection(mine, address, host)
        hosts = [one.host for one in self._connections.values() if one.host] if host else []
        if hosts.count(host) > MOST_OF_ONE_ADDRESS:
            self.disconnect(fd, f"its address has {MOST_OF_ONE_ADDRESS} others")
        elif len(hosts) > self._most_connections:
            self.disconnect(fd, f"there are {self._most_connections} others")

    def _forget(self, fd: int) -> None:
        if (one := self._connections.pop(fd, None)) is not None:
            one.socket.close()


class Watch:
    """Looks at all ports, often enough that no client can fill the memory in between.

    ``crowded``: whether what clients do not read fills the memory, so that nothing large is to be sent now.
    """

    def __init__(self, *ports: Port) -> None:
        self.crowded = False
        self._ports = ports
        self._base = self._all_read = allocated()
        self._closed = -math.inf

    @property
    def hung_up(self) -> int:
        """How many connections were ended."""
        return sum(port.hung_up for port in self._ports)

    def loops(self) -> Iterator[Callable[[], None]]:
        """Yield functions that run forever, each in its own greenlet."""
        yield from (port.follow for port in self._ports)
        yield self._run

    def close(self) -> None:
        for port in self._ports:
            port.close()

    def _run(self) -> None:
        before, busy = self.hung_up, False
        while True:
            gevent.sleep(_BUSY_SECONDS if busy else _IDLE_SECONDS)
            memory = allocated()
            came = [port.check() for port in self._ports]
            busy = any(came)
            self._check_unread(memory)
            self._check_memory(memory)
            if self.hung_up != before:
                before = self.hung_up
                gevent.spawn_later(_GIVE_BACK_SECONDS, give_back)

    def _check_unread(self, memory: int) -> None:
        """Close the connection whose client has not read for longest, where such ones fill the memory.

        ZeroMQ bounds what waits for a client in messages alone, and a frozen or hostile one keeps its share for ever. A
        worker that is disconnected reads from the log what it missed.
        """
        unread = [(since, port, fd) for port in self._ports for since, fd in port.unread()]
        self._all_read = memory if not unread else min(memory, self._all_read)
        growth = memory - self._all_read - sum(port.local_bytes() for port in self._ports)
        self.crowded = growth > _MOST_UNREAD_GROWTH_BYTES
        if self.crowded:
            since, port, fd = min(unread, key=itemgetter(0))
            if time.monotonic() - since > _STUCK_SECONDS:
                port.disconnect(
                    fd, f"memory grew by {growth >> 20} MB, and it does not read what is sent to it"
                )

    def _check_memory(self, memory: int) -> None:
        """Close connections whose unfinished messages fill the memory.

        If it grew by far more than arrived, a client sends endless tiny frames, as no publisher does. Otherwise many send
        large messages at once: the largest one has to be sent again.
        ``memory``: bytes allocated before the ports were checked, so that all of its cause is counted.
        """
        unfinished = [(unseen, port, fd) for port in self._ports for fd, unseen in port.unfinished()]
        unseen = sum(one[0] for one in unfinished)
        settled = time.monotonic() > self._closed + _FREED_SECONDS
        self._base = min(memory, max(self._base, memory - _MOST_AMPLIFIED * unseen if settled else 0))
        growth = memory - self._base - sum(port.local_bytes() for port in self._ports)
        all_taken = all(port.waiting for port in self._ports)
        if growth <= (MOST_GROWTH_BYTES if all_taken else MOST_BUSY_GROWTH_BYTES):
            return
        if growth <= _AMPLIFIED * unseen:
            if growth <= MOST_BUSY_GROWTH_BYTES or not all_taken:
                return
            unfinished = [max(unfinished, key=itemgetter(0))]
        self._closed = time.monotonic()
        for unseen, port, fd in unfinished:
            port.disconnect(
                fd, f"memory grew by {growth >> 20} MB, and it sent {unseen} bytes of an incomplete message"
            )
