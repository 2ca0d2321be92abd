"""Intervals are sets of integers, only smaller."""

import itertools

from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.core.intervals import Intervals

numbers = st.integers(-5, 60)
pairs = st.tuples(numbers, numbers)


def members(intervals):
    return {n for first, last in intervals for n in range(first, last + 1)}


def check(intervals, expected):
    kept = list(intervals)
    assert members(intervals) == expected
    assert all(first <= last for first, last in kept)
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(kept))
    assert bool(intervals) == bool(expected)


@settings(max_examples=examples(1000))
@given(st.lists(st.tuples(st.sampled_from(["add", "discard"]), pairs), max_size=30), pairs)
def test_intervals_equal_sets(operations, asked):
    intervals, expected = Intervals(), set()
    for what, (first, last) in operations:
        getattr(intervals, what)(first, last)
        some = set(range(first, last + 1))
        expected = expected | some if what == "add" else expected - some
        check(intervals, expected)
    first, last = asked
    missing = intervals.missing(first, last)
    assert members(missing) == set(range(first, last + 1)) - expected
    assert missing == list(Intervals(missing))
    assert [n for n in range(-6, 62) if n in intervals] == sorted(expected)


@given(st.lists(numbers), st.lists(pairs))
def test_of_members_and_of_pairs(some, more):
    check(Intervals.of(some), set(some))
    intervals = Intervals.of(some)
    intervals.update(more)
    check(intervals, set(some) | members(more))
    assert intervals == Intervals(list(intervals))
    assert intervals != Intervals([(1000, 1000), *intervals])


def test_a_million_members_in_a_row_are_one_interval():
    intervals = Intervals.of(range(1_000_000))
    assert list(intervals) == [(0, 999_999)]


def test_taking_out_of_many_gaps_is_quick():
    """Rejected records that are replayed leave one by one."""
    intervals = Intervals((n, n) for n in range(0, 200_000, 2))
    for n in range(0, 200_000, 2):
        intervals.discard(n, n)
    assert not intervals
