"""What the broker's tests share: a broker as a real process, and batches whose records can be told apart."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
import msgspec

from analytics.broker.clients import Refill
from analytics.broker.wire import Batch, BatchHeader, Message, Part, number_of, tagged
from analytics.config import BrokerSection
from analytics.core.intervals import Intervals, Pair
from analytics.testing.ports import free_ports

SCRIPT = Path(__file__).with_name("broker_process.py")
ROOT = Path(__file__).parents[2]


class BrokerProcess:
    """A broker that can be killed and started again on the same ports."""

    def __init__(
        self,
        data: Path,
        bolts: Mapping[str, Sequence[str]] | None = None,
        limit: Callable[[], None] | None = None,
        **section: Any,
    ) -> None:
        self._data, self._bolts, self._limit = data, bolts or {}, limit
        # Ports that are its own while it is down, too.
        ports = zip(("receiver_port", "sender_port", "refill_port"), free_ports(3), strict=True)
        self._section = {**dict(ports), "min_free_mb": 1} | section
        self.section = BrokerSection()
        self.start()

    def start(self) -> None:
        words = [str(self._data), json.dumps(self._section), json.dumps(self._bolts)]
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *words],
            stdout=subprocess.PIPE,
            stderr=(self._data.parent / "broker.err").open("ab"),
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            preexec_fn=self._limit,
        )
        assert self._process.stdout is not None
        self.section = msgspec.json.decode(self._process.stdout.readline(), type=BrokerSection)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(600)

    def alive(self) -> bool:
        return self._process.poll() is None

    def memory_mb(self, field: str = "VmHWM") -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0]) >> 10


@contextlib.contextmanager
def running(data: Path, *args: Any, **section: Any) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(data, *args, **section)
    try:
        yield broker
    finally:
        broker.kill()


def batch(
    source: str,
    ns: Sequence[int],
    topics: Sequence[str] = ("a",),
    rejected: Sequence[Pair] = (),
    pad: int = 0,
) -> Batch:
    """Return a batch of the records ``ns``; record n goes to topic n modulo the number of topics."""
    shares = {topic: [n for n in ns if n % len(topics) == at] for at, topic in enumerate(topics)}
    shares = {topic: share for topic, share in shares.items() if share}
    parts = [Part(topic, len(share), len(share)) for topic, share in shares.items()]
    text = b'{"pad":"' + b"x" * pad + b'"}'
    bodies = [b"\n".join(tagged(source, share, [text] * len(share))) for share in shares.values()]
    return Batch(BatchHeader(source, list(Intervals.of(ns)), parts, list(rejected)), bodies)


def records(messages: Sequence[Message]) -> list[tuple[str, int]]:
    """Return (source, n) of every line, in order."""
    return [
        (message.header.source, number_of(message.header.source, line))
        for message in messages
        for line in message.body.split(b"\n")
    ]


def everything(section: BrokerSection, topics: Sequence[str], max_bytes: int = 300_000) -> list[Message]:
    """Return all messages of the log by way of refill, page after page, checking that numbers have no gaps."""
    refill = Refill(section, 60)
    after, found, more = dict.fromkeys(topics, 0), [], True
    while more:
        page, messages = refill.read(after, max_bytes)
        for message in messages:
            assert message.header.number == after[message.topic] + 1
            after[message.topic] += 1
        found += messages
        more = page.more
        gevent.sleep(0)
    refill.close()
    return found
