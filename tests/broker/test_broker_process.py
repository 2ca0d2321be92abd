"""The broker as a real process over real sockets: kills, full disks, lost folders, strangers, stopped readers."""

import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec
import pytest
import zmq.green as zmq
from brokers import BrokerProcess, batch, everything, records, running
from forms import THOROUGH
from needed import missing
from sections import broker_ports
from waiting import eventually

from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher, Refill, Subscriber
from analytics.broker.segment import LogSegment
from analytics.broker.sockets import new_socket
from analytics.broker.wire import Ack, Batch, BatchHeader, Head, Heartbeat, Message, Part, SourceState
from analytics.config import BrokerSection
from analytics.errors import LogError, Refused, Unavailable

TOPICS = ("a", "b", "c")
PATIENCE = 600.0
NAME = b"a publisher of a test"


def heard(subscriber: Subscriber) -> Iterator[Message | Heartbeat]:
    """Yield what comes in; heartbeats come in between whenever they like."""
    while item := subscriber.recv(PATIENCE):
        yield item


def test_a_record_travels_from_publisher_to_subscriber_and_is_kept(tmp_path: Path) -> None:
    with running(tmp_path / "data") as broker:
        subscriber = Subscriber(broker.section, ["a"])
        assert isinstance(subscriber.recv(60), Heartbeat)
        publisher = Publisher(broker.section, "test")
        sent = batch("s", range(1, 5), ("a", "ab"))
        assert publisher.publish(sent).get(timeout=600) == Ack(1, 4, 0)
        message = next(item for item in heard(subscriber) if isinstance(item, Message))
        assert (message.topic, message.body, message.header.ns) == ("a", sent.bodies[0], [(1, 4)])
        beats = (
            item for item in heard(subscriber) if isinstance(item, Heartbeat)
        )  # nothing else: no "ab" itself
        assert next(beat.heads["ab"] for beat in beats if "ab" in beat.heads) == Head(1, 2, 2)
        assert everything(broker.section, ["a"]) == [message]
        assert publisher.close()
        assert broker.terminate() == 0


def test_repeats_count_once_and_only_because_of_the_filter(tmp_path: Path) -> None:
    with running(tmp_path / "data") as broker:
        publisher = Publisher(broker.section, "test")
        named = [batch("s", ns, TOPICS) for ns in (range(10), range(5, 15), range(15), range(3, 4))]
        acks = [publisher.publish(one).get(timeout=600) for one in named]
        assert [(ack.accepted, ack.repeated) for ack in acks] == [(10, 0), (5, 5), (0, 15), (0, 1)]
        for one in named:  # the same without numbers passes the filter, and counts 36
            header = BatchHeader(
                "bolt", [], [Part(f"d{p.topic}", p.count, p.tuples) for p in one.header.parts]
            )
            publisher.publish(Batch(header, one.bodies)).get(timeout=600)
        state = Refill(broker.section, PATIENCE).state()
        assert sum(state.heads[topic].records for topic in TOPICS) == 15
        assert sum(state.heads.get(f"d{topic}", Head(0, 0, 0)).records for topic in TOPICS) == 36
        assert state.repeated == 21
        assert sorted(records(everything(broker.section, TOPICS))) == [("s", n) for n in range(15)]
        publisher.close()


