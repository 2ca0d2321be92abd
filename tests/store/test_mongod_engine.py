"""What only the engine ``mongod`` needs: a user and a password, a compatible version, words that help."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from forms import THOROUGH
from needed import need_engine
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from store_nodes import running, step_until, wait_gone

from analytics.config import Config, StoreSection
from analytics.errors import AnalyticsError, Unavailable
from analytics.store import Write, embedded_uri, open_store
from analytics.store.embedded import StoreNode
from analytics.store.embedded.mongod import MongodEngine
from analytics.testing.ports import free_ports


@pytest.fixture
def config(tmp_path: Path) -> Config:
    need_engine("mongod")
    return Config(data=tmp_path, store=StoreSection(engine="mongod", port=free_ports(1)[0]))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Config:
    need_engine("mongod")
    data = tmp_path_factory.mktemp("shared")
    return Config(data=data, store=StoreSection(engine="mongod", port=free_ports(1)[0]))


@pytest.fixture(scope="module")
def node(shared: Config) -> Iterator[StoreNode]:
    """Runs for all tests of this file that leave it as it is."""
    with running(shared) as node:
        yield node


def test_nobody_reads_without_the_password(node: StoreNode, shared: Config) -> None:
    with MongoClient(MongodEngine(shared).anonymous_uri()) as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.list_database_names()
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("createUser", "me", pwd="me", roles=["root"])
    with MongoClient(embedded_uri(shared)) as client:
        assert "health" in client.list_database_names()


def test_who_may_not_read_the_password_can_ask_whether_it_answers(node: StoreNode, shared: Config) -> None:
    password = shared.data / "store" / "password"
    kept = password.with_name("kept")
    password.rename(kept)
    password.mkdir()  # not even root reads that
    try:
        store = open_store(shared, timeout=3)
        store.ping()
        store.close()
    finally:
        password.rmdir()
        kept.rename(password)


def test_a_password_that_does_not_fit_the_data_is_explained(config: Config) -> None:
    node = StoreNode(config)
    node.start()
    node.stop()
    (config.data / "store" / "password").unlink()
    node = StoreNode(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analytics.store.embedded.server.READY_SECONDS", 3.0)
        node.start()
    state = node.state()
    node.stop()
    assert not state["healthy"] and "mongod refuses the password" in state["error"]
    assert "Restore that file" in state["error"]


STEPS = range(6) if THOROUGH else (2, 4)
"""At which marks in the server's log the first start is killed."""

RUN_A_NODE = """
import sys
from pathlib import Path
from analytics.config import Config, StoreSection
from analytics.store.embedded import StoreNode
node = StoreNode(Config(data=Path(sys.argv[1]), store=StoreSection(engine="mongod", port=int(sys.argv[2]))))
node.start()
print("up", flush=True)
node.stop()
"""


