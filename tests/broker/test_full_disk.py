"""While the disk takes nothing the Receiver reads on, so that ends of connections hear of each other; nothing is lost."""

from pathlib import Path

import gevent
import pytest
import zmq.green as zmq
from brokers import batch

from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher
from analytics.broker.sockets import new_socket
from analytics.config import BrokerSection

PATIENCE = 600.0


def step_for_ever(broker: Broker) -> None:
    while True:
        broker.step()


def test_what_comes_while_the_disk_is_full_is_read_and_taken_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.broker.inbox._MAX_WAITING_BYTES", 10_000)
    monkeypatch.setattr("analytics.broker.inbox._STUCK_SECONDS", 0.1)
    broker = Broker(BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1e9), tmp_path)
    broker.start()
    stepping = gevent.spawn(step_for_ever, broker)
    publisher = Publisher(broker.bound, "test")
    stranger = new_socket(zmq.DEALER)
    stranger.connect(f"tcp://127.0.0.1:{broker.bound.receiver_port}")
    try:
        results = [publisher.publish(batch("s", range(10 * n, 10 * n + 10))) for n in range(8)]
        with gevent.Timeout(PATIENCE):
            while not (broker.facts().blocked and broker._committer.inbox._stuck):
                gevent.sleep(0.02)
            stranger.send_multipart([b"nonsense"])
            while not broker.state()["malformed"]:
                gevent.sleep(0.02)
            assert not any(result.ready() for result in results)
            broker._committer.disk._min_free_bytes = 0
            assert [result.get().accepted for result in results] == [10] * 8
    finally:
        stranger.close()
        publisher.close()
        stepping.kill()
        broker.stop()
