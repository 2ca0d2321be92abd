"""Orders that an interface moves to another day: each counts once, on one day, in whatever order answers come and wherever the process dies."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.core.areas import Area
from analytics.core.periods import zone
from analytics.spouts.days import AreaDay, Days
from analytics.spouts.knownorders import KnownOrders
from analytics.spouts.orderbook import OrderBook, OrdersOfDay
from analytics.spouts.orders import Order

AREA = Area("5" * 24, "dl", "2001", zone("Asia/Shanghai"))
FIRST = AREA.zone.day_of("2026-03-01")
DAYS = [AreaDay(AREA, AREA.zone.day_after(FIRST, n)) for n in range(3)]
LATE = AREA.zone.day_of("2026-03-10")


def order(id_: str, amount: float = 6, status: str = "paid", **more: Any) -> dict[str, Any]:
    """Return an order of an acct of its own, so that sums say which orders they have."""
    return {"order_id": id_, "acct": f"acct-{id_}", "amount": amount, "status": status, **more}


class Counting:
    """What the spout does with answers, without an interface and a broker. ``journaled``: per day, what its newest snapshot says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settled: dict[str, int] = {}
        self.journaled: list[dict[str, Any]] = [{} for _ in DAYS]
        self.asked = 0
        self._open()

    def _open(self) -> None:
        self.days = Days(dict(self._settled), 0, "2026-03-01")
        list(self.days.open([AREA], LATE))
        self.book = OrderBook(self._folder / "orders.sqlite", self.days)

    def crash(self) -> None:
        self.book.close()
        self._open()

    def ask(self) -> int:
        self.asked += 1
        return self.asked

    def answer(
        self, n: int, said: list[Any], at: int = 0, late: bool = False, dies: str = ""
    ) -> OrdersOfDay | None:
        """Take an answer. ``dies``: before the snapshot is journaled, or after that, before anything else; otherwise it may settle its day."""
        day = DAYS[n]
        if not self.days.is_open(day):
            return None
        found = self.book.take(day, said, at or self.ask(), late)
        if dies == "before":
            self.crash()
            return None
        self.journaled[n] = found.users
        self.expect_each_once()
        if dies == "after":
            self.crash()
            return None
        self.book.leave(day, found.lost)
        self.book.left()
        if late and not found.waits:
            self.days.answered(day, LATE)
            self._settled.update(self.days.settled)
        return found

    def is_open(self, n: int) -> bool:
        return self.days.is_open(DAYS[n])

    def expect_each_once(self) -> None:
        accts = [acct for users in self.journaled for acct in users]
        assert len(set(accts)) == len(accts), "an order counts on two days"

    def sums(self) -> list[dict[str, tuple[float, float]]]:
        return [
            {acct: (one["amount"], one["refunded"]) for acct, one in users.items()}
            for users in self.journaled
        ]


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    made = Counting(tmp_path)
    yield made
    made.book.close()


def reasons(found: OrdersOfDay | None) -> list[str]:
    return [one.reason for one in found.rejected] if found else []


def test_a_moved_order_counts_on_its_new_day(counting: Counting) -> None:
    counting.answer(0, [order("1"), order("2")])
    counting.answer(0, [order("2")])
    assert reasons(counting.answer(1, [order("1", status="refunded")])) == []
    assert counting.sums() == [{"acct-2": (6, 0)}, {"acct-1": (6, 6)}, {}]
    assert reasons(counting.answer(0, [order("1"), order("2")])) == [
        "$.orders.*.order_id: expected an order that is listed for one day, got one that the newest answer for 2026-03-02 lists as "
        'well for order "1"'
    ]
    counting.answer(1, [])
    assert reasons(counting.answer(0, [order("1")])) == [], "it was moved back"
    assert counting.sums() == [{"acct-1": (6, 6)}, {}, {}], "and stays refunded"


def test_an_order_that_both_days_list_stays_where_it_was(counting: Counting) -> None:
    counting.answer(1, [order("1")])
    for n in (0, 2):
        found = counting.answer(n, [order("1"), order(f"own-{n}")])
        assert found and found.waits and found.rejected[0].raw == order("1")
    assert counting.sums() == [{"acct-own-0": (6, 0)}, {"acct-1": (6, 0)}, {"acct-own-2": (6, 0)}]
    counting.answer(1, [])
    counting.answer(2, [order("1"), order("own-2")])
    assert counting.sums() == [{"acct-own-0": (6, 0)}, {}, {"acct-own-2": (6, 0), "acct-1": (6, 0)}]


@pytest.mark.parametrize(
    "change", [{"amount": 7}, {"acct": "bob"}, {"status": "open"}, {"refunded": 9}, {"amount": None}]
)
def test_one_that_is_moved_and_changed_counts_as_it_first_came(
    counting: Counting, change: dict[str, Any]
) -> None:
    counting.answer(0, [order("1")])
    counting.answer(0, [])
    assert len(reasons(counting.answer(1, [order("1") | change]))) == 1
    assert counting.sums() == [{}, {"acct-1": (6, 0)}, {}]


def test_of_a_settled_day_an_order_moves_if_its_last_answer_lacks_it(counting: Counting) -> None:
    counting.answer(0, [order("1"), order("2")])
    counting.answer(0, [order("2")], late=True)
    assert not counting.is_open(0)
    (reason,) = reasons(counting.answer(1, [order("1"), order("2")], late=True))
    assert reason.startswith(
        "$.orders.*.order_id: expected an order that counts on no settled day, got one that counts on 2026-03-01"
    )
    assert counting.sums() == [{"acct-2": (6, 0)}, {"acct-1": (6, 0)}, {}]
    assert not counting.is_open(1), "no other answer can change that"


