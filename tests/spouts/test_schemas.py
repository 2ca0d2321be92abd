"""A bolt of one's own: what its Struct declares is checked by the spout, on every path that a line can take, and alike."""

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_records import AREAS, NOW, SOURCE, A, line, lines_of, same

from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Count
from analytics.core.schema import schemas
from analytics.core.tuples import AcctName, Gamelog, Name, NumberId, Ts
from analytics.spouts import records
from analytics.spouts.records import convert
from analytics.spouts.rules import Rules

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]


class Pet(msgspec.Struct, gc=False):
    acct: AcctName
    pet: NumberId
    level: Annotated[int, msgspec.Meta(ge=1, lt=100)]
    kind: Literal["cat", "dog"] = "cat"
    name: Name | None = None
    luck: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class Level(msgspec.Struct, gc=False):
    """A field of another bolt's name, and of another kind; no acct."""

    level: Name


class Skills(msgspec.Struct, gc=False):
    """More than the spout itself knows: the decoder checks it."""

    skills: dict[str, Percent]


class Named(msgspec.Struct, gc=False):
    """A tuple that is read with its name."""

    area: str
    ts: Ts
    id: str
    data: Skills


class Sized(msgspec.Struct, gc=False):
    acct: int
    size: Annotated[str, msgspec.Meta(min_length=2, max_length=4)]


def bolt(name: str, topic: str, kind: type) -> Bolt:
    return Bolt(name, {f"gamelog.{topic}": Reads(kind)}, {"count": Count()})


BOLTS = [
    bolt("pets", "pet_log", Gamelog[Pet]),
    bolt("levels", "level_log", Gamelog[Level]),
    bolt("skills", "skill_log", Named),
    bolt("sizes", "size_log", Gamelog[Sized]),
]
RULES = Rules(AREAS, {}, schemas=schemas(BOLTS))
GOOD = {
    "pet_log": {"pet": 5, "level": 3},
    "level_log": {"level": "high"},
    "skill_log": {"skills": {"jump": 5}},
    "size_log": {"acct": 7, "size": "xxl"},
}


def test_what_bolts_declare_is_taken():
    chunk = b"".join(line(code, **data) + b"\n" for code, data in GOOD.items())
    (share,) = convert(chunk, SOURCE, 1, RULES, NOW)
    assert list(share.ns) == [1, 2, 3, 4] and not share.bad
    if RULES.scanner is not None:
        plain = b"".join(line(code, **GOOD[code]) + b"\n" for code in ("pet_log", "level_log"))
        assert records._scanned(plain, SOURCE, 1, RULES, NOW) is not None
        assert records._scanned(line("skill_log", **GOOD["skill_log"]) + b"\n", SOURCE, 1, RULES, NOW) is None


@pytest.mark.parametrize(
    ("code", "data", "reason"),
    [
        ("pet_log", {"level": "3"}, '$.data.level: expected int, got "3"'),
        ("pet_log", {"level": 0}, "$.data.level: expected int from 1 to 99, got 0"),
        ("pet_log", {"level": 100}, "$.data.level: expected int from 1 to 99, got 100"),
        ("pet_log", {"pet": "five"}, '$.data.pet: expected int, got "five"'),
        ("pet_log", {"kind": "cow"}, '$.data.kind: expected one of cat, dog, got "cow"'),
        ("pet_log", {"kind": None}, "$.data.kind: expected one of cat, dog, got null"),
        ("pet_log", {"name": True}, "$.data.name: expected string, got true"),
        ("pet_log", {"luck": 1.5}, "$.data.luck: expected number from 0 to 1, got 1.5"),
        ("pet_log", {"acct": ""}, '$.data.acct: expected 1 to 200 characters, got ""'),
        ("level_log", {"level": 1.5}, "$.data.level: expected string, got 1.5"),
        ("skill_log", {"skills": {"jump": 101}}, "$.data.skills[...]: expected int <= 100"),
        ("skill_log", {"skills": None}, "$.data.skills: expected object, got null"),
        ("size_log", {"acct": "seven"}, '$.data.acct: expected int, got "seven"'),
        ("size_log", {"size": "x"}, '$.data.size: expected 2 to 4 characters, got "x"'),
    ],
)
def test_what_no_bolt_can_use_is_rejected_by_the_spout(code: str, data: dict[str, Any], reason: str):
    bad = line(code, **GOOD[code] | data)
    (share,) = convert(line() + b"\n" + bad + b"\n", SOURCE, 1, RULES, NOW)
    assert list(share.ns) == [1]
    assert [(one.n, one.reason, one.raw) for one in share.bad] == [(2, reason, bad)]


