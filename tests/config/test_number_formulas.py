"""Numbers of the configuration: what is wrong with a formula is named with its key, its column and an example."""

from pathlib import Path

import pytest

from analytics.config import load
from analytics.core.formula import Formula
from analytics.errors import ConfigError

GOOD = {
    "kpi.revenue / kpi.dau": {"kpi.revenue": 10, "kpi.dau": 4},
    "percent(coinday.users, kpi.dau)": {"coinday.users": 1, "kpi.dau": 3},
    "(shop.amount - coinhour.gain_amount) * -2": {"shop.amount": 5, "coinhour.gain_amount": 2},
    "server.active + 0.5": {"server.active": 1},
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("cointype.loss / kpi.dau", "column 1: expected a number of cointype, got loss; there are: amount, count"),
        ("cointype.amounts / kpi.dau", "did you mean amount?; for example \"cointype.amount / kpi.dau\""),
        ("2 * kpj.dau", "column 5: expected a collection, got kpj; did you mean kpi?"),
        ("kpi.dau > 2", "column 1: expected a number, got a text or a condition"),
        ("kpi.dau / (2", "column 11: expected an expression"),
        ("kpi.revenue / 0", "column 15: expected a divisor other than 0, got 0"),
        ("percent(kpi.dau, 0)", "column 18: expected a divisor other than 0, got 0"),
        ("1 + dau", "column 5: expected a name with a dot, got dau"),
        ("1 + 1", "column 1: expected at least one COLLECTION.FIELD, got none"),
        ("open(kpi.dau, 2)", "got a call other than percent(a, b)"),
        ("kpi.dau.real", "got a dot"),
        ("kpi.dau ** 2", "got the operator **"),
        ("kpi.open_day + 1", "expected a number of kpi, got open_day"),
        ("cointype.users / 2", "expected a number that can be added up over each reason, got users of cointype"),
        ("coinhour.users / 2", "expected a number that can be added up over each hour, got users of coinhour"),
        ("activeweek.ac_user / 2", "expected a collection with a document for each hour or day, got activeweek"),
        ("userpay.pay_count / 2", "expected a collection with a document for each hour or day, got userpay"),
        ("", "column 1: expected an expression"),
    ],
)  # fmt: skip
def test_a_fault_of_a_formula_is_named(tmp_path: Path, value: str, expected: str) -> None:
    words = refusal(tmp_path, f"[numbers.a]\nvalue = '{value}'")
    assert f"{tmp_path / 'analytics.toml'}: numbers.a.value: column " in words and expected in words
    assert words.endswith('for example "cointype.amount / kpi.dau"')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[numbers.day]\nvalue = 'kpi.dau'", "numbers.day: expected a name of letters"),
        ("[numbers.a-b]\nvalue = 'kpi.dau'", "numbers.a-b: expected a name of letters"),
        ("[numbers.a]\nvalue = 'kpi.dau'\npage = '/'", "numbers.a.page: expected a title with letters or digits"),
        ("[numbers.a]\ntitle = 'x'", "numbers.a.value: expected a value, found none"),
        ("[numbers.a]\nvalue = 'kpi.dau'\nunit = 'x'", "numbers.a.unit: unknown key"),
    ],
)  # fmt: skip
def test_a_fault_of_a_number_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert f"{tmp_path / 'analytics.toml'}: {expected}" in refusal(tmp_path, text)


def test_formulas_over_every_kind_of_collection_are_taken(tmp_path: Path) -> None:
    text = "".join(f"[numbers.n{n}]\nvalue = '{value}'\n" for n, value in enumerate(GOOD))
    (tmp_path / "analytics.toml").write_text(text)
    assert len(load(tmp_path / "analytics.toml").numbers) == len(GOOD)
    assert [Formula(text).value(numbers) for text, numbers in GOOD.items()] == [2.5, 33.33, -6, 1.5]


@pytest.mark.parametrize("numbers", [{"a.b": 1, "a.c": 0}, {"a.b": None, "a.c": 2}, {"a.b": 1, "a.c": None}])
@pytest.mark.parametrize("text", ["a.b / a.c", "percent(a.b, a.c)", "1 + a.b / a.c"])
def test_without_a_number_or_with_a_divisor_of_0_there_is_no_value(
    text: str, numbers: dict[str, float]
) -> None:
    assert Formula(text).value(numbers) is None


def test_what_is_not_finite_is_no_value() -> None:
    assert Formula("a.b * a.b").value({"a.b": 1e200}) is None


def refusal(folder: Path, text: str) -> str:
    (folder / "analytics.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(folder / "analytics.toml")
    return str(refused.value)
