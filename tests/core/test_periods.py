"""Periods tile time in every zone, and agree with the worked cases."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from forms import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.core.periods import Zone, dates, zone
from analytics.errors import ConfigError

CASES = json.loads((Path(__file__).parent.parent / "golden/periods.json").read_text())["cases"]
ZONES = [
    "UTC",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Pyongyang",  # 2018-05-04: 23:30 became midnight
    "America/New_York",
    "America/Sao_Paulo",  # until 2019: clocks changed at midnight
    "America/St_Johns",  # until 2011: put back at 00:01 to 23:01 of the day before
    "America/Havana",  # the hour after midnight happens twice
    "Antarctica/Casey",  # 2010-03-05: put back by three hours, across midnight
    "Australia/Lord_Howe",  # shifts by half an hour
    "Pacific/Apia",  # has no 2011-12-30
    "Pacific/Chatham",
]
PERIODS = ["hour", "day", "week", "month"]
LENGTHS = {"hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 31 * 86_400}
instants = st.integers(946_684_800, 2_000_000_000)


@cache
def shifts(name):
    """Return the instants from 2000 to 2033 at which the zone's offset changes."""
    info = ZoneInfo(name)

    def offset(ts):
        return datetime.fromtimestamp(ts, UTC).astimezone(info).utcoffset()

    found = []
    for day in range(946_684_800, 2_000_000_000, 86_400):
        low, high = day, day + 86_400
        if offset(low) != offset(high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            found.append(high)
    return found


@pytest.mark.parametrize("name", ZONES)
@settings(max_examples=30)
@given(near=st.integers(-90_000, 90_000), instant=instants, data=st.data())
def test_dates_say_when_and_on_which_day(name, near, instant, data):
    here, ts = zone(name), data.draw(st.sampled_from([instant, *(one + near for one in shifts(name))]))
    found = dates(here, ts)
    assert (found["date"], found["zone"]) == (datetime.fromtimestamp(ts, UTC), name)
    assert here.day_of(found["day"]) == here.start("day", ts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['timezone']} {case['local']}")
def test_golden(case):
    here = zone(case["timezone"])
    assert here.local(case["ts"]).strftime("%Y-%m-%d %H:%M:%S") == case["local"]
    assert {period: here.start(period, case["ts"]) for period in PERIODS} == {
        period: case[period] for period in PERIODS
    }
    assert here.next("day", case["day"]) == case["next_day"]


def check_tiling(here: Zone, period, ts):
    start = here.start(period, ts)
    after = here.next(period, start)
    assert start <= ts < after
    assert here.start(period, start) == start
    assert here.start(period, after) == after
    assert here.start(period, after - 1) == start
    assert here.start(period, start - 1) < start
    assert here.next(period, here.start(period, start - 1)) == start
    assert after - start <= LENGTHS[period] + 4 * 3600
    assert list(here.starts(period, start - 1, after)) == [here.start(period, start - 1), start, after]
    assert list(here.starts(period, ts, ts)) == [start]


@settings(max_examples=examples(300))
@given(st.sampled_from(ZONES), st.sampled_from(PERIODS), instants)
def test_periods_tile_time(name, period, ts):
    check_tiling(zone(name), period, ts)


@pytest.mark.parametrize("name", ZONES)
def test_periods_tile_time_around_every_shift(name):
    here = Zone(name)
    for shift in shifts(name):
        for distance in (-86_400, -7200, -3600, -1800, -61, -60, -1, 0, 1, 59, 60, 1800, 3600, 7200, 86_399):
            check_tiling(here, "hour", shift + distance)
            check_tiling(here, "day", shift + distance)


@settings(max_examples=examples(300))
@given(st.deferred(lambda: st.sampled_from([name for name in ZONES if shifts(name)])), st.data())
def test_the_minute_cache_changes_nothing(name, data):
    """A zone that has answered for all of an hour's seconds in any order answers like one that was never asked."""
    ts = data.draw(st.sampled_from(shifts(name))) + data.draw(st.integers(-4000, 4000))
    used = zone(name)
    for near in data.draw(st.lists(st.integers(-120, 120))):
        used.start("hour", ts + near)
        used.start("day", ts + near)
    for period in PERIODS:
        assert used.start(period, ts) == Zone(name).start(period, ts)


@settings(max_examples=examples(300))
@example("America/St_Johns", 1289097000)
@given(st.sampled_from(ZONES), instants)
def test_hours_lie_within_days_and_days_within_weeks_and_months(name, ts):
    here = zone(name)
    day = here.start("day", ts)
    assert here.start("day", here.start("hour", ts)) == day
    assert here.start("week", day) == here.start("week", ts)
    assert here.start("month", day) == here.start("month", ts)
    assert here.local(here.start("week", ts)).weekday() == 0 or name == "Pacific/Apia"
    assert here.local(here.start("month", ts)).day == 1


@settings(max_examples=examples(300))
@given(st.sampled_from(ZONES), instants, st.integers(-400, 400))
def test_day_after_counts_calendar_days(name, ts, n):
    here = zone(name)
    day = here.start("day", ts)
    date = here.local(day).date()
    there = here.day_after(day, n)
    assert there == here.day_of((date + timedelta(days=n)).isoformat())
    if (date + timedelta(days=n)).isoformat() != "2011-12-30":
        assert here.local(there).date() == date + timedelta(days=n)


def test_the_evening_that_comes_twice_counts_to_the_day_that_had_begun():
    """2010-11-07 in St. John's: at 00:01 clocks went back to 23:01."""
    here = zone("America/St_Johns")
    midnight = here.day_of("2010-11-07")
    assert here.local(midnight).strftime("%d %H:%M") == "07 00:00"
    assert here.local(midnight + 60).strftime("%d %H:%M") == "06 23:01"
    assert {here.start("day", midnight + second) for second in range(0, 90_000, 30)} == {
        midnight,
    }
    assert here.next("day", midnight) - midnight == 25 * 3600


def test_an_unknown_zone_is_refused_by_name():
    for name in ("Asia/Atlantis", "", "../etc/passwd", "Asia"):
        with pytest.raises(ConfigError, match="IANA"):
            zone(name)
