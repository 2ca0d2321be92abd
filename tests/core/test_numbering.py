"""Accts get numbers in the order in which they are first seen, by compiled code as by a dictionary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.core.numbering import (
    Accts,
    CompiledAccts,
    PlainAccts,
    new_accts,
    numbers,
    numbers_of,
)

NAMES = st.lists(st.one_of(st.integers(0, 300).map(str), st.text(st.characters(codec="utf-8"), max_size=20)))
BOTH = [PlainAccts, pytest.param(CompiledAccts, marks=pytest.mark.skipif(not CompiledAccts, reason="no C"))]


@given(st.lists(NAMES), NAMES, st.integers(0, 20))
def test_both_give_the_same_numbers(lists: list[list[str]], others: list[str], begin: int) -> None:
    plain, compiled = PlainAccts(), new_accts()
    for names in lists:
        assert numbers(compiled, names).tolist() == numbers(plain, names).tolist()
    assert len(compiled) == len(plain)
    whole_plain, whole_compiled = PlainAccts(), new_accts()
    for own, whole in ((plain, whole_plain), (compiled, whole_compiled)):
        numbers(whole, others)
        assert len(numbers_of(whole, own, min(begin, len(own)))) == len(own) - min(begin, len(own))
    assert numbers(whole_compiled, list(plain)).tolist() == numbers(whole_plain, list(plain)).tolist()


@pytest.mark.parametrize("kind", BOTH)
def test_a_number_is_the_place_at_which_an_acct_first_came(kind: type[Accts]) -> None:
    accts = kind()
    assert numbers(accts, ["b", "a", "b", "", "a\0", "a"]).tolist() == [0, 1, 0, 2, 3, 1]
    other = kind()
    numbers(other, ["x", "a", "b"])
    assert numbers_of(accts, other, 1).tolist() == [1, 0]
    assert numbers_of(accts, other, 0).tolist() == [4, 1, 0]


@pytest.mark.parametrize("kind", BOTH)
def test_a_hundred_thousand_are_told_apart(kind: type[Accts]) -> None:
    accts, names = kind(), [str(7 * n) for n in range(100_000)]
    assert (numbers(accts, names) == np.arange(100_000)).all()
    assert (numbers(accts, names[::-1]) == np.arange(100_000)[::-1]).all()
    assert 20 * len(names) < accts.nbytes < 200 * len(names)


@pytest.mark.skipif(not CompiledAccts, reason="no C")
def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError):
        new_accts().numbers(["a", 5])  # type: ignore[list-item]
