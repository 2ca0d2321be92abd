"""Orders one by one: each counts once, in whatever order it is named, and says for ever what it first said."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.core.exchange import Exchange
from analytics.errors import RecordError
from analytics.spouts.knownorders import KnownOrders
from analytics.spouts.orders import Order, ids_of, orders_of, taken, users_of_orders
from analytics.spouts.paid import check

DAY = 1_772_294_400
EXCHANGE = Exchange("dl", "CNY", "CNY", {"USD": [("2026-01-01", "7.1")]})


def order(
    id_: Any, amount: float = 6, status: str = "paid", acct: str = "ann", **more: Any
) -> dict[str, Any]:
    return {"order_id": id_, "acct": acct, "amount": amount, "status": status, **more}


def users(said: list[Any], known: dict[str, Order] | None = None) -> tuple[dict[str, Any], list[str]]:
    found, rejected = taken(said, DAY, known or {}, own="CNY")
    made = users_of_orders(found.values(), EXCHANGE)
    assert check(made, exchange=EXCHANGE, day="2026-03-01")[1] == {}
    return made, [one.reason for one in rejected]


def test_orders_add_up_by_account_and_currency() -> None:
    said = [
        order(1, 6),
        order("2", 4.99, "refunded", currency="USD"),
        order("3", 0.1, currency="CNY"),
        order("4", 30, "refunded", "bob", refunded=10),
    ]
    assert users(said) == (
        {
            "ann": {
                **{"times": 2, "amount": 6.1, "refunded": 0, "currency": "CNY"},
                "other_currencies": [{"times": 1, "amount": 4.99, "refunded": 4.99, "currency": "USD"}],
            },
            "bob": {"times": 1, "amount": 30, "refunded": 10, "currency": "CNY"},
        },
        [],
    )
    one_currency = users_of_orders(taken(said, DAY, {})[0].values(), None)
    assert one_currency["ann"]["amount"] == 11.09 and "other_currencies" not in one_currency["ann"]
    named = users_of_orders(taken([order("5", 1, currency="EUR")], DAY, {})[0].values(), None)
    assert named["ann"]["currency"] == "EUR", "a rate that is added later finds it"


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 2**32))
def test_repeats_and_refunds_come_in_any_order(seed: int) -> None:
    random = Random(seed)
    orders = [order(f"o{n}", random.choice([1, 6, 0.07]), acct=random.choice("ab")) for n in range(6)]
    refunded = [one | {"status": "refunded"} for one in orders if random.random() < 0.5]
    expected = users([*orders, *refunded])
    said = [*orders, *refunded, *random.choices([*orders, *refunded], k=5)]
    random.shuffle(said)
    cut = random.randrange(len(said))
    known = taken(said[:cut], DAY, {})[0]
    assert expected[1] == [] and users(said, known) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": 7}, "$.orders.*.amount: expected 6.0, as before, got 7.0"),
        ({"acct": "bob"}, '$.orders.*.acct: expected "ann", as before, got "bob"'),
        ({"currency": "USD"}, '$.orders.*.currency: expected "CNY", as before, got "USD"'),
        ({"amount": -1}, "$.orders.*.amount: expected number from 0"),
        ({"status": "open"}, "$.orders.*.status: expected one of paid, refunded"),
        ({"refunded": 6.01}, "$.orders.*.refunded: expected at most the amount, 6, got 6.01"),
        (
            {"status": "refunded", "refunded": 0},
            "$.orders.*.refunded: expected above 0 or missing where the status is refunded, got 0",
        ),
    ],
)
def test_an_order_that_changes_is_rejected_and_stays_what_it_was(change: dict[str, Any], reason: str) -> None:
    known = taken([order("1")], DAY, {})[0]
    for said in ([order("1") | change], [order("1"), order("1") | change]):
        found, [why] = users(said, known)
        assert found["ann"]["amount"] == 6 and why.startswith(reason) and why.endswith('for order "1"')


@pytest.mark.parametrize(("before", "after"), [({}, {"currency": "CNY"}), ({"currency": "CNY"}, {})])
def test_an_order_may_begin_to_name_the_currency_that_it_has(
    before: dict[str, str], after: dict[str, str]
) -> None:
    """Else its refund would be rejected with it."""
    known = taken([order(1, **before)], DAY, {}, own="CNY")[0]
    made, rejected = users([order(1, status="refunded", **after)], known)
    assert rejected == [] and made["ann"]["refunded"] == 6


def test_where_there_is_one_currency_its_names_do_not_matter() -> None:
    known = taken([order(1)], DAY, {})[0]
    for name in ("CNY", "RMB"):
        known, rejected = taken([order(1, status="refunded", currency=name)], DAY, known)
        assert rejected == [] and known["1"] == Order(DAY, "ann", 600, name, 600)


def test_an_order_of_another_day_is_rejected_unless_that_day_has_lost_it() -> None:
    known = taken([order("1")], DAY - 86_400, {})[0]
    found, [why] = users([order("1"), order("2", 1)], known)
    assert (
        found["ann"]["amount"] == 1
        and f"got one that the newest answer for {DAY - 86_400} lists as well" in why
    )
    _, [settled] = taken([order("1")], DAY, known, is_open=lambda day: day >= DAY)
    assert (
        f"expected an order that counts on no settled day, got one that counts on {DAY - 86_400}"
        in settled.reason
    )
    assert settled.counts == ("1", DAY - 86_400)
    lost = {"1": replace(known["1"], listed=False)}
    assert taken([order("1", status="refunded")], DAY, lost)[0] == {"1": Order(DAY, "ann", 600, "", 600)}


def test_what_an_answer_calls_orders_beside_users_is_its_own() -> None:
    payers = {"ann": {"times": 1, "amount": 6}}
    for page in (
        {"users": payers, "orders": 1},
        {"users": payers, "orders": [7]},
        {"users": {}, "orders": 0},
    ):
        assert orders_of(page) is None
    assert orders_of({"users": {}, "orders": [7]}) == [7]
    with pytest.raises(RecordError, match="expected an array, got 57"):
        orders_of({"orders": 57})


def test_orders_are_known_after_a_restart(tmp_path: Path) -> None:
    said = [order(n) for n in range(1_200)]
    known = KnownOrders(tmp_path / "orders.sqlite")
    found, _ = taken(said, DAY, known.of("a", ids_of(said)))
    known.put("a", found)
    known.close()
    known = KnownOrders(tmp_path / "orders.sqlite")
    assert known.of("a", ids_of(said)) == found and known.of("b", ids_of(said)) == {}
    known.close()
