"""The examples of docs/how-to/foreign-logs.md: each mapping makes the records that the page shows of the lines that it shows."""

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from analytics.config import Mapped
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.spouts.mapping.compiled import LineMapping
from analytics.spouts.mapping.lines import convert, header_of
from analytics.spouts.rules import Rules

PAGE = (Path(__file__).resolve().parents[2] / "docs/how-to/foreign-logs.md").read_text()
BLOCK = re.compile(r"^```(toml|text|records) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {(kind, name): text for kind, name, text in BLOCK.findall(PAGE)}


@pytest.mark.parametrize("name", ["json", "csv", "regex", "logfmt"])
def test_an_example(name: str) -> None:
    mapped = msgspec.convert(tomllib.loads(BLOCKS["toml", name]), Mapped)
    one, lines = LineMapping("log", mapped, "UTC"), BLOCKS["text", name].encode()
    rules = Rules(Areas([Area("s1", "dl", "1", zone("UTC"))]), {}, mappings={"log": one}, source="log")
    (share,) = convert(
        lines, "gamelog/log@1", 1, rules, 1_800_000_000, header_of(lines) if one.needs_header else ""
    )
    assert not share.bad
    records = [json.loads(line) for some in share.topics.values() for line in some.body.split(b"\n")]
    shown = [line.split(" ") for line in BLOCKS["records", name].splitlines()]
    assert len(records) == len(shown)
    for record, (code, area, ts, *fields) in zip(records, shown, strict=True):
        assert (record["op"]["code"], record["area"], str(record["ts"])) == (code, area, ts)
        assert fields == [
            f"{pair.partition('=')[0]}={record['data'].get(pair.partition('=')[0])}" for pair in fields
        ]
