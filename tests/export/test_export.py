"""Parquet files of journals and documents: what they hold, and what a kill in the middle leaves."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import fsspec
import msgspec
import pytest
from click.testing import CliRunner
from forms import THOROUGH
from journaled import DAYS, FIRST, Journaled, journaled

from analytics.bolts import BOLTS
from analytics.cli.export import export
from analytics.config import Config, MongoDB
from analytics.core.periods import zone
from analytics.core.segments import PROPERTIES
from analytics.errors import AnalyticsError, Unavailable
from analytics.export.columns import collections, unfolded
from analytics.export.target import Target
from analytics.store import Write, open_store
from analytics.testing.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
KILLS = 5 if THOROUGH else 2

OF_CURRENCIES = ("gross_in", "refunds_in", "net_in", "converted")
"""Tables that are not in files."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Journaled:
    return journaled(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def counted(world: Journaled, module_database) -> Config:
    """The world's configuration, with its documents in a real database."""
    config = msgspec.structs.replace(world.config, mongodb=module_database.section)
    store = open_store(config)
    zones = {
        area: {"zone": config.timezone, "_v": 1} for game in config.games.values() for area in game.areas
    }
    for name, by_id in {**world.documents, "areas": zones}.items():
        store.write(name, [Write(id, {**one, "_v": 1}, None) for id, one in by_id.items()])
    store.close()
    return config


@pytest.fixture(scope="module")
def whole(counted: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything exported, which tests only read."""
    folder = tmp_path_factory.mktemp("whole")
    exported(counted, folder)
    return folder


@pytest.fixture(autouse=True, scope="module")
def not_nice() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "nice", lambda more: None)
        yield


def exported(config: Config, target: str | Path, *words: str) -> str:
    done = CliRunner().invoke(export, [str(target), *words], obj=config, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def rows(folder: Path, sql: str) -> list[tuple]:
    """Return the rows of a SELECT, in which {} stands for all files of a spout's journals."""
    table = f"read_parquet('{folder}/*/*/*.parquet', filename = true)"
    return duckdb.connect().execute(sql.format(table)).fetchall()


def files(folder: Path) -> dict[str, str]:
    """Return each complete file with a digest of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.*")
        if "_work" not in path.parts
    }


def test_the_files_of_a_journal_hold_each_record_once_by_day_and_area(world, whole):
    folder = whole / "journals" / "gamelog"
    found = rows(
        folder, "SELECT id, CAST(area AS VARCHAR), ts, CAST(day AS VARCHAR), code, acct, data FROM {}"
    )
    records = {one["id"]: one for one in map(msgspec.json.decode, world.lines)}
    local = zone(world.config.timezone)
    # Lines that come twice lie in journals of two days, and each of these days has its own files.
    assert {row[0] for row in found} == records.keys() and len(found) >= len(records)
    for id, area, ts, day, code, acct, data in found:
        one = records[id]
        assert (area, ts, code, acct) == (one["area"], one["ts"], one["op"]["code"], one["data"].get("acct"))
        assert day == f"{local.local(ts):%Y-%m-%d}" and msgspec.json.decode(data) == one["data"]
    names = {(path.parts[-3][:4], path.parts[-2][:5], path.stem) for path in folder.glob("*/*/*.parquet")}
    units = {f"{FIRST:%Y%m%d}", f"{FIRST.replace(day=FIRST.day + DAYS):%Y%m%d}"}
    assert names == {("day=", "area=", unit) for unit in units}
    per_unit = "SELECT count(*), count(DISTINCT id) FROM {} GROUP BY parse_filename(filename)"
    assert all(count == ids for count, ids in rows(folder, per_unit))


def test_columns_have_types(whole):
    journal = dict(row[:2] for row in rows(whole / "journals" / "payment", "DESCRIBE SELECT * FROM {}"))
    assert journal["cents"] == "BIGINT" and journal["ts"] == "BIGINT" and journal["day"] == "DATE"
    money = f"DESCRIBE SELECT * FROM '{whole}/documents/payorderdetail/*/*.parquet'"
    document = dict(row[:2] for row in duckdb.connect().execute(money).fetchall())
    assert (document["pay_amout"], document["pay_amout_cents"]) == ("DOUBLE", "BIGINT")
    assert (document["date"], document["day"]) == ("TIMESTAMP", "DATE")


@pytest.mark.parametrize("collection", [*collections(BOLTS), PROPERTIES, "kpi_segment", "ltv_segment"])
def test_a_document_is_a_row_or_one_for_each_pair(world, whole, collection):
    folder = whole / "documents" / collection
    if not world.documents[collection]:  # as a game of four days has none of those after sixty
        assert not folder.exists()
        return
    asked = duckdb.connect().execute(f"SELECT * FROM '{folder}/**/*.parquet'")
    names = [column[0] for column in asked.description]
    found = [dict(zip(names, row, strict=True)) for row in asked.fetchall()]
    documents = world.documents[collection]
    pairs = unfolded(collection)
    assert len(found) == sum(len(one[pairs.field]) if pairs else 1 for one in documents.values())
    local = zone(world.config.timezone)
    for row in found:
        one = documents[row["_id"].rpartition(":")[0] if pairs else row["_id"]]
        if pairs:
            value = one[pairs.field][str(row[pairs.key])]
            for field, (name, _) in pairs.values.items():
                assert row[name] == (value[field] if field else value)
        for name, value in one.items():
            if name not in ("userlist", "day", "date", *OF_CURRENCIES, *([pairs.field] if pairs else [])):
                assert row[name] == value, name
        if "ts" in one:
            assert row["date"].replace(tzinfo=UTC) == datetime.fromtimestamp(one["ts"], UTC)
            assert row["zone"] == local.name and f"{row['day']}" == f"{local.local(one['ts']):%Y-%m-%d}"
        if "pay_amout" in one:
            assert row["pay_amout_cents"] == round(one["pay_amout"] * 100)


def test_only_what_is_new_is_written_again(world, counted, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for path in world.config.data.glob("*"):
        (folder / path.name).write_bytes(path.read_bytes())
    config = msgspec.structs.replace(counted, data=folder)
    exported(config, tmp_path / "out")
    before = files(tmp_path / "out")
    assert (
        exported(config, tmp_path / "out").endswith("is up to date\n") and files(tmp_path / "out") == before
    )
    # A journal that grows, and a document that changes, are exported again, and nothing else.
    (growing,) = folder.glob("gamelog_*-2.txt")
    with growing.open("ab") as file:
        file.write(b"\n" + world.lines[0].replace(b':1"', b':99999"', 1) + b"\n")
    store = open_store(config)
    id, one = next(iter(store.load("server", list(world.documents["server"])).items()))
    store.write("server", [Write(id, {**one, "reg": 77, "_v": 2}, 1)])
    output = exported(config, tmp_path / "out")
    store.write("server", [Write(id, one, 2)])
    store.close()
    written = [line.partition(":")[0] for line in output.splitlines()[:-1]]
    assert written and all(growing.name[8:16] in name or "/server/" in name for name in written)
    assert sum("/server/" in name for name in written) == 1
    assert set(files(tmp_path / "out")) >= set(before)


def test_a_document_that_takes_the_place_of_another_is_exported(counted, tmp_path):
    exported(counted, tmp_path / "out", "--only", "documents")
    store = open_store(counted)
    old = next(store.ids("server"))
    one = store.load("server", [old])[old]
    new = {**one, "_id": f"{old}0", "ts": one["ts"] + 60, "updated": datetime.now(UTC)}
    store.write("server", [Write(new["_id"], new, None)])
    assert store.remove("server", old, 1)
    store.write("positions", [Write("dropped:server", {"until": new["ts"] + 60, "_v": 1}, None)])
    kept = exported(counted, tmp_path / "out", "--only", "documents")
    store.delete("positions", ["dropped:server"])
    assert "/server/" not in kept, "a month of which documents are dropped stays as it was exported"
    output = exported(counted, tmp_path / "out", "--only", "documents")
    store.write("server", [Write(old, one, None)])
    assert store.remove("server", new["_id"], 1)
    store.close()
    assert "/server/" in output


def test_a_journal_that_was_gzipped_is_not_exported_again(world, tmp_path):
    exported(world.config, tmp_path / "out", "--only", "journals")
    folder = tmp_path / "data"
    folder.mkdir()
    for path in world.config.data.glob("*.txt*"):
        (folder / path.name).write_bytes(path.read_bytes())
    subprocess.run(["gzip", "-f", folder / f"gamelog_{FIRST:%Y%m%d}0100.txt"], check=True)
    config = msgspec.structs.replace(world.config, data=folder)
    assert exported(config, tmp_path / "out", "--only", "journals").endswith("is up to date\n")


def test_what_was_exported_of_a_deleted_journal_stays(world, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    line = world.lines[0] + b"\n"
    for minute in ("01", "02"):
        (folder / f"gamelog_2026030600{minute}.txt").write_bytes(line)
    config = msgspec.structs.replace(world.config, data=folder)
    exported(config, tmp_path / "out", "--only", "journals")
    before = files(tmp_path / "out")
    (folder / "gamelog_202603060001.txt").unlink()
    exported(config, tmp_path / "out", "--only", "journals")
    (folder / "gamelog_202603060003.txt").write_bytes(line)
    done = CliRunner().invoke(export, [str(tmp_path / "out"), "--only", "journals"], obj=config)
    assert "gamelog_202603060001.txt was exported and is gone" in done.output
    assert isinstance(done.exception, AnalyticsError) and files(tmp_path / "out") == before


def test_an_export_that_is_killed_again_and_again_ends_with_the_same_files(counted, whole, tmp_path):
    """No kill leaves half a file among those that are complete."""
    text = f'data = "{counted.data}"\ntimezone = "{counted.timezone}"\n'
    text += f'[mongodb]\nuri = "{counted.mongodb.uri}"\ndatabase = "{counted.mongodb.database}"\n'
    for name, game in counted.games.items():
        for id, area in game.areas.items():
            text += f'[games.{name}.areas.{id}]\nplat = "{area.plat}"\n'
        for segment, section in game.segments.items():
            text += f'[games.{name}.segments.{segment}]\nfrom = "{section.from_}"\n'
            text += f"values = {json.dumps(section.values)}\nother = {json.dumps(section.other)}\n"
    for name, one in counted.funnels.items():
        text += f'[funnels.{name}]\nsteps = {json.dumps(one.steps)}\nwithin = "{one.within}"\n'
    (tmp_path / "analytics.toml").write_text(text)
    command = [sys.executable, "-m", "analytics", "--config", "analytics.toml", "export", "killed"]
    rng, kills, reader = random.Random(1), 0, duckdb.connect()
    while True:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
        assert process.stdout
        # The moment is one of the work, not of the clock: after some files, and a little.
        for _ in range(rng.randrange(12)):
            process.stdout.readline()
        time.sleep(rng.random() / 20)
        killed = process.poll() is None and kills < KILLS
        if killed:
            process.kill()
            kills += 1
        process.communicate()
        for path in (tmp_path / "killed").rglob("*.parquet"):
            if "_work" not in path.parts:
                reader.execute(f"SELECT count(*) FROM '{path}'")
        if not killed and process.returncode == 0:
            break
    assert kills and files(tmp_path / "killed") == files(whole)


def test_a_target_of_fsspec(counted, whole):
    words = [] if THOROUGH else ["--only", "journals"]
    exported(counted, "memory://bucket/games", *words)
    memory = fsspec.filesystem("memory")
    found = {
        name.removeprefix("/bucket/games/"): hashlib.sha256(memory.cat_file(name)).hexdigest()
        for name in memory.find("/bucket/games")
    }
    expected = {name: one for name, one in files(whole).items() if THOROUGH or name.startswith("journals/")}
    assert expected and found == expected
    assert exported(counted, "memory://bucket/games", *words).endswith("is up to date\n")


def test_one_export_at_a_time_writes_to_a_folder(world, tmp_path):
    first = Target(str(tmp_path))
    with pytest.raises(AnalyticsError, match="another export writes there"):
        Target(str(tmp_path))
    first.close()
    Target(str(tmp_path)).close()


@pytest.mark.parametrize(("url", "reason"), [("s3://bucket", "s3fs"), ("nowhere://x", "fsspec can use")])
def test_a_target_that_nothing_can_write_to(url, reason):
    with pytest.raises(AnalyticsError, match=reason):
        Target(url)


def test_a_store_that_is_away_ends_an_export_with_what_to_do(tmp_path):
    away = MongoDB(f"mongodb://127.0.0.1:{free_ports(1)[0]}/?serverSelectionTimeoutMS=100")
    config = Config(data=tmp_path / "data", mongodb=away)
    with pytest.raises(Unavailable, match="Check that it runs"):
        exported(config, tmp_path / "there", "--only", "documents")


def test_without_fsspec_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(AnalyticsError, match=r"pip install .*fsspec"):
        Target(str(tmp_path))


@pytest.mark.parametrize(
    ("words", "patched"), [("--config a.toml export x", False), ("--config export status", True)]
)
def test_what_carries_files_may_have_an_event_loop(words: str, patched: bool):
    """As s3fs has: fsspec runs its loop in a thread and waits for it, which can't be where a greenlet stands for the thread."""
    code = f"""
import runpy, sys
sys.argv[1:] = {words.split()}
runpy.run_module("analytics")
from fsspec.asyn import get_loop, sync
async def answer():
    return "carried"
try:
    print(sync(get_loop(), answer))
except NotImplementedError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600
    )
    assert (done.stdout == "carried\n") is not patched, done
