"""Orders that a real interface moves to another day, read by the payment spout, through a real broker."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import pytest
from forms import THOROUGH
from polling import RunningBroker, Spouts, run_until, step_until
from test_payment import AREAS, CHILD, DAY, DL, NOON, WSDX, Till, broker_table, latest, rounds

from analytics.config import Config, Interface
from analytics.spouts.outbox import Outbox
from analytics.spouts.payment import PaymentSpout, PaymentState
from analytics.spouts.positions import StateFile
from analytics.spouts.rejected import waiting

BEFORE = DAY - 86_400
DATES = {"2015-01-06": DAY - 2 * 86_400, "2015-01-07": BEFORE, "2015-01-08": DAY}


def order(id_: str, amount: float, acct: str = "ann", status: str = "paid") -> dict[str, Any]:
    return {"order_id": id_, "acct": acct, "amount": amount, "status": status}


def raising(error: Exception) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise error

    return call


class MovingOrders:
    """A payment spout and an interface that lists orders."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.broker, self.till = RunningBroker(folder / "broker"), Till()
        self._spouts = Spouts(self._made)
        self.node = self._spouts()

    def _made(self, **settings: Any) -> PaymentSpout:
        url = self.till.url
        interface = Interface(
            url=url + "/{area}/{day}",
            clock_url=url + "/clock",
            since="2015-01-06",
            settle_hours=48,
            **settings,
        )
        return PaymentSpout(Config(data=self.data, broker=self.broker.section, payment=interface), AREAS)

    def says(self, **by_day: list[dict[str, Any]]) -> None:
        """Answer for the days d6, d7 and d8, in whatever order they are asked about."""
        for day, orders in by_day.items():
            self.till.paid[DL, f"2015-01-0{day[1:]}"] = {"orders": orders}
        rounds(self.node, 3)

    def restart(self) -> None:
        self._spouts.stop(self.node)
        self.node = self._spouts()

    def counts(self) -> dict[str, tuple[int, float]]:
        """Return what each day and acct counts, if anything."""
        names = {ts: f"d{date[-1]}" for date, ts in DATES.items()}
        found = {}
        for key, paid in latest(self.broker.tuples("payment")).items():
            _, ts, acct = key.split(":")
            if paid != (0, 0):
                found[f"{names[int(ts)]} {acct}"] = paid
        return found

    def expect(self, counts: dict[str, tuple[int, float]]) -> None:
        """Wait until the days count this, and see that nothing changes any more."""
        with suppress(AssertionError):
            step_until(self.node, lambda: self.counts() == counts, 60)
        rounds(self.node, 3)
        assert self.counts() == counts

    def settled(self) -> int:
        """Return the last day up to which all are settled."""
        return StateFile(self.data / "state" / "payment.json").load(PaymentState).settled.get(DL, 0)

    def rejected(self) -> list[str]:
        return [one.reason for one in waiting(self.data).values()]

    def close(self) -> None:
        self._spouts.close()
        self.till.stop()
        self.broker.stop()


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[MovingOrders]:
    made = MovingOrders(tmp_path)
    yield made
    made.close()


def test_a_moved_order_counts_on_its_new_day(moving: MovingOrders) -> None:
    moving.says(d7=[order("1", 6), order("2", 30)], d8=[order("3", 1)])
    moving.says(d7=[order("2", 30)], d8=[order("3", 1), order("1", 6)])
    moving.expect({"d7 ann": (1, 30), "d8 ann": (2, 7)})
    moving.restart()
    moving.says(d6=[order("1", 6, status="refunded")], d8=[order("3", 1)])
    moving.expect({"d6 ann": (1, 0), "d7 ann": (1, 30), "d8 ann": (1, 1)})
    moving.says(d6=[], d7=[order("2", 30), order("1", 6)])
    moving.expect({"d7 ann": (2, 30), "d8 ann": (1, 1)})
    assert moving.rejected() == []


def test_one_that_both_days_list_is_rejected_until_one_does_not(moving: MovingOrders) -> None:
    moving.says(d7=[order("1", 6)])
    moving.says(d8=[order("1", 6), order("2", 3, "bob")])
    moving.expect({"d7 ann": (1, 6), "d8 bob": (1, 3)})
    (reason,) = moving.rejected()
    assert "the newest answer for 2015-01-07 lists as well" in reason and "(area 555" in reason
    assert reason.endswith("2015-01-08)") and moving.node.state()["errors"][f"{DL}:{DAY}"]
    moving.says(d7=[])
    moving.expect({"d8 ann": (1, 6), "d8 bob": (1, 3)})
    assert moving.rejected() == [] and moving.node.state()["errors"] == {}


def test_of_a_settled_day_that_is_open_again_the_orders_are_known(moving: MovingOrders) -> None:
    """A clock that was ahead had settled it; who had paid on it is not known any more."""
    moving.says(d7=[order("1", 6), order("2", 3, "bob")])
    moving.till.now = DAY + 4 * 86_400
    rounds(moving.node, 3)
    moving.till.now = NOON
    moving.says(d7=[], d8=[order("1", 6), order("2", 3, "bob")])
    moving.expect({"d8 ann": (1, 6), "d8 bob": (1, 3)})
    assert moving.rejected() == []


