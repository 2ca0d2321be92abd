"""Whatever one client sends, the broker stays small and serves the others."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import msgspec
import pytest
import zmq.green as zmq
from brokers import BrokerProcess, batch, running
from waiting import eventually

from analytics.broker import limits
from analytics.broker.clients import Publisher, Refill
from analytics.broker.limits import MOST_BUSY_GROWTH_BYTES, MOST_GROWTH_BYTES, Port, Watch
from analytics.broker.sockets import bound_port, new_socket
from analytics.broker.wire import MOST_BYTES, PORTION_BYTES, Batch, BatchHeader, Part, portions
from analytics.config import BrokerSection
from analytics.core.areas import Area
from analytics.core.periods import zone
from analytics.errors import Refused
from analytics.spouts.days import AreaDay
from analytics.spouts.gamelog import Work, _fit
from analytics.spouts.paid import encoded, payment_tuples
from analytics.spouts.shares import Lines, Share, by_source

PATIENCE = 600.0
MOST_MB = 200
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MB = b"x" * (1 << 20)


def frame(data: bytes, more: bool = False) -> bytes:
    """Return a frame of the ZeroMQ protocol: a client of libzmq would keep what it never finishes to itself."""
    if len(data) < 256:
        return bytes([more, len(data)]) + data
    return bytes([2 | more]) + len(data).to_bytes(8, "big") + data


def endless(data: bytes, megabytes: int) -> Iterator[bytes]:
    one = frame(data, more=True)
    block = one * max(1, (1 << 20) // len(one))
    for _ in range(megabytes):
        yield block


def messages(frames: list[bytes], count: int) -> Iterator[bytes]:
    whole = b"".join(frame(one, more=at < len(frames) - 1) for at, one in enumerate(frames))
    for _ in range(count):
        yield whole


def pairs(megabytes: float) -> bytes:
    ns = b"[1,1]," * int(megabytes * (1 << 20) / 6)
    return b'{"source":"s","ns":[' + ns[:-1] + b'],"parts":[["a",1,1]]}'


NAME = b"somebody who sends too much"
ATTACKS = {
    "an endless message": ("receiver", lambda: endless(MB, 200)),
    "an endless message of empty frames": ("receiver", lambda: endless(b"", 30)),
    "a message of 600,000 frames": ("receiver", lambda: messages([b"", b"batch"] + [b"x"] * 600_000, 2)),
    "large messages": ("receiver", lambda: messages([b"batch", b"1", NAME, b"{}", MB * 15], 20)),
    "large batches": ("receiver", lambda: messages(large_batch(), 20)),
    "a header of pairs": ("receiver", lambda: messages([b"batch", b"1", NAME, pairs(15), b"x"], 10)),
    "a longest header of pairs": ("receiver", lambda: messages([b"batch", b"1", NAME, pairs(1.9), b"x"], 50)),
    "an endless question": ("refill", lambda: endless(MB, 200)),
    "an endless question of empty frames": ("refill", lambda: endless(b"", 30)),
    "long questions": (
        "refill",
        lambda: messages(
            [b"1", b'{"type":"unknown","source":"s","ns":[' + b"[1,1]," * 170_000 + b"[1,1]]}"], 60
        ),
    ),
    "a subscription of 32 MB": ("sender", lambda: messages([b"\1" + MB * 32], 5)),
    "300,000 subscriptions": ("sender", lambda: (frame(b"\1topic%06d\0" % n) for n in range(300_000))),
    "an endless subscription": ("sender", lambda: endless(b"\1" + b"x" * 100, 50)),
}


def large_batch() -> list[bytes]:
    header = {"source": "b", "ns": [], "parts": [["a", 1, 1]]}
    return [b"batch", b"1", NAME, json.dumps(header).encode(), MB * 15]


def greet(client: socket.socket, kind: bytes) -> None:
    """Begin to speak ZMTP as a socket of this kind."""
    ready = b"\5READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    client.sendall(GREETING + bytes([4, len(ready)]) + ready)
    # Frames that come before the other side is ready would be taken for parts of the handshake.
    _, size = client.recv(len(GREETING) + 2, socket.MSG_WAITALL)[-2:]
    client.recv(size, socket.MSG_WAITALL)


def send(broker: BrokerProcess, port: str, pieces: Iterator[bytes]) -> None:
    """Send all pieces, by a new connection whenever the broker ends one."""
    sender: socket.socket | None = None
    for piece in pieces:
        try:
            if sender is None:
                sender = socket.create_connection(("127.0.0.1", getattr(broker.section, f"{port}_port")), 60)
                greet(sender, b"SUB" if port == "sender" else b"DEALER")
            sender.sendall(piece)
        except (ConnectionError, BrokenPipeError):
            assert sender is not None
            sender.close()
            sender = None
    if sender is not None:
        sender.close()


@pytest.mark.parametrize("attack", ATTACKS)
def test_one_client_can_neither_fill_the_memory_nor_stop_the_others(tmp_path: Path, attack: str) -> None:
    port, pieces = ATTACKS[attack]
    with running(tmp_path / "data") as broker:
        send(broker, port, pieces())
        publisher, refill = Publisher(broker.section, "test"), Refill(broker.section, PATIENCE)
        assert publisher.publish(batch("s", range(10))).get(timeout=PATIENCE).accepted == 10
        assert refill.state().sources["s"].accepted == 10
        assert broker.memory_mb() < MOST_MB
        publisher.close()


def test_attacks_at_once_can_not_fill_the_memory_either(tmp_path: Path) -> None:
    """Reading long headers and requests must not keep the limits from being checked."""
    names = [
        "an endless message of empty frames",
        "long questions",
        "a longest header of pairs",
        "large batches",
    ]
    with running(tmp_path / "data") as broker:
        gevent.joinall(
            [gevent.spawn(send, broker, port, pieces()) for port, pieces in map(ATTACKS.__getitem__, names)],
            raise_error=True,
        )
        refill = Refill(broker.section, PATIENCE)
        assert refill.state()
        assert broker.memory_mb() < MOST_MB


def test_reading_messages_does_not_keep_timers_waiting() -> None:
    server, client = new_socket(zmq.ROUTER), new_socket(zmq.DEALER)
    server.bind("tcp://127.0.0.1:*")
    client.connect(server.getsockopt(zmq.LAST_ENDPOINT).decode())
    port, fired = Port(server, lambda: None), []
    timer = gevent.spawn(lambda: [fired.append(gevent.sleep(0.01)) for _ in range(1000)])
    for _ in range(50):
        client.send(b"x")
    gevent.sleep(0.2)
    fired.clear()
    for _ in range(50):
        port.receive(1)
        until = time.monotonic() + 0.01
        while time.monotonic() < until:  # blocks all, as reading a long header does
            pass
        gevent.sleep(0)
    assert len(fired) >= 10
    timer.kill()
    port.close()
    server.close(linger=0)
    client.close(linger=0)


def test_a_batch_that_the_broker_would_not_take_is_refused_at_once() -> None:
    publisher = Publisher(BrokerSection(), "test", window=1)
    for header, body in (
        (BatchHeader("", [], [Part("a", 1, 1)]), bytes(MOST_BYTES)),
        (BatchHeader("s", [(n, n) for n in range(0, 600_000, 2)], [Part("a", 1, 1)]), b"{}"),
    ):
        with pytest.raises(Refused, match="send less together"):
            publisher.publish(Batch(header, [body]))
    publisher.close(0)


def test_lines_travel_in_portions_that_hold_all_of_them_in_order() -> None:
    lines = [b"x" * size for size in (1, 2, PORTION_BYTES, 3, PORTION_BYTES // 2, PORTION_BYTES // 2, 4)]
    found = list(portions(lines, 2, len))
    assert [line for portion in found for line in portion] == lines
    assert [len(portion) for portion in found] == [2, 1, 2, 2]
    assert list(portions([], 2, len)) == []


def test_a_long_snapshot_of_payments_becomes_several_tuples_of_some_accounts_each() -> None:
    users = {f"account{n:020d}": {"times": 1, "amount": n / 100} for n in range(150_000)}
    day = AreaDay(Area("a" * 24, "dl", "2001", zone("UTC")), 1420070400)
    tuples = [msgspec.json.decode(one) for one in payment_tuples(day, 7, encoded(users))]
    assert len(tuples) > 1
    assert max(map(len, payment_tuples(day, 7, encoded(users)))) < PORTION_BYTES + 1000
    assert {key: value for one in tuples for key, value in one["users"].items()} == users
    assert sum(len(one["users"]) for one in tuples) == len(users)
    assert {(one["area"], one["ts"], one["at"]) for one in tuples} == {("a" * 24, day.ts, 7)}


def test_chunks_travel_together_up_to_a_largest_size_and_number_of_lines() -> None:
    def work(lines: int, size: int) -> Work:
        return Work([Share("s", range(lines), {"t": Lines(lines, bytes(size))})], [])

    assert _fit([work(10_000, 1 << 20)] * 3)
    assert not _fit([work(10_000, 1 << 20)] * 4)
    assert not _fit([work(10, 4 << 20)] * 2)


@pytest.mark.parametrize(("address", "ended"), [("ipc://{}/port", 0), ("tcp://127.0.0.1:*", 1)])
def test_tiny_frames_without_end_are_cut_off_except_over_unix_sockets(
    tmp_path: Path, address: str, ended: int
) -> None:
    server = new_socket(zmq.ROUTER)
    port = Port(server, lambda: None)
    following = gevent.spawn(port.follow)
    server.bind(address.format(tmp_path))
    bound = server.getsockopt(zmq.LAST_ENDPOINT).decode()
    kind = socket.AF_UNIX if bound.startswith("ipc") else socket.AF_INET
    with socket.socket(kind) as client:
        client.connect(
            bound.removeprefix("ipc://") if kind == socket.AF_UNIX else ("127.0.0.1", bound_port(server))
        )
        greet(client, b"DEALER")
        client.sendall(next(endless(b"", 1)) * 3)
        eventually(lambda: len(port._connections) == 1)
        watch, port.waiting = Watch(port), True
        while ended and sum(unseen for _, unseen in port.unfinished()) < 2 * MOST_GROWTH_BYTES // 40:
            gevent.sleep(0.02)
            port.check()
        watch._check_memory(watch._base + MOST_GROWTH_BYTES)
        assert port.hung_up == 0
        watch._check_memory(watch._base + MOST_GROWTH_BYTES + 1)
        assert port.hung_up == ended
    following.kill()
    port.close()
    server.close(linger=0)


def test_one_address_can_not_take_all_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_OF_ONE_ADDRESS", 3)
    server = new_socket(zmq.ROUTER)
    port = Port(server, lambda: None)
    following = gevent.spawn(port.follow)
    server.bind(f"ipc://{tmp_path}/port")
    server.bind("tcp://127.0.0.1:*")
    held = []
    for host in (1, 1, 1, 1, 2, 3, 1):
        with suppress(ConnectionError):  # it may be hung up before it has quite begun
            address = "127.0.0.1", bound_port(server)
            held.append(socket.create_connection(address, 60, (f"127.0.0.{host}", 0)))
    eventually(lambda: port.hung_up == 2)
    local = new_socket(zmq.DEALER)
    local.connect(f"ipc://{tmp_path}/port")
    local.send(b"hello")
    assert port.receive(1)[1].bytes == b"hello"
    there = ["", *["127.0.0.1"] * 3, "127.0.0.2", "127.0.0.3"]
    eventually(lambda: sorted(one.host for one in port._connections.values()) == there)
    for one in held:
        one.close()
    following.kill()
    port.close()
    server.close(linger=0)
    local.close(linger=0)


@pytest.mark.parametrize(("files", "most"), [(1024, 128), (1 << 20, 512), (resource.RLIM_INFINITY, 512)])
def test_connections_never_use_up_the_files(monkeypatch: pytest.MonkeyPatch, files: int, most: int) -> None:
    """ZeroMQ aborts the broker where it can't accept a connection to a unix socket for lack of files."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    server = new_socket(zmq.ROUTER)
    port = Port(server, lambda: None)
    assert port._most_connections == most
    port.close()
    server.close(linger=0)


