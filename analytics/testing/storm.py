"""A real broker among hostile clients: it stays alive and small, and takes each record of an honest one exactly once."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent.event import Event

from analytics.broker.clients import Publisher, Refill
from analytics.broker.wire import Batch, BatchHeader, Part, number_of
from analytics.config import BrokerSection
from analytics.errors import AnalyticsError, Unavailable
from analytics.testing.frames import PORTS, Frames, attack

MOST_MB = 200
SOURCE = "real"
TOPIC = "a"
LINES = 100
PAD = b"x" * 1000
"""Makes lines so long that those who ask for them and don't read could fill the memory."""
CLIENTS = 6
ANSWER_SECONDS = 60.0
LOOK_SECONDS = 0.05
PUBLISH_SECONDS = 0.02


@dataclass
class Storm:
    """What a run has done. ``peak_mb``: the most resident memory of the broker."""

    frames: int = 0
    connections: int = 0
    records: int = 0
    peak_mb: int = 0


def storm(
    broker: BrokerSection, pid: int, most: int, seed: int, report: Callable[[Storm], None] = lambda done: None
) -> Storm:
    """Send frames to a broker until there were ``most``; raise AnalyticsError if it died, grew, or lost or doubled a record.

    Args:
        broker: anybody may connect to its TCP ports.
        pid: its process.
        seed: the same one draws the same frames.
        report: called about twenty times a second.
    """
    done, over = Storm(), Event()
    honest: gevent.Greenlet[..., None] = gevent.spawn(_publish, broker, done, over)
    hostile: list[gevent.Greenlet[..., None]] = [
        gevent.spawn(_attack, broker, random.Random(f"{seed} {n}"), done) for n in range(CLIENTS)
    ]
    try:
        while done.frames < most:
            done.peak_mb = max(done.peak_mb, _resident_mb(pid))
            report(done)
            if done.peak_mb > MOST_MB:
                raise AnalyticsError(
                    f"the broker has {done.peak_mb} MB, expected {MOST_MB} at most (--seed {seed})"
                )
            for one in (honest, *hostile):
                if one.ready():
                    one.get()
            gevent.sleep(LOOK_SECONDS)
    finally:
        gevent.killall(hostile)
        over.set()
    honest.get()
    _check(broker, done)
    return done


def _attack(broker: BrokerSection, draw: random.Random, done: Storm) -> None:
    frames = Frames(draw, SOURCE)

    def sent(count: int) -> None:
        done.frames += count

    while True:
        port = draw.choice(PORTS)
        done.connections += 1
        attack(port, getattr(broker, f"{port}_port"), frames, draw, sent)
        gevent.sleep(0)


def _publish(broker: BrokerSection, done: Storm, over: Event) -> None:
    """Publish records without a pause, and end when the last one is acknowledged."""
    publisher = Publisher(broker, SOURCE)
    while not over.wait(PUBLISH_SECONDS):
        ns = range(done.records + 1, done.records + 1 + LINES)
        body = b"\n".join([b'{"id":"%b:%d","pad":"%b"}' % (SOURCE.encode(), n, PAD) for n in ns])
        publisher.publish(Batch(BatchHeader(SOURCE, [(ns[0], ns[-1])], [Part(TOPIC, LINES, LINES)]), [body]))
        done.records += LINES
    if not publisher.close(ANSWER_SECONDS):
        raise Unavailable(
            f"the broker did not acknowledge all {done.records} records within {ANSWER_SECONDS:g} s"
        )


def _check(broker: BrokerSection, done: Storm) -> None:
    """Read everything back. Raise AnalyticsError unless each record is there once."""
    refill = Refill(broker, ANSWER_SECONDS)
    found: Counter[int] = Counter()
    after, more = {TOPIC: 0}, True
    while more:
        page, messages = refill.read(after)
        for message in messages:
            after[TOPIC] = message.header.number
            if message.header.source == SOURCE:
                found.update(number_of(SOURCE, line) for line in message.body.split(b"\n"))
        more = page.more
    refill.close()
    lost = [n for n in range(1, done.records + 1) if n not in found]
    doubled = [n for n, count in found.items() if count > 1]
    if lost or doubled:
        raise AnalyticsError(
            f"of {done.records} records {len(lost)} are missing: {lost[:5]}; {len(doubled)} came twice: {doubled[:5]}"
        )


def _resident_mb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) >> 10
    except (OSError, IndexError):
        raise AnalyticsError(f"the broker (process {pid}) has died") from None
