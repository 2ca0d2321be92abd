"""How far bolts have come reaches the broker, whenever it comes back."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from runtime_harness import RunningBroker, eventually, login

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState, Head
from analytics.errors import Unavailable
from analytics.runtime import reports as module
from analytics.runtime.reports import Reports

BOLTS = ("loginhour", "server")
TOPIC = "gamelog.login_logcount"


@pytest.fixture
def reports(broker: RunningBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reports]:
    """Reports that wait neither long for a broker nor long until they repeat what it has not heard."""
    monkeypatch.setattr(module, "Refill", lambda section: Refill(section, 1.0))
    monkeypatch.setattr(module, "REPEAT_SECONDS", 0.05)
    one = Reports(broker.section)
    yield one
    one.close()


def state(broker: RunningBroker) -> BrokerState:
    refill = Refill(broker.section, 60)
    try:
        return refill.state()
    finally:
        refill.close()


def test_what_the_broker_did_not_hear_is_told_again(
    broker: RunningBroker, reports: Reports, send: Any
) -> None:
    for acct in "abc":
        send(TOPIC, [login(acct)])
    log = state(broker).log
    broker.stop()
    heads = {bolt: {TOPIC: Head(1, 1, 1)} for bolt in BOLTS}
    reports.tell(log, heads)
    assert "did not answer" in reports.error
    heads["server"][TOPIC] = Head(3, 3, 3)  # taken in since, but not in any document yet
    broker.start()
    eventually(lambda: not reports.error)
    reports.check()
    assert {bolt: state(broker).bolts[bolt][TOPIC].number for bolt in BOLTS} == {"loginhour": 1, "server": 1}


def test_an_error_lasts_no_longer_than_what_it_is_of(
    broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one greenlet tells, the other has nothing to tell again; else its failure would be nobody's to clear."""
    told: list[str] = []

    class Once:
        """A broker that answers each bolt once."""

        def report(self, bolt: str, log: str, positions: Any, again: bool = False) -> None:
            gevent.sleep(0.01)
            told.append(bolt)
            if len(told) > len(BOLTS):
                raise Unavailable("no answer, on purpose")

        def close(self) -> None: ...

    monkeypatch.setattr(module, "Refill", lambda section: Once())
    monkeypatch.setattr(module, "REPEAT_SECONDS", 0.001)
    reports = Reports(broker.section)
    reports.tell("log", {bolt: {TOPIC: Head(1, 1, 1)} for bolt in BOLTS})
    gevent.sleep(0.1)
    assert told == list(BOLTS) and reports.error == ""
    reports.close()