def test_a_flood_over_a_unix_socket_is_not_held_against_a_slow_client_over_tcp(tmp_path: Path) -> None:
    server = new_socket(zmq.ROUTER)
    port = Port(server, lambda: None)
    following = gevent.spawn(port.follow)
    server.bind(f"ipc://{tmp_path}/port")
    server.bind("tcp://127.0.0.1:*")
    flooding = new_socket(zmq.DEALER)
    flooding.connect(f"ipc://{tmp_path}/port")
    with socket.create_connection(("127.0.0.1", bound_port(server))) as slow:
        greet(slow, b"DEALER")
        slow.sendall(b"\2" + (8 << 20).to_bytes(8, "big") + bytes(5 << 20))
        flooding.send(bytes(4 << 20))
        port.receive(2)
        port.waiting = False
        eventually(lambda: port.check() or sum(unseen for _, unseen in port.unfinished()) > 5 << 20)
        local = port.local_bytes()
        assert local > 4 << 20
        watch = Watch(port)
        watch._check_memory(watch._base + MOST_BUSY_GROWTH_BYTES + local)
        assert port.hung_up == 0
        watch._check_memory(watch._base + MOST_BUSY_GROWTH_BYTES + local + (1 << 20))
        assert port.hung_up == 1
    following.kill()
    port.close()
    server.close(linger=0)
    flooding.close(linger=0)


def test_shares_of_one_source_become_several_batches_where_one_would_be_too_large() -> None:
    shares = [Share("s", [n], {"t": Lines(1, bytes(7 << 20))}) for n in range(1, 6)]
    batches = by_source(shares)
    assert [list(one.ns) for one in batches] == [[1, 2], [3, 4], [5]]
    assert max(one.size for one in batches) < MOST_BYTES - (1 << 20)
