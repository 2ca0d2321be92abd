"""Payments in several currencies: converted once, exactly, the same in any order; what has no rate counts nowhere."""

from fractions import Fraction
from random import Random
from typing import Any

import msgspec
import pytest
from delivery import deliver
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_run import run

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.exchange import Exchange
from analytics.core.fold import Folder
from analytics.core.periods import zone
from analytics.core.tuples import Paid
from analytics.errors import RecordError
from analytics.spouts.paid import check

SHANGHAI = zone("Asia/Shanghai")
DAY = SHANGHAI.day_of("2026-03-01")
EXCHANGE = Exchange("dl", "CNY", "CNY", {"USD": [("2026-03-01", "0.5"), ("2026-03-10", "7.125")]})
AREAS = Areas(
    [
        Area("home", "dl", "p", SHANGHAI, exchange=EXCHANGE),
        Area("abroad", "dl", "p", SHANGHAI, exchange=EXCHANGE.of("USD")),
    ]
)


def paid(at: int, area: str, users: dict[str, Any], day: int = DAY) -> tuple[str, dict[str, Any]]:
    return "payment", {"id": f"payment/dl@1:{at}", "at": at, "area": area, "ts": day, "users": users}


def user(amount: float, refunded: float = 0, currency: str = "", **more: Any) -> dict[str, Any]:
    return {"times": 1, "amount": amount, "refunded": refunded, "currency": currency, **more}


@pytest.mark.parametrize(
    ("day", "rate"),
    [("2026-03-01", "0.5"), ("2026-03-09", "0.5"), ("2026-03-10", "7.125"), ("2030-01-01", "7.125")],
)
def test_a_day_without_a_rate_has_the_one_before(day: str, rate: str) -> None:
    assert EXCHANGE.rate("USD", day) == rate and EXCHANGE.rate("CNY", day) == "1"


@pytest.mark.parametrize(("cents", "converted"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_half_a_cent_is_rounded_to_even(cents: int, converted: int) -> None:
    [found] = EXCHANGE.converted(msgspec.convert(user(cents / 100, currency="USD"), Paid), "2026-03-01")
    assert (found.gross, found.gross_converted) == (cents, converted)


@pytest.mark.parametrize(
    ("day", "user", "reason"),
    [
        ("2026-02-28", user(1, currency="USD"), "a rate on 2026-02-28 or before in games.dl.rates, got \"USD\""),
        ("2026-03-01", user(1, currency="EUR"), "got \"EUR\""),
        ("2026-03-10", user(10**12, currency="USD"), "expected at most"),
        ("2026-03-01", user(1, other_currencies=[user(2)]), "each currency once, got CNY, CNY"),
        ("2026-03-01", user(1, 2), "$.users.*.refunded: expected at most the amount, 1, got 2"),
        ("2026-03-01", user(1, other_currencies=[{"times": 1}]), "$.users.*.other_currencies[].amount: expected number"),
    ],
)  # fmt: skip
def test_what_can_not_be_converted_is_rejected(day: str, user: dict[str, Any], reason: str) -> None:
    good, bad = check({"ann": user, "bob": {"times": 1, "amount": 2}}, exchange=EXCHANGE, day=day)
    assert [*good] == ["bob"] and reason in bad["ann"] and bad["ann"].endswith('for account "ann"')


def test_a_game_without_rates_has_one_currency() -> None:
    good, bad = check({"ann": user(1, currency="USD"), "bob": user(1, other_currencies=[user(1)])})
    assert good["ann"]["amount"] == 1 and "the game has no rates" in bad["bob"]


def test_a_bolt_leaves_out_what_has_no_rate_any_more() -> None:
    users = {"ann": user(1, currency="EUR"), "bob": user(2)}
    folder = Folder([BOLTS["paysummary"]], AREAS)
    body = msgspec.json.encode(paid(1, "home", users)[1])
    folded, [unusable] = folder.fold("payment", 1, body)
    [(_, delta)] = folded["paysummary"].items()
    assert [*delta.states[0]] == ["bob"]
    assert 'got "EUR"' in unusable.reason and [*msgspec.json.decode(unusable.line)["users"]] == ["ann"]
    with pytest.raises(RecordError):
        EXCHANGE.rate("EUR", "2026-03-01")


def test_numbers_are_in_the_games_currency_and_own_amounts_beside_them() -> None:
    users = {
        "ann": user(10.01, 0.01),
        "bob": user(8, 8, "CNY", other_currencies=[user(0.03, currency="USD")]),
    }
    runner = run(BOLTS.values(), AREAS, [paid(1, "abroad", users), paid(2, "home", {"ann": user(1)})])
    abroad = f"abroad:{DAY}"
    summary, revenue = (runner.documents(name)[abroad] for name in ("paysummary", "revenueday"))
    # 10.01 USD are 500.5 cents of CNY, half to even 500; its refund of 0.01 USD half a cent, so none.
    assert (summary["pay_amout"], summary["count"], summary["pay_count"]) == (5.02, 2, 3)
    assert (revenue["gross"], revenue["refunds"], revenue["net"]) == (13.02, 8, 5.02)
    assert revenue["gross_in"] == {"CNY": 8, "USD": 10.04} and revenue["net_in"] == {"CNY": 0, "USD": 10.03}
    assert revenue["converted"] == {"CNY": 0, "USD": 5.02} and revenue["rates"] == "CNY 1, USD 0.5"
    assert runner.documents("server")[abroad]["pay_amout"] == 5.02
    assert runner.documents("userpay")["abroad:bob"]["pay_amout"] == 0.02


AMOUNTS = st.sampled_from([0.01, 0.03, 0.05, 1.0, 19.99, 648.0])


@settings(max_examples=examples(100), deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"),
            st.builds(
                lambda amount, share, currency: user(amount, round(amount * share, 2), currency),
                AMOUNTS,
                st.sampled_from([0, 0, 0.5, 1]),
                st.sampled_from(["", "CNY", "USD"]),
            ),
            min_size=1,
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 2**32),
)
def test_the_order_of_snapshots_does_not_matter(snapshots: list[dict[str, Any]], seed: int) -> None:
    newest: dict[str, dict[str, Any]] = {}
    for users in snapshots:
        newest |= users
    records = [paid(at, "abroad", users) for at, users in enumerate(snapshots, 1)]
    gross = refunds = 0
    for one in newest.values():
        rate = Fraction(1) if one["currency"] == "CNY" else Fraction("0.5")
        gross += round(round(100 * one["amount"]) * rate)
        refunds += round(round(100 * one["refunded"]) * rate)
    [found] = deliver(BOLTS["revenueday"], AREAS, records, Random(seed))
    assert [round(100 * found[name]) for name in ("gross", "refunds", "net")] == [
        gross,
        refunds,
        gross - refunds,
    ]
    assert round(100 * sum(found["converted"].values())) == gross - refunds
    [summary] = deliver(BOLTS["paysummary"], AREAS, records, Random(seed))
    assert round(100 * summary["pay_amout"]) == gross - refunds
