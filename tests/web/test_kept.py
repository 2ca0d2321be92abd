"""Numbers that are kept: how long, how far back they may be, and that a day is read once however many ask."""

import itertools
import time
from datetime import date, timedelta
from types import SimpleNamespace

import gevent
import pytest
from gevent.event import Event

from analytics.errors import Unavailable
from analytics.web.kept import RECENT_MOST, STALE, Kept, NotYet

FIRST = date(2026, 10, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(5)]
TODAY = DAYS[-1]


@pytest.fixture(autouse=True)
def pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading takes a millisecond by its watch, however long it takes on a busy machine."""
    watch = itertools.count(0, 0.001).__next__
    steady = SimpleNamespace(time=time.time, monotonic=time.monotonic, perf_counter=watch)
    monkeypatch.setattr("analytics.web.kept.time", steady)


class Source:
    """Gives each day a number that grows with every reading, and notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[date, date]] = []
        self.broken = False

    def read(self, first: date, last: date) -> dict[date, list[int]]:
        self.asked.append((first, last))
        gevent.sleep(0)
        if self.broken:
            raise Unavailable("no store")
        return {day: [len(self.asked)] for day in DAYS if first <= day <= last and day != DAYS[1]}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_older_and_recent_days_are_read_apart_and_a_day_without_documents_is_left_out() -> None:
    source, kept = Source(), Kept(Clock())
    values, at = kept.get("k", DAYS, DAYS[3], source.read)
    assert source.asked == [(DAYS[3], DAYS[4]), (DAYS[0], DAYS[2])]
    assert list(values) == [DAYS[0], *DAYS[2:]] and at == 1000.0


def test_what_is_fresh_is_not_read_again_and_what_is_lacking_is() -> None:
    source, kept = Source(), Kept(Clock())
    kept.get("k", DAYS[1:3], TODAY, source.read)
    kept.get("k", DAYS[:4], TODAY, source.read)
    assert source.asked == [(DAYS[1], DAYS[2]), (DAYS[3], DAYS[3]), (DAYS[0], DAYS[0])]
    kept.get("k", DAYS[:4], TODAY, source.read)
    assert len(source.asked) == 3
    kept.get("another", DAYS[:1], TODAY, source.read)
    assert len(source.asked) == 4


def test_what_is_over_is_shown_at_once_and_read_anew_behind_the_scenes() -> None:
    clock, source = Clock(), Source()
    kept = Kept(clock)
    kept.get("k", [TODAY], TODAY, source.read)
    clock.now += 1  # it counts as fresh for 0.2 s at least, and is shown for ten times that
    values, at = kept.get("k", [TODAY], TODAY, source.read)
    assert values == {TODAY: [1]} and at == 1000.0
    gevent.sleep(0.01)
    assert kept.get("k", [TODAY], TODAY, source.read) == ({TODAY: [2]}, 1001.0)


def test_what_is_long_over_is_waited_for() -> None:
    clock, source = Clock(), Source()
    kept = Kept(clock)
    kept.get("k", [TODAY], TODAY, source.read)
    clock.now += RECENT_MOST * STALE + 1
    assert kept.get("k", [TODAY], TODAY, source.read) == ({TODAY: [2]}, clock.now)


def test_nothing_is_kept_for_longer_than_the_configuration_says() -> None:
    clock, source = Clock(), Source()
    kept = Kept(clock, most_seconds=0.1)
    kept.get("k", DAYS, TODAY, source.read)
    clock.now += 0.1 * STALE + 0.1
    values, at = kept.get("k", DAYS, TODAY, source.read)
    assert at == clock.now and set(map(tuple, values.values())) == {(3,), (4,)}


def test_many_who_ask_at_once_make_one_reading() -> None:
    source, kept = Source(), Kept(Clock())
    asking = [gevent.spawn(kept.get, "k", DAYS, TODAY, source.read) for _ in range(20)]
    gevent.joinall(asking, raise_error=True)
    assert len(source.asked) == 2 and len({repr(one.value) for one in asking}) == 1


def test_while_the_store_is_away_older_numbers_are_shown() -> None:
    clock, source = Clock(), Source()
    kept = Kept(clock)
    kept.get("k", [TODAY], TODAY, source.read)
    clock.now += 1
    source.broken = True
    for _ in range(2):
        assert kept.get("k", [TODAY], TODAY, source.read)[0] == {TODAY: [1]}
        gevent.sleep(0.01)
    assert len(source.asked) == 3


def test_many_days_are_read_a_few_at_a_time_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    source, kept = Source(), Kept(Clock())
    monkeypatch.setattr("analytics.web.kept.FIRST_DAYS", 2)
    monkeypatch.setattr("analytics.web.kept.PIECE_SECONDS", 1e-9)  # so no piece is short enough
    kept.get("k", DAYS[:4], TODAY, source.read)
    assert source.asked == [(DAYS[2], DAYS[3]), (DAYS[1], DAYS[1]), (DAYS[0], DAYS[0])]


def test_who_has_no_patience_is_told_how_far_it_is_while_it_goes_on() -> None:
    source, kept = Source(), Kept(Clock())
    kept.get("k", DAYS[3:], TODAY, source.read)
    hurried = kept.patient(0)
    with pytest.raises(NotYet, match="2 of 5 days"):
        hurried.get("k", DAYS, TODAY, source.read)
    gevent.sleep(0.05)
    assert len(hurried.get("k", DAYS, TODAY, source.read)[0]) == 4  # one has nothing
    assert len(source.asked) == 3


def test_a_reading_that_hangs_holds_nobody_for_longer_than_their_patience() -> None:
    source, kept = Source(), Kept(Clock())
    goes_on = Event()

    def hangs(first: date, last: date) -> dict[date, list[int]]:
        goes_on.wait(60)
        return source.read(first, last)

    first = gevent.spawn(kept.get, "k", DAYS, TODAY, hangs)
    gevent.sleep(0)
    with pytest.raises(NotYet):
        kept.patient(0.01).get("k", DAYS, TODAY, hangs)
    goes_on.set()
    assert len(first.get(timeout=60)[0]) == 4


def test_in_the_background_one_thing_is_read_at_a_time() -> None:
    kept = Kept(Clock())
    now = most = 0

    def read(first: date, last: date) -> dict[date, list[int]]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        gevent.sleep(0.001)
        now -= 1
        return {day: [1] for day in DAYS}

    for key in range(10):
        with pytest.raises(NotYet):
            kept.patient(0).get(key, DAYS, TODAY, read)
    while any(series.refreshing for series in kept._series.values()):
        gevent.sleep(0.001)
    assert most == 1
    assert all(kept.patient(0).get(key, DAYS, TODAY, read)[0] for key in range(10))


def test_what_nobody_asked_for_longest_goes_first() -> None:
    source, kept = Source(), Kept(Clock(), most_rows=12)
    for key in ("a", "b", "a", "c"):
        kept.get(key, DAYS[2:], TODAY, source.read)
    count = len(source.asked)
    kept.get("a", DAYS[2:], TODAY, source.read)
    assert len(source.asked) == count
    kept.get("b", DAYS[2:], TODAY, source.read)
    assert len(source.asked) > count
