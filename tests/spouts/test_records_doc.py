"""docs/records.md is right: its examples are accepted, and exactly the fields that it calls needed are."""

import copy
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from analytics.bolts import BOLTS
from analytics.cli.demo_tables import CHAPTERS
from analytics.config.sections import Interface
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.tuples import Payment, Syncuser
from analytics.errors import RecordError
from analytics.spouts.orders import orders_of, taken
from analytics.spouts.paid import check, users_of
from analytics.spouts.poller import BadAnswer, Client
from analytics.spouts.records import convert
from analytics.spouts.roles import roles_of, sorted_out
from analytics.spouts.rules import Rules

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text()
AREA = Area("549140c8dbdb67794fc0fa3b", "dl", "2001", zone("Asia/Shanghai"), "2001", "server1009")
RULES = Rules(Areas([AREA]), {})
NOW = 1_700_000_000
HEADINGS = re.compile(r"^#{2,4} (.*)$", re.MULTILINE)
EXAMPLE = re.compile(r"```json (\w+)(?: named)?\n(.*)\n```")
ROW = re.compile(r"^\| `([\w.*]+)` \| [^|]* \| ([^|]*) \|", re.MULTILINE)


def examples() -> list[tuple[str, str, str]]:
    """Return heading, kind and text of each example."""
    parts = HEADINGS.split(PAGE)
    return [
        (heading, kind, text)
        for heading, body in zip(parts[1::2], parts[2::2], strict=True)
        for kind, text in EXAMPLE.findall(body)
    ]


def rejections(kind: str, text: str) -> list[str]:
    """Return the reasons why the spouts reject something in ``text``."""
    if kind in ("tuple", "flat"):
        shares = convert(text.encode() + b"\n", "gamelog/doc@00", 1, RULES, NOW)
        assert sum(len(share.ns) + len(share.bad) for share in shares) == 1
        return [bad.reason for share in shares for bad in share.bad]
    answer = json.loads(text)
    if kind == "payments":
        return list(check(users_of(answer))[1].values())
    if kind == "orders":
        return [one.reason for one in taken(orders_of(answer) or users_of(answer), 0, {})[1]]
    assert kind == "roles"
    return [reason for reason, _ in sorted_out(roles_of(answer), AREA, NOW)[1]]


def members(value: dict[str, Any] | list[Any]) -> Iterator[Any]:
    """Yield the members of an object or array."""
    yield from value.values() if isinstance(value, dict) else value


