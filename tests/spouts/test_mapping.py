"""Lines of other shapes: each format, and compiled reading held against reading line by line and against plain Python."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import msgspec
import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from needed import need_compiled

from analytics.config import (
    AreaSection,
    Config,
    EventSection,
    FieldSection,
    Game,
    GamelogSection,
    Mapped,
    Source,
    TimeSection,
)
from analytics.config.bolt_sections import BoltSection
from analytics.core.areas import Area, Areas
from analytics.core.compiled import COMPILED
from analytics.core.periods import zone
from analytics.errors import RecordError
from analytics.spouts.gamelog import rules_of
from analytics.spouts.mapping.compiled import LineMapping
from analytics.spouts.mapping.lines import convert, plain_journal
from analytics.spouts.rules import Rules
from analytics.spouts.shares import Share, by_source

AREAS = Areas([Area("s1", "dl", "1", zone("Asia/Shanghai")), Area("s-2", "dl", "1", zone("UTC"))])
NOW = 1_800_000_000
SOURCE = "gamelog/log@0123"
TIME = TimeSection(field="time", format="%Y-%m-%d %H:%M:%S", zone="Asia/Shanghai")


def mapping(format: str = "json", **keys: object) -> LineMapping:
    given = {"area": "s1", "time": TIME, "event": "event", "fields": {"acct": "uid"}} | keys
    return LineMapping("log", Mapped(format=format, **given), "UTC")  # type: ignore[arg-type]


def rules(one: LineMapping, *, journal: bool = False) -> Rules:
    return Rules(AREAS, {}, mappings={"log": one}, source="" if journal else "log")


def one_record(one: LineMapping, line: bytes, header: str = "") -> dict[str, object]:
    piece = one.piece(line, header)
    assert piece is not None
    return msgspec.json.decode(b"{" + piece + b"}")  # type: ignore[no-any-return]


def records_of(shares: list[Share]) -> dict[str, dict[str, object]]:
    lines = [line for share in shares for one in share.topics.values() for line in one.body.split(b"\n")]
    found = {}
    for line in lines:
        record = json.loads(line)
        found[record.pop("id")] = record
    return found


LOGIN = {"time": "2026-11-28 08:00:05", "event": "login", "uid": "7"}
FORMATS = [
    ("json", {}, b'{"time":"2026-11-28 08:00:05","event":"login","uid":"7"}', ""),
    ("json", {"prefix": "json"}, b'INFO x {"time":"2026-11-28 08:00:05","event":"login","uid":"7"}', ""),
    ("logfmt", {}, b'level=info time="2026-11-28 08:00:05" event=login uid=7', ""),
    ("csv", {"columns": ["time", "event", "uid"]}, b"2026-11-28 08:00:05,login,7", ""),
    ("csv", {}, b'"7",login,2026-11-28 08:00:05', "uid,event,time"),
    ("csv", {"separator": "\t"}, b"7\tlogin\t2026-11-28 08:00:05", "uid\tevent\ttime"),
    (
        "regex",
        {"pattern": r"^\[(?P<time>[^]]+)\] (?P<uid>\w+) (?P<event>\w+)$"},
        b"[2026-11-28 08:00:05] 7 login",
        "",
    ),
]


@pytest.mark.parametrize(("format", "keys", "line", "header"), FORMATS)
def test_a_line_of_each_format_becomes_the_record(
    format: str, keys: dict[str, object], line: bytes, header: str
) -> None:
    found = one_record(mapping(format, events={"login": "login_logcount"}, **keys), line, header)
    assert found.pop("data") == found_with({"acct": "7"}, level="info" if format == "logfmt" else None)
    assert found == {"op": {"code": "login_logcount"}, "area": "s1", "ts": 1_795_824_005}


def found_with(record: Mapping[str, object], **more: object) -> dict[str, object]:
    return {**record} | {name: value for name, value in more.items() if value is not None}


TIMES = [
    ("iso8601", "2026-11-28T00:00:05Z", 1_795_824_005),
    ("iso8601", "2026-11-28T08:00:05.250+08:00", 1_795_824_005),
    ("iso8601", "2026-11-28 08:00:05", 1_795_824_005),
    ("unix", 1_795_824_005, 1_795_824_005),
    ("unix", "1795824005.9", 1_795_824_005),
    ("unix_ms", 1_795_824_005_250, 1_795_824_005),
    ("%d%b%Y %H:%M:%S.%f", "28Nov2026 08:00:05.123", 1_795_824_005),
    ("%d/%b/%Y:%H:%M:%S %z", "28/Nov/2026:00:00:05 +0000", 1_795_824_005),
    ("%Y-%m-%d %H:%M:%S %Z", "2026-11-28 00:00:05 UTC", 1_795_824_005),
    ("%Y-%m-%d %Z %H:%M:%S.%f", "2026-11-28 GMT 00:00:05.123", 1_795_824_005),
    ("%Y-%m-%d %H:%M:%S %%Z", "2026-11-28 08:00:05 %Z", 1_795_824_005),
]


@pytest.mark.parametrize(("format", "value", "ts"), TIMES)
def test_times(format: str, value: object, ts: int) -> None:
    one = mapping(time=TimeSection(field="time", format=format, zone="Asia/Shanghai"))
    line = json.dumps(LOGIN | {"time": value}).encode()
    assert one_record(one, line)["ts"] == ts
    (share,) = convert(line + b"\n", SOURCE, 1, rules(one), NOW)
    assert records_of([share])[f"{SOURCE}:1"]["ts"] == ts


def test_a_time_without_a_zone_is_of_the_area() -> None:
    one = LineMapping(
        "log",
        Mapped(format="json", time=TimeSection(field="time"), event="event", area="s1"),
        "Asia/Shanghai",
    )
    assert one_record(one, b'{"time":"2026-11-28T08:00:05","event":"x"}')["ts"] == 1_795_824_005


REASONS = [
    ({"time": 1}, 'time: expected a time as "%Y-%m-%d %H:%M:%S", got 1'),
    ({"time": "yesterday"}, 'time: expected a time as "%Y-%m-%d %H:%M:%S", got "yesterday"'),
    ({"time": None}, "time: expected a value, got nothing; the line has time, event, uid"),
    ({"event": {}}, "event: expected the name of an event, got {}"),
    ({"uid": ""}, 'uid (as acct): expected 1 to 200 characters, got ""'),
    ({"event": "coins", "reason": "x", "delta": "many"}, 'delta (as amount): expected int, got "many"'),
    ({"event": "coins", "reason": "x"}, "delta (as amount): expected int, got nothing"),
    ({"event": "coins", "delta": 5}, "reason: expected string, got nothing"),
    (
        {"time": "2046-11-28 08:00:05"},
        "time (as ts): expected Unix seconds between 2000 and a day ahead, got 2426976005",
    ),
]


@pytest.mark.parametrize(("change", "reason"), REASONS)
def test_a_line_that_cannot_be_used_is_rejected_in_its_own_words(
    change: dict[str, object], reason: str
) -> None:
    one = mapping(
        fields={"acct": "uid", "amount": "delta"},
        events={"login": "login_logcount", "coins": "yuanbao_logchange"},
    )
    line = json.dumps(LOGIN | change).encode()
    (share,) = convert(line + b"\n", SOURCE, 8, rules(one), NOW)
    (bad,) = share.bad
    assert (bad.n, bad.reason, bad.raw) == (8, reason, line)
    assert not share.ns
    assert not share.journaled()


@pytest.mark.parametrize(
    ("format", "keys", "line", "reason"),
    [
        ("csv", {"columns": ["time", "event"]}, b"a,b,c", "line: expected 2 columns (time, event), got 3"),
        ("csv", {}, b"a,b,c", "line: expected a header before it"),
        (
            "regex",
            {"pattern": "(?P<time>x)"},
            b"abc",
            "line: expected text that the source's pattern matches",
        ),
        ("logfmt", {}, b"only words", "line: expected pairs like key=value"),
        ("json", {}, b"[1]", "$: expected object, got [1]"),
        ("json", {"prefix": "json"}, b"no object", "line: expected a JSON object after any text"),
        ("logfmt", {}, b"a=\xff", "line: expected UTF-8"),
        ("csv", {"columns": ["time"]}, b"a\0", "line: expected text without NUL bytes"),
    ],
)
def test_a_line_of_another_format(format: str, keys: dict[str, object], line: bytes, reason: str) -> None:
    with pytest.raises(RecordError) as error:
        mapping(format, **keys).piece(line)
    assert str(error.value).startswith(reason)


def test_lines_that_match_nothing_can_be_skipped_and_numbers_stay_those_of_lines() -> None:
    one = mapping("regex", pattern=r"^(?P<time>\S+ \S+) (?P<uid>\w+) (?P<event>joined)$", unmatched="skip")
    chunk = b"starting\n2026-11-28 08:00:05 ann joined\n\nother\n2026-11-28 08:00:06 bob joined\n"
    (share,) = convert(chunk, SOURCE, 10, rules(one), NOW)
    assert sorted(records_of([share])) == [f"{SOURCE}:11", f"{SOURCE}:14"]
    assert not share.bad
    assert not convert(b"starting\n\n", SOURCE, 15, rules(one), NOW)


EMPTY_CELLS = [
    ("csv", {"columns": ["time", "event", "uid", "spent", "why"]}, "2026-11-28 08:00:05,{},{},{},", "cell"),
    ("logfmt", {}, 'time="2026-11-28 08:00:05" event={} uid={} spent={} why=', "value"),
    (
        "regex",
        {"pattern": r"^(?P<time>[^|]+)\|(?P<event>\w+)\|(?P<uid>\w*)\|(?P<spent>\d*)\|(?P<why>\w*)$"},
        "2026-11-28 08:00:05|{}|{}|{}|",
        "value",
    ),
]


@pytest.mark.parametrize(("format", "keys", "line", "what"), EMPTY_CELLS)
def test_an_empty_cell_says_nothing_unless_it_is_a_text(
    format: str, keys: dict[str, object], line: str, what: str
) -> None:
    one = mapping(
        format,
        fields={"acct": "uid", "seconds": "spent", "amount": "spent", "reason": "why"},
        events={"out": "logout_logcount", "coins": "yuanbao_logchange"},
        **keys,
    )
    lines = [("out", "7", ""), ("out", "7", "60"), ("coins", "7", "60"), ("coins", "7", ""), ("out", "", "")]
    chunk = "".join(line.format(*cells) + "\n" for cells in lines).encode()
    (share,) = convert(chunk, SOURCE, 1, rules(one), NOW)
    data = [record["data"] for record in records_of([share]).values()]
    assert data[0] == {"acct": "7", "amount": "", "reason": ""}
    assert data[1:] == [{"acct": "7", "seconds": 60, "amount": 60, "reason": ""}] * 2
    assert [bad.reason for bad in share.bad] == [
        f"spent (as amount): expected int, got nothing: its {what} is empty",
        f"uid (as acct): expected 1 to 200 characters, got nothing: its {what} is empty",
    ]
    again = convert(b"\n".join(share.journaled()) + b"\n", SOURCE, 9, rules(one, journal=True), NOW)
    assert records_of(again) == records_of([share])


def test_what_own_bolts_and_games_say_of_empty_cells() -> None:
    tables = {
        "pvp": {"reads": "pvp_log", "fields": {"gold": "int?", "won": "flag?", "note": "text?", "seconds": "text?"},
                "measures": {"gold": {"sum": "gold"}, "wins": {"count": {"where": "won and note == '' and seconds == ''"}}}},
    }  # fmt: skip
    source = Source(
        name="log", kind="file", path="x", format="csv", columns=["time", "event", "gold", "won", "note", "seconds"],
        area="s1", time=TIME, event="event",
    )  # fmt: skip
    config = Config(
        games={"dl": Game(areas={"s1": AreaSection(plat="1")}, opcodes={"fight": "pvp_log"})},
        gamelog=GamelogSection(sources=[source]),
        bolts=msgspec.convert(tables, type=dict[str, BoltSection]),
    )
    line = b"2026-11-28 08:00:05,%b,,,,\n"
    (share,) = convert(line % b"pvp_log" + line % b"fight", SOURCE, 1, rules_of(config, "log"), NOW)
    assert not share.bad
    assert [one["data"] for one in records_of([share]).values()] == [{"note": "", "seconds": ""}] * 2


@pytest.mark.parametrize("amount", ["-30", -30, -30.0, "-30.0", " -30 ", "-30."])
def test_whole_amounts_may_come_as_text_or_with_a_point(amount: object) -> None:
    one = mapping(event="", opcode="yuanbao_logchange", fields={"acct": "uid", "amount": "params.delta"})
    line = json.dumps(
        {"time": LOGIN["time"], "uid": 7, "params": {"delta": amount}, "reason": "shop"}
    ).encode()
    (share,) = convert(line + b"\n", SOURCE, 1, rules(one), NOW)
    assert not share.bad
    data = records_of([share])[f"{SOURCE}:1"]["data"]
    assert isinstance(data, dict)
    assert (data["amount"], data["acct"]) == (-30, "7")


# Generated mappings and lines, against plain Python.

_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
_ids = st.one_of(st.integers(-5, 10**15), st.text('ab1é"\\ ', min_size=1, max_size=5))
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9, width=32), _texts),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_texts, inner, max_size=2)),
    max_leaves=3,
)
_names = st.sampled_from(["uid", "acct", "amount", "delta", "reason", "why", "extra", "fuben", "op", "id"])


@st.composite
def _mappings(draw: st.DrawFn) -> Mapped:
    fields = {"acct": draw(st.sampled_from(["uid", "acct", "who.id"]))}
    for name in draw(st.sets(st.sampled_from(["amount", "reason", "bracket"]))):
        fields[name] = draw(st.sampled_from(["delta", "why", "params.delta", "params.why", "who.id", name]))
    coins: list[str | EventSection] = [
        "yuanbao_logchange",
        EventSection(code="yuanbao_logchange", set={"reason": "set"}),
    ]
    return Mapped(
        format="json",
        area=draw(
            st.sampled_from(
                [  # type: ignore[arg-type]
                    "s1",
                    FieldSection(field="server", values={"9": "s-2"}),
                ]
            )
        ),
        time=TimeSection(
            field=draw(st.sampled_from(["time", "at.time"])),
            format=draw(
                st.sampled_from(["iso8601", "unix", "unix_ms", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S"])
            ),
            zone="America/St_Johns",
        ),
        event="event",
        events={"login": "login_logcount", "coins": draw(st.sampled_from(coins))},
        fields=fields,
    )


def _written(format: str, ts: int, draw: st.DrawFn) -> object:
    local = datetime.fromtimestamp(ts, ZoneInfo("America/St_Johns"))
    if format == "unix":
        return draw(st.sampled_from([ts, float(ts), str(ts)]))
    if format == "unix_ms":
        return ts * 1000 + draw(st.integers(0, 999))
    if format == "iso8601":
        return local.isoformat(timespec=draw(st.sampled_from(["seconds", "milliseconds"])))
    return local.strftime(format)


@st.composite
def _records(draw: st.DrawFn, mapped: Mapped) -> dict[str, object]:
    assert mapped.time is not None
    # Not in the hour that comes twice in a year.
    ts = 1_795_824_000 + draw(st.integers(0, 200))
    record: dict[str, object] = draw(st.dictionaries(_names, _values, max_size=3))
    record["uid"] = draw(_ids)
    record["who"] = {"id": draw(_ids)}
    record["params"] = {"delta": draw(st.sampled_from([5, -5, "7", "8.0", 3.0, "x"])), "why": draw(_texts)}
    record["delta"], record["why"] = draw(st.sampled_from([5, "-7", 2.5])), draw(_texts)
    record["event"] = draw(st.sampled_from(["login", "coins", "chat", "signup_logcount"]))
    record["server"] = draw(st.sampled_from(["9", 9, "s1", "nowhere"]))
    place = record if mapped.time.field == "time" else record.setdefault("at", {})
    assert isinstance(place, dict)
    place["time"] = _written(mapped.time.format, ts, draw)
    return record


def _reference(mapped: Mapped, record: dict[str, object]) -> dict[str, object]:
    """What a line means, in plain Python, from the documentation alone."""

    def look(path: str) -> object:
        value: object = record
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    assert mapped.time is not None
    time, format = look(mapped.time.field), mapped.time.format
    if format in ("unix", "unix_ms"):
        ts = int(float(time)) // (1000 if format == "unix_ms" else 1)  # type: ignore[arg-type]
    else:
        assert isinstance(time, str)
        moment = datetime.fromisoformat(time) if format == "iso8601" else datetime.strptime(time, format)
        ts = int((moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(mapped.time.zone))).timestamp())
    event = mapped.events.get(str(record["event"]), str(record["event"]))
    code, sets = (event, {}) if isinstance(event, str) else (event.code, event.set)
    area = (
        mapped.area
        if isinstance(mapped.area, str)
        else mapped.area.values.get(str(record["server"]), str(record["server"]))
    )
    moved = {mapped.time.field, mapped.event, *mapped.fields.values()}
    moved |= {name for name, path in mapped.fields.items() if name != path}
    moved |= {mapped.area.field} if isinstance(mapped.area, FieldSection) else set()
    moved -= {name for name, path in mapped.fields.items() if name == path}
    data = {name: value for name, value in record.items() if name not in moved}
    for name, path in mapped.fields.items():
        if look(path) is not None:
            data[name] = look(path)
    data |= sets
    for name in data:
        value = data[name]
        if name in ("acct", "reason", "fuben") and type(value) is int:
            data[name] = str(value)
        if name == "amount" and isinstance(value, float) and value == int(value):
            data[name] = int(value)
        if name == "amount" and isinstance(value, str) and {*value.strip()} <= {*"+-.0123456789"}:
            with suppress(InvalidOperation):
                data[name] = int(number) if (number := Decimal(value.strip())) == int(number) else value
    return {"op": {"code": code}, "area": area, "ts": ts, "data": data}


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_generated_lines_say_what_plain_python_says(data: st.DataObject) -> None:
    mapped = data.draw(_mappings())
    sources = data.draw(st.lists(_records(mapped), min_size=1, max_size=4))
    written = st.sampled_from([(",", ":"), (", ", ": "), (" \t,      ", "   :\t")])
    lines = [
        json.dumps(one, ensure_ascii=data.draw(st.booleans()), separators=data.draw(written)).encode()
        for one in sources
    ]
    one = LineMapping("log", mapped, "UTC")
    pieces = [one.piece(line) for line in lines]
    assert [json.loads(b"{%b}" % piece) for piece in pieces if piece] == [
        _reference(mapped, one) for one in sources
    ]
    at_once = one.records(b"".join(line + b"\n" for line in lines))
    if at_once is not None:
        assert [json.loads(line) for line in at_once.splitlines()] == [
            _reference(mapped, one) for one in sources
        ]


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_a_journal_brings_back_what_was_published(data: st.DataObject) -> None:
    mapped = data.draw(_mappings())
    lines = [
        json.dumps(one).encode() for one in data.draw(st.lists(_records(mapped), min_size=1, max_size=5))
    ]
    one = LineMapping("log", mapped, "UTC")
    first = data.draw(st.integers(1, 12))
    shares = convert(b"".join(line + b"\n" for line in lines), SOURCE, first, rules(one), NOW)
    assert sorted([*shares[0].ns, *(bad.n for bad in shares[0].bad)]) == [*range(first, first + len(lines))]
    journal = b"".join(block + b"\n" for share in by_source(shares) for block in share.journaled())
    again = convert(journal, "gamelog/other@1", 1, rules(one, journal=True), NOW) if journal else []
    assert records_of(again) == records_of(shares)
    plain, unused, *_ = plain_journal(journal, rules(one, journal=True), NOW)
    assert not unused
    assert {json.loads(line)["id"] for line in plain.split(b"\n") if line.strip()} == {*records_of(shares)}


def test_compiled_code_reads_a_documented_log() -> None:
    need_compiled()
    one = mapping(
        fields={"acct": "uid", "amount": "params.delta"},
        events={
            "login": "login_logcount",
            "coins": EventSection(code="yuanbao_logchange", set={"reason": "shop"}),
        },
    )
    lines = [
        LOGIN,
        LOGIN | {"event": "coins", "params": {"delta": "-30.0"}},
        LOGIN | {"uid": 8, "acct": "another"},
    ]
    chunk = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    assert one.records(chunk) is not None
    (share,) = convert(chunk, SOURCE, 1, rules(one), NOW)
    assert len(share.ns) == 3


def test_a_member_that_the_mapping_leaves_out_is_text_all_the_same() -> None:
    """The journal has the line whole, and could not be read back."""
    one = mapping(fields={"acct": "uid", "num": "count"})
    line = json.dumps(LOGIN | {"num": "x"}).encode().replace(b'"x"', b'"\xc3"')
    (share,) = convert(json.dumps(LOGIN).encode() + b"\n" + line + b"\n", SOURCE, 1, rules(one), NOW)
    assert list(share.ns) == [1]
    assert "UTF-8" in share.bad[0].reason


def test_a_corrected_mapping_reads_an_old_journal_otherwise() -> None:
    old, new = mapping(), mapping(fields={"acct": "player"}, events={"login": "login_logcount"})
    lines = [json.dumps(LOGIN | {"player": "p1"}).encode(), json.dumps(LOGIN).encode()]
    (share,) = convert(b"\n".join(lines) + b"\n", SOURCE, 1, rules(old), NOW)
    assert set(share.topics) == {"gamelog.login"}
    journal = b"\n".join(share.journaled()) + b"\n"
    plain, unused, *_ = plain_journal(journal, rules(new, journal=True), NOW)
    (record,) = [json.loads(line) for line in plain.split(b"\n") if line.strip()]
    assert (record["op"]["code"], record["data"]["acct"]) == ("login_logcount", "p1")
    assert unused == {SOURCE: [2]}


def test_lines_of_a_source_without_a_mapping_are_not_known_to_be_none() -> None:
    (share,) = convert(json.dumps(LOGIN).encode() + b"\n", SOURCE, 1, rules(mapping()), NOW)
    journal = b"\n".join(share.journaled()) + b"\n"
    plain = plain_journal(journal, Rules(AREAS, {}), NOW)
    assert (plain.block, plain.unused, plain.unmapped) == (b"\n", {}, {SOURCE: "log"})


@pytest.mark.parametrize("raw", [rb'"a\nb"', rb'"\ud800"', b'"\xff"', b'{"time":"\xff"}', b"5", b'""'])
def test_a_journaled_line_that_nobody_can_read_stops_no_other(raw: bytes) -> None:
    good = json.dumps(LOGIN).encode()
    journal = b"".join(
        b'{"id":"gamelog/log@1:%d","as":"log","raw":%b}\n' % (n, text)
        for n, text in ((1, good), (2, raw), (3, good))
    )
    shares = convert(journal, "gamelog/other@1", 1, rules(mapping(), journal=True), NOW)
    assert sorted(records_of(shares)) == ["gamelog/log@1:1", "gamelog/log@1:3"]
    plain = plain_journal(journal, rules(mapping(), journal=True), NOW)
    assert plain.block.count(b'"op":') == 2


def test_an_object_inside_a_line_is_no_record_whatever_its_id() -> None:
    inside = {"id": "gamelog/a:1", "op": {"code": "login_logcount"}, "area": "s1", "ts": NOW}
    lines = [LOGIN, LOGIN | {"uid": None, "event": "login_logcount", "more": inside}]
    chunk = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    (share,) = convert(chunk, SOURCE, 1, rules(mapping()), NOW)
    assert (list(share.ns), [bad.n for bad in share.bad]) == ([1], [2])


def test_the_first_line_of_a_json_log_may_begin_with_a_byte_order_mark() -> None:
    chunk = b"\xef\xbb\xbf" + json.dumps(LOGIN).encode() + b"\n" + json.dumps(LOGIN).encode() + b"\n"
    shares = convert(chunk, SOURCE, 1, rules(mapping()), NOW)
    assert len(records_of(shares)) == 2
    journal = b"".join(block + b"\n" for share in shares for block in share.journaled())
    again = convert(journal, "gamelog/other@1", 1, rules(mapping(), journal=True), NOW)
    assert records_of(again) == records_of(shares)


def test_columns_of_the_configuration_count_whatever_header_a_journal_has_kept() -> None:
    line = b"2026-11-28 08:00:05,login,7"
    named = mapping("csv", columns=["time", "event", "uid"])
    assert one_record(named, line, "when,what,who") == one_record(named, line)
    by_header = mapping("csv")
    one_record(by_header, b"7,login,2026-11-28 08:00:05", "uid,event,time")
    with pytest.raises(RecordError, match="expected a header"):
        by_header.piece(b"7,login,2026-11-28 08:00:05")


def test_a_field_without_a_name_is_kept_where_no_field_says_the_event() -> None:
    one = mapping(event="", opcode="yuanbao_logchange", fields={"acct": "uid"})
    line = b'{"time":"2026-11-28 08:00:05","uid":"7","":"x"}'
    assert one_record(one, line)["data"] == {"acct": "7", "": "x"}
    if COMPILED:
        text = one.records(line + b"\n")
        assert text is not None
        assert json.loads(text)["data"] == {"acct": "7", "": "x"}
