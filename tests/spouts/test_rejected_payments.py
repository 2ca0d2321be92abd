"""Rejected payments: off the list once an answer has them otherwise, and put in again when no answer will come."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from polling import RunningBroker, Spouts, step_until
from test_payment import DAY, NOON, Till, rounds, users

from analytics.broker.clients import Refill
from analytics.config import AreaSection, Config, Game, Interface, areas
from analytics.spouts.payment import PaymentSpout, PaymentState
from analytics.spouts.positions import StateFile
from analytics.spouts.rejected import waiting
from analytics.spouts.replay import Replayed, replay

AREA, DATE = "5" * 24, "2015-01-08"
SETTLED = DAY + 31 * 3600


class Interviewed:
    """A payment spout of a game in CNY with a rate of EUR alone, its interface, and its broker."""

    def __init__(self, folder: Path) -> None:
        self.broker = RunningBroker(folder / "broker")
        self.till = Till()
        interface = Interface(
            url=self.till.url + "/{area}/{day}", clock_url=self.till.url + "/clock", retries=1
        )
        game = Game(currency="CNY", rates={"EUR": {"2015-01-01": "7.5"}}, areas={AREA: AreaSection(plat="1")})
        self.config = Config(
            data=folder / "data", broker=self.broker.section, payment=interface, games={"dl": game}
        )
        self._spouts = Spouts(self._made)
        self.node = self._spouts()

    def _made(self, **settings: Any) -> PaymentSpout:
        payment = msgspec.structs.replace(self.config.payment, **settings)
        self.config = msgspec.structs.replace(self.config, payment=payment)
        return PaymentSpout(self.config, areas(self.config))

    def restart(self, config: Config) -> None:
        self._spouts.stop(self.node)
        self.config = config
        self.node = self._spouts()

    def says(self, *orders: dict[str, Any], now: int = NOON) -> None:
        self.till.now = now
        self.till.paid[AREA, DATE] = {"orders": list(orders)}
        rounds(self.node, 2)

    def settles(self, *orders: dict[str, Any]) -> None:
        """Say this after the day is over, and end the spout, which keeps its state."""
        self.says(*orders, now=SETTLED)
        file = StateFile(self.config.data / "state" / "payment.json")
        step_until(self.node, lambda: file.load(PaymentState).settled.get(AREA, 0) >= DAY)
        self._spouts.stop(self.node)

    def newest(self) -> dict[str, Any]:
        found: dict[str, Any] = self.broker.tuples("payment")[-1]["users"]
        return found

    def rejected(self) -> list[str]:
        return [one.reason for one in waiting(self.config.data).values()]

    def with_rate(self) -> Config:
        game = self.config.games["dl"]
        rates = {**game.rates, "USD": {"2015-01-01": "7"}}
        return msgspec.structs.replace(self.config, games={"dl": msgspec.structs.replace(game, rates=rates)})

    def close(self) -> None:
        self._spouts.close()
        self.till.stop()
        self.broker.stop()


PATIENCE = 600.0


def again(config: Config) -> Replayed:
    return replay(config, PATIENCE, Refill(config.broker, PATIENCE))


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Interviewed]:
    made = Interviewed(tmp_path)
    yield made
    made.close()


def order(id_: str, amount: float, currency: str = "CNY", acct: str = "ann") -> dict[str, Any]:
    return {"order_id": id_, "acct": acct, "amount": amount, "status": "paid", "currency": currency}


def test_an_order_without_a_rate_leaves_the_accounts_others(suite: Interviewed) -> None:
    suite.says(
        order("1", 100),
        order("2", 5, "USD"),
        order("3", 2, "EUR"),
        order("4", 9, "USD", "bob"),
        order("5", 1),
    )
    eur = {"times": 1, "amount": 2, "currency": "EUR"}
    assert suite.newest() == {
        "ann": {"times": 2, "amount": 101, "currency": "CNY", "other_currencies": [eur]}
    }
    assert sorted(one.partition(" for account ")[2] for one in suite.rejected()) == [
        f'"ann" (area {AREA}, {DATE})',
        f'"bob" (area {AREA}, {DATE})',
    ]


@pytest.mark.parametrize("timezone", ["Europe/London", "Pacific/Auckland"])
def test_an_order_keeps_its_day_where_the_zone_of_its_area_changes(suite: Interviewed, timezone: str) -> None:
    suite.says(order("1", 3))
    game = msgspec.structs.replace(suite.config.games["dl"], timezone=timezone)
    suite.restart(msgspec.structs.replace(suite.config, games={"dl": game}))
    suite.says(order("1", 3) | {"status": "refunded"}, order("2", 5))
    assert suite.rejected() == []
    assert suite.newest() == {"ann": {"times": 2, "amount": 8, "refunded": 3, "currency": "CNY"}}


@pytest.mark.parametrize("timezone", ["Europe/London", "Pacific/Auckland"])
def test_what_is_known_of_a_day_stays_known_where_the_zone_of_its_area_changes(
    suite: Interviewed, timezone: str
) -> None:
    suite.says(order("1", 3), order("2", 5, acct="bob"), order("3", 5, "USD", "cat"))
    assert len(suite.rejected()) == 1
    game = msgspec.structs.replace(suite.config.games["dl"], timezone=timezone)
    suite.restart(msgspec.structs.replace(suite.config, games={"dl": game}))
    nothing = {"times": 0, "amount": 0}
    suite.says(order("1", 3))
    assert suite.newest() == {"ann": {"times": 1, "amount": 3, "currency": "CNY"}, "bob": nothing}
    assert suite.rejected() == []
    suite.says()
    assert suite.newest() == {"ann": nothing}
    assert {one["day"] for one in suite.broker.tuples("payment")} == {DATE}


def test_what_a_newer_answer_corrects_leaves_the_list(suite: Interviewed) -> None:
    suite.says(order("1", 5, "USD"), order("2", 9, "USD", "bob"), {"no": 17})
    assert len(suite.rejected()) == 3
    suite.says(order("2", 9, "USD", "bob"))
    (left,) = suite.rejected()
    assert '"bob"' in left
    suite.till.paid[AREA, DATE] = {"users": 5}
    rounds(suite.node, 2)
    assert len(suite.rejected()) == 2, "of an answer that says nothing, nothing is known to have ended"
    suite.till.paid[AREA, DATE] = users(bob=9)
    rounds(suite.node, 2)
    assert suite.rejected() == []
    suite.says(order("2", 9, "USD", "bob"))
    assert len(suite.rejected()) == 1, "it is rejected again"


def test_a_payment_of_a_settled_day_is_put_in_again(suite: Interviewed) -> None:
    said = order("1", 100), order("2", 5, "USD"), order("3", 1, acct="bob")
    suite.says(*said)
    assert again(suite.with_rate()).payments == 1, "the interface is asked again"
    suite.says(*said, order("4", 3, acct="bob"))
    suite.settles(*said, order("4", 3, acct="bob"))
    before = suite.broker.tuples("payment")
    assert [one["users"]["ann"]["amount"] for one in before] == [100, 100]
    still = again(suite.config)
    assert (still.accepted, still.payments) == (0, 1)
    counted = again(suite.with_rate())
    assert (counted.accepted, counted.payments) == (1, 0) and suite.rejected() == []
    (put_in,) = suite.broker.tuples("payment")[2:]
    usd = {"times": 1, "amount": 5, "refunded": 0, "currency": "USD"}
    assert put_in["users"]["ann"]["other_currencies"] == [usd] and put_in["users"].keys() == {"ann"}
    assert put_in["at"] > before[-1]["at"], "else the sums without it would count"
    assert again(suite.with_rate()).accepted == 0


def test_one_that_was_put_in_before_a_crash_counts_once(suite: Interviewed) -> None:
    suite.says(order("1", 5, "USD"))
    suite.settles(order("1", 5, "USD"))
    (path,) = suite.config.data.glob("rejected_*.txt")
    listed = path.read_bytes()
    assert again(suite.with_rate()).accepted == 1
    for one in suite.config.data.glob("rejected_*.txt"):
        one.write_bytes(listed if one == path else b"")
    assert len(suite.rejected()) == 1
    assert again(suite.with_rate()).payments == 0
    assert len(suite.broker.tuples("payment")) == 1 and suite.rejected() == []
