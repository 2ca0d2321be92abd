"""SQL over journals gives what the documents say."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from datetime import date

import pytest
from click.testing import CliRunner
from forms import thorough
from journaled import FIRST, Journaled, journaled

from analytics.cli.query import query
from analytics.config import AreaSection, Config, Game
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.export.calendar import macros
from analytics.export.duck import connect
from analytics.export.query import answer, files_of
from analytics.export.tables import DayRange

pytest.importorskip("duckdb")
QUARTER = 900


@pytest.fixture(scope="module", params=[pytest.param("Asia/Shanghai", marks=thorough), "America/New_York"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Journaled:
    """Journals of two areas; New York's clocks change meanwhile."""
    return journaled(tmp_path_factory.mktemp("world"), request.param)


def asked(config, sql, days=DayRange()):
    with answer(config, sql, days) as found:
        return [row for rows in found.rows for row in rows]


@pytest.mark.parametrize("what", ["login", "signup", "createrole"])
def test_accts_by_hour_and_day_are_those_of_the_documents(world, what):
    local = zone(world.config.timezone)
    for period in ("hour", "day"):
        sql = f"""SELECT area, {period}, count(DISTINCT acct), list_sort(list(DISTINCT acct)) FROM gamelog
            WHERE code = '{what}_logcount' GROUP BY ALL"""
        found = {
            (area, local.day_of(str(begin)) if period == "day" else begin): (count, accts)
            for area, begin, count, accts in asked(world.config, sql)
        }
        documents = world.documents[f"{what}{period}"].values()
        assert found == {
            (one["area"], one["ts"]): (one["count"], sorted(one["userlist"])) for one in documents
        }


def test_coins_are_those_of_the_documents(world):
    sql = """SELECT area, day, data->>'reason', -sum(amount) FILTER (amount < 0), count(*) FILTER (amount < 0)
        FROM (SELECT *, CAST(data->>'amount' AS BIGINT) AS amount FROM gamelog WHERE code = 'yuanbao_logchange')
        GROUP BY ALL"""
    local = zone(world.config.timezone)
    found = {
        (area, local.day_of(str(day)), reason): (spent or 0, count)
        for area, day, reason, spent, count in asked(world.config, sql)
    }
    documents = world.documents["cointype"].values()
    assert found == {
        (one["area"], one["ts"], one["reason"]): (one["amount"], one["count"]) for one in documents
    }


def test_the_newest_payments_are_those_of_the_documents(world):
    sql = "SELECT area, ts, acct, arg_max(times, asked), arg_max(cents - refunded_cents, asked) FROM payment GROUP BY ALL"
    documents = world.documents["payorderdetail"].values()
    assert set(asked(world.config, sql)) == {
        (one["area"], one["ts"], one["acct"], one["pay_count"], round(one["pay_amout"] * 100))
        for one in documents
    }


def test_a_payment_is_of_the_day_that_it_names(tmp_path):
    """Its area has been given a zone further west; one that names no day is of the day that its moment lies in."""
    config = Config(
        data=tmp_path, games={"dl": Game(timezone="Europe/London", areas={"a": AreaSection(plat="1")})}
    )
    one = {"area": "a", "ts": zone("Asia/Shanghai").day_of("2026-03-01"), "at": 1}
    lines = [
        one | {"id": "payment/dl@1:1", "day": "2026-03-01", "users": {"ann": {"times": 1, "amount": 6}}},
        one | {"id": "payment/dl@1:2", "users": {"bob": {"times": 1, "amount": 6}}},
        one | {"id": "payment/dl@1:3", "day": "no day", "users": {"cho": {"times": 1, "amount": 6}}},
    ]
    (tmp_path / "payment_202603010000.txt").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = asked(config, "SELECT acct, CAST(day AS VARCHAR), cents FROM payment ORDER BY acct")
    assert found == [("ann", "2026-03-01", 600), ("bob", "2026-02-28", 600), ("cho", "2026-02-28", 600)]
    first = date(2026, 3, 1)
    assert asked(config, "SELECT acct FROM payment", DayRange(first, first)) == [("ann",)]


def test_the_newest_roles_are_those_of_the_documents(world):
    sql = (
        "SELECT area, uid, arg_max(grade, ts), arg_max(acctid, ts), arg_max(rest_yuanbao, ts) "
        "FROM syncuser GROUP BY ALL"
    )
    documents = world.documents["usercenter"].values()
    assert set(asked(world.config, sql)) == {
        (one["area"], one["uid"], one["grade"], one["acctid"], one["rest_yuanbao"]) for one in documents
    }


def test_a_record_is_there_once_and_its_lines_are_all_there(world):
    sql = "SELECT (SELECT count(*) FROM gamelog), (SELECT count(*) FROM gamelog_lines)"
    ((records, lines),) = asked(world.config, sql)
    assert records == len(world.lines) and lines == records + records // 5
    ids = {json.loads(line)["id"] for line in world.lines}
    assert {id for (id,) in asked(world.config, "SELECT id FROM gamelog")} == ids


def test_days_choose_records_and_spare_journals_that_are_too_old(world, tmp_path):
    sql = "SELECT day, count(*) FROM gamelog GROUP BY day"
    every = dict(asked(world.config, sql))
    last = max(every)
    assert asked(world.config, sql, DayRange(last, last)) == [(last, every[last])]
    assert asked(world.config, sql, DayRange(until=FIRST)) == [(FIRST, every[FIRST])]
    # A journal that was last written to long before holds no records of the day.
    old = tmp_path / "gamelog_202001010000.txt"
    old.write_bytes(b"".join(line + b"\n" for line in world.lines))
    os.utime(old, (1, 1))
    config = Config(data=tmp_path, games=world.config.games, timezone=world.config.timezone)
    assert asked(config, sql, DayRange(last)) == [] and dict(asked(config, sql)) == every


