"""Folding: bad lines are handed back whole, good ones reach their documents, also where periods begin anywhere."""

import json

import msgspec
import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from needed import need_compiled

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.bolt import Bolt, Reads
from analytics.core.columns import Columns
from analytics.core.fold import COLUMNS, Folder
from analytics.core.latest import Latest
from analytics.core.measures import Count, Distinct, Extreme
from analytics.core.periods import zone
from analytics.core.tuples import Acct, AcctName, Gamelog
from analytics.testing.paths import meaning

AREA = "549140c8dbdb67794fc0fa3b"
AREAS = Areas([Area(AREA, "dl", "2001", zone("Asia/Shanghai"))])
TOPIC = "gamelog.login_logcount"
GOOD = {"id": "s:1", "area": AREA, "ts": 1420688004, "data": {"acct": "a"}}
PAID = {"id": "s:1", "area": AREA, "ts": 1420646400}


class Own(msgspec.Struct):
    """What a bolt of one's own declares that needs no more than the acct."""

    acct: AcctName


def line(record, **changes):
    return msgspec.json.encode(record | changes)


def paid(**paid_fields):
    return line(PAID, users={"u": {"times": 1, "amount": 1} | paid_fields})


BAD_LOGIN = [
    b"not json",
    b"\xff\xfe",
    b"{}",
    b"null",
    b"[1]",
    line(GOOD)[:-1],
    line(GOOD, area="000000000000000000000000"),
    line(GOOD, area=None),
    line(GOOD, ts="1420688004"),
    line(GOOD, ts=0),
    line(GOOD, ts=10**30),
    line(GOOD, ts=-5),
    line(GOOD, data={"acct": None}),
    line(GOOD, data={"acct": "x" * 201}),
    line(GOOD, data={}),
    line(GOOD).replace(b'"a"', b'"\\ud800"'),
    line(GOOD).replace(b"1420688004", b"NaN"),
]
BAD_PAYMENT = [
    paid(amount="NaN"),
    paid(amount="-Infinity"),
    paid(amount=None),
    paid(amount=1e300),
    paid().replace(b'"amount":1', b'"amount":1e999999999'),
    paid(times=-1),
    paid(times=2**63),
    paid(times="many"),
    line(PAID, users={}, id="no number"),
    line(PAID, users={}, at=2**64),
    line(PAID, users=[]),
    line(PAID, users={"x" * 300: {"times": 1, "amount": 1}}),
]


@pytest.mark.parametrize("bad", BAD_LOGIN, ids=lambda one: repr(one[:60]))
def test_a_bad_game_log_line_is_handed_back_as_it_came(bad):
    good = [line(GOOD), line(GOOD, id="s:2", data={"acct": "b"})]
    folded, unusable = Folder([BOLTS["loginhour"]], AREAS).fold(
        "gamelog.login_logcount", 1, b"\n".join([good[0], bad, good[1]])
    )
    assert [one.line for one in unusable] == [bad]
    assert unusable[0].reason
    (delta,) = folded["loginhour"].values()
    assert set(delta.states[0]) == {"a", "b"}
    assert delta.tuples == 2


@pytest.mark.parametrize("bad", BAD_PAYMENT, ids=lambda one: repr(one[:60]))
def test_a_bad_payment_is_handed_back_once_as_it_came(bad):
    bolts = [BOLTS["paysummary"], BOLTS["payorderdetail"]]
    folded, unusable = Folder(bolts, AREAS).fold("payment", 1, b"\n".join([bad, paid()]))
    assert [one.line for one in unusable] == [bad]
    assert [delta.tuples for deltas in folded.values() for delta in deltas.values()] == [1, 1]


@settings(max_examples=examples(300))
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([*BAD_LOGIN, line(GOOD)])), max_size=6))
def test_every_line_is_folded_or_handed_back(lines):
    lines = [one for one in lines if b"\n" not in one]
    folded, unusable = Folder([BOLTS["loginhour"]], AREAS).fold(
        "gamelog.login_logcount", 1, b"\n".join(lines)
    )
    good = sum(delta.tuples for delta in folded["loginhour"].values())
    assert good == lines.count(line(GOOD))
    assert {one.line for one in unusable} == {one for one in lines if one.strip()} - {line(GOOD)}


