"""Lines become named tuples on the wire, or rejects with a reason that names the field."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.core import compiled
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.spouts import records
from analytics.spouts.records import convert
from analytics.spouts.rules import Rules
from analytics.spouts.shares import Lines, Share, together

A = "549140c8dbdb67794fc0fa3b"
B = "5461bb1bec8b9c686a8b4576"
NOW = 1_700_000_000
TS = 1_420_688_004
SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas(
    [
        Area(A, "dl", "2001", SHANGHAI, "2001", "server1009"),
        Area(B, "wsdx", "1059", SHANGHAI),
        Area("77", "dl", "2001", SHANGHAI),
    ]
)
RULES = Rules(AREAS, {"wsdx": {"enter_game": "login_logcount", "9": "signup_logcount"}})
SOURCE = "gamelog/s1@00ff"


@pytest.fixture(scope="module", params=[True, False], ids=["compiled", "interpreted"], autouse=True)
def path(request):
    """Each test sees both paths that whole chunks may take: they say the same."""
    patch = pytest.MonkeyPatch()
    if not request.param:
        patch.setattr(compiled, "COMPILED", False)
        patch.setattr(RULES, "scanner", None)
    yield
    patch.undo()


def line(code="login_logcount", area=A, ts=TS, extra=None, **data):
    record = {
        "op": {"code": code, "id": 1003},
        "area": area,
        "ts": ts,
        "data": {"corpid": 2001, "acct": "u1", **data},
    }
    return json.dumps({**record, **(extra or {})}, ensure_ascii=False).encode()


def convert_one(text: bytes, rules: Rules = RULES) -> Share:
    (share,) = convert(text + b"\n", SOURCE, 7, rules, NOW)
    return share


def lines_of(share: Share) -> list[bytes]:
    return [line for lines in share.topics.values() for line in lines.body.split(b"\n")]


def same(some: list[Share], others: list[Share]) -> bool:
    def plain(shares: list[Share]) -> list[tuple]:
        return [(one.source, list(one.ns), one.topics, one.bad, one.doubled) for one in shares]

    return plain(some) == plain(others)


def reason(text: bytes, rules: Rules = RULES) -> str:
    share = convert_one(text, rules)
    assert not share.ns and [bad.n for bad in share.bad] == [7] and share.bad[0].raw == text
    return share.bad[0].reason


def test_usable_lines_keep_their_bytes_and_get_a_name():
    lines = [line(), line("signup_logcount"), line(acct="名字"), line("anything.else")]
    (share,) = convert(b"".join(one + b"\n" for one in lines), SOURCE, 5, RULES, NOW)
    named = [b'{"id":"gamelog/s1@00ff:%d",' % n + one[1:] for n, one in enumerate(lines, 5)]
    assert records._fast(b"".join(one + b"\n" for one in lines), SOURCE, 5, RULES, NOW) is not None
    batch = share.batch()
    assert batch.header.ns == [(5, 8)] and not batch.header.rejected
    assert [part.topic for part in batch.header.parts] == [
        "gamelog.login_logcount",
        "gamelog.signup_logcount",
        "gamelog.anything.else",
    ]
    assert batch.bodies == [named[0] + b"\n" + named[2], named[1], named[3]]


def test_blank_lines_are_skipped_but_count():
    (share,) = convert(b"\n" + line() + b"\n\r\n  \n" + line() + b"\r\n", SOURCE, 1, RULES, NOW)
    assert share.ns == [2, 5] and not share.bad


BAD = [
    (b"not json", "$: expected JSON, got "),
    (b"[1]", "$: expected object, got [1]"),
    (b"{}", "$.op: expected object, got nothing"),
    (line()[:-1], "$: expected JSON, got "),
    (line(acct="x").replace(b'"x"', b'"\xff"'), "$: expected UTF-8, got b'\\xff"),
    (line(note="x").replace(b'"x"', b'"\xff"'), "$: expected UTF-8, got b'\\xff"),
    (line(note="x").replace(b'"x"', b'"\0"'), "$: expected text without NUL bytes, got one at byte "),
    (line(note=5).replace(b'"note": 5', b'"note": NaN'), "$: expected JSON, got "),
    (line(note=2**64), "$.data.note: expected an integer of 64 bits, got 18446744073709551616"),
    (line(note=2**63), "$.data.note: expected an integer of 64 bits, got 9223372036854775808"),
    (
        line(note=[{"x": -(2**63) - 1}]),
        "$.data.note[0].x: expected an integer of 64 bits, got -9223372036854775809",
    ),
    (b'{"op":' + b"[" * 50_000, "$: expected "),
    (line(ts="1"), '$.ts: expected int, got "1"'),
    (line(ts=1.5), "$.ts: expected int, got 1.5"),
    (line(ts=True), "$.ts: expected int, got true"),
    (line(ts=946_684_799), "$.ts: expected Unix seconds between 2000 and a day ahead, got 946684799"),
    (
        line(ts=NOW * 1000),
        f"$.ts: expected Unix seconds between 2000 and a day ahead, got {NOW}000; that looks like milliseconds: divide it by 1000",
    ),
    (line(ts=NOW + 86_401), "$.ts: expected Unix seconds between 2000 and a day ahead, got 1700086401"),
    (line(area="nowhere"), "$.area: expected an area that a game claims"),
    (line(area=None), "$.area: expected string, got null"),
    (line(code=""), '$.op.code: expected 1 to 100 printable characters, got ""'),
    (line(code="a\nb"), '$.op.code: expected 1 to 100 printable characters, got "a\\nb"'),
    (line(code="a" * 101), "$.op.code: expected 1 to 100 printable characters"),
    (line(code=None), "$.op.code: expected string, got null"),
    (line(acct=""), '$.data.acct: expected 1 to 200 characters, got ""'),
    (line(acct=None), "$.data.acct: expected string, got null"),
    (line(acct="a\0b"), '$.data.acct: expected characters other than NUL, got "a\\u0000b"'),
    (
        line("shop_logbuy", item="\0", num=1, price=1),
        '$.data.item: expected characters other than NUL, got "\\u0000"',
    ),
    (line(acct="a" * 201), "$.data.acct: expected 1 to 200 characters"),
    (line("yuanbao_logchange", amount="abc", reason="x"), '$.data.amount: expected int, got "abc"'),
    (line("yuanbao_logchange", amount=1.0, reason="x"), "$.data.amount: expected int, got 1.0"),
    (line("yuanbao_logchange", amount=1), "$.data.reason: expected string, got nothing"),
    (
        line("fuben_logchange", fuben="f", result="left"),
        '$.data.result: expected one of enter, fail, pass, got "left"',
    ),
    (line("trunk_task_accept", task="abc"), '$.data.task: expected int, got "abc"'),
    (line("shop_logbuy", item="i", num=0, price=1), "$.data.num: expected int ≥ 1, got 0"),
    (line("shop_logbuy", item="i", num=1), "$.data.price: expected int, got nothing"),
    (line().replace(b'"data"', b'"date"'), "$.data.acct: expected string, got nothing"),
    (
        b'{"ts":%d,"opname":"login_logcount","area":"%s","acct":7.5}' % (TS, A.encode()),
        "$.acct: expected string, got 7.5",
    ),
    (
        b'{"ts":%d,"opname":"login_logcount","corpid":1,"server_name":"x","acct":"a"}' % TS,
        "$.server_name: expected a server of corpid 1",
    ),
    (b'{"ts":%d,"opname":"login_logcount","acct":"a"}' % TS, "$.corpid: expected string, got nothing"),
]


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_bad_lines_say_why(text, expected):
    assert reason(text).startswith(expected), reason(text)


@pytest.mark.parametrize("text", [text for text, _ in BAD])
def test_a_bad_line_takes_nobody_with_it(text):
    (share,) = convert(line() + b"\n" + text + b"\n" + line() + b"\n", SOURCE, 1, RULES, NOW)
    assert share.ns == [1, 3] and [bad.n for bad in share.bad] == [2]
    header = share.batch().header
    assert header.ns == [(1, 1), (3, 3)] and header.rejected == [(2, 2)]


def test_an_area_of_another_game_than_the_sources():
    rules = Rules(AREAS, {}, "wsdx")
    assert reason(line(), rules).startswith("$.area: expected an area of the source's game")
    assert list(convert_one(line(area=B), rules).ns) == [7]


@pytest.mark.parametrize(
    ("given", "field", "stored"),
    [
        (line(acct=3284681055), "acct", "3284681055"),
        (line("fuben_logchange", fuben=12, result="pass"), "fuben", "12"),
        (line("yuanbao_logchange", amount=-5, reason=3), "reason", "3"),
        (line("shop_logbuy", item=8, num=1, price=-2), "item", "8"),
        (line("trunk_task_finish", task="15"), "task", 15),
    ],
)
def test_ids_given_as_numbers_become_strings_and_task_an_integer(given, field, stored):
    share = convert_one(given)
    assert json.loads(lines_of(share)[0])["data"][field] == stored
    assert lines_of(share)[0].startswith(b'{"id":"gamelog/s1@00ff:7",')


def test_an_area_given_as_number_becomes_a_string():
    assert json.loads(lines_of(convert_one(line(area=77)))[0])["area"] == "77"


def test_flat_records_become_tuples():
    flat = {
        "ts": TS, "corpid": 2001, "type": "signin", "server_name": "server1009",
        "opno": 1003, "opname": "login_logcount", "acct": "3284681055",
    }  # fmt: skip
    share = convert_one(json.dumps(flat).encode())
    data = {key: value for key, value in flat.items() if key != "ts"}
    assert json.loads(lines_of(share)[0]) == {
        "id": f"{SOURCE}:7", "op": {"code": "login_logcount", "id": 1003}, "area": A, "ts": TS, "data": data,
    }  # fmt: skip
    with_area = convert_one(json.dumps({**flat, "area": B, "id": "own"}).encode())
    assert json.loads(lines_of(with_area)[0])["area"] == B
    assert json.loads(lines_of(with_area)[0])["data"] == {**data, "id": "own"}


def test_a_games_own_op_codes_are_mapped():
    share = convert_one(line("enter_game", area=B, opname="enter_game"))
    assert list(share.topics) == ["gamelog.login_logcount"]
    record = json.loads(lines_of(share)[0])
    assert record["op"]["code"] == record["data"]["opname"] == "login_logcount"
    assert list(convert_one(line("enter_game")).topics) == ["gamelog.enter_game"]
    by_number = b'{"ts":%d,"opno":9,"area":"%s","acct":"a"}' % (TS, B.encode())
    assert list(convert_one(by_number).topics) == ["gamelog.signup_logcount"]


def test_a_name_of_its_own_never_makes_two():
    share = convert_one(line(extra={"id": "mine"}))
    assert lines_of(share)[0].count(b'"id":"') == 2  # the record's name, and what became data.id
    pairs = json.loads(lines_of(share)[0], object_pairs_hook=lambda found: found)
    assert [key for key, _ in pairs].count("id") == 1


def test_a_journals_line_with_other_spaces_keeps_its_name():
    journaled = b'{"id":"gamelog/x@1:3",' + line("fuben_logchange", fuben="f", result="pass")[1:]
    spaced = journaled.replace(b'"id":', b'"id" : ').replace(b",", b" , ")
    ordered = json.dumps(json.loads(journaled), sort_keys=True).encode()
    for text in (journaled, spaced, ordered):
        share = convert_one(text)
        assert (share.source, list(share.ns), share.bad) == ("gamelog/x@1", [3], [])
        (one,) = lines_of(share)
        assert one.startswith(b'{"id":"gamelog/x@1:3",') and json.loads(one) == json.loads(journaled)
    assert convert_one(spaced.replace(b"gamelog/x@1:3", b"mine:3")).source == SOURCE


def test_journal_lines_keep_their_names():
    (first,) = convert(b"".join(line(acct=f"a{n}") + b"\n" for n in range(3)), "gamelog/a@1", 1, RULES, NOW)
    (second,) = convert(
        line("fuben_logchange", fuben="f", result="pass") + b"\n", "gamelog/b@2", 9, RULES, NOW
    )
    a, b = lines_of(first), lines_of(second)
    lines = [a[2], b[0], a[0], a[1]]
    shares = convert(b"\n".join(lines) + b"\n", SOURCE, 1, RULES, NOW)
    assert [(share.source, share.ns, lines_of(share)) for share in shares] == [
        ("gamelog/a@1", [3, 1, 2], [lines[0], lines[2], lines[3]]),
        ("gamelog/b@2", [9], [lines[1]]),
    ]
    assert shares[0].batch().header.ns == [(1, 3)]
    twice = convert(b"\n".join([*lines, *lines, b"broken"]) + b"\n", SOURCE, 1, RULES, NOW)
    assert [list(share.ns) for share in twice] == [[3, 1, 2], [9], []]
    assert [bad.n for bad in twice[2].bad] == [9]


def test_a_journaled_payment_goes_to_its_own_topic():
    payment = b'{"id":"payment/dl@1:4","game":"dl","area":"%s","plat":"2001","ts":%d,"at":5,"users":{"a":{"times":1,"amount":2.0}}}'
    good = payment % (A.encode(), TS)
    (share,) = convert(good + b"\n", SOURCE, 1, RULES, NOW)
    assert (share.source, share.ns, share.topics) == ("payment/dl@1", [4], {"payment": Lines(1, good)})
    (share,) = convert(good.replace(b'"times":1', b'"times":"x"') + b"\n", SOURCE, 1, RULES, NOW)
    assert share.bad[0].reason == '$.users.*.times: expected int, got "x" for account "a"'


@given(
    st.lists(
        st.binary(max_size=60)
        | st.builds(lambda a, t: line(acct=a, ts=t), st.text(max_size=5) | st.integers(), st.integers()),
        max_size=8,
    )
)
def test_whatever_comes_each_line_is_used_or_put_aside(lines):
    lines = [one.replace(b"\n", b"") for one in lines]
    shares = convert(b"".join(one + b"\n" for one in lines), SOURCE, 1, RULES, NOW) if lines else []
    found = sorted(n for share in shares for n in [*share.ns, *(bad.n for bad in share.bad)])
    assert found == [n for n, one in enumerate(lines, 1) if one.removeprefix(b"\xef\xbb\xbf").strip()]
    for share in shares:
        for text in lines_of(share):
            assert msgspec.json.decode(text)["id"].startswith(SOURCE)


def test_objects_that_share_a_line_and_one_on_two_lines_do_not_cancel_out():
    two_on_a_line = line(acct="a") + line(acct="b")
    on_two_lines = line(acct="c").replace(b'"op": {', b'"op":\n{')
    (share,) = convert(two_on_a_line + b"\n" + on_two_lines + b"\n", SOURCE, 1, RULES, NOW)
    assert not share.ns and [bad.n for bad in share.bad] == [1, 2, 3]


@pytest.mark.parametrize("first", [1, 9_998, 10_000, 49_999, 123_456_789])
def test_names_count_on_over_every_carry(first):
    chunk = b"".join(line(acct=f"a{n}") + b"\n" for n in range(5))
    (share,) = convert(chunk, SOURCE, first, RULES, NOW)
    assert [json.loads(text)["id"] for text in lines_of(share)] == [f"{SOURCE}:{first + n}" for n in range(5)]
    assert [json.loads(text)["data"]["acct"] for text in lines_of(share)] == [f"a{n}" for n in range(5)]


def test_only_some_lines_and_shares_put_together():
    chunk = line() + b"\n" + line("other") + b"\n" + line(acct="b") + b"\n"
    (share,) = convert(chunk, SOURCE, 1, RULES, NOW)
    some, rest = share.only({2, 3}), share.only({1})
    assert list(some.ns) == [2, 3] and list(some.topics) == ["gamelog.login_logcount", "gamelog.other"]
    whole = together([rest, some], SOURCE)
    assert same([whole], [share])


def test_chunks_that_follow_each_other_are_one_range_and_keep_what_is_bad():
    good = line() + b"\n" + line("other") + b"\n"
    shares = [
        convert(chunk, SOURCE, first, RULES, NOW)[0]
        for first, chunk in ((1, good), (3, good), (5, good + b"x\n"))
    ]
    whole = together(shares, SOURCE)
    assert list(whole.ns) == [1, 2, 3, 4, 5, 6] and [bad.n for bad in whole.bad] == [7]
    assert {topic: lines.count for topic, lines in whole.topics.items()} == {
        "gamelog.login_logcount": 3,
        "gamelog.other": 3,
    }
    (at_once,) = convert(good * 3 + b"x\n", SOURCE, 1, RULES, NOW)
    assert whole.batch() == at_once.batch()
    assert together(shares[:2], SOURCE).ns == range(1, 5) and list(together(shares[::2], SOURCE).ns) == [
        1,
        2,
        5,
        6,
    ]


@given(
    st.lists(
        st.sampled_from(
            [
                line(),
                line("fuben_logchange", fuben="1", result="enter"),
                line("other", acct=""),
                line(note="0" * 30),
            ]
        ),
        min_size=1,
    )
)
def test_the_fast_path_says_what_the_slow_one_says(lines):
    chunk = b"".join(one + b"\n" for one in lines)
    assert same(convert(chunk, SOURCE, 1, RULES, NOW), records._line_by_line(chunk, SOURCE, 1, RULES, NOW))


def test_an_area_of_digits_only_stays_on_the_fast_path():
    area = "1" * 24
    rules = Rules(Areas([Area(area, "dl", "2001", zone("UTC"))]), {})
    good = line(area=area) + b"\n"
    assert not records.has_many_digits(good)
    assert same(convert(good, SOURCE, 1, rules, NOW), records._line_by_line(good, SOURCE, 1, rules, NOW))
    for number in (b"1" * 19, b"-" + b"1" * 20, b"[1,2, " + b"1" * 30 + b"]"):
        assert records.has_many_digits(good.replace(b'"corpid"', b'"big":' + number + b',"corpid"'))


def journaled(n: int, source: bytes = b"gamelog/s1@00ff") -> bytes:
    return b'{"id":"%b:%d",' % (source, n) + line()[1:] + b"\n"


def test_a_journal_that_ends_within_a_line_costs_none_of_what_is_piped_in_after_it():
    other = b"gamelog/s1@01"
    torn = journaled(7)[:60]
    chunk = torn + journaled(1, other) + journaled(2, other)
    found = {share.source: share for share in convert(chunk, SOURCE, 1, RULES, NOW)}
    assert sorted(found[other.decode()].ns) == [1, 2] and not found[other.decode()].bad
    assert [(bad.n, bad.raw) for bad in found[SOURCE].bad] == [(7, torn)]


def test_a_name_that_came_with_a_bad_line_is_free_for_the_good_one():
    (share,) = convert(journaled(7)[:60] + b"\n" + journaled(7) + journaled(7), SOURCE, 1, RULES, NOW)
    assert (share.ns, [bad.n for bad in share.bad], share.doubled) == ([7], [7], 1)


def test_no_second_id_comes_after_the_name():
    """Whoever reads a journal back finds the last of two."""
    (one,) = lines_of(convert_one(line(extra={"id": None})))
    assert one.count(b'"id":"') == 1 and json.loads(one)["id"] == f"{SOURCE}:7"
