"""Whether a stored document says what it should: on its way from one state to another, and damaged by hand."""

import pytest

from analytics.bolts import BOLTS
from analytics.core.agree import NOTHING, ListChanged, ValueChanged, differences, fits
from analytics.core.areas import Area, Areas
from analytics.core.derive import Derivation, rewritten
from analytics.core.periods import zone
from analytics.core.settle import PART_SIZE, Position

AREA = "549140c8dbdb67794fc0fa3b"
AREAS = Areas([Area(AREA, "dl", "2001", zone("Asia/Shanghai"))])
KEY = (AREA, 1420646400)
ACCTS, ACTIVE = BOLTS["loginday"].measures["count"], BOLTS["server"].measures["active"]


def accts(text):
    return set(text)


@pytest.mark.parametrize(
    ("low", "stored", "high"), [("ab", "ab", "ab"), ("a", "ab", "abc"), ("", "", "abc"), ("a", "abc", "abc")]
)
def test_accts_on_their_way(low, stored, high):
    assert fits(ACCTS, accts(low), accts(stored), accts(high))


@pytest.mark.parametrize(
    ("low", "stored", "high"), [("ab", "a", "abc"), ("a", "ax", "abc"), ("ab", "a", "ab")]
)
def test_accts_that_are_missing_or_too_many(low, stored, high):
    assert not fits(ACCTS, accts(low), accts(stored), accts(high))


@pytest.mark.parametrize(
    ("low", "stored", "high"),
    [
        ((3, 7), (3, 7), (3, 7)),
        ((3, 7), (2, 7), (3, 7)),  # the document was rewritten, and says the same
        ((3, 7), (3, 6), (5, 9)),  # its tuples are on their way
        ((3, 8), (3, 7), (3, 9)),
    ],
)
def test_totals_on_their_way(low, stored, high):
    assert fits(ACTIVE, low, stored, high)


@pytest.mark.parametrize(
    ("low", "stored", "high"),
    [
        ((3, 7), (3, 8), (3, 7)),
        ((3, 7), (2, 6), (3, 7)),
        ((3, 7), (9, 7), (3, 7)),  # a version that never was: whatever comes later would not count
        ((3, 7), None, (3, 7)),
        (None, (1, 1), None),
    ],
)
def test_totals_that_are_wrong(low, stored, high):
    assert not fits(ACTIVE, low, stored, high)


def derived(name, count):
    derivation = Derivation([BOLTS[name]], AREAS)
    line = '{"op":{"code":"login_logcount"},"area":"%s","ts":1420648004,"data":{"acct":"acct%d"}}'
    derivation.fold("gamelog.login_logcount", 0, "\n".join(line % (AREA, n) for n in range(count)).encode())
    ((key, one),) = derivation.documents[name].items()
    return key, one.at(None)


@pytest.mark.parametrize("count", [1, PART_SIZE - 1, PART_SIZE, 2 * PART_SIZE + 1])
@pytest.mark.parametrize("all_in_parts", [False, True])
def test_a_document_as_it_is_written_says_what_was_derived(count, all_in_parts):
    bolt = BOLTS["loginhour"]
    key, states = derived("loginhour", count)
    at = Position("log", {"gamelog.login_logcount": 5})
    one = rewritten(bolt, key, states, AREAS, version=8, at=at, first_part=100, all_in_parts=all_in_parts)
    assert differences(bolt, key, states, AREAS, one.document, one.parts) == {}
    assert one.document["_v"] == one.tuple["version"] == 8
    assert one.document["_at"] == {"log": "log", "topics": {"gamelog.login_logcount": 5}}
    assert len(one.tuple["userlist"]) == one.tuple["count"] == count
    assert (len(one.document["userlist"]) == 0) == (all_in_parts or count == PART_SIZE)
    assert len(one.document["userlist"]) < PART_SIZE


def test_each_kind_of_damage_is_named():
    bolt = BOLTS["loginhour"]
    key, states = derived("loginhour", 3)
    sound = rewritten(bolt, key, states, AREAS, version=1, at=Position("log", {})).document
    for damage, found in (
        ({"count": 4}, {"count": ValueChanged(4, 3)}),
        ({"plat": "9"}, {"plat": ValueChanged("9", "2001")}),
        ({"note": "x"}, {"note": ValueChanged("x", NOTHING)}),
        ({"userlist": ["acct0", "acct1", "x"]}, {"userlist": ListChanged(["x"], ["acct2"])}),
        ({"userlist": None}, {"userlist": ListChanged([], ["acct0", "acct1", "acct2"])}),
        ({"userlist": [["acct0"]]}, {"userlist": ListChanged([["acct0"]], ["acct0", "acct1", "acct2"])}),
        ({"userlist": [*sound["userlist"], "acct0"]}, {"userlist": ListChanged(["acct0"], [])}),
    ):
        assert differences(bolt, key, states, AREAS, sound | damage, []) == found
    del sound["first_ts"]
    assert differences(bolt, key, states, AREAS, sound, []) == {"first_ts": ValueChanged(NOTHING, 1420648004)}
    assert "userlist" in differences(bolt, key, states, AREAS, sound, None)