def test_another_day_has_an_order_only_after_its_loss_is_journaled(
    moving: MovingOrders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes nothing when the first day loses the order, and then that day's answers are broken."""
    moving.says(d7=[order("1", 6)])
    moving.till.paid[DL, "2015-01-07"] = {"orders": []}
    with monkeypatch.context() as full:
        full.setattr(Outbox, "send", raising(OSError("the disk is full")))
        with pytest.raises(OSError, match="the disk is full"):
            rounds(moving.node, 3)
    moving.till.paid[DL, "2015-01-07"] = b"broken"
    moving.restart()
    moving.says(d8=[order("1", 6), order("2", 1, "bob")])
    moving.expect({"d7 ann": (1, 6), "d8 bob": (1, 1)})
    moving.says(d7=[])
    moving.expect({"d8 ann": (1, 6), "d8 bob": (1, 1)})


def test_a_day_is_not_settled_while_an_order_may_come_to_it(moving: MovingOrders) -> None:
    moving.says(d7=[order("1", 6)])
    moving.till.paid[DL, "2015-01-07"] = b"broken"
    moving.till.now = DAY + 4 * 86_400
    moving.says(d6=[order("1", 6)], d8=[order("1", 6)])
    moving.says(d6=[])
    step_until(moving.node, lambda: moving.settled() >= DATES["2015-01-06"])
    rounds(moving.node, 3)
    assert moving.settled() == DATES["2015-01-06"]
    moving.says(d7=[])
    moving.expect({"d8 ann": (1, 6)})
    step_until(moving.node, lambda: moving.settled() >= DAY)
    assert moving.rejected() == []


def test_an_account_without_a_rate_keeps_the_order_that_its_earlier_payments_are(
    moving: MovingOrders,
) -> None:
    """Its payments stay as they were, so the order counts there still."""
    moving.says(d7=[order("1", 6)])
    moving.till.paid[DL, "2015-01-08"] = {"orders": [order("1", 6)]}
    moving.says(d7=[order("2", 1e12), order("3", 1e12)])  # more than an account can have paid
    moving.expect({"d7 ann": (1, 6)})
    moving.says(d7=[order("4", 2)])
    moving.expect({"d7 ann": (1, 2), "d8 ann": (1, 6)})


def test_killed_at_any_instant_while_orders_move(tmp_path: Path) -> None:
    """In no prefix of what the broker got does an order count on two days; in the end each counts on its own."""
    broker, till, data, draw = (
        RunningBroker(tmp_path / "broker"),
        Till(),
        tmp_path / "data",
        random.Random(11),
    )
    conf = tmp_path / "analytics.toml"
    conf.write_text(
        f'data = "{data}"\n{broker_table(broker.section)}\n[payment]\nurl = "{till.url}/{{area}}/{{day}}"\n'
        f'clock_url = "{till.url}/clock"\nevery_seconds = 0.05\nretries = 1\nsince = "2015-01-06"\nsettle_hours = 48\n'
        f'[games.dl]\n[games.dl.areas.{DL}]\nplat = "2001"\n[games.wsdx]\n[games.wsdx.areas.{WSDX}]\nplat = "1059"\n'
    )
    listed: dict[tuple[str, str], str] = {}

    def move() -> None:
        for _ in range(6):
            area = draw.choice([DL, WSDX])
            id_ = draw.choice(
                [*(id_ for at, id_ in listed if at == area), f"{len(listed)}", f"{len(listed)}"]
            )
            listed[area, id_] = draw.choice([*DATES])
        for area in (DL, WSDX):
            for date in DATES:
                ids = [id_ for (at, id_), day in listed.items() if (at, day) == (area, date)]
                till.paid[area, date] = {"orders": [order(id_, 6, id_) for id_ in ids]}

    try:
        for _ in range(12 if THOROUGH else 4):
            child = subprocess.Popen([sys.executable, "-c", CHILD, str(conf)])
            before, until = till.asked.total(), time.monotonic() + 120
            while till.asked.total() == before and time.monotonic() < until:
                gevent.sleep(0.02)
            until = time.monotonic() + 0.2 + draw.random()
            while time.monotonic() < until:
                move()
                gevent.sleep(draw.choice([0.02, 0.1, 0.3]))
            assert child.poll() is None, "the spout ended by itself"
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        expected = {f"{area}:{DATES[date]}:{id_}": (1, 6) for (area, id_), date in listed.items()}
        run_until(CHILD, conf, lambda: counted(broker.tuples("payment")) == expected)
        tuples = broker.tuples("payment")
        assert len(tuples) > (50 if THOROUGH else 15) and counted(tuples) == expected
        now: dict[str, Any] = {}
        for one in tuples:
            now |= latest([one])
            orders = [(key.split(":")[0], key.split(":")[2]) for key, paid in now.items() if paid != (0, 0)]
            assert len(set(orders)) == len(orders), "an order counts on two days"
    finally:
        till.stop()
        broker.stop()


def counted(tuples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what accts have paid, by area, day and acct."""
    return {key: paid for key, paid in latest(tuples).items() if paid != (0, 0)}