def without(value: Any, path: list[str]) -> Any:
    """Return a copy of ``value`` that lacks the field at ``path``; ``*`` stands for each member, also of lists."""
    value = copy.deepcopy(value)
    places = [value]
    for name in path[:-1]:
        places = [inner for one in places for inner in (members(one) if name == "*" else [one[name]])]
    for one in places:
        del one[path[-1]]
    return value


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Yield each row of a table with the examples that have its field."""
    parts = HEADINGS.split(PAGE)
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        # A table belongs to the first example below it.
        for table, kind, text in re.findall(
            r"((?:^\|.*\n)+)(?:(?!^\||```)[^\n]*\n)*```json (\w+)[^\n]*\n(.*)\n```", body, re.MULTILINE
        ):
            for field, needed in ROW.findall(table):
                yield heading, kind, text, field, needed


def test_there_are_examples() -> None:
    assert len(examples()) >= 15
    assert len(list(rows())) >= 35


@pytest.mark.parametrize(("heading", "kind", "text"), examples())
def test_an_example_is_accepted(heading: str, kind: str, text: str) -> None:
    if kind != "clock":
        assert rejections(kind, text) == []


@pytest.mark.parametrize(("heading", "kind", "text", "field", "needed"), list(rows()))
def test_a_field_is_needed_where_the_page_says_so(
    heading: str, kind: str, text: str, field: str, needed: str
) -> None:
    if kind == "clock" or field == "id" or needed.startswith("yes, or"):
        return  # has a test of its own; decides only how a record is named; has another field in its place
    path = field.split(".")
    if heading.startswith("`"):
        path = ["data", *path]
    if kind == "roles":
        path = ["roles", "*", *path]
    try:
        lacking = without(json.loads(text), path)
    except KeyError:
        return  # the example does without it
    try:
        reasons = rejections(kind, json.dumps(lacking, separators=(",", ":")))
    except RecordError as error:
        reasons = [str(error)]
    assert bool(reasons) == (needed != "no"), reasons
    assert not reasons or path[-1] in reasons[0] or path[-2] in reasons[0]


@pytest.mark.parametrize(
    ("code", "data", "accepted"),
    [
        ("login_logcount", {"acct": 5}, True),
        ("login_logcount", {"acct": "a" * 200}, True),
        ("login_logcount", {"acct": "a" * 201}, False),
        ("login_logcount", {"acct": ""}, False),
        ("login_logcount", {"acct": "a\0"}, False),
        ("login_logcount", {"acct": "a", "big": 2**63}, False),
        ("x" * 100, {}, True),
        ("x" * 101, {}, False),
        ("yuanbao_logchange", {"acct": "a", "amount": -(2**63), "reason": ""}, True),
        ("yuanbao_logchange", {"acct": "a", "amount": 1, "reason": 5}, True),
        ("yuanbao_logchange", {"acct": "a", "amount": "1", "reason": "x"}, False),
        ("yuanbao_logchange", {"acct": "a", "amount": 1.0, "reason": "x"}, False),
        ("fuben_logchange", {"acct": "a", "fuben": 7, "result": "enter"}, True),
        ("fuben_logchange", {"acct": "a", "fuben": "f", "result": "won"}, False),
        ("trunk_task_accept", {"acct": "a", "task": "-101"}, True),
        ("trunk_task_accept", {"acct": "a", "task": "1" * 20}, False),
        ("shop_logbuy", {"acct": "a", "item": "", "num": 1, "price": 0}, True),
        ("shop_logbuy", {"acct": "a", "item": "", "num": 0, "price": 0}, False),
    ],
)
def test_the_bounds_are_those_of_the_page(code: str, data: dict[str, Any], accepted: bool) -> None:
    record = {"op": {"code": code}, "area": AREA.id, "ts": 1420688004, "data": data}
    assert (rejections("tuple", json.dumps(record)) == []) == accepted


def test_every_field_that_bolts_read_is_on_the_page() -> None:
    """Of the suite's own bolts: one that somebody adds needs no page."""
    sections = dict(zip(*[iter(HEADINGS.split(PAGE)[1:])] * 2, strict=True))
    own = {name for chapter in CHAPTERS for name in chapter.collections}
    for bolt in (BOLTS[name] for name in own & BOLTS.keys()):
        for topic, reads in bolt.reads.items():
            if not topic.startswith("gamelog."):
                continue
            code = topic.removeprefix("gamelog.")
            (body,) = (text for heading, text in sections.items() if f"`{code}`" in heading)
            data = next(one.type for one in msgspec.structs.fields(reads.tuple_type) if one.name == "data")
            fields = {one.encode_name for one in msgspec.structs.fields(data)} - {"acct"}
            assert {name for name in fields if f"| `{name}` |" not in body} == set(), code
    for name, kind in (("Payments", Payment), ("Roles", Syncuser)):
        fields = {one.encode_name for one in msgspec.structs.fields(kind)}
        assert {field for field in fields if f"| `{field}` |" not in sections[name]} == set()


def test_a_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = (text for _, kind, text in examples() if kind == "clock")
    client = Client(Interface(clock_url="http://clock.test/"), "payment")
    for answer, good in (({**json.loads(text), "now": time.time()}, True), ({}, False)):
        monkeypatch.setattr(client, "_ask", lambda url, shown, answer=answer: (answer, b""))
        if good:
            assert client.now() == answer["now"]
        else:
            with pytest.raises(BadAnswer, match=r"\$\.now"):
                client.now()