def test_a_field_that_is_missing_is_named():
    for code, name in (("pet_log", "level"), ("skill_log", "skills")):
        data = {key: value for key, value in GOOD[code].items() if key != name}
        (share,) = convert(line(code, **data) + b"\n", SOURCE, 1, RULES, NOW)
        assert share.bad[0].reason.startswith(f"$.data.{name}: expected ")
        assert share.bad[0].reason.endswith("got nothing")


def test_ids_become_what_the_bolts_declare():
    (share,) = convert(line("pet_log", acct=9, pet="-5", level=1, name=77) + b"\n", SOURCE, 1, RULES, NOW)
    data = json.loads(lines_of(share)[0])["data"]
    assert (data["acct"], data["pet"], data["name"]) == ("9", -5, "77")


def test_a_flat_record_is_checked_alike():
    flat = {"ts": NOW, "opname": "pet_log", "area": A, "acct": "a", "pet": 1, "level": 0}
    (share,) = convert(json.dumps(flat).encode() + b"\n", SOURCE, 1, RULES, NOW)
    assert share.bad[0].reason == "$.level: expected int from 1 to 99, got 0"


values = (
    st.sampled_from([None, True, "", "a", "cat", "dog", "high", "5", "-5", "a\0b", 0.5, 1.5, {}, [], 2**63, -(2**63)])
    | st.integers(-3, 103)
    | st.dictionaries(st.sampled_from(["jump", ""]), st.integers(-1, 101), max_size=2)
)  # fmt: skip
members = st.sampled_from(["acct", "pet", "level", "kind", "name", "luck", "skills", "size", "x"])


@settings(max_examples=examples(400))
@given(st.lists(st.tuples(st.sampled_from([*GOOD, "other"]), st.dictionaries(members, values, max_size=3)), max_size=3))  # fmt: skip
def test_all_paths_say_the_same(some: list[tuple[str, dict[str, Any]]]):
    lines = [line(code, **GOOD.get(code, {}) | data) for code, data in some] or [line()]
    chunk = b"".join(one + b"\n" for one in lines)
    slow = records._line_by_line(chunk, SOURCE, 1, RULES, NOW)
    for path in (records._scanned, records._fast):
        shares = path(chunk, SOURCE, 1, RULES, NOW)
        assert shares is None or same(shares, slow)
    for share in slow:
        for topic, taken in share.topics.items():
            schema = RULES.codes.get(topic.removeprefix("gamelog."))
            assert schema is None or all(not schema.fault(one) for one in taken.body.split(b"\n"))


def test_bolts_that_disagree_on_a_kind_are_refused():
    other = bolt("others", "pet_log", Gamelog[Level])
    with pytest.raises(
        ValueError, match=r"gamelog.pet_log: expected one kind of level, but bolts declare int and string"
    ):
        schemas([*BOLTS, other])


def test_of_two_bolts_both_have_to_be_content():
    class Young(msgspec.Struct):
        level: Annotated[int, msgspec.Meta(le=10)]
        age: int

    schema = schemas([*BOLTS, bolt("young", "pet_log", Gamelog[Young])])["gamelog.pet_log"]
    found = {field.name: (field.low, field.high, field.required) for field in schema.fields}
    assert found["level"] == (1, 10, True) and found["age"][2] and not found["kind"][2]


def test_data_has_to_be_there_even_if_none_of_its_fields_has():
    class Luck(msgspec.Struct):
        luck: int = 0

    rules = Rules(AREAS, {}, schemas=schemas([bolt("lucks", "luck_log", Gamelog[Luck])]))
    bare = json.dumps({"op": {"code": "luck_log"}, "area": A, "ts": NOW}).encode()
    (share,) = convert(line("luck_log") + b"\n" + bare + b"\n", SOURCE, 1, rules, NOW)
    assert list(share.ns) == [1]
    assert [one.reason for one in share.bad] == ["$.data: expected a value, got nothing"]
