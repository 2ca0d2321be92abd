"""A forecast of lifetime value: exact where the curve is a power of age, with the error of the last 30 days held out."""

from datetime import date, timedelta

import pytest

from analytics.timers.ltv import THROUGH
from analytics.web.reading.forecast import DAYS, LEAST_COHORTS, LEAST_DAY, PayingCohort, of_cohorts

LAST = date(2026, 6, 30)


def cohorts(oldest, value, size=lambda age: 10):
    """Return a cohort for each age from 0 to ``oldest`` days; ``value`` takes n and the age."""
    return [
        PayingCohort(LAST - timedelta(age), size(age), {n: value(n, age) for n in THROUGH if n <= age})
        for age in range(oldest + 1)
    ]


def power(n, age):
    return 0.5 * (1 + n) ** 0.4


@pytest.mark.parametrize(
    ("oldest", "from_n", "days"), [(50, 30, [90, 180]), (80, 60, [90, 180]), (300, 90, [180])]
)
def test_a_power_of_age_goes_on_exactly(oldest, from_n, days):
    found = list(of_cohorts(cohorts(oldest, power)))
    assert [(one.n, one.from_n, one.error) for one in found] == [(n, from_n, 0.0) for n in days]
    assert [one.value for one in found] == pytest.approx([power(n, 0) for n in days], abs=1e-4)
    assert found[0].cohorts == oldest + 1 - from_n


def test_the_error_is_what_the_held_out_days_show():
    """After day 60 nobody pays: the estimate from the first 60 days is too high by all that it adds."""
    (found,) = of_cohorts(cohorts(300, lambda n, age: power(min(n, 60), age)))
    assert found.error == pytest.approx(100 * (power(90, 0) / power(60, 0) - 1), abs=0.1)


@pytest.mark.parametrize(
    "some",
    [
        [],
        cohorts(LEAST_DAY + LEAST_COHORTS - 2, power),
        [PayingCohort(LAST, 3, {})],
        cohorts(40, lambda n, age: 0)[:3],
    ],
)
def test_too_little_history_gives_none(some):
    assert list(of_cohorts(some)) == []


def test_with_just_enough_there_is_no_error_yet():
    found = list(of_cohorts(cohorts(LEAST_DAY + LEAST_COHORTS - 1, power)))
    assert [(one.n, one.from_n, one.cohorts, one.error) for one in found] == [
        (n, LEAST_DAY, LEAST_COHORTS, None) for n in DAYS
    ]


def test_nobody_pays():
    assert [(one.value, one.error) for one in of_cohorts(cohorts(50, lambda n, age: 0))] == [(0, None)] * 2


def test_large_cohorts_count_more():
    """Of two kinds of cohorts, one of many accts pays twice as much."""
    found = list(
        of_cohorts(cohorts(50, lambda n, age: power(n, 0) * (1 + age % 2), lambda age: 1 + 98 * (age % 2)))
    )
    assert found[0].value == pytest.approx(2 * power(90, 0), rel=0.03)
