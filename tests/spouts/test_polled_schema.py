"""One schema: an interface's answer, a journal's line and the bolts accept the same payments and roles, and read them alike."""

from typing import Any

import msgspec
import pytest
from forms import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.tuples import MOST_GRADE, MOST_MONEY, MOST_TIMES, Payment, Syncuser, paid_rows
from analytics.spouts.paid import check
from analytics.spouts.records import convert
from analytics.spouts.roles import sorted_out
from analytics.spouts.rules import Rules

AREA = Area("5" * 24, "dl", "2001", zone("Asia/Shanghai"))
RULES = Rules(Areas([AREA]), {})
NOW = 1_700_000_000
DAY = AREA.zone.start("day", NOW)
NAMES = st.sampled_from(["", "a", "é" * 200, "é" * 201, "a\0b", "\0"]) | st.text(max_size=3)
NUMBERS = (
    st.sampled_from([0, -1, 1, MOST_TIMES, MOST_TIMES + 1, MOST_MONEY, MOST_MONEY + 1, MOST_GRADE + 1])
    | st.sampled_from([-(2**63) - 1, -(2**63), 2**63 - 1, 2**63, NOW, NOW + 86_400, NOW + 86_401, 946_684_799])
    | st.integers(-3, 10**6)
)  # fmt: skip
AMOUNTS = NUMBERS | st.sampled_from([0.125, 0.375, 1.005, 1.015, -0.0, -0.001, 1e12, 1e13, 0.1 + 0.2])
VALUES = AMOUNTS | st.floats(-1, 1e13) | st.sampled_from([None, True, "2.0", [], {}])


def is_accepted(line: dict[str, Any]) -> bool:
    """Whether a journal's line is accepted; if so, as it is."""
    text = msgspec.json.encode(line)
    (share,) = convert(text + b"\n", "gamelog/a@1", 1, RULES, NOW)
    assert not share.ns or [lines.body for lines in share.topics.values()] == [text]
    return bool(share.ns)


def decodes(line: dict[str, Any], tuple_type: type) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(line), type=tuple_type)
    except msgspec.ValidationError:
        return False
    return True


@settings(max_examples=examples(500))
@example("a", {"times": 1, "amount": 0.125})
@example("a", {"times": 1, "amount": 1.005})
@example("a", {"times": 1, "amount": -0.01})
@example("a", {"times": 1, "amount": 5, "refunded": 5.01})
@example("a", {"times": 1, "amount": 5, "refunded": None, "currency": None})
@example("", {"times": 1, "amount": 1})
@example("a\0b", {"times": 1, "amount": 1})
@given(
    NAMES,
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("times", "amount", "refunded"), VALUES) | {"currency": NAMES}
    )
    | VALUES,
)
def test_a_payment_is_the_same_wherever_it_comes_from(acct: str, paid: Any) -> None:
    line = {"id": "payment/dl@1:1", "area": AREA.id, "ts": DAY, "at": 5, "users": {acct: paid}}
    good, _ = check(line["users"])
    assert is_accepted(line) == decodes(line, Payment) == bool(good)
    if good:
        own, read = [
            paid_rows(msgspec.convert(one, Payment), AREA.zone) for one in (line | {"users": good}, line)
        ]
        assert own == read


@pytest.mark.parametrize(
    ("amount", "cents"), [(0.125, 12), (0.375, 38), (1.005, 100), (1.015, 102), (2.675, 268), (0.005, 0)]
)
def test_a_fraction_of_a_cent_is_rounded_half_to_even(amount: float, cents: int) -> None:
    good, bad = check({"a": {"times": 1, "amount": amount}})
    assert good == {"a": {"times": 1, "amount": cents / 100}} and not bad


ROLE = {"uid": "1", "acctid": "a", "grade": 3, "rest_yuanbao": 5, "ts": NOW}
TEXTS = NAMES | st.sampled_from([None, 1.5, True, []])
FIELDS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("uid", "acctid", "name"), TEXTS)
    | dict.fromkeys(("ts", "grade", "rest_yuanbao", "birthday", "score", "login_time"), VALUES),
)


@settings(max_examples=examples(500))
@example({"name": "a\0b"})
@example({"acctid": "\0"})
@given(FIELDS)
def test_a_role_is_the_same_wherever_it_comes_from(fields: dict[str, Any]) -> None:
    role = ROLE | fields
    line = {"id": "syncuser/dl@1:1", "area": AREA.id, "at": 5, **role}
    good, bad = sorted_out([role], AREA, NOW + 86_400)
    assert len(good) + len(bad) == 1 and is_accepted(line) == bool(good)
    assert not good or decodes(line, Syncuser)


def test_a_journals_fault_is_told_like_an_interfaces() -> None:
    line = {"id": "payment/dl@1:1", "area": AREA.id, "ts": DAY, "users": {"a": {"times": 1, "amount": -1}}}
    (share,) = convert(msgspec.json.encode(line) + b"\n", "gamelog/a@1", 1, RULES, NOW)
    assert [one.reason for one in share.bad] == list(check(line["users"])[1].values())
