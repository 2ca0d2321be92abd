"""Only the holder of a bolt's session moves its position, and only up to what the Queue holds."""

from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec
import pytest
from brokers import batch

from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher, Refill
from analytics.broker.sessions import SESSION_SECONDS, Sessions
from analytics.broker.wire import Head, Report
from analytics.config import BrokerSection
from analytics.errors import Refused

PATIENCE = 600.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_session_is_its_holders_while_that_is_heard_of() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    first = sessions.join(["a", "b"], "")
    clock.now += SESSION_SECONDS - 1
    with pytest.raises(Refused, match=r"b is reported by another session, last seen 4.0 s ago.*in 1.0 s"):
        sessions.join(["b", "c"], "")
    sessions.check("a", first)
    clock.now += SESSION_SECONDS - 1
    assert sessions.join(["a", "b"], first) == first
    clock.now += SESSION_SECONDS
    second = sessions.join(["b"], "guessed")
    assert second not in (first, "guessed")
    sessions.check("b", second)
    sessions.check("a", first)
    for bolt, session in (("b", first), ("a", second), ("a", ""), ("c", first)):
        with pytest.raises(Refused, match="join first"):
            sessions.check(bolt, session)
    sessions.leave(first)
    assert sessions.join(["a"], "") not in (first, second)


def test_sessions_are_bounded() -> None:
    sessions = Sessions()
    for names in ([str(n) for n in range(2000)], ["x" * 300]):
        with pytest.raises(Refused, match="expected at most"):
            sessions.join(names, "")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    section = BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1)
    broker = Broker(
        msgspec.structs.replace(section, segment_mb=0.01, keep_hours=0), tmp_path, {"bolt": ["a"]}
    )
    broker.start()
    publisher = Publisher(broker.bound, "test")
    for at in range(10):
        publisher.publish(batch("s", [at], ("a",), pad=3000)).get(timeout=600)
    publisher.close()
    yield broker
    broker.stop()


def test_a_forged_report_deletes_nothing(broker: Broker, tmp_path: Path) -> None:
    def segments() -> int:
        return len(list((tmp_path / "queue").glob("*.log")))

    worker, stranger = Refill(broker.bound, PATIENCE), Refill(broker.bound, PATIENCE)
    state = worker.state()
    count = segments()
    worker.report("bolt", state.log, {"a": Head(1, 1, 1)})
    with pytest.raises(Refused, match="join first"):
        stranger._ask(Report("bolt", state.log, state.heads))
    with pytest.raises(Refused, match="another session"):
        stranger.report("bolt", state.log, state.heads)
    for head in (Head(11, 10, 10), Head(10, 11, 10), Head(10, 10, 11), Head(-1, 0, 0)):
        with pytest.raises(Refused, match="reports"):
            worker.report("bolt", state.log, {"a": head})
    assert (segments(), worker.state().bolts["bolt"]["a"].number) == (count, 1)
    broker._sessions._holders.clear()  # as after the broker's restart
    worker.report("bolt", state.log, state.heads)
    assert segments() == 1
    worker.leave()
    stranger.report("bolt", state.log, state.heads)
    gevent.sleep(0)
