"""Which store a configuration opens, how it connects, and how MongoDB's errors come out."""

import itertools
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson.timestamp import Timestamp
from databases import MEMBERS, STANDALONE, Database, Servers
from pymongo import MongoClient
from pymongo.errors import NotPrimaryError, OperationFailure

from analytics.config import Config, MongoDB, StoreSection, load
from analytics.config.checks import unset_variables
from analytics.errors import AnalyticsError, ConfigError, Unavailable
from analytics.store import CountingStore, MongoStore, Write, embedded_uri, open_store
from analytics.store.clock import MajorityAfter
from analytics.store.dialect import MONGODB
from analytics.store.mongo import failure, translated_errors
from analytics.testing.mongod import ReplicaSet


def test_connect_to_mongodb(database: Database) -> None:
    store = open_store(Config(mongodb=database.section))
    store.ping()
    assert store.write("loginday", [Write("a:1", {"_v": 1, "area": "a", "ts": 1, "count": 3}, 0)]) == set()
    store.close()
    with MongoClient(database.uri) as client:
        assert client[database.name]["loginday"].find_one({"area": "a"}) == {
            "_id": "a:1",
            "_v": 1,
            "area": "a",
            "ts": 1,
            "count": 3,
        }


def index_keys(client: MongoClient[dict[str, Any]], database: str, collection: str) -> list[list[str]]:
    return [list(index["key"]) for index in client[database][collection].list_indexes()]


def test_indexes_are_built_while_a_member_is_down(tmp_path: Path) -> None:
    with ReplicaSet(tmp_path) as members, MongoClient[dict[str, Any]](members.uri) as client:
        store = MongoStore(members.uri, "analytics")
        # On an empty collection MongoDB waits for nobody.
        store.write("loginday", [Write("a:1", {"_v": 1, "area": "a", "ts": 1, "count": 3}, 0)])
        primary = f"{client.primary[0]}:{client.primary[1]}" if client.primary else ""
        next(one for one in members.members if one.address != primary).stop()
        with pymongo.timeout(60):
            store.ensure_indexes(["loginday"])
        assert ["game", "ts"] in index_keys(client, "analytics", "loginday")
        store.close()


def test_an_engine_that_reads_all_that_matches_counts_starts_some_days_at_a_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer for millions of documents would come after the client's time-out, again and again."""
    day, now = 86_400, int(time.time())
    store = MongoStore(database.uri, database.name, dialect=replace(MONGODB, days_at_once=8))
    starts = [now - 300 * day, now - 299 * day, now - 200 * day, now - day, now + 40 * day]
    store.write(
        "loginday", [Write(f"a:{ts}", {"_v": 1, "game": "g", "area": "a", "ts": ts}, 0) for ts in starts]
    )
    asked: list[tuple[int, int]] = []
    one_span = store._starts

    def note(collection: str, game: str, since: int, until: int | None) -> list[tuple[Any, int]]:
        asked.append((since, until or since))
        return one_span(collection, game, since, until)

    monkeypatch.setattr(store, "_starts", note)
    monkeypatch.setattr("analytics.store.grouping.EARLIEST_START", now - 400 * day)
    assert sorted(ts for ts, _ in store.starts("loginday", game="g")) == starts
    assert max(until - since for since, until in asked) == 8 * day
    assert all(until == since for (since, _), (_, until) in itertools.pairwise(asked))
    store.close()


def test_readers_find_their_indexes(database: Database) -> None:
    store = MongoStore(database.uri, database.name)
    store.ensure_indexes(["loginday"])
    with MongoClient[dict[str, Any]](database.uri) as client:
        found = index_keys(client, database.name, "loginday")
        assert found == [["_id"], ["area", "ts"], ["game", "ts"], ["ts"]]
    store.close()


def test_where_there_is_no_ts_no_index_is_on_it(database: Database) -> None:
    store = open_store(Config(mongodb=database.section))
    store.ensure_indexes(["userpay"])
    with MongoClient(database.uri) as client:
        found = index_keys(client, database.name, "userpay")
    assert found == [["_id"], ["area", "pay_amout"], ["game", "pay_amout"]]
    store.close()