@pytest.mark.parametrize(
    "name",
    ["America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Asia/Beirut"],
)
def test_days_and_hours_are_cut_as_the_suite_cuts_them(name, tmp_path):
    local = zone(name)
    connection = connect(tmp_path)
    for statement in macros([local, zone("UTC")]):
        connection.execute(statement)
    connection.execute("CREATE TABLE moment AS SELECT unnest($1) AS ts", [moments(local)])
    found = connection.execute(
        f"SELECT ts, strftime(day_of(ts, '{name}'), '%Y-%m-%d'), hour_of(ts, '{name}') FROM moment"
    ).fetchall()
    for ts, day, hour in found:
        assert local.day_of(day) == local.start("day", ts) and hour == local.start("hour", ts), ts


def moments(local):
    """Return a moment of every few days of 25 years, and every quarter of an hour around changes of clocks."""
    days = range(946_684_800, 1_740_000_000, 86_400)
    changed = [day for day in days if local.local(day).utcoffset() != local.local(day + 86_400).utcoffset()]
    around = [ts for day in changed[::3] for ts in range(day - QUARTER, day + 90_000 + QUARTER, QUARTER)]
    return [*(day + 7 * number for number, day in enumerate(days[::5])), *around]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("COPY (SELECT 1) TO 'x.csv'", "expected one SELECT, DESCRIBE or EXPLAIN, got COPY"),
        ("SELECT 1; DROP TABLE areas", "got SELECT, DROP"),
        ("", "got nothing"),
        ("SELEC 1", "the query is wrong: .*SELEC"),
        ("SELECT nothing FROM gamelog", "the query failed: .*nothing"),
    ],
)
def test_what_is_no_question_is_refused(tmp_path, sql, reason):
    with pytest.raises(AnalyticsError, match=f"(?s){reason}"):
        asked(Config(data=tmp_path), sql)


def test_without_journals_the_tables_are_empty(tmp_path):
    for table in ("gamelog", "payment", "syncuser", "gamelog_lines", "areas"):
        assert asked(Config(data=tmp_path), f"SELECT * FROM {table}") == []


def test_without_duckdb_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(AnalyticsError, match=r"pip install .*duckdb"):
        asked(Config(data=tmp_path), "SELECT 1")


def test_the_command_writes_tables_json_and_csv(world, monkeypatch):
    monkeypatch.setattr(os, "nice", lambda more: None)
    sql = (
        "SELECT code, count(*) AS records, min(day) AS since, NULL AS none, [1, 2] AS list "
        "FROM gamelog GROUP BY code ORDER BY 1"
    )

    def output(*words: str) -> str:
        done = CliRunner().invoke(query, [sql, *words], obj=world.config, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    rows = [json.loads(line) for line in output("--format", "json").splitlines()]
    assert sum(row["records"] for row in rows) == len(world.lines)
    assert date.fromisoformat(rows[0]["since"]) == FIRST and rows[0]["list"] == [1, 2]
    table = list(csv.DictReader(io.StringIO(output("--format", "csv"))))
    assert [row["code"] for row in table] == [row["code"] for row in rows] and table[0]["none"] == ""
    assert "login_logcount" in output()


def test_a_journal_that_is_gzipped_between_listing_and_reading_is_found(world, tmp_path, monkeypatch):
    for path in world.config.data.glob("*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = Config(data=tmp_path, games=world.config.games, timezone=world.config.timezone)
    listed, plain = [], tmp_path / f"gamelog_{FIRST:%Y%m%d}0100.txt"

    def gzipped_afterwards(config, days):
        found = files_of(config, days)
        if not listed:
            subprocess.run(["gzip", "-f", plain], check=True)
        listed.append(found)
        return found

    monkeypatch.setattr("analytics.export.query.files_of", gzipped_afterwards)
    assert asked(config, "SELECT count(*) FROM gamelog") == [(len(world.lines),)]
    assert len(listed) == 2 and not plain.exists()


def test_a_damaged_journal_is_named(world, tmp_path):
    packed = gzip.compress(b"".join(line + b"\n" for line in world.lines))
    (tmp_path / "gamelog_202603060000.txt.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(AnalyticsError, match=r"gamelog_202603060000\.txt\.gz"):
        asked(Config(data=tmp_path), "SELECT count(*) FROM gamelog")


def test_while_a_journal_is_written_only_whole_records_are_seen(world, tmp_path):
    """Each look sees no record that is not there, and never fewer than the one before."""
    journal, source = tmp_path / "gamelog_202603060000.txt", tmp_path / "lines"
    source.write_bytes(b"".join(line + b"\n" for line in world.lines))
    write = (
        "import sys\ntext = open(sys.argv[1], 'rb').read()\nwith open(sys.argv[2], 'ab', buffering=0) as file:\n"
        "    for at in range(0, len(text), 997):\n        file.write(text[at : at + 997])\n"
    )
    config = Config(data=tmp_path, games=world.config.games, timezone=world.config.timezone)
    writer = subprocess.Popen([sys.executable, "-c", write, source, journal])
    ids = {json.loads(line)["id"] for line in world.lines}
    seen, looks = set(), 0
    while writer.poll() is None or looks < 2:
        now = {id for (id,) in asked(config, "SELECT id FROM gamelog")}
        assert seen <= now <= ids
        seen, looks = now, looks + 1
    assert {id for (id,) in asked(config, "SELECT id FROM gamelog")} == ids
