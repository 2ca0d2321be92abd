"""Pseudonyms in texts: of every shape of line exactly the acct changes, and no byte behind it moves."""

import base64
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.config import Config, Mapped, TimeSection
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.forget.choosing import choose, pseudonym_like
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.spouts.mapping.compiled import LineMapping
from analytics.spouts.mapping.lines import convert
from analytics.spouts.rejected import Reject, Rejected, read
from analytics.spouts.renaming import Renaming, renaming_of
from analytics.spouts.rules import Rules

NAMES = {"a1": "zq", "3284681055": "7700000001", 'é"x': 'ж"y'}
NOW = 1_800_000_000


def renaming() -> Renaming:
    return Renaming(NAMES.get)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b'{"id":"gamelog/x:1","data":{"acct":"a1","name":"a1","n":"a12"}}', b'"a1","name"'),
        (b'{"id":"gamelog/x:1","data":{"acct" : 3284681055,"amount":3284681055}}', b"3284681055,"),
        (b'{"opname":"l","acct":"a1","reason":"\\"acct\\":\\"a1\\""}', b'"a1","reason"'),
        (b'{"id":"gamelog/x:1","data":{"acct":"\\u00e9\\"x","n":1}}', b'"\\u00e9\\"x"'),
        (b'{"id":"payment/x:1","users":{"a12":{"times":1},"a1":{"times":1,"amount":2}}}', b'"a1"'),
        (b'{"id":"payment/x:1","users":{"a1":{"level":"a1","times":1,"amount":2}}}', b'"a1":{'),
        (b'{"id":"payment/x:1","users":{"a1":{"other_currencies":[{"times":1}],"times":1}}}', b'"a1"'),
        (b'{"id":"syncuser/x:1","uid":"a1","name":"a1","acctid":"a1"}', b'"a1"}'),
        (b'{"id":"syncuser/x:1","acctid":"b","left":"a1","name":"a1"}', b'"a1","name"'),
        (b'{"data":{"acct":"a1"', b'"a1"'),
    ],
)
def test_exactly_the_acct_changes_in_a_line(line: bytes, place: bytes) -> None:
    new = renaming().journal(line + b"\n", {})[:-1]
    begin = line.index(place)
    assert len(new) == len(line)
    assert new != line
    assert (new[:begin], new[begin + len(place) :]) == (line[:begin], line[begin + len(place) :])


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"gamelog/x:1","data":{"acct":"a12","friend":"a1","left":"a1","a1":"a1"}}',
        b'{"id":"gamelog/x:1","data":{"acct":3284681055.5}}',
        b'{"id":"gamelog/x:1","data":{"acct":["a1"]}}',
        b'{"id":"payment/x:1","a1":1,"users":{"a":{"times":1,"note":"a1"}}}',
    ],
)
def test_what_only_looks_like_the_acct_stays(line: bytes) -> None:
    assert renaming().journal(line + b"\n", {}) == line + b"\n"


FORMATS = [
    ("json", {"fields": {"acct": "who.id"}}, b'{"at":1420688004,"acct":"a1","who":{"id":"a1","n":"a1"}}', b'"id":"a1"', ""),
    ("json", {"prefix": "json", "fields": {"acct": "who"}}, b'INFO a1 {"at":1420688004,"who":"a1"}', b'"who":"a1"', ""),
    ("logfmt", {"fields": {"acct": "who"}}, b'at=1420688004 who=a1 say="a1 who=a1"', b" who=a1 ", ""),
    ("csv", {"fields": {"acct": "who"}, "separator": ";"}, b'1420688004;"a1";a1', b'"a1"', "at;who;more"),
    ("regex", {"pattern": r"(?P<at>\d+) a1 (?P<acct>\w+)$"}, b"1420688004 a1 a1", b"a1", ""),
]  # fmt: skip


