"""A worker settles when nothing more comes, when it is much, or in time; the slower the store, the more at once."""

import pytest

from analytics.runtime.flush_schedule import (
    GATHER_SECONDS,
    IDLE_SECONDS,
    OWN_QUIET_SECONDS,
    QUIET_SECONDS,
    FlushSchedule,
)

FLUSH, MOST = 1.0, 1000


def settles_after(pace: FlushSchedule, every: float, pending: int = 1, own: bool = False) -> float:
    """Return the seconds until a settlement where a message is folded ``every`` so many."""
    now = due = 100.0
    pace.begin(now)
    while True:
        if now >= due:
            pace.folded(now, own=own)
            due = now + every
        wait = pace.wait(now, pending)
        if not wait:
            return now - 100.0
        now += min(wait, 0.001)


@pytest.fixture
def pace() -> FlushSchedule:
    return FlushSchedule(FLUSH, MOST)


@pytest.mark.parametrize(("own", "seconds"), [(False, QUIET_SECONDS), (True, OWN_QUIET_SECONDS)])
def test_what_came_alone_is_settled_soon(pace: FlushSchedule, own: bool, seconds: float) -> None:
    assert settles_after(pace, every=10, own=own) == pytest.approx(seconds, abs=0.002)


def test_own_tuples_among_others_hurry_nobody(pace: FlushSchedule) -> None:
    pace.begin(100.0)
    pace.folded(100.0, own=False)
    pace.folded(100.001, own=True)
    assert pace.wait(100.001 + OWN_QUIET_SECONDS, 1) > 0


def test_much_is_settled_at_once(pace: FlushSchedule) -> None:
    assert settles_after(pace, every=0.01, pending=MOST // 2) == 0


@pytest.mark.parametrize(("took", "gathers"), [(0.0, GATHER_SECONDS), (0.1, 0.4), (3.0, FLUSH)])
def test_in_a_flood_a_slow_store_gets_more_at_once(pace: FlushSchedule, took: float, gathers: float) -> None:
    pace.settled(took)
    assert settles_after(pace, every=0.01) == pytest.approx(gathers, abs=0.011)


def test_a_worker_that_is_busy_gathers_as_long_as_it_may(pace: FlushSchedule) -> None:
    assert settles_after(pace, every=IDLE_SECONDS / 2) == pytest.approx(FLUSH, abs=0.002)


def test_nothing_waits_longer_than_it_may() -> None:
    assert settles_after(FlushSchedule(0.05, MOST), every=0.01) == pytest.approx(0.05, abs=0.002)