SEVERAL_WAYS = """
import sys
if sys.argv[1] == "patched":
    from gevent import monkey
    monkey.patch_all()
import threading, time
from analytics.store import MongoStore, Write
store = MongoStore(sys.argv[2], sys.argv[3])
turns, done = [], threading.Event()
def others():
    while not done.is_set():
        turns.append(1)
        time.sleep(0.001)
thread = threading.Thread(target=others)
thread.start()
writes = [Write(f"a:{n}", {"_v": 1, "fill": "x" * 300}, 0) for n in range(1000)]
assert store.write("c", writes) == set() and store.write("c", writes) == {write.id for write in writes}
assert len(store.load("c", [write.id for write in writes])) == 1000
done.set()
thread.join()
assert len(turns) > 20, f"other work had only {len(turns)} turns"
"""


@pytest.mark.parametrize("way", ["patched", "plain"])
def test_it_works_with_gevent_and_without(database: Database, way: str) -> None:
    command = [sys.executable, "-c", SEVERAL_WAYS, way, database.uri, database.name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_nobody_there_is_unavailable_soon() -> None:
    store = MongoStore("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300", "x")
    began = time.monotonic()
    for call in (
        store.ping,
        lambda: store.load("c", ["a"]),
        lambda: store.write("c", [Write("a", {}, None)]),
    ):
        with pytest.raises(Unavailable, match=r"does not answer.*Check that it runs"):
            call()
    assert time.monotonic() - began < 20  # pymongo by itself would wait 30 s each time
    store.close()


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (NotPrimaryError("not primary"), Unavailable, "does not answer"),
        (OperationFailure("stepping down", 189), Unavailable, "can't do it now"),
        (OperationFailure("no space left", 14031), Unavailable, "no space left"),
        (OperationFailure("28: No space left on device", 8), Unavailable, "disk is full.*Free some space"),
        (OperationFailure("what is this", 8), AnalyticsError, "code 8"),
        (OperationFailure("authentication failed", 18), AnalyticsError, "mongodb.uri_env"),
        (OperationFailure("unknown operator", 2), AnalyticsError, r"refuses \(c\).*code 2"),
    ],
)
def test_errors_say_whether_to_try_again(error: Exception, expected: type[Exception], words: str) -> None:
    with pytest.raises(expected, match=words) as caught, translated_errors("c"):
        raise error
    assert type(caught.value) is expected


def reply(*codes: int, **further: Any) -> dict[str, Any]:
    errors = [{"index": n, "code": code, "errmsg": f"error {code}"} for n, code in enumerate(codes)]
    return {"ok": 1.0, "writeErrors": errors, **further}


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (reply(11000, 112), Unavailable, "error 112.*1 of the writes"),
        (reply(11000, 112, 121), AnalyticsError, "error 121.*2 of the writes"),
        (reply(241, writeConcernError={"code": 64, "errmsg": "waiting"}), Unavailable, "waiting"),
    ],
)
def test_failed_writes_say_whether_to_try_again(
    answer: dict[str, Any], expected: type[Exception], words: str
) -> None:
    error = failure("c", answer)
    assert type(error) is expected
    assert re.search(words, str(error))


@pytest.mark.parametrize("answer", [{"ok": 1.0, "n": 3}, reply(11000, 241)])
def test_a_condition_that_does_not_hold_is_no_failure(answer: dict[str, Any]) -> None:
    assert failure("c", answer) is None


