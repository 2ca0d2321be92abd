"""An expression of a bolt means what it means in Python, and nothing else is one."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.core.expressions import (
    DEEPEST,
    LONGEST,
    ExpressionError,
    ValueKind,
    condition_of,
    derived_of,
    parse,
    value_of,
)
from analytics.core.rates import percent, ratio

KINDS: dict[str, ValueKind] = {"m": "int", "n": "int", "x": "number", "a": "text", "b": "text", "v": "flag"}
INTEGERS = st.integers(-9, 9) | st.integers(-(2**63), 2**63 - 1)
ROWS = st.fixed_dictionaries(
    {"m": INTEGERS, "n": INTEGERS, "x": st.floats(-1e9, 1e9), "a": st.sampled_from("pq"), "b": st.text(max_size=3), "v": st.booleans()}
)  # fmt: skip


def joined(operators: list[str], parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, parts, st.sampled_from(operators), parts)


TEXTS = st.sampled_from(["a", "b", "'p'", '"q"', "'it is \\'p\\''", "''"])
NUMBERS = st.recursive(
    st.sampled_from(["m", "n", "x", "0", "1", "2.5", "-3", "9223372036854775807"]),
    lambda parts: joined(["+", "-", "*", "/", "//", "%"], parts) | st.builds("(-{})".format, parts),
    max_leaves=6,
).filter(lambda text: not re.search(r"[/%] [(-]*0\)", text))
COMPARED = (
    joined(["<", "<=", ">", ">=", "==", "!="], NUMBERS)
    | joined(["<", "==", "!=", "in", "not in"], TEXTS)
    | st.builds("(0 < {} <= {})".format, NUMBERS, NUMBERS)
    | st.builds("({} in [1, 2, -3])".format, NUMBERS)
    | st.builds("({} not in ('p', 'q'))".format, TEXTS)
    | st.just("v")
)
CONDITIONS = st.recursive(
    COMPARED,
    lambda parts: joined(["and", "or", "==", "!="], parts) | st.builds("(not {})".format, parts),
    max_leaves=6,
)


def by_python(text: str, row: dict[str, Any]) -> Any:
    """Return what Python says; None where it raises what a divisor of 0 or a number that is too large does."""
    try:
        return eval(text, {"__builtins__": {}}, row)
    except ArithmeticError:
        return None


@settings(max_examples=examples(400))
@given(NUMBERS, ROWS)
def test_arithmetic_is_that_of_python(text: str, row: dict[str, Any]) -> None:
    parsed = parse(text)
    found = value_of(parsed, "")(SimpleNamespace(**row))
    expected = by_python(text, row)
    assert repr(found) == repr(expected)
    if expected is not None:
        assert type(expected) is {"int": int, "number": float}[parsed.kind(KINDS)]
    assert value_of(parsed, "", default=7)(SimpleNamespace(**row)) == (
        7 if expected is None else expected or 7
    )


@settings(max_examples=examples(400))
@given(CONDITIONS, ROWS)
def test_conditions_are_those_of_python(text: str, row: dict[str, Any]) -> None:
    parsed = parse(text)
    assert parsed.kind(KINDS) == "flag"
    holds = condition_of(parsed, None, "data.")
    assert holds is not None
    assert holds(SimpleNamespace(data=SimpleNamespace(**row))) == by_python(text, row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n > 3", None), ("n + 1", None), ("n == 3", False), ("n != 3", True), ("n is None", True),
        ("n is not None and n > 3", False), ("m == 1 or n > 3", True), ("n > 3 or m == 1", None), ("m / (m - m)", None),
        ("m % (m - 1)", None), ("not n == 3", True),
    ],
)  # fmt: skip
def test_what_is_missing_has_no_value(text: str, expected: Any) -> None:
    assert value_of(parse(text), "")(SimpleNamespace(m=1, n=None)) is expected


def test_a_condition_may_ask_that_a_value_is_there() -> None:
    assert condition_of(None, None, "") is None
    holds = condition_of(parse("m == 1"), parse("m / n"), "")
    assert holds is not None
    assert [bool(holds(SimpleNamespace(m=m, n=n))) for m, n in ((1, 1), (1, 0), (1, None), (2, 1))] == [
        True,
        False,
        False,
        False,
    ]


def test_a_derived_value_may_call_what_is_named() -> None:
    functions = {"percent": percent, "ratio": ratio}
    parsed = parse("percent(wins, wins + losses)", frozenset(functions))
    assert (
        parsed.names == ["wins", "losses"] and parsed.kind({"wins": "number", "losses": "number"}) == "number"
    )
    share = derived_of(parsed, functions)
    assert [share({"wins": 1, "losses": 2}), share({"wins": 0, "losses": 0}), share({"wins": 1})] == [
        33.33,
        0,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "expected an expression"),
        ("a == 'p' and", 1, "expected an expression"),
        ("(a", 1, "never closed"),
        ("m ** 2", 1, "**"),
        ("m / 0", 5, "a divisor other than 0, got 0"),
        ("m > 3 and m % -0.0 == 1", 15, "a divisor other than 0, got 0"),
        ("a == 'p' and m << 2", 14, "LShift"),
        ("~m", 1, "~"),
        ("a.upper", 1, "a dot"),
        ("a.upper()", 1, "a call"),
        ("len(a)", 1, "a call"),
        ("a[0] == 'p'", 1, "an index"),
        ("'ä' == a and b[0]", 14, "an index"),
        ("1 if v else 2", 1, "if and else"),
        ("[m for m in a]", 1, "ListComp"),
        ("lambda: 1", 1, "a lambda"),
        ("(y := 1)", 2, ":="),
        ("f'{m}'", 1, "an f-string"),
        ("{}", 1, "a mapping"),
        ("(yield)", 2, "Yield"),
        ("__class__", 1, "__"),
        ("m > 9223372036854775808", 5, "past 64 bits"),
        ("x > 1e999", 5, "a number past"),
        ("m > 1j", 5, "complex"),
        ("a == b'p'", 6, "bytes"),
        ("a == '" + "p" * 201 + "'", 6, "more than 200 characters"),
        ("m in []", 6, "an empty list"),
        ("(m >\n1)", 5, "one line"),
        ("a == '\0'", 1, "expected an expression"),
        ("m" + " + 1" * 125, LONGEST + 1, "at most 500 characters"),
        ("not " * (DEEPEST + 1) + "v", 4 * DEEPEST + 1, "20 deep"),
        ("(" * 240 + "v" + ")" * 240, 1, "expected an expression"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str, column: int, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert reason in str(caught.value)
    assert reason == "expected an expression" or caught.value.column == column


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("y > 1", 1, "expected one of m, n, x, a, b, v, got y"),
        ("m == 'p'", 6, "expected an integer to compare with an integer, got a text"),
        ("a > 1", 5, "expected a text"),
        ("a + 'p' == b", 1, "expected a number, got a text"),
        ("v + 1", 1, "expected a number, got a condition"),
        ("m and v", 1, "expected a condition, got an integer"),
        ("not a", 5, "expected a condition, got a text"),
        ("(m > 1) < (n > 1)", 2, "expected numbers or texts"),
        ("m in 3", 1, "expected a text"),
        ("m in ['p']", 7, "expected an integer"),
        ("m in [n]", 7, "expected literals"),
        ("m == None", 6, "expected None only after `is`"),
        ("m is 1", 6, "compare with =="),
        ("[1, 2]", 1, "expected a list only after `in`"),
    ],
)
def test_operands_have_to_fit(text: str, column: int, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text).kind(KINDS)
    assert (caught.value.column, reason in str(caught.value)) == (column, True), caught.value


def test_what_names_have_to_be_follows_from_where_they_stand() -> None:
    parsed = parse(
        "p > 3 and q and r == 'x' and s in [1, 2] and not t and u == w and (z + 1) * 2 < 9 and f == True"
    )
    assert parsed.implied == {"p": "int", "q": "flag", "s": "int", "t": "flag", "z": "int", "f": "flag"}
