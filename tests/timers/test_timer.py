"""Which documents depend on a day, where periods begin and end, and when an area started."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.core.periods import zone
from analytics.timers import TIMERS
from analytics.timers.start import earliest, fields
from analytics.timers.timer import first_of, last_of, runs

DAYS = st.dates(date(2000, 1, 1), date(2999, 12, 31)).map(date.toordinal)
DAY = date(2024, 2, 29).toordinal()
"""A Thursday."""


def offsets(days):
    return sorted(day - DAY for day in days)


def test_a_login_affects_the_day_the_trailing_month_and_the_cohorts_before():
    affected = {name: offsets(timer.affected("login", DAY)) for name, timer in TIMERS.items()}
    assert affected == {
        "activeday": [0],
        "activeweek": [-3],
        "activemonth": [-28],
        "lifecycle": list(range(8)),
        **{key: [] for key in ("onlineday", "sessionday")},
        "loginretention": list(range(-30, 0)),
        "loginlong": [-90, -60, -45],
        "loginweek": [-59, -52, -45, -38, -31, -24, -17, -10, -3],
        "loginmonth": [-120, -90, -59, -28],
        **{key: [] for key in ("paytraceday", "paylong", "payweek", "paymonth")},
        "kpi": list(range(30)),
        "payers": [-28],
        "ltv": [],
        "firstpay": [],
        "funnel": [],
    }


def test_a_payment_affects_the_day_and_the_cohorts_before():
    affected = {name: offsets(timer.affected("pay", DAY)) for name, timer in TIMERS.items()}
    assert {name: days for name, days in affected.items() if days} == {
        "paytraceday": list(range(-30, 0)),
        "paylong": [-90, -60, -45],
        "payweek": [-59, -52, -45, -38, -31, -24, -17, -10, -3],
        "paymonth": [-120, -90, -59, -28],
        "kpi": [0],
        "payers": [-28, 1],
        "ltv": list(range(-90, 1)),
        "firstpay": list(range(-90, 1)),
        "funnel": [0, 1, 2],
    }
    assert [name for name, timer in TIMERS.items() if list(timer.affected("first_pay", DAY))] == [
        "paytraceday",
        "paylong",
        "payweek",
        "paymonth",
    ]


def test_time_affects_what_looks_forward_to_the_day():
    aged = {name: offsets(timer.aged(DAY)) for name, timer in TIMERS.items()}
    assert aged == {
        "activeday": [0],
        "activeweek": [-3],
        "activemonth": [-28],
        "lifecycle": [0],
        **{key: [-1, 0] for key in ("onlineday", "sessionday")},
        "loginretention": list(range(-30, 1)),
        "paytraceday": list(range(-30, 1)),
        **{key: [-90, -60, -45, 0] for key in ("loginlong", "paylong")},
        **{key: [-59, -52, -45, -38, -31, -24, -17, -10, -3] for key in ("loginweek", "payweek")},
        **{key: [-120, -90, -59, -28] for key in ("loginmonth", "paymonth")},
        "kpi": [0],
        "payers": [-28],
        "ltv": list(range(-90, 1)),
        "firstpay": list(range(-90, 1)),
        "funnel": [0],
    }


@pytest.mark.parametrize("period", ["day", "week", "month"])
@given(day=DAYS)
def test_periods_tile_the_days(period, day):
    first, last = first_of(period, day), last_of(period, first_of(period, day))
    assert first <= day <= last
    assert all(first_of(period, one) == first for one in (first, last))
    assert first_of(period, last + 1) == last + 1


@given(days=st.lists(st.integers(0, 300)), length=st.integers(1, 50))
def test_runs_are_the_days_in_order_and_short(days, length):
    found = list(runs(days, length))
    assert [day for run in found for day in run] == sorted(set(days))
    assert all(run[-1] - run[0] < length for run in found)
    assert all(later[0] - run[0] >= length for run, later in pairwise(found))


def test_the_start_is_the_earliest_record_and_only_moves_back():
    assert earliest(None, []) is None
    assert earliest(None, [30, 20, 40]) == 20
    assert earliest(20, [30]) == 20
    assert earliest(20, [10, 30]) == 10
    assert earliest(20, []) == 20


def test_a_start_is_final_once_its_day_has_ended():
    """A day of 23 hours: it ends when the local day does, not 24 hours after it began."""
    berlin = zone("Europe/Berlin")
    day = berlin.day_of("2024-03-31")
    at = day + 3600
    assert fields(at, berlin, day + 23 * 3600 - 1) == {"ts": at, "day": day, "final": False}
    assert fields(at, berlin, day + 23 * 3600) == {"ts": at, "day": day, "final": True}
