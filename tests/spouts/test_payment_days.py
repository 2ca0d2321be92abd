"""Which days are asked about, and what an answer may say: without any machinery."""

import random

import msgspec
import pytest

from analytics.core.areas import Area
from analytics.core.periods import zone
from analytics.core.tuples import LONGEST_NAME, MOST_MONEY, MOST_TIMES, Payment, paid_rows
from analytics.errors import RecordError
from analytics.spouts.days import AreaDay, Days
from analytics.spouts.paid import check, digest, encoded, paid, payment_tuple, users_of

SHANGHAI = Area("5" * 24, "dl", "2001", zone("Asia/Shanghai"))
BERLIN = Area("6" * 24, "dl", "2001", zone("Europe/Berlin"))
HOUR = 3600


def dates(days, areas, now):
    return [(day.area.id[0], day.date) for day in days.open(areas, now)]


def test_at_first_today_and_yesterday_by_each_areas_clock():
    now = SHANGHAI.zone.day_of("2026-03-30") + HOUR  # still the evening of the 29th in Berlin
    assert dates(Days({}, 6 * HOUR), [SHANGHAI, BERLIN], now) == [
        ("5", "2026-03-29"),
        ("5", "2026-03-30"),
        ("6", "2026-03-28"),
        ("6", "2026-03-29"),
    ]


def test_since_is_where_it_begins():
    now = SHANGHAI.zone.day_of("2026-03-30")
    assert len(dates(Days({}, 6 * HOUR, "2026-03-01"), [SHANGHAI], now)) == 30
    assert dates(Days({}, 6 * HOUR, "2026-04-02"), [SHANGHAI], now) == []


@pytest.mark.parametrize("hour", [1, 5, 7, 23])
def test_days_that_a_clock_ahead_of_time_has_settled_are_asked_about_again(hour):
    now = SHANGHAI.zone.day_of("2026-03-30") + hour * HOUR
    days = Days({}, 6 * HOUR, "2026-03-20")
    for later in (now, now + 72 * HOUR):
        for day in list(days.open([SHANGHAI], later)):
            days.answered(day, later)
    assert "2026-04-02" in [date for _, date in dates(days, [SHANGHAI], now + 72 * HOUR)]
    still_open = [("5", "2026-03-29")] * (hour < 6) + [("5", "2026-03-30")]
    assert dates(days, [SHANGHAI], now) == still_open
    saved = SHANGHAI.zone.day_of("2026-04-01")
    assert dates(Days({SHANGHAI.id: saved}, 6 * HOUR), [SHANGHAI], now) == still_open
    assert dates(Days({SHANGHAI.id: saved}, 6 * HOUR, "2026-04-02"), [SHANGHAI], now) == []


@pytest.mark.parametrize("day", ["2026-03-28", "2026-03-29", "2026-10-25"])
def test_a_day_settles_so_long_after_its_end_however_long_it_was(day):
    start = BERLIN.zone.day_of(day)
    end = BERLIN.zone.day_after(start, 1)
    days = Days({BERLIN.id: BERLIN.zone.day_after(start, -1)}, 6 * HOUR)
    assert days.answered(AreaDay(BERLIN, start), end + 6 * HOUR - 1) == []
    assert days.answered(AreaDay(BERLIN, start), end + 6 * HOUR) == [AreaDay(BERLIN, start)]
    assert days.settled == {BERLIN.id: start}


@pytest.mark.parametrize("seed", range(20))
def test_answers_in_any_order_settle_every_day_once(seed):
    days, now = Days({}, 0, "2026-01-01"), SHANGHAI.zone.day_of("2026-02-01")
    wanted = list(days.open([SHANGHAI], now))
    random.Random(seed).shuffle(wanted)
    settled = []
    for day in wanted:
        settled += days.answered(day, now)
        assert days.answered(day, now) == [] or day.date == "2026-02-01"
        assert day not in list(days.open([SHANGHAI], now)) or day.date == "2026-02-01"
    assert [day.date for day in settled] == [f"2026-01-{number:02}" for number in range(1, 32)]
    assert dates(days, [SHANGHAI], now) == [("5", "2026-02-01")]
    again = Days(days.settled, 0, "2026-01-01")
    assert dates(again, [SHANGHAI], now) == [("5", "2026-02-01")]


@pytest.mark.parametrize(
    ("amount", "kept"),
    [
        (0, 0),
        (2, 2),
        (2.0, 2),
        (0.1 + 0.2, 0.3),
        (99.9900001, 99.99),
        (0.125, 0.12),
        (19.99 * 3, 59.97),
        (123456789.99, 123456789.99),
    ],
)
def test_amounts_are_cents(amount, kept):
    assert paid({"times": 1, "amount": amount, "more": "ignored"}) == {"times": 1, "amount": kept}


@pytest.mark.parametrize("amount", [-0.001, -0.01, "2.0", None, True, [], 1e13, float("inf")])
def test_other_amounts_are_refused(amount):
    with pytest.raises(RecordError, match=r"^\$\.users\.\*\.amount: expected .*, got "):
        paid({"times": 1, "amount": amount})


def test_what_the_spout_accepts_a_bolt_can_read():
    day = AreaDay(SHANGHAI, SHANGHAI.zone.day_of("2015-01-08"))
    most = {"times": MOST_TIMES, "amount": MOST_MONEY}
    good, bad = check(
        {
            "": most,
            "é" * LONGEST_NAME: most,
            "é" * LONGEST_NAME + "é": most,
            "often": most | {"times": MOST_TIMES + 1},
            "rich": most | {"amount": MOST_MONEY + 1},
            "least": {"times": 0, "amount": 0},
        }
    )
    assert list(good) == ["é" * LONGEST_NAME, "least"]
    assert bad.keys() == {"", "é" * LONGEST_NAME + "é", "often", "rich"}
    read = msgspec.json.decode(payment_tuple(day, 5, encoded(good)), type=Payment)
    assert [(row.times, row.cents) for row in paid_rows(read, SHANGHAI.zone)] == [
        (0, 0),
        (MOST_TIMES, MOST_MONEY * 100),
    ]


def test_the_same_users_in_any_order_are_the_same():
    good, bad = check({"b": {"amount": 1, "times": 1}, "a": {"times": 2, "amount": 3.5}, "c": 0})
    assert list(bad) == ["c"]
    assert encoded(good) == b'{"a":{"times":2,"amount":3.5},"b":{"times":1,"amount":1.0}}'
    assert digest(good) == digest(dict(reversed(good.items())))
    assert digest(good) == digest(good | {"nil": {"times": 0, "amount": 0.0}}) != digest({"a": good["a"]})
    assert users_of({"users": []}) == {}


def test_the_tuple_is_the_contracts():
    day = AreaDay(SHANGHAI, SHANGHAI.zone.day_of("2015-01-08"))
    assert payment_tuple(day, 5, b"{}") == (
        b'{"game":"dl","area":"555555555555555555555555","plat":"2001","ts":1420646400,"day":"2015-01-08","at":5,"users":{}}'
    )
