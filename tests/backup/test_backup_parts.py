"""What a backup does where something changes, is missing or is damaged meanwhile. tests/end_to_end has whole suites."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import msgspec
import pytest
from bson.raw_bson import RawBSONDocument
from databases import Database
from pymongo import MongoClient

from analytics.backup import documents, restore, take
from analytics.backup.folder import Contents
from analytics.backup.take import Segments
from analytics.broker.broker import Broker
from analytics.broker.log import Log
from analytics.broker.opening import RESTORING
from analytics.broker.wire import BatchHeader, Part
from analytics.config import BrokerSection, Config
from analytics.errors import AnalyticsError, LogError, Unavailable
from analytics.runtime.nodes import readers


def batch(number: int) -> BatchHeader:
    return BatchHeader("source", [(number, number)], [Part("topic", 1, 1)])


def log_of(folder: Path, batches: int) -> Log:
    """Return a Queue with a segment for each batch."""
    log = Log(folder, 1)
    for number in range(1, batches + 1):
        log.stage(batch(number), [b"{}"])
        log.commit()
    return log


@pytest.fixture
def config(tmp_path: Path, database: Database) -> Config:
    """A data folder with a Queue, a filter, a state and a journal, and documents of which some have parts."""
    data = tmp_path / "data"
    log_of(data / "queue", 3).close()
    for name, text in {
        "filter/snapshot.json": "{}",
        "filter/tail": "",
        "state/gamelog.json": "{}",
        "gamelog_201501010000.txt": "{}\n",
        "run/other": "",
        "broker.lock": "",
    }.items():
        path = data / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with MongoClient[dict[str, Any]](database.uri) as client:
        stored = client[database.name]
        stored["positions"].insert_one({"_id": "loginday", "_v": 1})
        stored["loginday"].insert_many(stored_list(1, [1, 2]))
        stored["loginday"].insert_one({"_id": "b:1#9", "part_of": "b:1", "part": 9, "userlist": ["nobody's"]})
    return Config(data=data, mongodb=database.section)


def stored_list(version: int, parts: list[int]) -> list[dict[str, Any]]:
    """Return a document whose list has these parts, and the parts."""
    ids = [f"a:1#{part}" for part in parts]
    header = {"_id": "a:1", "_v": version, "parts": {"count": len(ids), "first": ids[0], "last": ids[-1]}}
    return [header, *({"_id": id_, "part_of": "a:1", "userlist": [id_]} for id_ in ids)]


def all_documents(config: Config) -> dict[str, list[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](config.mongodb.uri) as client:
        database = client[config.mongodb.database]
        found = {
            name: list(database[name].find(sort=[("_id", 1)])) for name in database.list_collection_names()
        }
        return {name: stored for name, stored in found.items() if stored}


def drop(config: Config) -> None:
    with MongoClient[dict[str, Any]](config.mongodb.uri) as client:
        database = client[config.mongodb.database]
        for name in database.list_collection_names():
            database[name].delete_many({})


def backed_up(config: Config, folder: Path) -> Contents:
    return take.take(config, folder, lambda done: None)


def restored(config: Config, folder: Path) -> Contents:
    return restore.restore(config, folder, lambda done: None)


def test_everything_comes_back_but_parts_of_nothing_and_what_runs(config: Config, tmp_path: Path) -> None:
    before = all_documents(config)
    backed_up(config, tmp_path / "backup")
    elsewhere = msgspec.structs.replace(config, data=tmp_path / "restored")
    drop(config)
    restored(elsewhere, tmp_path / "backup")
    before["loginday"] = [one for one in before["loginday"] if one["_id"] != "b:1#9"]
    assert all_documents(config) == before
    names = {str(path.relative_to(elsewhere.data)) for path in elsewhere.data.rglob("*") if path.is_file()}
    queue = {f"queue/{number:020d}.log" for number in (1, 2, 3)}
    assert names == queue | {
        "filter/snapshot.json", "filter/tail", "state/gamelog.json", "gamelog_201501010000.txt",
    }  # fmt: skip
    log = Log(elsewhere.data / "queue", 1)
    assert log.seq == 3
    log.close()


def test_a_host_of_spouts_alone_has_no_documents_to_restore(config: Config, tmp_path: Path) -> None:
    """Its backup has its data folder; the broker's host has Queue and documents, and may have been restored before it."""
    data = tmp_path / "spouts"
    (data / "state").mkdir(parents=True)
    (data / "state" / "gamelog.json").write_text("{}")
    (data / "gamelog_201501010000.txt").write_text("{}\n")
    contents = backed_up(msgspec.structs.replace(config, data=data), tmp_path / "backup")
    assert contents.collections == []
    before = all_documents(config)
    elsewhere = msgspec.structs.replace(config, data=tmp_path / "restored")
    restored(elsewhere, tmp_path / "backup")
    assert {str(path.relative_to(elsewhere.data)) for path in elsewhere.data.rglob("*") if path.is_file()} == {
        "state/gamelog.json", "gamelog_201501010000.txt",
    }  # fmt: skip
    assert all_documents(config) == before


