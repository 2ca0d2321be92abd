"""Things are taken some at a time: all of them, in order, and no further than a portion needs."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.core.portions import portions


@given(st.lists(st.integers(0, 9)), st.integers(1, 5), st.integers(1, 20))
def test_portions_hold_everything_in_order_and_end_at_the_first_limit(
    sizes: list[int], most: int, enough: int
):
    found = list(portions(sizes, most, lambda size: size, enough))
    assert [size for portion in found for size in portion] == sizes
    assert all(len(portion) <= most and sum(portion[:-1]) < enough for portion in found)
    assert all(len(portion) == most or sum(portion) >= enough for portion in found[:-1])


@given(st.lists(st.integers()), st.integers(1, 5))
def test_portions_without_sizes_are_as_long_as_they_may_be(items: list[int], most: int):
    assert list(portions(items, most)) == [items[at : at + most] for at in range(0, len(items), most)]


def test_a_portion_is_given_before_the_next_thing_is_asked_for():
    for size in (None, len):
        items = iter(["a", "b", "c"])
        assert next(portions(items, 2, size, 9)) == ["a", "b"]
        assert next(items) == "c"
