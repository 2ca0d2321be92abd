"""How far bolts have come reaches the broker, whenever it comes back."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from runtime_harness import RunningBroker, login
from waiting import eventually

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState, Head
from analytics.config import BrokerSection
from analytics.runtime import position_reporter as module
from analytics.runtime.position_reporter import PositionReporter

BOLTS = ("loginhour", "server")
TOPIC = "gamelog.login_logcount"


@pytest.fixture
def reports(broker: RunningBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[PositionReporter]:
    """PositionReporter that wait neither long for a broker nor long until they repeat what it has not heard."""
    monkeypatch.setattr(module, "Refill", lambda section: Refill(section, 1.0))
    monkeypatch.setattr(module, "REPEAT_SECONDS", 0.05)
    one = PositionReporter(broker.section)
    yield one
    one.close()


def state(broker: RunningBroker) -> BrokerState:
    refill = Refill(broker.section, 60)
    try:
        return refill.state()
    finally:
        refill.close()


def test_what_the_broker_did_not_hear_is_reported_again(
    broker: RunningBroker, reports: PositionReporter, send: Any
) -> None:
    for acct in "abc":
        send(TOPIC, [login(acct)])
    log = state(broker).log
    broker.stop()
    heads = {bolt: {TOPIC: Head(1, 1, 1)} for bolt in BOLTS}
    reports.tell(log, heads)
    heads["server"][TOPIC] = Head(3, 3, 3)  # taken in since, but not in any document yet
    eventually(lambda: "did not answer" in reports.error)
    broker.start()
    eventually(lambda: not reports.error)
    reports.tasks.check()
    assert {bolt: state(broker).bolts[bolt][TOPIC].number for bolt in BOLTS} == {"loginhour": 1, "server": 1}


class SlowBroker:
    """Takes a moment for each report, and keeps all of them."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, int]] = []
        self.closed = False

    def report(self, bolt: str, log: str, positions: Any, again: bool = False) -> None:
        gevent.sleep(0.02)
        assert not self.closed
        self.reports.append((bolt, positions[TOPIC].number))

    def keep_session(self) -> None:
        assert not self.closed

    def leave(self) -> None:
        assert not self.closed

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowBroker:
    one = SlowBroker()
    monkeypatch.setattr(module, "Refill", lambda section: one)
    return one


def tell(reports: PositionReporter, number: int) -> None:
    reports.tell("log", {bolt: {TOPIC: Head(number, number, number)} for bolt in BOLTS})


def test_nobody_waits_for_the_broker_and_the_newest_report_is_heard_once(slow: SlowBroker) -> None:
    reports = PositionReporter(BrokerSection())
    tell(reports, 1)
    gevent.sleep(0.01)
    for number in range(2, 50):
        tell(reports, number)
    assert slow.reports == []
    eventually(lambda: len(slow.reports) >= 2 * len(BOLTS))
    gevent.sleep(0.1)
    assert slow.reports == [(bolt, number) for number in (1, 49) for bolt in BOLTS]
    reports.close()


def test_the_last_report_is_heard_before_the_node_stops(slow: SlowBroker) -> None:
    reports = PositionReporter(BrokerSection())
    tell(reports, 7)
    reports.close()
    assert slow.reports == [(bolt, 7) for bolt in BOLTS]