def test_a_first_start_that_is_killed_anywhere_is_followed_by_one_that_works(config: Config) -> None:
    """Also between the server's first answer and its user, wherever that is on this machine."""
    killed = 0
    for step in STEPS:
        data = config.data / str(step)
        data.mkdir()
        command = [sys.executable, "-c", RUN_A_NODE, str(data), str(config.store.port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            log = data / "log" / "store-server.log"
            marks = (
                "",
                "initandlisten",
                "Waiting for connections",
                "client metadata",
                "createUser",
                "addedUser",
            )
            until = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < until:
                if log.exists() and marks[step] in log.read_text(errors="replace"):
                    break
                time.sleep(0.002)
            killed += process.poll() is None
            process.kill()
        node = StoreNode(msgspec.structs.replace(config, data=data))
        node.start()
        step_until(node, lambda node=node: node.state()["healthy"])
        pid = node.state()["server_pid"]
        node.stop()
        wait_gone(pid)
    assert killed >= len(STEPS) // 2, "too few first starts were cut short: the test shows nothing"


def test_a_client_that_waits_for_the_first_start_is_never_refused(config: Config) -> None:
    """A worker takes "Authentication failed" for lasting, and ends: the user exists before the port is open."""
    store = open_store(config)
    refused: list[AnalyticsError] = []

    def insist() -> None:
        while True:
            try:
                store.load("c", ["a"])
                return
            except Unavailable:
                time.sleep(0.001)
            except AnalyticsError as error:
                refused.append(error)
                return

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(insist)
        node = StoreNode(config)
        node.start()
        waiting.result(60)
        node.stop()
    store.close()
    assert refused == []


def test_data_of_the_release_before_is_made_the_servers_own(node: StoreNode, shared: Config) -> None:
    """As after an upgrade of the program; the next one would refuse data that is two releases old."""
    with MongoClient(embedded_uri(shared)) as client:
        own = client.server_info()["version"].rsplit(".", 1)[0]
        before = f"{int(own.split('.')[0]) - 1}.0"
        client.admin.command("setFeatureCompatibilityVersion", before)
        open_store(shared).write("c", [Write("a", {"_v": 1}, 0)])
    node.stop()
    assert '"exitCode":0' in (shared.data / "log" / "store-server.log").read_text(), "a stop is in order"
    node.start()
    with MongoClient(embedded_uri(shared)) as client:
        found = client.admin.command("getParameter", featureCompatibilityVersion=1)
    assert found["featureCompatibilityVersion"]["version"] == own
    assert open_store(shared).load("c", ["a"])["a"]["_v"] == 1


@pytest.mark.parametrize(
    "message",
    [
        "UPGRADE PROBLEM: Found an invalid featureCompatibilityVersion document",
        "Wrong mongod version",
        "unsupported WiredTiger file version",
    ],
)
def test_data_of_another_release_says_what_to_do(config: Config, message: str) -> None:
    line = json.dumps({"s": "F", "msg": message, "attr": {"error": "BadValue"}}, separators=(",", ":"))
    words = MongodEngine(config).last_errors(['{"s":"I","msg":"starting"}', line, '{"s":"I","msg":"ended"}'])
    assert words.startswith(f"{message}: BadValue. The data in") and "store.mongod" in words


def test_the_last_words_of_a_server_on_foreign_data(config: Config) -> None:
    database = MongodEngine(config).database
    database.mkdir(parents=True)
    (database / "WiredTiger.turtle").write_text("nonsense")
    (database / "WiredTiger.wt").write_text("nonsense")
    node = StoreNode(config)
    with pytest.raises(
        Exception, match=r"ended at its start; its last errors in .*store-server.log: .*WiredTiger"
    ):
        node.start()
    assert (database / "WiredTiger.turtle").read_text() == "nonsense"
    node.stop()


def test_the_cache_is_no_smaller_than_mongod_takes(config: Config) -> None:
    small = msgspec.structs.replace(config, store=StoreSection(cache_mb=64))
    (config.data / "store").mkdir()
    for asked, given in ((small, "0.25"), (config, "1")):
        command = MongodEngine(asked).command("mongod")
        assert command[command.index("--wiredTigerCacheSizeGB") + 1] == given


def test_a_compressed_journal_is_recovered_before_compression_ends(config: Config) -> None:
    engine = MongodEngine(config)
    engine.database.mkdir(parents=True)
    lock = engine.database / "mongod.lock"
    lock.write_text("123\n")  # a server of an earlier version was killed
    assert "--wiredTigerJournalCompressor" not in engine.command("mongod")
    lock.write_text("")
    assert engine.command("mongod")[-2:] == ["--wiredTigerJournalCompressor", "none"]
    lock.write_text("124\n")
    assert engine.command("mongod")[-2:] == ["--wiredTigerJournalCompressor", "none"]


def test_a_long_log_is_cut_while_the_server_runs(
    node: StoreNode, shared: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.store.embedded.server.LOG_BYTES", 1000)
    log = shared.data / "log" / "store-server.log"
    before = log.read_bytes()
    assert len(before) > 1000
    node.step()
    assert log.with_name("store-server.log.1").read_bytes().startswith(before)
    with MongoClient(embedded_uri(shared)) as client:
        client.admin.command("ping")
    assert b"\0" not in log.read_bytes(), "the server goes on at the end of the file"


def test_it_speaks_no_compression_and_listens_on_the_loopback_only(node: StoreNode, shared: Config) -> None:
    with MongoClient(embedded_uri(shared), compressors="zlib") as client:
        assert "compression" not in client.admin.command({"hello": 1, "compression": ["zlib", "snappy"]})
        options = client.admin.command("getCmdLineOpts")["parsed"]
    assert options["net"]["bindIp"] == "127.0.0.1" and options["net"]["unixDomainSocket"] == {
        "enabled": False
    }
    assert options["security"] == {"authorization": "enabled", "javascriptEnabled": False}
