"""Sends lines over TCP to a spout that dies now and then, and finds out what became of them.

TCP does not say what was handled. So the journals say which lines were accepted; each must be one that was sent, once. Lines
may be missing only of connections during which the spout died.
"""

import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec

from analytics.core.areas import Areas
from analytics.testing.feed import SPAN, START

LINES = 50
AT_ONCE = 10
SECONDS = 10.0
JOURNALED_SECONDS = 10.0
"""So long after it has read a connection to its end, a spout that lives has journaled it, on a busy machine too."""


class TcpSender:
    """Connects again and again.

    Attributes:
        sent: the tuples that were handed to a connection, by the number that each carries.
    """

    def __init__(self, port: int, areas: Areas, rng: random.Random) -> None:
        self.sent: dict[int, dict[str, Any]] = {}
        self._port = port
        self._areas = list(areas.values())
        self._rng = rng
        self._whole: list[tuple[float, float, range]] = []

    def some(self) -> None:
        """Send lines over one connection, and wait until the other side has read them all. Where it is away, do nothing."""
        begun, first = time.monotonic(), len(self.sent)
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS) as connection:
                for _ in range(self._rng.randrange(1, LINES), 0, -AT_ONCE):
                    connection.sendall(b"".join(self._line() for _ in range(AT_ONCE)))
                    gevent.sleep(self._rng.random() / 20)
                connection.shutdown(socket.SHUT_WR)
                ended = connection.recv(1) == b""
        except OSError:
            return
        if ended:
            self._whole.append((begun, time.monotonic(), range(first, len(self.sent))))

    def accepted(self, data: Path) -> dict[int, list[str]]:
        """Return the records' names by the number that each carries, from the journals in ``data``."""
        found: dict[int, list[str]] = {}
        for path in sorted(data.glob("gamelog_*.txt")):
            for line in path.read_bytes().splitlines():
                if b'"gamelog/tcp@' in line:
                    one = msgspec.json.decode(line)
                    found.setdefault(one["data"]["number"], []).append(one["id"])
        return found

    def faults(self, accepted: dict[int, list[str]], deaths: list[float]) -> Iterator[str]:
        """Yield what can't be: lines that nobody sent, that count twice, or that a spout which lived has lost.

        Args:
            deaths: when the spout was killed, by the monotonic clock.
        """
        for number, names in accepted.items():
            if number not in self.sent:
                yield f"tcp: line {number} was accepted and never sent"
            if len(set(names)) > 1:
                yield f"tcp: line {number} was accepted {len(set(names))} times: {names}"
        for begun, ended, numbers in self._whole:
            lost = [number for number in numbers if number not in accepted]
            if lost and not any(begun - JOURNALED_SECONDS < at < ended + JOURNALED_SECONDS for at in deaths):
                yield f"tcp: {len(lost)} lines are lost though the spout lived, the first is {lost[0]}"

    def _line(self) -> bytes:
        area, number = self._rng.choice(self._areas), len(self.sent)
        self.sent[number] = one = {
            "op": {"code": "login_logcount", "id": 1003},
            "area": area.id,
            "ts": START + self._rng.randrange(SPAN),
            "data": {"corpid": area.corpid, "acct": f"acct{self._rng.randrange(3_000)}", "number": number},
        }
        return msgspec.json.encode(one) + b"\n"