@pytest.mark.parametrize("first", [0, 1])
def test_a_day_is_not_settled_while_an_order_may_come_to_it(counting: Counting, first: int) -> None:
    """Its last answer was asked for before the other day lost the order."""
    other = 1 - first
    counting.answer(first, [order("1")])
    counting.answer(other, [order("1")], late=True)
    assert counting.is_open(other)
    counting.crash()
    counting.answer(other, [order("1")], late=True)
    assert counting.is_open(other)
    counting.answer(first, [], late=True)
    counting.answer(other, [order("1")], late=True)
    assert "acct-1" in counting.journaled[other]
    assert not counting.is_open(0) and not counting.is_open(1)


def test_days_that_list_each_others_orders_are_settled_anyway(counting: Counting) -> None:
    counting.answer(0, [order("1")])
    counting.answer(1, [order("2")])
    for _ in range(2):
        for n in (0, 1):
            counting.answer(n, [order("1"), order("2")], late=True)
    assert not counting.is_open(0) and not counting.is_open(1)
    assert counting.sums() == [{"acct-1": (6, 0)}, {"acct-2": (6, 0)}, {}]


def test_two_orders_that_change_places_at_the_end_count(counting: Counting) -> None:
    """The last answer but one for the second day was asked for when only one of them had moved."""
    counting.answer(0, [order("1")])
    counting.answer(1, [order("2")])
    counting.answer(1, [order("1"), order("2")], late=True)
    counting.answer(0, [order("2")], late=True)
    assert counting.is_open(0) and counting.is_open(1)
    for n in (0, 1, 0):
        counting.answer(n, [order("2" if n == 0 else "1")], late=True)
    assert counting.sums() == [{"acct-2": (6, 0)}, {"acct-1": (6, 0)}, {}]
    assert not counting.is_open(0) and not counting.is_open(1)


def test_sums_by_account_say_nothing_of_orders(counting: Counting) -> None:
    counting.answer(0, [order("1")])
    counting.book.take_sums(DAYS[0], {})
    assert len(reasons(counting.answer(1, [order("1")]))) == 1, "the sums may have it"


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, 2**32))
def test_in_any_order_of_events(seed: int) -> None:
    with TemporaryDirectory() as folder:
        counting = Counting(Path(folder))
        _in_any_order(counting, Random(seed))
        counting.book.close()


def _in_any_order(counting: Counting, random: Random) -> None:
    listed: dict[str, int] = {}
    refunded: set[str] = set()
    under_way: dict[int, tuple[int, list[Any]]] = {}

    def answer_now(n: int) -> list[Any]:
        ids = [id_ for id_, day in listed.items() if day == n]
        return [
            order(id_, status="refunded" if id_ in refunded else "paid")
            for id_ in random.sample(ids, len(ids))
        ]

    for number in range(random.randint(1, 60)):
        event, n = (
            random.choice(["order", "move", "move", "refund", "ask", "get", "get", "crash"]),
            random.randrange(3),
        )
        if event == "order":
            listed[f"{number}"] = n
        elif event == "move" and listed:
            listed[random.choice([*listed])] = n
        elif event == "refund" and listed:
            refunded.add(random.choice([*listed]))
        elif event == "ask":
            under_way.setdefault(n, (counting.ask(), answer_now(n)))
        elif event == "get":
            at, said = under_way.pop(n, (counting.ask(), answer_now(n)))
            counting.answer(n, said, at, dies=random.choice(["", "", "", "before", "after"]))
        elif event == "crash":
            counting.crash()
            under_way.clear()
    for n, (at, said) in under_way.items():
        counting.answer(n, said, at)
    settle = random.random() < 0.5
    for _ in range(4 if settle else 2):
        for n in random.sample(range(3), 3):
            counting.answer(n, answer_now(n), late=settle)
    assert counting.sums() == [
        {f"acct-{id_}": (6, 6 * (id_ in refunded)) for id_, day in listed.items() if day == n}
        for n in range(3)
    ]
    assert not settle or not any(map(counting.is_open, range(3)))


def test_the_file_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE orders (area TEXT NOT NULL, id TEXT NOT NULL, day INTEGER NOT NULL, acct TEXT NOT NULL, amount INTEGER NOT "
            "NULL, currency TEXT NOT NULL, refunded INTEGER NOT NULL, PRIMARY KEY (area, id)) WITHOUT ROWID"
        )
        db.execute("INSERT INTO orders VALUES (?, '1', ?, 'acct-1', 600, '', 0)", [AREA.id, FIRST])
    known = KnownOrders(path)
    assert known.of(AREA.id, ["1"]) == {"1": Order(FIRST, "acct-1", 600, "", 0)}
    known.close()
    counting = Counting(tmp_path)
    counting.answer(0, [])
    assert reasons(counting.answer(1, [order("1")])) == []
    counting.book.close()


def test_areas_have_orders_of_their_own(counting: Counting) -> None:
    elsewhere = AreaDay(Area("6" * 24, "dl", "2001", zone("Europe/Berlin")), FIRST + 7 * 3600)
    list(counting.days.open([elsewhere.area], LATE))
    counting.answer(0, [order("1")])
    found = counting.book.take(elsewhere, [order("1", 8)], 9, late=False)
    assert found.rejected == [] and found.users["acct-1"]["amount"] == 8
    counting.answer(0, [])
    (reason,) = reasons(counting.answer(1, [order("1", 8)]))
    assert reason.startswith("$.orders.*.amount: expected 6.0, as before")
