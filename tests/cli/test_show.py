"""``analytics show`` against a real MongoDB."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from databases import Database

from analytics.cli.show import show
from analytics.config import AreaSection, Config, Game
from analytics.errors import AnalyticsError
from analytics.store import Write, open_store

SHANGHAI, BERLIN, GONE = "a" * 24, "b" * 24, "c" * 24
DAY = 1420646400  # 2015-01-08 in Shanghai
BERLIN_DAY = 1420671600  # 2015-01-08 in Berlin
ACCTS = [f"acct {n}" for n in range(25)]


@pytest.fixture(scope="module")
def config(module_database: Database) -> Config:
    """The configuration of two games, and of a database that holds some of their documents."""
    games = {
        "dl": Game(areas={SHANGHAI: AreaSection(plat="2001")}),
        "wsdx": Game(areas={BERLIN: AreaSection(plat="7", timezone="Europe/Berlin")}),
    }
    config = Config(mongodb=module_database.section, games=games)
    store = open_store(config)
    store.write("loginday", [*map(document, (DAY - 86400, DAY, DAY + 86400)), *in_parts()])
    store.write("positions", [Write("loginday", {"log": "x"}, None)])
    store.close()
    return config


def document(ts: int) -> Write:
    fields = {
        "game": "dl",
        "area": SHANGHAI,
        "plat": "2001",
        "ts": ts,
        "count": 1,
        "userlist": ["x"],
        "type": "login",
    }
    at = {"log": "l", "topics": {"loginhour": 3}}
    return Write(
        f"{SHANGHAI}:{ts}", {**fields, "_v": 1, "_at": at, "updated": datetime(2015, 1, 9, tzinfo=UTC)}, 0
    )


def in_parts() -> list[Write]:
    """A document with a list in parts, in another zone, and with a field of its own; one of an area that is gone."""
    id = f"{BERLIN}:{BERLIN_DAY}"
    parts = [
        Write(f"{id}#{n}", {"part_of": id, "part": n, "userlist": ACCTS[10 * n - 10 : 10 * n]}, None)
        for n in (1, 2)
    ]
    fields = {
        "game": "wsdx",
        "area": BERLIN,
        "plat": "7",
        "ts": BERLIN_DAY,
        "count": 25,
        "userlist": ACCTS[20:],
    }
    counts = {"count": 2, "first": parts[0].id, "last": parts[1].id}
    main = Write(id, {**fields, "type": "[bold]", "note": {"k": 1.5}, "parts": counts, "_v": 1}, 0)
    gone = {
        "game": "dl",
        "area": GONE,
        "plat": "1",
        "ts": DAY,
        "count": 0,
        "userlist": [],
        "type": "login",
        "_v": 1,
    }
    return [*parts, main, Write(f"{GONE}:{DAY}", gone, 0)]


def run(config: Config, *words: str) -> Result:
    return CliRunner().invoke(show, words, obj=config, catch_exceptions=False)


def lines(config: Config, *words: str) -> list[dict[str, object]]:
    return [
        json.loads(line) for line in run(config, "loginday", "--format", "json", *words).stdout.splitlines()
    ]


def test_json_is_complete(config: Config) -> None:
    found = lines(config)
    assert [(one["area"], one["ts"]) for one in found] == [
        (SHANGHAI, DAY - 86400), (SHANGHAI, DAY), (SHANGHAI, DAY + 86400), (BERLIN, BERLIN_DAY), (GONE, DAY),
    ]  # fmt: skip
    assert found[1] == {
        "game": "dl", "area": SHANGHAI, "plat": "2001", "ts": DAY, "count": 1, "userlist": ["x"], "type": "login",
        "updated": "2015-01-09T00:00:00Z",
    }  # fmt: skip
    assert found[3]["userlist"] == ACCTS and "parts" not in found[3]


def test_all_shows_the_suites_own_fields(config: Config) -> None:
    found = lines(config, "--all", "--area", SHANGHAI, "--limit", "1")
    assert found[0]["_id"] == f"{SHANGHAI}:{DAY - 86400}"
    assert found[0]["_at"] == {"log": "l", "topics": {"loginhour": 3}}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--from", "2015-01-08", "--to", "2015-01-08"], [DAY, BERLIN_DAY, DAY]),
        (["--from", "2015-01-09"], [DAY + 86400]),
        (["--to", "2015-01-07"], [DAY - 86400]),
        (["--from", str(DAY), "--to", str(DAY + 86400)], [DAY, BERLIN_DAY, DAY]),
        (["--from", str(DAY + 1), "--to", str(BERLIN_DAY)], []),
        (["--game", "wsdx"], [BERLIN_DAY]),
        (["--area", GONE], [DAY]),
        (["--game", "wsdx", "--area", SHANGHAI], []),
        (["--limit", "2"], [DAY - 86400, DAY]),
    ],
)
def test_days_are_those_of_each_area(config: Config, words: list[str], expected: list[int]) -> None:
    assert [one["ts"] for one in lines(config, *words)] == expected


def test_csv_has_a_column_for_every_field_and_lists_as_json(config: Config) -> None:
    rows = list(csv.DictReader(io.StringIO(run(config, "loginday", "--format", "csv").stdout)))
    assert list(rows[0]) == ["game", "area", "plat", "ts", "count", "userlist", "type", "updated", "note"]
    assert rows[1] | {"userlist": ""} == {
        "game": "dl", "area": SHANGHAI, "plat": "2001", "ts": str(DAY), "count": "1", "userlist": "", "type": "login",
        "updated": "2015-01-09T00:00:00Z", "note": "",
    }  # fmt: skip
    assert json.loads(rows[3]["userlist"]) == ACCTS and json.loads(rows[3]["note"]) == {"k": 1.5}


def test_the_table_is_short_and_tells_local_time(config: Config) -> None:
    done = run(config, "loginday")
    row = next(line for line in done.stdout.splitlines() if BERLIN in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "wsdx", BERLIN, "7", "2015-01-08 00:00", "25", "acct 20, acct 21, acct 22 …", "[bold]", "", '{"k":1.5}',
    ]  # fmt: skip
    assert "│ 2015-01-09 08:00:00 │" in next(line for line in done.stdout.splitlines() if SHANGHAI in line)
    assert "_at" not in done.stdout and "parts" not in done.stdout


def test_a_long_table_says_that_there_is_more(config: Config) -> None:
    done = run(config, "loginday", "--limit", "2")
    assert done.stdout.count(SHANGHAI) == 2 and "the first 2 documents; more with --limit" in done.stderr


def test_no_documents_is_no_error(config: Config) -> None:
    done = run(config, "signupday")
    assert done.exit_code == 0 and done.stdout == "" and "signupday: no documents" in done.stderr
    assert run(config, "signupday", "--format", "csv").stdout == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loginda"], 'no collection "loginda". Did you mean "loginday"? There are: '),
        (["positions"], 'no collection "positions"'),
        (["loginday", "--game", "wsdy"], 'no game "wsdy". Did you mean "wsdx"? There are: dl, wsdx'),
        (["loginday", "--area", "a" * 23], f'no area "{"a" * 23}". Did you mean "{SHANGHAI}"?'),
    ],
)
def test_an_unknown_name_teaches_which_there_are(config: Config, words: list[str], message: str) -> None:
    with pytest.raises(AnalyticsError) as caught:
        run(config, *words)
    assert message in str(caught.value)


@pytest.mark.parametrize("when", ["yesterday", "2015-13-01", "2015"])
def test_what_is_no_time_is_refused(config: Config, when: str) -> None:
    done = run(config, "loginday", "--from", when)
    assert done.exit_code == 2
    assert f'expected a date like 2015-01-31 or Unix seconds since 2000, got "{when}"' in done.stderr


HEAD = """
import sys
from analytics.cli.show import show
from analytics.config import Config, MongoDB
show.main(["loginday", "--format", "json"], obj=Config(mongodb=MongoDB(uri=sys.argv[1], database=sys.argv[2])))
"""


def test_a_reader_that_has_seen_enough_ends_it_quietly(config: Config) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", HEAD, config.mongodb.uri, config.mongodb.database]
    done = subprocess.run(
        command, check=False, stdout=write, stderr=subprocess.PIPE, cwd=Path.cwd(), timeout=600
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