@pytest.mark.parametrize(("format", "keys", "line", "place", "header"), FORMATS)
def test_a_mapped_line_is_read_by_its_mapping(
    format: str, keys: dict[str, object], line: bytes, place: bytes, header: str
) -> None:
    """As a spout reads it, and as the journal keeps it."""
    section = Mapped(
        format=format, area="s1", time=TimeSection(field="at", format="unix"), opcode="login_logcount", **keys
    )  # type: ignore[arg-type]
    mapping = LineMapping("log", section, "UTC")
    begin = line.rindex(place)
    expected = line[:begin] + place.replace(b"a1", b"zq") + line[begin + len(place) :]
    areas = Areas([Area("s1", "dl", "1", zone("UTC"))])
    rules = Rules(areas, {}, mappings={"log": mapping}, source="log", renaming=renaming())
    (share,) = convert(line + b"\n", "gamelog/log@1", 1, rules, NOW, header)
    assert not share.bad
    (body,) = [one.body for one in share.topics.values()]
    assert json.loads(body)["data"]["acct"] == "zq"
    (journaled,) = share.journaled()
    plain = Rules(areas, {}, mappings={"log": mapping}, source="log")
    (before,) = convert(line + b"\n", "gamelog/log@1", 1, plain, NOW, header)
    assert renaming().journal(before.journaled()[0] + b"\n", {"log": mapping}) == journaled + b"\n"
    raw = json.loads(journaled)["raw"]
    assert raw == (json.loads(expected) if mapping.keeps_json else expected.decode())


def test_a_line_whose_mapping_is_gone_stays_and_is_reported() -> None:
    one = renaming()
    line = b'{"id":"gamelog/log@1:1","as":"log","raw":"1 a1"}\n'
    assert one.journal(line, {}) == line
    assert one.unmapped == {"log": 1}


def test_records_that_come_later_get_the_pseudonym(tmp_path: Path) -> None:
    """Of every kind, and with the number that they would have had: a line that is sent again is a repeat."""
    forgotten = Forgotten.new().with_names(NAMES)
    forgotten.save(tmp_path / FILE)
    assert "3284681055" not in (tmp_path / "forgotten.json").read_text()
    renaming = renaming_of(tmp_path)
    assert renaming is not None
    rules = Rules(Areas([Area("s1", "dl", "1", zone("UTC"))]), {}, renaming=renaming)
    line = b'{"op":{"code":"login_logcount"},"area":"s1","ts":1420688004,"data":{"acct":"%b"}}\n'
    chunk = line % b"b" + line % b"a1" + line.replace(b'"%b"', b"%b") % b"3284681055"
    (share,) = convert(chunk, "gamelog/s@1", 7, rules, NOW)
    records = [json.loads(one) for body in share.topics.values() for one in body.body.split(b"\n")]
    assert [(one["id"], one["data"]["acct"]) for one in records] == [
        ("gamelog/s@1:7", "b"), ("gamelog/s@1:8", "zq"), ("gamelog/s@1:9", "7700000001"),
    ]  # fmt: skip
    roles = [{"uid": "a1", "acctid": "a1"}, {"acctid": 3284681055}, {"acctid": "a12"}, {"acctid": True}, 7]
    page = {
        "users": {"a1": 1, "a12": 2},
        "roles": roles,
        "orders": [{"id": "a1", "acct": "a1"}],
        "next": "a1",
    }
    assert renaming.page(page) == {
        "users": {"zq": 1, "a12": 2},
        "roles": [{"uid": "a1", "acctid": "zq"}, {"acctid": "7700000001"}, *roles[2:]],
        "orders": [{"id": "a1", "acct": "zq"}],
        "next": "a1",
    }
    assert renaming.page({"users": [], "roles": None}) == {"users": [], "roles": None}
    rejected = Rejected(Config(data=tmp_path))
    rejected.put(
        spout="payment",
        source="payment/dl",
        reason='no, for account "a1"',
        raw=b'{"users":{"a1":{"times":"x"}}}',
    )
    rejected.put(spout="gamelog", source="gamelog/x", reason="", raw=b'\xff{"acct":"a1"}')
    rejected.close()
    first, second = read(tmp_path)
    assert (first.reason, first.raw) == ('no, for account "zq"', '{"users":{"zq":{"times":"x"}}}')
    assert base64.b64decode(second.raw_base64) == b'\xff{"acct":"zq"}'