def test_a_list_whose_parts_are_replaced_while_it_is_read_is_the_newer_one(config: Config) -> None:
    with MongoClient[RawBSONDocument](config.mongodb.uri, document_class=RawBSONDocument) as client:
        collection = client[config.mongodb.database]["loginday"]
        old = collection.find_one({"_id": "a:1"})
        assert old is not None
        collection.delete_many({"_id": {"$in": ["a:1", "a:1#1", "a:1#2"]}})
        collection.insert_many([RawBSONDocument(bson.encode(one)) for one in stored_list(2, [3])])
        found = [bson.decode(one.raw) for one in documents._with_parts(collection, old)]
        assert found == [*stored_list(2, [3])[1:], stored_list(2, [3])[0]]
        collection.delete_one({"_id": "a:1#3"})
        new = collection.find_one({"_id": "a:1"})
        assert new is not None
        with pytest.raises(AnalyticsError, match=r"'a:1' lacks parts of its list.*rebuild"):
            list(documents._with_parts(collection, new))


def test_segments_that_are_deleted_meanwhile_are_copied(tmp_path: Path) -> None:
    log = log_of(tmp_path, 3)
    segments = Segments(tmp_path)
    for number in (4, 5):
        log.stage(batch(number), [b"{}"])
        log.commit()
        segments.hold()
        log.drop({"topic": number}, through=number)
    copied: list[str] = []
    assert segments.copy(lambda name, fd: copied.append(name)) == log.identity
    assert copied == [f"{number:020d}.log" for number in range(1, 6)]
    assert len(list(tmp_path.glob("*.log"))) < 5
    segments.close()
    log.close()


def test_segments_that_came_and_went_unseen_are_missed(tmp_path: Path) -> None:
    log = log_of(tmp_path, 3)
    segments = Segments(tmp_path)
    for number in (4, 5, 6):
        log.stage(batch(number), [b"{}"])
        log.commit()
        log.drop({"topic": number}, through=number)
    with pytest.raises(Unavailable, match="segments were deleted faster than they could be copied"):
        segments.copy(lambda name, fd: None)
    segments.close()
    log.close()


def test_a_folder_that_is_used_or_in_the_data_folder_is_refused(config: Config, tmp_path: Path) -> None:
    with pytest.raises(AnalyticsError, match="is in the data folder"):
        backed_up(config, config.data / "backup")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(AnalyticsError, match="is not empty: name a new folder"):
        backed_up(config, tmp_path / "used")
    with pytest.raises(AnalyticsError, match="has neither a Queue nor the state of a spout"):
        backed_up(msgspec.structs.replace(config, data=tmp_path / "nothing"), tmp_path / "backup")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "backup.json").unlink(),
            "has no backup.json: it is no backup, or one that did not end",
        ),
        (lambda folder: (folder / "backup.json").write_text("{"), "backup.json is damaged"),
        (lambda folder: (folder / "data/filter/tail").unlink(), "filter/tail is missing"),
        (
            lambda folder: (folder / "data/filter/snapshot.json").write_text("[]"),
            "snapshot.json is not what was backed up",
        ),
    ],
)
def test_a_damaged_backup_is_not_restored(config: Config, tmp_path: Path, damage: Any, message: str) -> None:
    folder = tmp_path / "backup"
    backed_up(config, folder)
    damage(folder)
    drop(config)
    elsewhere = msgspec.structs.replace(config, data=tmp_path / "restored")
    with pytest.raises(AnalyticsError, match=message):
        restored(elsewhere, folder)
    assert not all_documents(config)
    assert not elsewhere.data.exists()


def test_what_is_there_is_not_written_over(config: Config, tmp_path: Path) -> None:
    before = all_documents(config)
    backed_up(config, tmp_path / "backup")
    with pytest.raises(AnalyticsError, match="already has filter: restore into an empty data folder"):
        restored(config, tmp_path / "backup")
    elsewhere = msgspec.structs.replace(config, data=tmp_path / "restored")
    with pytest.raises(AnalyticsError, match=r"the database already has documents, in .*loginday"):
        restored(elsewhere, tmp_path / "backup")
    assert all_documents(config) == before


def test_a_half_restored_folder_is_not_backed_up(config: Config, tmp_path: Path) -> None:
    (config.data / RESTORING).touch()
    with pytest.raises(LogError, match="a backup was being restored here, and that did not end"):
        backed_up(config, tmp_path / "backup")


def test_a_restoration_that_was_interrupted_starts_over(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = all_documents(config)["positions"]
    backed_up(config, tmp_path / "backup")
    drop(config)
    elsewhere = msgspec.structs.replace(config, data=tmp_path / "restored")

    def killed(*arguments: Any) -> Iterator[Any]:
        yield from load(*arguments[:2], [one for one in arguments[2] if one.collection != "positions"])
        raise KeyboardInterrupt

    load = documents.load
    monkeypatch.setattr(documents, "load", killed)
    with pytest.raises(KeyboardInterrupt):
        restored(elsewhere, tmp_path / "backup")
    ports = BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1)
    with pytest.raises(LogError, match="a backup was being restored here, and that did not end"):
        Broker(ports, elsewhere.data, readers(elsewhere)).start()
    monkeypatch.undo()
    restored(elsewhere, tmp_path / "backup")
    assert all_documents(config)["positions"] == before
    assert not (elsewhere.data / "restoring").exists()


def test_documents_are_what_mongorestore_reads(config: Config, tmp_path: Path) -> None:
    backed_up(config, tmp_path / "backup")
    packed = (tmp_path / "backup" / "database" / "positions.bson.gz").read_bytes()
    assert bson.decode_all(gzip.decompress(packed)) == [{"_id": "loginday", "_v": 1}]
