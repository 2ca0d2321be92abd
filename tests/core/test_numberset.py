"""Compressed sets of numbers are sets of integers, only smaller."""

from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.core.intervals import Intervals
from analytics.core.numberset import _WINDOW, NumberSet

places = st.sampled_from([0, 65_536 - 30, _WINDOW - 30, 1 << 40]).flatmap(
    lambda base: st.integers(base, base + 60)
)
pairs = st.tuples(places, st.integers(0, 40)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def count(numbers: Intervals) -> int:
    return sum(last + 1 - first for first, last in numbers)


@settings(max_examples=examples(500))
@given(st.lists(st.tuples(st.booleans(), pairs), max_size=30), places, places)
def test_they_equal_intervals(operations, one, other):
    numbers, expected = NumberSet(), Intervals()
    for add, (first, last) in operations:
        if add:
            numbers.update([(first, last)])
            expected.add(first, last)
        else:
            before = count(expected)
            expected.discard(first, last)
            assert numbers.discard([(first, last)]) == before - count(expected)
    assert (numbers.count(), bool(numbers)) == (count(expected), bool(expected))
    assert numbers.last() == max((last for _, last in expected), default=0)
    first, last = min(one, other), max(one, other)
    assert numbers.missing(first, last) == expected.missing(first, last)
    assert (first in numbers, last in numbers) == (first in expected, last in expected)
    assert numbers.first() == next(iter(expected), (0, 0))[0]
    assert numbers - NumberSet([(first, first + 9)]) == NumberSet(
        one for begin, end in expected for one in Intervals([(first, first + 9)]).missing(begin, end)
    )
    assert NumberSet.load(numbers.dump()) == numbers == NumberSet(expected)


def test_many_gaps_are_found_over_the_borders_of_windows():
    numbers = NumberSet((n, n) for n in range(0, 3 * _WINDOW, 2))
    assert numbers.missing(0, 3 * _WINDOW - 2) == [(n, n) for n in range(1, 3 * _WINDOW - 2, 2)]


def test_gaps_take_bits():
    numbers = NumberSet((n, n) for n in range(0, 2_000_000, 2))
    assert len(numbers.dump()) < 300_000
