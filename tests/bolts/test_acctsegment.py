"""What the bolt of properties keeps: of each day and acct, the property of the first record that has one."""

import pytest

from analytics.bolts import BOLTS
from analytics.bolts.segments import acctsegment
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.core.schema import schemas
from analytics.core.segments import Segment

SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas([Area("one", "dl", "p", SHANGHAI), Area("two", "wsdx", "p", SHANGHAI)])
CHANNEL = Segment("channel", "signup_logcount", "channel", ("a", "b"), True)
DEVICE = Segment("device", "signup_logcount", "de vice", ("x",))
ELSEWHERE = Segment("channel", "sold", "channel", ("a",))
BOLT = acctsegment({"dl": [CHANNEL, DEVICE], "wsdx": [ELSEWHERE]}, {"one": "dl", "two": "wsdx"})
NOON = 1_709_265_600
KEY = "one:1709222400:channel:signup_logcount.data.channel"


def run(*records):
    reference = Reference([BOLT], AREAS)
    for n, (topic, ts, data, *fields) in enumerate(records):
        one = {"id": f"gamelog/s:{n}", "area": "one", "ts": ts, "data": data} | dict(*fields)
        reference.put(f"gamelog.{topic}", [one])
    return reference


def table(reference, key=KEY):
    rows = reference.lists(BOLT.name, reference.collections[BOLT.name][key])["_accts"]
    return BOLT.measures["accts"].load("accts", {"_accts": rows})


def test_the_first_record_with_the_property_counts():
    reference = run(
        ("signup_logcount", NOON + 1, {"acct": "ann", "channel": "b"}),
        ("signup_logcount", NOON, {"acct": "ann", "channel": "a"}),
        ("signup_logcount", NOON, {"acct": "ann", "channel": "b"}),
        ("signup_logcount", NOON - 1, {"acct": "ann"}),
        ("signup_logcount", NOON + 86400, {"acct": "ann", "channel": "b"}),
    )
    assert table(reference) == {"ann": ((NOON, 1, "gamelog/s"), "a")}
    assert len(reference.documents(BOLT.name)) == 2
    assert reference.documents(BOLT.name)[KEY] == {
        "game": "dl",
        "plat": "p",
        "area": "one",
        "ts": 1709222400,
        "segment": "channel",
        "from": CHANNEL.source,
        "users": 1,
    }


@pytest.mark.parametrize(
    ("property_", "kept"),
    [
        ("a", "a"),
        (7, "7"),
        ("名", "名"),
        ("x" * 300, "x" * 200),
        *((one, None) for one in ("", None, True, 1.5, ["a"], {}, "\0")),
    ],
)
def test_a_property_is_a_text_or_an_integer(property_, kept):
    reference = run(
        ("signup_logcount", NOON, {"acct": "ann", "channel": property_}),
        ("signup_logcount", NOON, {"acct": "bob", "channel": "b"}),
    )
    assert table(reference).get("ann", (0, None))[1] == kept


def test_a_record_that_says_nothing_useful_is_no_fault():
    reference = run(
        ("signup_logcount", NOON, {"channel": "a"}),
        ("signup_logcount", NOON, {"acct": ["x"], "channel": "a"}),
        ("sold", NOON, {"acct": "ann", "channel": "a"}),
        ("sold", NOON, {"acct": "ann", "channel": "a"}, {"area": "two", "data": {}}),
    )
    assert reference.documents(BOLT.name) == {}


def test_each_segment_and_game_has_its_own():
    reference = run(
        ("signup_logcount", NOON, {"acct": "ann", "channel": "a", "de vice": "x"}),
        ("sold", NOON, {"acct": "ann", "channel": "a"}, {"area": "two"}),
        ("signup_logcount", NOON, {"acct": "ann", "channel": "a"}, {"area": "two"}),
    )
    assert [
        (one["area"], one["segment"], one["users"]) for one in reference.documents(BOLT.name).values()
    ] == [
        ("one", "channel", 1),
        ("one", "device", 1),
        ("two", "channel", 1),
    ]


def test_spouts_check_nothing_for_it():
    assert schemas([*BOLTS.values(), BOLT]) == schemas(BOLTS.values())
    assert acctsegment({}, {}) is None


def test_a_value_is_one_of_those_listed_or_other_or_unknown():
    assert CHANNEL.values == ("a", "b", "other", "unknown")
    assert DEVICE.values == ("x", "unknown")
    assert [CHANNEL.values[CHANNEL.place(one)] for one in ("a", "b", "c")] == ["a", "b", "other"]
    assert DEVICE.values[DEVICE.place("y")] == "unknown"