def test_two_halves_of_a_value_swallow_no_line_between_them():
    halves = line(GOOD)[:-1] + b',"more":[', b"]}"
    body = b"\n".join([halves[0], line(GOOD, data={"acct": "b"}), halves[1]])
    folded, unusable = Folder([BOLTS["loginhour"]], AREAS).fold("gamelog.login_logcount", 1, body)
    assert [one.line for one in unusable] == list(halves)
    (delta,) = folded["loginhour"].values()
    assert set(delta.states[0]) == {"b"}


def test_blank_lines_are_nobodys():
    body = b"\n" + line(GOOD) + b"\n\n  \nbad\n"
    _, unusable = Folder([BOLTS["loginhour"]], AREAS).fold("gamelog.login_logcount", 1, body)
    assert [one.line for one in unusable] == [b"bad"]


def test_a_line_that_is_nested_too_deep_costs_no_other():
    deep = line(GOOD)[:-1] + b',"more":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    folded, unusable = Folder([BOLTS["loginhour"]], AREAS).fold(
        "gamelog.login_logcount", 1, deep + b"\n" + line(GOOD)
    )
    assert [one.line for one in unusable] == [deep]
    assert [delta.tuples for delta in folded["loginhour"].values()] == [1]


def test_a_payment_of_nobody_counts_as_a_tuple():
    body = line(PAID, users={})
    folded, _ = Folder([BOLTS["paysummary"], BOLTS["payorderdetail"]], AREAS).fold("payment", 1, body)
    assert [delta.tuples for delta in folded["paysummary"].values()] == [1]
    assert folded["payorderdetail"] == {}


OTHER = "5461bb1bec8b9c686a8b4576"
KOLKATA = Areas([*AREAS.values(), Area(OTHER, "wsdx", "1", zone("Asia/Kolkata"))])


@settings(max_examples=examples(200))
@given(
    st.lists(
        st.one_of(
            st.builds(
                lambda area, after, acct, ascii: json.dumps(
                    GOOD
                    | {"area": area, "ts": GOOD["ts"] + after, "op": {"code": "x"}, "data": {"acct": acct}},
                    ensure_ascii=ascii,
                ).encode(),
                st.sampled_from([AREA, OTHER]),
                st.sampled_from([0, 1, 59, 1600, 3600, 5400, 7300, 90_000]),
                st.sampled_from(["a", "b", "名字", "c" * 190, ""]),
                st.booleans(),
            ),
            st.sampled_from([*BAD_LOGIN, b"", line(GOOD)]),
        ),
        max_size=8,
    )
)
def test_columns_say_what_rows_say(lines):
    """Where the compiled reader is missing, or refuses, tuples are made; which of the two shows nowhere."""
    folders = [Folder([BOLTS["loginhour"], BOLTS["userlevel"]], KOLKATA) for _ in range(2)]
    folders[1]._scanner = None
    good = [one for one in lines if one and one not in BAD_LOGIN]
    in_order = sorted(good, key=lambda one: json.loads(one)["ts"])
    for body in map(b"\n".join, (lines, good, in_order)):
        columns, rows = (folder.fold("gamelog.login_logcount", 7, body) for folder in folders)
        assert columns[1] == rows[1] and meaning(columns[0]) == meaning(rows[0])
        assert list(columns[0]["loginhour"]) == list(rows[0]["loginhour"])


def test_what_bolts_read_of_accts_comes_in_columns():
    need_compiled()
    records = Bolt("records", {TOPIC: Reads(Gamelog[Own])}, {"count": Count(), "last": Extreme("ts", max)})
    readers = {"loginhour": BOLTS["loginhour"], "records": records}
    plain = json.dumps(GOOD | {"op": {"code": "login_logcount"}}).encode()
    folder, decoding = Folder(readers.values(), AREAS), Folder(readers.values(), AREAS)
    decoding.decode_only()
    body = plain + b"\n" + plain
    assert meaning(folder.fold(TOPIC, 1, body)[0]) == meaning(decoding.fold(TOPIC, 1, body)[0])
    assert all(plan.can_read(COLUMNS) for plan in folder._plans[TOPIC])
    read, _ = folder._read(body, Gamelog[Acct], folder._columns(body))
    assert isinstance(read.by_area[AREA], Columns) and len(read.by_area[AREA]) == 2
    assert (read.earliest, read.latest) == (GOOD["ts"], GOOD["ts"])


