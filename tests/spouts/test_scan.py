"""The compiled path takes what is plain, and says of it exactly what the line by line path says."""

import json

import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from needed import need_compiled
from test_records import NOW, RULES, SOURCE, TS, A, B, line, same

from analytics.core import compiled
from analytics.spouts import records
from analytics.spouts.shares import Share, together

FIELDS = {code: [field.name for field in schema.fields] for code, schema in RULES.codes.items()}
COIN = line("yuanbao_logchange", amount=-5, reason="shop")


@pytest.fixture(scope="module", autouse=True)
def compiled_code():
    need_compiled()


def scanned(chunk: bytes, first: int = 1) -> list[Share] | None:
    return records._scanned(chunk, SOURCE, first, RULES, NOW)


def by_hand(chunk: bytes, first: int = 1) -> list[Share]:
    return records._line_by_line(chunk, SOURCE, first, RULES, NOW)


@pytest.mark.parametrize(
    "plain",
    [
        line(),
        COIN,
        line("fuben_logchange", fuben="1", result="enter"),
        line("shop_logbuy", item="x", num=1, price=0),
        line("trunk_task_accept", task=-7),
        line("é.ü"),
        line("anything.else", note=[1, -2.5, {"a": None, "b": [True, False, {}, []]}, ""]),
        line("other").replace(b'"acct": "u1"', b'"level": 0'),
        line("other").replace(b'"data"', b'"datum"'),
        line(acct="名字"),
        line(note='"\\/\b\f\n\r\té'),
        line(note="\\u0041\\ud7ff\\uE000"[1:]),
        line(acct="1234567890123456789"),
        line(acct="a" * 190),
        line(area=B, ts=records.EARLIEST),
        line(ts=NOW + records.DAY),
        line(extra={"more": {"op": 1, "ts": "x", "id": 2}}),
        json.dumps(json.loads(line(acct="名\t字")), separators=(",", ":")).encode(),
        line().replace(b": ", b" \t:  ").replace(b", ", b"\t , "),
        line(deep=[[[[[[[[[[0]]]]]]]]]]),
    ],
)
def test_plain_lines_are_taken(plain):
    chunk = line() + b"\n" + plain + b"\n" + COIN + b"\n"
    assert (shares := scanned(chunk)) and same(shares, by_hand(chunk))


@pytest.mark.parametrize(
    "unusual",
    [
        b"",
        b" " + line(),
        line() + b" ",
        line() + b"}",
        line()[:-1],
        line() + line(),
        line() + b"," + line(),
        line(ts=records.EARLIEST - 1),
        line(ts=NOW + records.DAY + 1),
        line(ts=TS * 1.0),
        line(ts=str(TS)),
        line().replace(b'"ts": ', b'"ts": 0'),
        line(area="nobody's"),
        line(area=77),
        line(area=A[:-1]),
        line(extra={"id": 5}),
        line(code=""),
        line(code="a" * 101),
        line(code="a\x7f"),
        line(code=1003),
        line(code='a"b'),
        line(acct=""),
        line(acct="a" * 201),
        line(acct=7),
        line(acct=None),
        line().replace(b'"acct": "u1"', b'"name": "u1"'),
        line().replace(b'"acct"', b'"\\u0061cct"'),
        line().replace(b'"u1"', b'"u1", "acct": "u2"'),
        line().replace(b'"ts"', b'"ts": 1500000000, "ts"'),
        line().replace(b'"area"', b'"area": "77", "area"'),
        line().replace(b'"data"', b'"data": {"acct": "u2"}, "data"'),
        line()[:-1] + b', "data": {"level": 1}}',
        line().replace(b'{"op"', b'{"op": {"code": "other"}, "op"'),
        line().replace(b'{"op"', b'{"op": {"id": 1}, "op"'),
        line().replace(b'"code"', b'"code": "other", "code"'),
        line().replace(b"2001", b"2001,"),
        line().replace(b"2001,", b"2001;"),
        line().replace(b"8004,", b"8004;"),
        line().replace(b'": 1003', b'"; 1003'),
        line().replace(b"2001", b"02001"),
        line().replace(b"2001", b"-"),
        line().replace(b"2001", b"2001."),
        line().replace(b"2001", b".5"),
        line().replace(b"2001", b"+5"),
        line().replace(b"2001", b"NaN"),
        line().replace(b"2001", b"tru"),
        line().replace(b"2001", b"nulll"),
        line().replace(b"2001", b"[1 2]"),
        line().replace(b"2001", b"[1,]"),
        line().replace(b"2001", b"[}"),
        line().replace(b"2001", b"{1:2}"),
        line().replace(b"2001", b'{"a"}'),
        line().replace(b"2001", b"9" * 20),
        line().replace(b"2001", b"[" * 40 + b"]" * 40),
        line().replace(b"2001", b"'x'"),
        line().replace(b"2001", b'"\\x41"'),
        line().replace(b"2001", b'"\\u004"'),
        line().replace(b"2001", b'"\\ud800"'),
        line().replace(b"2001", b'"\x01"'),
        line().replace(b"2001", b"\x00"),
        line().replace(b"2001", b"\xff"),
        line().replace(b"2001", b'"\xff"'),
        line("yuanbao_logchange", amount="5", reason="shop"),
        line("yuanbao_logchange", amount=1.5, reason="shop"),
        line("yuanbao_logchange", amount=None, reason="shop"),
        line("yuanbao_logchange", amount=5),
        line("yuanbao_logchange", amount=5, reason=["shop"]),
        line("yuanbao_logchange", amount=5, reason="x" * 201),
        COIN.replace(b'"amount"', b'"amount": 1, "amount"'),
        COIN.replace(b'"amount"', b'"amount": "x", "amount"'),
        line("fuben_logchange", fuben="1", result="lost"),
        line("fuben_logchange", fuben=1, result="pass"),
        line("trunk_task_accept", task=True),
        line("trunk_task_finish", task=[1]),
        line("shop_logbuy", item="x", num=0, price=1),
        line("shop_logbuy", item="x", num=-1, price=1),
        line("shop_logbuy", item="x", num=1, price={}),
        b"[1]",
        b"null",
        b'{"op": {"code": "x"}, "area": "77"}',
        b"{}",
        b"{",
    ],
)
def test_of_anything_else_nothing_is_said(unusual):
    assert scanned(line() + b"\n" + unusual + b"\n" + COIN + b"\n") is None


