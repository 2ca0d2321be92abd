"""The average of lifetime values counts at each day the cohorts that have reached it, and never falls."""

import numpy as np
import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from month import Month, a_month

from analytics.timers.ltv import THROUGH
from analytics.web.pages.payment import LtvCohort, LtvPoint, _average


def cohort(size: int, *values: float) -> LtvCohort:
    return LtvCohort("2026-01-01", size, [LtvPoint(n, value) for n, value in zip(THROUGH, values, strict=False)], False)  # fmt: skip


def test_it_goes_on_with_the_cohorts_that_are_left() -> None:
    """The richer cohort has reached day 1, the poorer one day 3."""
    found = list(_average([cohort(10, 1, 3), cohort(30, 1, 1, 2, 2.5)]))
    assert [(one.n, one.cohorts, one.size) for one in found] == [
        (0, 2, 40),
        (1, 2, 40),
        (2, 1, 30),
        (3, 1, 30),
    ]
    assert [one.value for one in found] == [1, 1.5, 2.5, 3]


def test_without_cohorts_there_is_none() -> None:
    assert list(_average([])) == [] and list(_average([cohort(5)])) == []


@settings(max_examples=examples(100))
@given(st.lists(st.tuples(st.integers(1, 500), st.lists(st.integers(0, 900), max_size=33)), max_size=6))
def test_it_never_falls_and_is_the_mean_where_no_cohort_has_ended(some: list[tuple[int, list[int]]]) -> None:
    cohorts = [cohort(size, *np.cumsum(steps).tolist()) for size, steps in some]
    found = list(_average(cohorts))
    values = [one.value for one in found]
    assert values == sorted(values) and len(values) == max((len(steps) for _, steps in some), default=0)
    for place, one in enumerate(found):
        there = [one for one in cohorts if len(one.points) > place]
        assert (one.cohorts, one.size) == (len(there), sum(one.size for one in there))
        if len(there) == len([one for one in cohorts if one.points]):
            assert one.value == pytest.approx(np.average([c.points[place].value for c in there], weights=[c.size for c in there]), abs=1e-4)  # fmt: skip


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return a_month(tmp_path_factory.mktemp("data"), areas=2, players=40)


def test_the_page_says_how_many_cohorts_count(month: Month) -> None:
    client = month.app.test_client()
    average = {one["n"]: one["cohorts"] for one in client.get("/api/v1/payment").json["ltv_average"]}
    assert len(set(average.values())) > 2, "cohorts drop out"
    listed = ", ".join(f"{n}: {average[n]}" for n in (0, 1, 3, 7, 14) if n in average)
    assert f"cohorts in the average by day: {listed}" in client.get("/payment").text