@pytest.mark.parametrize(
    "measure", [Count(where=lambda row: row.data.acct > "b"), Distinct("data.acct", "_accts", each=True)]
)
def test_a_bolt_that_needs_rows_has_them(measure):
    rows = Bolt("rows", {TOPIC: Reads(Gamelog[Acct])}, {"some": measure})
    folder = Folder([BOLTS["loginhour"], rows], AREAS)
    plain = json.dumps(GOOD | {"op": {"code": "login_logcount"}}).encode()
    decoding = Folder([BOLTS["loginhour"], rows], AREAS)
    decoding.decode_only()
    assert meaning(folder.fold(TOPIC, 1, plain)[0]) == meaning(decoding.fold(TOPIC, 1, plain)[0])


def test_only_the_asked_bolts_fold():
    folder = Folder([BOLTS["paysummary"], BOLTS["payorderdetail"]], AREAS)
    folded, _ = folder.fold("payment", 1, paid(), only={"payorderdetail"})
    assert folded.keys() == {"payorderdetail"}


@settings(max_examples=examples(200))
@given(
    st.sampled_from(["Asia/Shanghai", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]),
    st.sampled_from(["hour", "day", "week", "month"]),
    st.lists(
        st.integers(1301755000, 1301770000) | st.sampled_from(range(1301754600, 1301770000, 1800)),
        max_size=30,
    )
    | st.lists(st.integers(1301755000, 1301770000) | st.integers(1289000000, 1290000000), max_size=30),
)
def test_grouping_finds_each_tuples_period(name, period, instants):
    here = zone(name)
    areas = Areas([Area(AREA, "dl", "2001", here)])
    bolt = Bolt("b", {"t": Reads(Gamelog[Acct])}, {"n": Count()}, period=period)
    body = b"\n".join(line(GOOD, ts=ts) for ts in instants)
    folder = Folder([bolt], areas)
    for _ in range(2):
        folded, _ = folder.fold("t", 1, body)
        starts = [here.start(period, ts) for ts in instants]
        assert {key: delta.states[0] for key, delta in folded["b"].items()} == {
            (AREA, start): starts.count(start) for start in starts
        }


def test_ids_tell_documents_apart():
    bolt = Bolt("b", {"t": Reads(Gamelog[Acct])}, {"n": Count()}, by={"one": "data.acct", "two": "data.acct"})
    keys = [
        (AREA, 0, one, two) for one in ("a", "a:b", "b#1", "%3A", "") for two in ("a", "b:a", "b#1", ":", "")
    ]
    assert len({bolt.id_of(key) for key in keys}) == len(keys)
    assert not any("#" in bolt.id_of(key) for key in keys)
    assert bolt.id_of((AREA, 0, "a", "b:c")) == f"{AREA}:0:a:b:c"


def test_a_declaration_that_cannot_work_is_refused():
    reads = {"t": Reads(Gamelog[Acct])}
    with pytest.raises(ValueError, match="does not read"):
        Bolt("b", reads, {"n": Count(on="u")})
    with pytest.raises(ValueError, match="taken"):
        Bolt("b", reads, {"n": Distinct("x", "list"), "m": Distinct("y", "list")})
    for measures in ({"area": Count()}, {"parts": Count()}, {"list": Distinct("x", "list")}):
        with pytest.raises(ValueError, match="taken"):
            Bolt("b", reads, measures)
    with pytest.raises(ValueError, match="taken"):
        Bolt("b", reads, {"x": Latest("data.acct", "ts"), "n": Distinct("data.acct", "_x")})
    with pytest.raises(ValueError, match="taken"):
        Bolt("b", reads, {"acct": Count()}, by={"acct": "data.acct"})
