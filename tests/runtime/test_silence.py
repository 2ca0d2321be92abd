"""A broker that is frozen keeps its connections, which say nothing of it: its silence does."""

from typing import Any

import gevent
import pytest
from runtime_harness import RunningBroker
from waiting import eventually

from analytics.broker import clients
from analytics.broker.clients import Publisher, Refill, Subscriber
from analytics.broker.wire import Batch, BatchHeader, Part
from analytics.runtime import consumer
from analytics.runtime.consumer import NOTHING, Consumer


@pytest.fixture
def broker(tmp_path: Any) -> Any:
    running = RunningBroker(tmp_path)
    yield running
    running.stop()


def test_who_listens_to_a_frozen_broker_says_so(
    broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "SILENT_SECONDS", 0.2)
    live, refill = Subscriber(broker.section, ["a"]), Refill(broker.section, 0.3)
    log = refill.state().log
    listening = Consumer(live, refill, log, {"a": NOTHING})
    with gevent.Timeout(600):
        for _ in range(3):
            assert list(listening.messages(0.01)) == [] and not listening.error
        broker.stop()
        while not listening.error:
            list(listening.messages(0.01))
        assert "did not answer" in listening.error
        broker.start()
        while listening.error:
            list(listening.messages(0.01))
    listening.close()
    live.close()
    refill.close()


def test_who_sends_to_a_frozen_broker_says_so(broker: RunningBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "SILENT_SECONDS", 0.2)
    publisher = Publisher(broker.section, "test")
    broker.stop()
    assert publisher.problem == ""
    result = publisher.publish(Batch(BatchHeader("s", [(1, 1)], [Part("a", 1, 1)]), [b'{"id":"s:1"}']))
    eventually(lambda: "has acknowledged nothing" in publisher.problem)
    broker.start()
    result.get(timeout=600)
    assert publisher.problem == ""
    publisher.close()
