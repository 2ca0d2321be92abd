"""When the timer bolts run, on a clock of the test's own."""

import pytest

from analytics.runtime.timers.schedule import Schedule

EVERY = 60.0


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schedule(clock: Clock) -> Schedule:
    return Schedule(EVERY, clock)


def run(schedule: Schedule, clock: Clock, seconds: float) -> None:
    schedule.begin()
    clock.seconds += seconds
    assert schedule.end() == seconds


def test_a_run_waits_for_a_quiet_second(schedule: Schedule, clock: Clock) -> None:
    assert schedule.is_due()
    schedule.note_change()
    assert not schedule.is_due()
    clock.seconds += 1
    assert schedule.is_due()


def test_a_run_waits_no_longer_than_every_seconds(schedule: Schedule, clock: Clock) -> None:
    waited = 0.0
    schedule.note_change()
    while not schedule.is_due():
        clock.seconds += 0.5
        waited += 0.5
        schedule.note_change()
    assert waited == EVERY


def test_changes_after_nothing_was_to_do_wait_for_quiet_again(schedule: Schedule, clock: Clock) -> None:
    schedule.note_change()
    schedule.forget()
    clock.seconds += 2 * EVERY
    schedule.note_change()
    assert not schedule.is_due()


@pytest.mark.parametrize(("took", "pause"), [(10.0, 10.0), (500.0, EVERY)])
def test_a_run_is_followed_by_a_pause_of_its_length(
    schedule: Schedule, clock: Clock, took: float, pause: float
) -> None:
    run(schedule, clock, took)
    clock.seconds += pause - 0.1
    assert not schedule.is_due()
    clock.seconds += 0.1
    assert schedule.is_due()


def test_changes_of_a_run_that_failed_have_waited_since_it_began(schedule: Schedule, clock: Clock) -> None:
    schedule.note_change()
    schedule.begin()
    clock.seconds += EVERY
    schedule.fail()
    schedule.note_change()
    assert schedule.is_due()


@pytest.mark.parametrize(("took", "rest"), [(1.0, 4.0), (100.0, 120.0)])
def test_totals_rest_in_proportion(schedule: Schedule, clock: Clock, took: float, rest: float) -> None:
    schedule.rest_totals(took)
    for _ in range(int(rest)):
        schedule.note_change()
        assert not schedule.totals_are_due()
        clock.seconds += 1
    assert schedule.totals_are_due()


def test_totals_do_not_rest_while_nothing_comes(schedule: Schedule, clock: Clock) -> None:
    schedule.note_change()
    schedule.rest_totals(100.0)
    clock.seconds += 5
    assert schedule.totals_are_due()