ACCTS = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(ACCTS)
def test_a_pseudonym_has_as_many_bytes_and_is_read_as_the_acct_is(acct: str) -> None:
    name = pseudonym_like(acct)
    written = [msgspec.json.encode(one) for one in (acct, name)]
    assert len(written[1]) <= len(written[0])
    assert len(name.encode()) == len(acct.encode())
    assert 1 <= len(name) <= len(acct)
    line = b'{"acct":%b,"n":1}' % written[0]
    new = Renaming({acct: name}.get).journal(line, {})
    assert json.loads(new) == {"acct": name, "n": 1}
    assert len(new) == len(line)


def test_names_in_use_are_not_chosen_and_short_ones_run_out() -> None:
    names = choose(["1", "2"], {str(digit) for digit in range(6)}.__contains__, [])
    assert {*names.values()} < {"6", "7", "8"}
    with pytest.raises(AnalyticsError, match="too short"):
        choose(["1", "2"], {str(digit) for digit in range(8)}.__contains__, [])


def test_of_a_rejected_text_without_a_shape_each_word_is_looked_at() -> None:
    one = Reject(spout="gamelog", raw='a12=a1, \'a1.5\' {"acct":"a1', reason="$: expected JSON")
    assert renaming().reject(one, {}).raw == 'a12=zq, \'a1.5\' {"acct":"zq'
    one = Reject(spout="gamelog", raw='{"op":"a1","acct":7}', reason="$: a1")
    assert renaming().reject(one, {}) == one


@pytest.mark.parametrize(
    ("raw", "after"),
    [
        ('{"users":{"a1":5,"b":{"times":1}}}', '{"users":{"zq":5,"b":{"times":1}}}'),
        ('{"users":{"a1":{"meta":{"a1":1}}}}', '{"users":{"zq":{"meta":{"a1":1}}}}'),
        ('{"users":{},"orders":[{"acct":"a1"}]}', '{"users":{},"orders":[{"acct":"zq"}]}'),
        ('{"users":["a1","b"]}', '{"users":["zq","b"]}'),
        ('{"users":[["a1",5],[3284681055,5]]}', '{"users":[["zq",5],[7700000001,5]]}'),
        ('{"users":"a1"}', '{"users":"zq"}'),
        (
            '{"users":{"b":"a1","c":["a1"],"3284681055":3284681055}}',
            '{"users":{"b":"zq","c":["zq"],"7700000001":3284681055}}',
        ),
        ('{"data":{"users":{"a1":5}}}', '{"data":{"users":{"zq":5}}}'),
        (
            '{"orders":["a1",3284681055,{"acct":["a1"],"item":"a1"}]}',
            '{"orders":["zq",7700000001,{"acct":["zq"],"item":"a1"}]}',
        ),
        ('{"roles":{"a1":{"name":"b"}},"next":"a1"}', '{"roles":{"zq":{"name":"b"}},"next":"a1"}'),
        ('"a1"', '"zq"'),
        ('["a1",true,1.5,null]', '["zq",true,1.5,null]'),
        ("3284681055", "7700000001"),
        (
            '{"op":{"code":"x"},"data":{"acct":{"id":"a1"},"friend":"a1"}}',
            '{"op":{"code":"x"},"data":{"acct":{"id":"zq"},"friend":"a1"}}',
        ),
    ],
)
def test_a_rejected_answer_of_any_shape_gets_the_pseudonym(raw: str, after: str) -> None:
    assert renaming().reject(Reject(spout="payment", raw=raw), {}).raw == after


def test_a_reason_shows_no_acct_that_stood_in_the_wrong_place() -> None:
    reason = "$.orders[]: expected an object, got 3284681055 (area s1, 2026-03-01)"
    new = renaming().reject(Reject(spout="payment", raw="3284681055", reason=reason), {})
    assert new.reason == reason.replace("3284681055", "7700000001")
    amount = Reject(
        spout="payment", raw='{"users":{"b":3284681055}}', reason="expected an object, got 3284681055"
    )
    assert renaming().reject(amount, {}) == amount, "an amount that equals an acct stays"
