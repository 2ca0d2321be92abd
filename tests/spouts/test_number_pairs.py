"""The numbers of a chunk's records travel as pairs of first and last."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.core.intervals import Intervals
from analytics.spouts.shares import pairs


@given(st.lists(st.integers(1, 40), unique=True))
def test_pairs_are_those_of_intervals(numbers: list[int]):
    assert pairs(numbers) == list(Intervals.of(numbers))


def test_a_range_is_one_pair():
    assert pairs(range(7, 12)) == [(7, 11)]
