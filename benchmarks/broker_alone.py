"""How fast the broker alone carries batches.

A publisher, the broker and a subscriber run as processes of their own. Prints lines/s and MB/s until the
last acknowledgement, and the broker's CPU time per line, with fdatasync as configured by default.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import click  # noqa: E402
import gevent  # noqa: E402
import msgspec  # noqa: E402

from analytics.broker.broker import Broker  # noqa: E402
from analytics.broker.clients import Publisher, Refill, Subscriber  # noqa: E402
from analytics.broker.wire import Batch, BatchHeader, Message, Part, tagged  # noqa: E402
from analytics.config import BrokerSection  # noqa: E402

TOPICS = {"gamelog.login_logcount": 0.5, "gamelog.createrole_logcount": 0.2, "gamelog.signup_logcount": 0.3}
LINE = (
    b'{"op":{"code":"login_logcount","id":1003},"area":"549140c8dbdb67794fc0fa3b","ts":1420688004,"data":{"corpid":'
    b'2001,"type":"signin","server_name":"server1009","opno":1003,"acct":"%010d"}}'
)


@click.command()
@click.option("--lines", default=2_000_000, show_default=True)
@click.option("--batch", default=4_000, show_default=True, help="Lines a batch.")
@click.option("--as-broker", hidden=True, type=click.Path(path_type=Path))
@click.option("--as-subscriber", hidden=True)
def main(lines: int, batch: int, as_broker: Path | None, as_subscriber: str | None) -> None:
    """Measure lines and bytes a second, and the broker's CPU time a line."""
    if as_broker is not None:
        _broker(as_broker)
    elif as_subscriber is not None:
        _subscriber(msgspec.json.decode(as_subscriber, type=BrokerSection))
    else:
        _measure(lines, batch)


def _measure(lines: int, size: int) -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as folder:
        broker = _process("--as-broker", folder)
        assert broker.stdout is not None
        bound = broker.stdout.readline()
        section = msgspec.json.decode(bound, type=BrokerSection)
        subscriber = _process("--as-subscriber", bound.decode())
        assert subscriber.stdout is not None
        subscriber.stdout.readline()
        publisher = Publisher(section, "benchmark")
        before, began = _cpu_seconds(broker.pid), time.monotonic()
        done = [publisher.publish(batch) for batch in _batches(lines, size)]
        for result in done:
            result.get()
        spent, cpu = time.monotonic() - began, _cpu_seconds(broker.pid) - before
        refill = Refill(section)
        written = refill.state().disk_bytes
        print(
            f"{lines / spent:,.0f} lines/s, {written / spent / 1e6:,.0f} MB/s, "
            f"broker {cpu / lines * 1e6:.3f} CPU us/line, peak {_peak_mb(broker.pid)} MB, "
            f"{lines} lines of {written / lines:.0f} bytes in batches of {size}"
        )
        publisher.close()
        for process in (subscriber, broker):
            process.terminate()
            process.wait()


def _batches(lines: int, size: int) -> Iterator[Batch]:
    """Yield the same lines under ever new numbers. Only a body's first and last line carry theirs.

    To name all lines would measure the publisher.
    """
    source = "gamelog/benchmark@0"
    counts = {topic: int(size * share) for topic, share in TOPICS.items()}
    middles = {
        topic: b"\n".join(tagged(source, range(1, count - 1), [LINE % n for n in range(1, count - 1)]))
        for topic, count in counts.items()
    }
    total = sum(counts.values())
    parts = [Part(topic, count, count) for topic, count in counts.items()]
    for first in range(1, lines + 1, total):
        bodies, at = [], first
        for topic, count in counts.items():
            ends = tagged(source, (at, at + count - 1), [LINE % 0, LINE % count])
            bodies.append(b"\n".join((ends[0], middles[topic], ends[1])))
            at += count
        yield Batch(BatchHeader(source, [(first, first + total - 1)], parts), bodies)


def _broker(folder: Path) -> None:
    section = BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1)
    broker = Broker(msgspec.structs.replace(section, sockets=str(folder / "run" / "sockets")), folder)
    broker.start()
    print(msgspec.json.encode(broker.bound).decode(), flush=True)
    while True:
        broker.step()


def _subscriber(section: BrokerSection) -> None:
    subscriber = Subscriber(section, TOPICS)
    while not subscriber.recv(1.0):
        gevent.sleep(0)
    print("ready", flush=True)
    received = 0
    while True:
        message = subscriber.recv(1.0)
        received += message.header.count if isinstance(message, Message) else 0


def _process(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "benchmarks.broker_alone", *words], stdout=subprocess.PIPE)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


if __name__ == "__main__":
    main()