def test_a_chunk_without_its_last_newline_is_none():
    assert scanned(line()) is None and scanned(b"") is None


@pytest.mark.parametrize("first", [1, 8, 98, 9_999, 123_456_789, 10**17 - 2])
def test_names_count_on_over_every_carry(first):
    chunk = (line() + b"\n" + COIN + b"\n") * 3
    assert (shares := scanned(chunk, first)) and same(shares, by_hand(chunk, first))
    assert list(shares[0].ns) == list(range(first, first + 6))


@pytest.mark.parametrize("first", [1, 7, 93, 996, 10**17 - 5])
def test_chunks_that_travel_together_are_written_as_one(first):
    chunks = [
        b"".join(one + b"\n" for one in lines)
        for lines in ([line(), COIN], [line("other")] * 9, [COIN, line()])
    ]
    starts = [first, first + 2, first + 100]
    shares = [share for chunk, start in zip(chunks, starts, strict=True) for share in scanned(chunk, start)]
    others = [share for chunk, start in zip(chunks, starts, strict=True) for share in by_hand(chunk, start)]
    whole, other = together(shares, SOURCE), together(others, SOURCE)
    assert list(whole.topics) == ["gamelog.login_logcount", "gamelog.yuanbao_logchange", "gamelog.other"]
    assert same([whole], [other]) and whole.batch() == other.batch()
    assert same([together([shares[0], others[1]], SOURCE)], [together(others[:2], SOURCE)])


def test_fields_of_another_op_code_may_hold_anything():
    for field, found in (("amount", 1.5), ("task", "x"), ("result", None), ("num", -1), ("reason", ["y"])):
        chunk = line("other", **{field: found}) + b"\n"
        assert (shares := scanned(chunk)) and same(shares, by_hand(chunk))


def test_numbers_end_before_they_fit_no_name():
    assert scanned(line() + b"\n", 10**18 - 2) is None


def test_more_op_codes_than_are_kept_are_left_to_others():
    lines = [line(f"code{n}") + b"\n" for n in range(65)]
    assert (shares := scanned(b"".join(lines[:64]))) and len(shares[0].topics) == 64
    assert same(shares, by_hand(b"".join(lines[:64])))
    assert scanned(b"".join(lines)) is None


def test_any_number_of_areas_is_told_apart():
    names = [f"{n:x}" * (n % 5 + 1) for n in range(3000)]
    known = set(names[::2])
    scanner = compiled.scanner(known, records.EARLIEST)
    for name in names:
        taken = scanner.plain(line(area=name) + b"\n", 1, NOW)
        assert (taken is not None) == (name in known), name


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**19), 10**19)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
tuples = st.fixed_dictionaries(
    {
        "op": st.fixed_dictionaries({"code": st.sampled_from(["login_logcount", "other", *FIELDS])}),
        "area": st.sampled_from([A, B, "77", "78"]),
        "ts": st.integers(NOW - 10, NOW) | st.sampled_from([0, -1, records.EARLIEST, NOW + 2 * records.DAY]),
    },
    optional={
        "data": st.dictionaries(
            st.sampled_from(["x", *sorted({name for needed in FIELDS.values() for name in needed})]),
            st.text(max_size=3)
            | st.integers(-2, 2)
            | st.sampled_from(["enter", "pass", 1.0, -0.0])
            | json_values,
        ),
        "more": json_values,
    },
)
texts = st.builds(
    lambda record, ascii, separators: json.dumps(record, ensure_ascii=ascii, separators=separators).encode(
        errors="surrogatepass"
    ),
    tuples,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "  : ")]),
)
SCRAPS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\0",
    b" ",
    b"0",
    b"9",
    b".",
    b"-",
    b"e",
    b"u",
]


@st.composite
def damaged(draw):
    """A text of which some places are cut, repeated or overwritten."""
    text = draw(texts)
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(text)))
        end = draw(st.integers(begin, min(len(text), begin + 8)))
        middle = draw(st.sampled_from([b"", text[begin:end] * 2, *SCRAPS]))
        text = text[:begin] + middle + text[end:]
    return text


@settings(max_examples=examples(500))
@given(st.lists(texts | damaged(), min_size=1, max_size=3))
def test_what_is_taken_is_said_as_line_by_line(some):
    chunk = b"".join(one + b"\n" for one in some)
    shares = scanned(chunk)
    assert shares is None or same(shares, by_hand(chunk))