def test_killed_at_random_instants_every_record_is_there_once(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A publisher that resends, a subscriber that refills, a broker that dies again and again."""
    chance = random.Random(11)
    broker = BrokerProcess(tmp_path / "data", segment_mb=0.2)
    request.addfinalizer(lambda: broker.kill())
    publisher, subscriber = Publisher(broker.section, "test"), Subscriber(broker.section, TOPICS)
    refill, got, stop = Refill(broker.section, timeout=1.0), dict.fromkeys(TOPICS, 0), []
    seen: Counter[tuple[str, int]] = Counter()

    def take(message: Message) -> None:
        if message.header.number == got[message.topic] + 1:
            got[message.topic] += 1
            seen.update(records([message]))

    def follow() -> None:
        while not stop:
            item = subscriber.recv(0.2)
            if isinstance(item, Message):
                if item.header.number > got[item.topic] + 1:
                    _fill()
                take(item)
            elif isinstance(item, Heartbeat) and any(
                item.heads.get(t, Head(0, 0, 0)).number > got[t] for t in got
            ):
                _fill()

    def _fill() -> None:
        try:
            for message in refill.read(got, 200_000)[1]:
                take(message)
        except Unavailable:
            pass

    results = []

    def produce() -> None:
        at = 0
        while not stop:
            size = chance.randint(1, 300)
            results.append(publisher.publish(batch("s", range(at, at + size), TOPICS, pad=100)))
            if chance.random() < 0.3 and at > 400:  # an overlapping repeat, as a replay would send
                low = chance.randrange(at - 300)
                results.append(publisher.publish(batch("s", range(low, low + 300), TOPICS, pad=100)))
            at += size
            gevent.sleep(0)
        total.append(at)

    total: list[int] = []
    greenlets = [gevent.spawn(follow), gevent.spawn(produce)]
    kills = int(os.environ.get("ANALYTICS_TEST_KILLS", "12" if THOROUGH else "4"))
    for _ in range(kills):
        gevent.sleep(chance.random() * 0.6)
        broker.kill()
        gevent.sleep(chance.random() * 0.1)
        broker.start()
    gevent.sleep(0.5)
    stop.append(True)
    gevent.joinall(greenlets, timeout=600, raise_error=True)
    gevent.joinall([gevent.spawn(result.get) for result in results], timeout=600, raise_error=True)
    assert publisher.close(120)
    expected = Counter({("s", n): 1 for n in range(total[0])})
    assert Counter(records(everything(broker.section, TOPICS))) == expected
    stop.clear()
    last = gevent.spawn(follow)
    eventually(lambda: len(seen) == total[0])
    stop.append(True)
    last.join()
    assert seen == expected
    state = Refill(broker.section, PATIENCE).state()
    assert state.sources["s"] == SourceState(total[0], 0, 1)
    assert sum(head.records for head in state.heads.values()) == total[0]


def test_a_removed_queue_folder_is_a_new_log_and_nothing_counts_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as broker:
        publisher = Publisher(broker.section, "test")
        publisher.publish(batch("s", range(50), rejected=[(90, 91)])).get(timeout=600)
        old = Refill(broker.section, PATIENCE).state()
        broker.kill()
        shutil.rmtree(data / "queue")
        broker.start()
        new = Refill(broker.section, PATIENCE).state()
        assert new.log != old.log and new.heads == {} and new.sources == old.sources
        ack = publisher.publish(batch("s", range(60), rejected=[(90, 92)])).get(timeout=600)
        assert (ack.accepted, ack.repeated) == (10, 50)
        state = Refill(broker.section, PATIENCE).state()
        assert (state.sources["s"].accepted, state.sources["s"].rejected) == (60, 3)
        assert state.heads["a"] == Head(1, 10, 10)


def test_the_filter_outlives_the_segments_it_was_made_from(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data, segment_mb=0.01, keep_hours=0) as broker:
        publisher, refill = Publisher(broker.section, "test"), Refill(broker.section, PATIENCE)
        for at in range(30):
            publisher.publish(batch("s", [at], ("a",), pad=3000)).get(timeout=600)
        state = refill.state()
        refill.report("bolt", state.log, state.heads)
        assert len(list((data / "queue").glob("*.log"))) == 1
        broker.kill()
        os.truncate(data / "filter" / "tail", 0)  # as a power cut may leave it
        broker.start()
        assert refill.state().sources == state.sources
        assert refill.state().heads == state.heads


def test_nothing_is_acknowledged_or_published_before_the_disk_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker(BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1), tmp_path)
    broker.start()
    publisher, subscriber = Publisher(broker.bound, "test"), Subscriber(broker.bound, ["a"])
    while not subscriber.recv(0.1):
        broker.step()
    while subscriber.recv(0.2):
        pass
    may_end, sync = threading.Event(), os.fdatasync

    def slow_sync(fd: int) -> None:
        assert may_end.wait(600)
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    result = publisher.publish(batch("s", range(3)))
    assert subscriber.recv(0.5) is None
    assert not result.ready() and everything(broker.bound, ["a"]) == []
    may_end.set()
    assert result.get(timeout=600).accepted == 3
    assert isinstance(subscriber.recv(60), Message)
    publisher.close()
    broker.stop()


def test_a_segment_that_can_not_be_deleted_is_no_fault_of_who_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = BrokerSection(
        **dict.fromkeys(("receiver_port", "sender_port", "refill_port"), 0), min_free_mb=1
    )
    broker = Broker(msgspec.structs.replace(section, segment_mb=0.01, keep_hours=0), tmp_path)
    broker.start()
    stepping = gevent.spawn(lambda: [broker.step() for _ in itertools.count()])
    publisher, refill = Publisher(broker.bound, "test"), Refill(broker.bound, PATIENCE)
    for at in range(10):
        publisher.publish(batch("s", [at], ("a",), pad=3000)).get(timeout=600)
    state, tried = refill.state(), []

    def refuse(segment: LogSegment) -> None:
        tried.append(segment)
        raise OSError("not today")

    monkeypatch.setattr(LogSegment, "remove", refuse)
    refill.report("bolt", state.log, state.heads)
    assert tried
    assert refill.state().bolts["bolt"] == state.heads
    stepping.kill()
    publisher.close()
    broker.stop()


@pytest.mark.parametrize("segment_mb", [64, 0.0001])
def test_a_queue_folder_removed_from_under_the_broker_ends_it_and_nothing_is_lost(
    tmp_path: Path, segment_mb: float
) -> None:
    data = tmp_path / "data"
    with running(data, segment_mb=segment_mb) as broker:
        publisher = Publisher(broker.section, "test")
        publisher.publish(batch("s", range(50))).get(timeout=600)
        shutil.rmtree(data / "queue")
        result = publisher.publish(batch("s", range(60)))
        eventually(lambda: not broker.alive())
        assert not result.ready()
        assert "removed" in (tmp_path / "broker.err").read_text()
        broker.start()
        assert result.get(timeout=600) == Ack(2, 10, 50)
        assert publisher.close()


@pytest.mark.parametrize("text", [b"\xff", b"null", b'{"x":' + b"[" * 100_000])
def test_what_is_no_message_ends_nothing(tmp_path: Path, text: bytes) -> None:
    broker = Broker(BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1), tmp_path)
    broker.start()
    sockets = [new_socket(zmq.DEALER) for _ in range(2)]
    sockets[0].connect(f"tcp://127.0.0.1:{broker.bound.receiver_port}")
    sockets[1].connect(f"tcp://127.0.0.1:{broker.bound.refill_port}")
    sockets[0].send_multipart([b"batch", b"1", NAME, text, b"body"])
    sockets[1].send_multipart([b"1", text])
    until = time.monotonic() + 60
    while broker.state()["malformed"] < 2 and time.monotonic() < until:
        broker.step()
    assert broker.state()["malformed"] == 2
    for socket in sockets:
        socket.close(linger=0)
    broker.stop()


def test_the_node_can_be_driven_by_hand(tmp_path: Path) -> None:
    broker = Broker(broker_ports(), tmp_path)
    broker.stop()
    broker.start()
    publisher, subscriber = Publisher(broker.bound, "test"), Subscriber(broker.bound, [])
    publisher.publish(batch("s", range(3))).get(timeout=600)
    while not subscriber.recv(0.1):
        began = time.monotonic()
        broker.step()
        assert time.monotonic() - began < 30  # a step that waits for ever would not return at all
    state = broker.state()
    assert json.loads(json.dumps(state)) == state
    assert (state["heads"]["a"], state["blocked"], state["malformed"]) == ([1, 3, 3], "", 0)
    shutil.rmtree(tmp_path / "queue")
    publisher.publish(batch("s", range(4)))
    with pytest.raises(LogError, match="was removed"), gevent.Timeout(600):
        while True:
            broker.step()
    publisher.close(0)
    broker.stop()
    again = Broker(broker.bound, tmp_path)
    again.start()
    again.stop()


def test_a_lost_filter_tail_is_made_good_by_the_log(tmp_path: Path) -> None:
    """What a power cut may take: the tail is not synced, the log is."""
    data = tmp_path / "data"
    with running(data, segment_mb=0.01, keep_hours=0) as broker:
        publisher = Publisher(broker.section, "test")
        for at in range(0, 1000, 100):
            publisher.publish(batch("s", range(at, at + 100), TOPICS, rejected=[(5000 + at, 5000 + at)])).get(
                timeout=600
            )
        publisher.publish(batch("s", [], rejected=[(7000, 7000)])).get(timeout=600)
        broker.kill()
        assert len(list((data / "queue").glob("*.log"))) > 2
        assert (data / "filter" / "tail").stat().st_size > 0
        os.truncate(data / "filter" / "tail", 0)
        broker.start()
        state = Refill(broker.section, PATIENCE).state().sources["s"]
        assert (state.accepted, state.rejected) == (1000, 11)
        assert publisher.publish(batch("s", range(1001), TOPICS)).get(timeout=600).accepted == 1


def test_segments_wait_for_every_known_bolt(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data, {"late": ["a"]}, segment_mb=0.01, keep_hours=0) as broker:
        publisher, refill = Publisher(broker.section, "test"), Refill(broker.section, PATIENCE)
        for at in range(30):
            publisher.publish(batch("s", [at], ("a",), pad=3000)).get(timeout=600)
        state = refill.state()
        files = len(list((data / "queue").glob("*.log")))
        assert files > 5
        refill.report("early", state.log, {"a": Head(30, 30, 30)})
        refill.report("late", "another log", {"a": Head(30, 30, 30)})
        with pytest.raises(Refused, match="late reports number 31 of a, the newest is 30"):
            refill.report("late", state.log, {"a": Head(31, 31, 31)})
        assert len(list((data / "queue").glob("*.log"))) == files
        broker.kill()
        broker.start()
        assert refill.state().bolts == {"early": {"a": Head(30, 30, 30)}, "late": {"a": Head(0, 0, 0)}}
        refill.report("late", state.log, {"a": Head(30, 30, 30)})
        assert len(list((data / "queue").glob("*.log"))) == 1
        assert refill.state().heads == state.heads
        assert publisher.publish(batch("s", range(30), ("a",))).get(timeout=600).accepted == 0


def fill_and_wait(broker: BrokerProcess, free: "object") -> None:
    """Publish until the disk is full, see the broker say so, make room, see everything arrive once."""
    publisher, refill = Publisher(broker.section, "test"), Refill(broker.section, PATIENCE)
    results, total, filling = [], 0, True

    def produce() -> None:
        nonlocal total
        while filling:
            results.append(publisher.publish(batch("s", range(total, total + 20), TOPICS, pad=2000)))
            total += 20

    producer = gevent.spawn(produce)
    eventually(lambda: bool(refill.state().blocked))
    filling = False
    gevent.sleep(1.5)
    waiting = [result for result in results if not result.ready()]
    assert waiting and refill.state().blocked
    acked = sum(result.get().accepted for result in results if result.ready())
    with pytest.raises(Unavailable):  # what waits for the disk is not promised to anybody
        Refill(broker.section, timeout=0.5).unknown("s", [(0, acked)])
    broker.kill()
    broker.start()
    assert len(records(everything(broker.section, TOPICS))) >= acked
    eventually(lambda: bool(refill.state().blocked))
    free()  # type: ignore[operator]
    producer.join()
    assert publisher.close(120)
    assert not refill.state().blocked
    assert sorted(records(everything(broker.section, TOPICS))) == [("s", n) for n in range(total)]


def test_a_full_disk_blocks_says_so_and_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if (
        os.getuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(data)]).returncode
    ):
        missing("can't mount a small file system: run as root, where mounting is allowed")
    ballast = data / "ballast"
    ballast.write_bytes(bytes(2 << 20))
    try:
        with running(data, segment_mb=0.5, min_free_mb=0) as broker:
            fill_and_wait(
                broker, lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(data)], check=True)
            )
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


def test_too_little_free_space_blocks_before_the_disk_is_full(tmp_path: Path) -> None:
    with running(tmp_path / "data", min_free_mb=1 << 40) as broker:
        publisher, refill = Publisher(broker.section, "test"), Refill(broker.section, PATIENCE)
        result = publisher.publish(batch("s", range(5)))
        eventually(lambda: "expected at least" in refill.state().blocked)
        assert "broker.min_free_mb" in refill.state().blocked
        assert not result.ready() and everything(broker.section, ["a"]) == []


def test_a_file_that_may_not_grow_is_cut_back_and_tried_again(tmp_path: Path) -> None:
    limit = 40_000

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    with running(tmp_path / "data", limit=small_files) as broker:
        publisher, refill = Publisher(broker.section, "test"), Refill(broker.section, PATIENCE)
        results = [publisher.publish(batch("s", [n], pad=15_000)) for n in range(5)]
        eventually(lambda: "File too large" in refill.state().blocked)
        gevent.sleep(1.2)
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert sum(result.get(timeout=600).accepted for result in results) == 5
        assert sorted(records(everything(broker.section, ["a"]))) == [("s", n) for n in range(5)]
        broker.kill()
        broker.start()
        assert len(everything(broker.section, ["a"])) == 5


def test_strangers_and_broken_messages_harm_nobody(tmp_path: Path) -> None:
    with running(tmp_path / "data") as broker:
        good = json.dumps({"source": "s", "ns": [[1, 1]], "parts": [["a", 1, 1]]}).encode()
        wrong = [
            {"source": "", "ns": [[1, 1]], "parts": [["a", 1, 1]]},
            {"source": "s", "ns": [[2, 1]], "parts": [["a", 1, 1]]},
            {"source": "s", "ns": [[-1, 1]], "parts": [["a", 1, 1]]},
            {"source": "s", "ns": [[1, 1 << 70]], "parts": [["a", 1, 1]]},
            {"source": "s", "ns": [], "parts": [["heartbeat", 1, 1]]},
            {"source": "s", "ns": [], "parts": [["", 1, 1]]},
            {"source": "s", "ns": [], "parts": [["a\0", 1, 1]]},
            {"source": "s", "ns": [], "parts": [["a", 0, 0]]},
            {"source": "s", "parts": []},
        ]
        messages = [
            [],
            [b""],
            [b"batch"],
            [b"batch", b"x", NAME, good, b"l"],
            [b"batch", b"1", NAME, b"{", b"l"],
            [b"batch", b"1", b"short", good, b"l"],
            [b"what", b"1", good],
        ]
        messages += [
            [b"batch", b"7", NAME, good],
            [b"batch", b"8", NAME, good, b"1", b"2"],
            [b"batch", b"\xff" * 99, b"\0\0"],
        ]
        messages += [[b"batch", b"9", NAME, json.dumps(header).encode(), b"line"] for header in wrong]
        context = zmq.Context.instance()
        for port in (broker.section.receiver_port, broker.section.refill_port, broker.section.sender_port):
            for frames in messages:
                socket = context.socket(zmq.XSUB if port == broker.section.sender_port else zmq.DEALER)
                socket.connect(f"tcp://127.0.0.1:{port}")
                socket.send_multipart(frames or [b""])
                gevent.sleep(0.005)
                socket.close(linger=100)
            raw = gevent.socket.create_connection(("127.0.0.1", port))
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n" + os.urandom(500))
            raw.close()
        publisher = Publisher(broker.section, "test")
        assert publisher.publish(batch("s", range(4))).get(timeout=600).accepted == 4
        with pytest.raises(Refused, match="expected a line that begins"):
            publisher.publish(Batch(BatchHeader("s", [(3, 5)], [Part("a", 3, 3)]), [b"{}\n{}\n{}"])).get(
                timeout=600
            )
        with pytest.raises(Refused, match=r"\$.parts: expected each topic once"):
            publisher.publish(Batch(BatchHeader("t", [(3, 4)], [Part("a", 1, 1)] * 2), [b"{}", b"{}"])).get(
                timeout=600
            )
        assert publisher.close()
        assert sorted(records(everything(broker.section, ["a"]))) == [("s", n) for n in range(4)]
        assert broker.alive()


def test_a_client_with_anothers_routing_id_neither_cuts_it_off_nor_gets_its_answers(tmp_path: Path) -> None:
    with running(tmp_path / "data") as broker:
        clients = [new_socket(zmq.DEALER, ROUTING_ID=b"the same") for _ in range(2)]
        frames = []
        for number, name in enumerate((NAME, NAME + b" 2")):
            one = batch("s", [number])
            frames.append([b"batch", b"1", name, msgspec.json.encode(one.header), *one.bodies])
        for client, first in zip(clients, frames, strict=True):
            client.connect(f"tcp://127.0.0.1:{broker.section.receiver_port}")
            client.send_multipart(first)
            if client is clients[0]:
                assert gevent.with_timeout(PATIENCE, client.recv_multipart)[0] == b"ack"
        gevent.sleep(0.5)
        clients[0].send_multipart([b"batch", b"2", *frames[0][2:]])
        answer = gevent.with_timeout(PATIENCE, clients[0].recv_multipart)
        assert msgspec.json.decode(answer[1], type=Ack) == Ack(2, 0, 1)
        for client in clients:
            client.close(linger=0)


def test_a_stopped_subscriber_costs_disk_not_memory(tmp_path: Path) -> None:
    megabytes = int(os.environ.get("ANALYTICS_TEST_QUEUE_MB", "300"))
    with running(tmp_path / "data", {"worker": list(TOPICS)}) as broker:
        stopped, publisher = Subscriber(broker.section, TOPICS), Publisher(broker.section, "test")
        assert stopped.recv(60)
        body = batch("bolt", range(4000), TOPICS, pad=200)
        header = BatchHeader("bolt", [], body.header.parts)
        size = sum(len(part) for part in body.bodies)
        results = [
            publisher.publish(Batch(header, body.bodies)) for _ in range(megabytes * 1_000_000 // size)
        ]
        assert publisher.close(60)
        count = 0
        refill, after, more = Refill(broker.section, PATIENCE), dict.fromkeys(TOPICS, 0), True
        while more:
            page, messages = refill.read(after)
            after |= {message.topic: message.header.number for message in messages}
            count, more = count + sum(message.header.count for message in messages), page.more
        assert count == 4000 * len(results)
        assert refill.state().disk_bytes > megabytes * 1_000_000 * 0.95
        assert broker.memory_mb() < 150
        lost = 0
        while isinstance(stopped.recv(0.3), Message):
            lost += 1
        assert lost < len(results) * 3  # it did miss messages: they come by refill


def test_two_brokers_do_not_share_a_folder(tmp_path: Path) -> None:
    with running(tmp_path / "data"):
        with pytest.raises(msgspec.DecodeError, match="truncated"):  # it ends without telling its ports
            BrokerProcess(tmp_path / "data")
        assert "another broker runs on this data folder" in (tmp_path / "broker.err").read_text()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "data") as broker:
        taken = broker.section.refill_port
        section = BrokerSection(receiver_port=0, sender_port=0, refill_port=taken)
        with pytest.raises(Unavailable, match=f"can't listen on .*:{taken}: Address already"):
            Broker(section, tmp_path / "other").start()


def test_refill_says_so_when_no_broker_answers_and_goes_on_when_one_does(tmp_path: Path) -> None:
    with running(tmp_path / "data") as broker:
        refill, patient = Refill(broker.section, timeout=0.4), Refill(broker.section, PATIENCE)
        log = patient.state().log
        os.kill(broker.pid, signal.SIGSTOP)
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"did not answer within 0\.4 s"):
                refill.read({"a": 0})
        os.kill(broker.pid, signal.SIGCONT)

        def goes_on() -> bool:
            try:
                return refill.state().log == log
            except Unavailable:
                return False

        eventually(goes_on)
        assert patient.unknown("never", [(1, 3)]) == [(1, 3)]
        for wrong in ([(-1, 3)], [(2, 3), (1, 1)], [(1, 1 << 62)]):
            with pytest.raises(Refused, match=r"\$\.ns: expected"):
                patient.unknown("never", wrong)


def test_a_publisher_waits_while_its_window_is_full(tmp_path: Path) -> None:
    with running(tmp_path / "data") as broker:
        publisher = Publisher(broker.section, "test", window=3)
        broker.kill()
        results = [publisher.publish(batch("s", [n])) for n in range(3)]
        fourth = gevent.spawn(publisher.publish, batch("s", [3]))
        gevent.sleep(0.3)
        assert not fourth.ready() and not publisher.close(0.0)
        assert not any(result.ready() for result in results)


def test_heartbeats_come_each_second_while_batches_flow(tmp_path: Path) -> None:
    with running(tmp_path / "data") as broker:
        publisher, subscriber = Publisher(broker.section, "test"), Subscriber(broker.section, [])
        times: list[float] = []

        def listen() -> None:
            while len(times) < 4:
                if subscriber.recv(60):
                    times.append(time.monotonic())

        listener, at = gevent.spawn(listen), 0
        with gevent.Timeout(600, AssertionError("heartbeats do not come while batches flow")):
            while not listener.ready():
                publisher.publish(batch("s", range(at, at + 2000), TOPICS, pad=200))
                at += 2000
                gevent.sleep(0)
        # A busy machine makes a pause longer, never shorter.
        assert min(b - a for a, b in itertools.pairwise(times)) < 1.5
        publisher.close()


def test_segments_wait_no_longer_for_own_bolts_that_are_not_configured_any_more(tmp_path: Path) -> None:
    ports = dict.fromkeys(("receiver_port", "sender_port", "refill_port"), 0)
    section = BrokerSection(**ports, min_free_mb=1, segment_mb=0.01, keep_hours=0)
    own = {"counts", "shop", "timers"}

    def started(bolts: dict[str, list[str]]) -> tuple[Broker, Publisher, Refill]:
        broker = Broker(section, tmp_path, bolts, own)
        broker.start()
        return broker, Publisher(broker.bound, "test"), Refill(broker.bound, PATIENCE)

    def stop(broker: Broker, publisher: Publisher, refill: Refill) -> None:
        publisher.close()
        refill.close()
        broker.stop()

    broker, publisher, refill = started({"counts": ["a"], "shop": ["a"], "timers": ["a"]})
    publisher.publish(batch("s", [0])).get(timeout=600)
    state = refill.state()
    for name in ("counts", "shop", "timers", "somebody"):
        refill.report(name, state.log, state.heads)
    stop(broker, publisher, refill)

    broker, publisher, refill = started({"counts": ["a"]})
    for at in range(1, 10):
        publisher.publish(batch("s", [at], pad=3000)).get(timeout=600)
    state = refill.state()
    assert set(state.bolts) == {"counts", "somebody"}
    segments = len(list((tmp_path / "queue").glob("*.log")))
    refill.report("counts", state.log, state.heads)
    assert len(list((tmp_path / "queue").glob("*.log"))) == segments > 1, "others' readers are waited for"
    refill.report("somebody", state.log, state.heads)
    assert len(list((tmp_path / "queue").glob("*.log"))) == 1
    stop(broker, publisher, refill)