def test_writes_and_reads_are_a_majoritys_whatever_the_uri_says() -> None:
    def concerns(options: str, **how: bool) -> tuple[object, object, str]:
        store = MongoStore(f"mongodb://127.0.0.1:1/{options}", "x", **how)
        store.close()
        database = store._database
        return database.write_concern.document, database.read_concern.document, database.read_preference.name

    safe = ({"w": "majority", "j": True}, {"level": "majority"}, "Primary")
    assert concerns("") == safe
    weaker = "?w=1&readConcernLevel=local&readPreference=secondary"
    assert concerns(weaker) == safe
    assert concerns(weaker, obey_uri=True) == ({"w": 1}, {"level": "local"}, "Secondary")
    assert concerns("", obey_uri=True) == safe


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("w=1", "write w=majority"),
        ("w=0", "write w=majority"),
        ("w=5", "write w=majority"),
        ("w=dc1", "write w=majority"),
        ("journal=false", "write journal=true"),
        ("wtimeoutMS=2000", "rolled back; leave it out"),
        ("w=majority&wTimeoutMS=2000", "wTimeoutMS=2000: a write that timed out"),
        ("readPreference=secondaryPreferred", "write readPreference=primary"),
        ("readPreferenceTags=dc:east", "lag behind"),
        ("maxStalenessSeconds=120", "lag behind"),
        ("readConcernLevel=snapshot", "write readConcernLevel=majority"),
    ],
)
def test_a_uri_that_weakens_writes_or_reads_is_refused(
    option: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"mongodb://127.0.0.1:1/?{option}"
    monkeypatch.setenv("WEAK_MONGODB", uri)
    by_name = Config(mongodb=MongoDB(uri=uri))
    by_variable = Config(mongodb=MongoDB(uri_env="WEAK_MONGODB"))
    wanted = rf"{words}.*, or set mongodb.unsafe_uri_options = true"
    for config, key in ((by_name, "uri"), (by_variable, "uri_env")):
        with pytest.raises(ConfigError, match=f"mongodb.{key}: expected no option.*{wanted}"):
            open_store(config)
    assert any(re.search(wanted, fault) for fault in unset_variables(by_variable))
    file = tmp_path / "analytics.toml"
    file.write_text(f'[mongodb]\nuri = "{uri}"\n')
    with pytest.raises(ConfigError, match=f"{file}: mongodb.uri: expected no option.*{wanted}"):
        load(file)
    file.write_text(f'[mongodb]\nuri = "{uri}"\nunsafe_uri_options = true\n')
    assert load(file).mongodb.uri == uri


@pytest.mark.parametrize(
    "options", ["w=majority", "journal=true", "readPreference=primary", "readConcernLevel=majority"]
)
def test_a_uri_that_says_what_the_suite_does_anyway_is_taken(options: str) -> None:
    open_store(Config(mongodb=MongoDB(uri=f"mongodb://127.0.0.1:1/?{options}&appName=x"))).close()


def test_open_store_by_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_store(Config(mongodb=MongoDB(uri="counting:"))), CountingStore)
    monkeypatch.setenv("SHOP_MONGODB", "counting:")
    assert isinstance(open_store(Config(mongodb=MongoDB(uri_env="SHOP_MONGODB"))), CountingStore)
    assert embedded_uri(Config(store=StoreSection(engine="secantus", port=1234))).startswith(
        "mongodb://127.0.0.1:1234/"
    )


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (MongoDB(uri="localhost:27017"), r'mongodb.uri: expected "mongodb://'),
        (MongoDB(uri="mongodb://host:port"), "mongodb: expected a uri"),
        (MongoDB(uri="mongodb://h:1/?w=0", unsafe_uri_options=True), "w=0 leaves writes unacknowledged"),
        (MongoDB(database="a b"), "database name"),
        (MongoDB(uri_env="NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_a_uri_that_is_none_is_refused(section: MongoDB, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_store(Config(mongodb=section))


def test_the_counting_store_counts() -> None:
    store = CountingStore()
    for _ in range(2):
        assert store.write("c", [Write("a", {"_v": 1}, 0), Write("b", {}, None)]) == set()
    assert store.documents == {"c": 4}
    assert store.load("c", ["a"]) == {} and list(store.find("c")) == []


def test_reads_after_a_barrier_are_not_older_than_it(servers: Servers) -> None:
    """Where there are members, a read names the barrier's time; on one server there is none to name."""
    for kind in (STANDALONE, MEMBERS):
        with servers.database(kind) as database:
            store = MongoStore(database.uri, database.name)
            store.write("c", [Write("a", {"_v": 1, "area": "x"}, 0)])
            assert store._readable("c").read_concern.document == {"level": "majority"}
            store.barrier()
            first = store._readable("c").read_concern.document
            assert ("afterClusterTime" in first) == (kind == MEMBERS)
            assert store.load("c", ["a"]) and list(store.find("c"))
            store.barrier()
            assert (store._readable("c").read_concern.document != first) == (kind == MEMBERS)
            store.close()


def test_a_read_waits_for_the_time_that_it_names(servers: Servers) -> None:
    with servers.database(MEMBERS) as database:
        store = MongoStore(database.uri, database.name)
        store.barrier()
        now = store._readable("c").read_concern.document["afterClusterTime"]
        store._read_concern = MajorityAfter(Timestamp(now.time + 3600, 1))
        with pytest.raises(AnalyticsError, match="afterClusterTime"):
            store.load("c", ["a"])
        store.close()
