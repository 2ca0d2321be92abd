"""Moving between engines: every document arrives as it is or the source stays in use."""

import datetime
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128, Int64
from bson.raw_bson import RawBSONDocument
from click.testing import CliRunner, Result
from forms import THOROUGH, thorough
from needed import need_engine
from pymongo import MongoClient

from analytics.cli.store import store
from analytics.cluster import LocalRegistry, NodeEntry
from analytics.config import Config, StoreSection
from analytics.errors import AnalyticsError
from analytics.store import Write, embedded_uri, open_store
from analytics.store.embedded import StoreNode
from analytics.store.embedded.choice import NAMES, EngineRecord, Name, other, read_record
from analytics.store.embedded.move import Content, CopyDiffers, direction, move
from analytics.store.embedded.server import EmbeddedServer
from analytics.system.processes import process_started
from analytics.testing.ports import free_ports

MANY = 5000 if THOROUGH else 1500
START = EmbeddedServer.start
ODD: dict[str, Any] = {
    "_id": "odd", "int": 1, "long": Int64(1), "double": 1.0, "text": "ü\0", "bytes": b"\0x", "none": None, "yes": True,
    "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), "list": [1, {"a": []}], "exact": Decimal128("1.10"), "": {"": 0},
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Config:
    for name in NAMES:
        need_engine(name)
    file = tmp_path / "analytics.toml"
    (port,) = free_ports(1)
    file.write_text(f'data = "data"\n[store]\nport = {port}\n')
    return Config(data=tmp_path / "data", store=StoreSection(port=port), file=file)


Documents = dict[str, dict[Any, bytes]]


def fill(config: Config, name: Name) -> Documents:
    """Have an engine keep documents, positions, and another database beside them; return all that it has."""
    section = StoreSection(engine=name, port=config.store.port)
    node = StoreNode(Config(data=config.data, store=section))
    node.start()
    opened = open_store(config)
    opened.write("loginday", [Write(f"{n}", {"_v": 1, "count": n, "fill": "x" * 50}, 0) for n in range(MANY)])
    opened.write("_positions", [Write("worker", {"_v": 1, "heads": {"a": 7}}, 0)])
    opened.close()
    with MongoClient(embedded_uri(config)) as client:
        client["analytics"]["odd"].insert_one(dict(ODD))
        client["another"]["c"].insert_one({"_id": 1})
    found = read(config)
    node.stop()
    assert len(found["analytics.loginday"]) == MANY and "analytics._positions" in found
    return found


def documents(config: Config) -> Documents:
    """Return all that the engine in use has, started as a node."""
    node = StoreNode(config)
    node.start()
    found = read(config)
    node.stop()
    return found


def read(config: Config) -> Documents:
    with MongoClient(embedded_uri(config), document_class=RawBSONDocument) as client:
        return {
            f"{database}.{name}": {one["_id"]: one.raw for one in client[database][name].find()}
            for database in ("analytics", "another")
            for name in client[database].list_collection_names()
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Documents]:
    """A data folder in which secantus has documents, to be copied, and what it has."""
    need_engine("secantus")
    data = tmp_path_factory.mktemp("filled") / "data"
    return data, fill(Config(data=data, store=StoreSection(port=free_ports(1)[0])), "secantus")


@pytest.fixture
def before(config: Config, folder: tuple[Path, Documents]) -> Documents:
    """The documents that secantus has in the configured folder."""
    source, found = folder
    shutil.copytree(source, config.data)
    return found


def ignore(done: str, content: Content) -> None:
    """Report nothing."""


def said(config: Config, *arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(store, arguments, obj=config)


@pytest.mark.parametrize("source", [pytest.param("secantus", marks=thorough), "mongod"])
def test_all_documents_move_as_they_are(config: Config, source: Name) -> None:
    before = fill(config, source)
    command = [sys.executable, "-m", "analytics", "--config", str(config.file), "store", "move"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"compared analytics.loginday: {MANY:,} documents" in done.stdout
    assert re.search(r"then you may delete .*/store/", done.stdout)
    assert read_record(config) == EngineRecord(other(source), moved_from=source)
    assert documents(config) == before


def test_a_copy_that_differs_is_not_used(
    config: Config, before: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses: list[str] = []

    def start(server: EmbeddedServer) -> None:
        START(server)
        addresses.append(server.engine.uri())

    def meddle(done: str, content: Content) -> None:
        if done == "copied" and content.collection == "loginday":
            with MongoClient(addresses[-1]) as client:
                client["analytics"]["loginday"].update_one({"_id": "7"}, {"$set": {"count": 8}})

    monkeypatch.setattr(EmbeddedServer, "start", start)
    with pytest.raises(CopyDiffers, match=rf"analytics.loginday: expected {MANY:,} documents with hash"):
        move(config, "secantus", "mongod", False, meddle)
    assert read_record(config) == EngineRecord("secantus", moving_to="mongod")
    assert documents(config) == before


def test_a_move_that_was_killed_leaves_the_source_in_use_and_the_target_is_replaced_only_when_asked(
    config: Config, before: Documents
) -> None:
    arguments = [sys.executable, "-m", "analytics", "--config", str(config.file), "store", "move"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("copied analytics.loginday"):
                break
        process.kill()
    assert read_record(config) == EngineRecord("secantus", moving_to="mongod")
    assert documents(config) == before, "the suite may go on meanwhile"
    move(config, *direction(config, None, None), False, ignore)
    assert read_record(config) == EngineRecord("mongod", moved_from="secantus")
    assert documents(config) == before
    with pytest.raises(AnalyticsError, match=r"secantus already has documents, in .*--overwrite"):
        move(config, *direction(config, None, None), False, ignore)
    assert read_record(config) == EngineRecord("mongod", moved_from="secantus")
    move(config, *direction(config, None, None), True, ignore)
    assert read_record(config) == EngineRecord("secantus", moved_from="mongod")
    assert documents(config) == before


def test_nothing_moves_while_nodes_run_and_the_address_opens_for_any_client(config: Config) -> None:
    assert "nothing to move" in str(said(config, "move").exception)
    assert not (config.data / "store").exists()
    assert "has never run" in str(said(config, "address").exception)
    node = StoreNode(config)
    node.start()
    with MongoClient(said(config, "address").stdout.strip()) as client:
        assert "health" in client.list_database_names()
    source = read_record(config)
    assert source
    with pytest.raises(AnalyticsError, match="another store node"):
        move(config, source.engine, other(source.engine), False, ignore)
    node.stop()
    worker = NodeEntry(
        name="worker-main", role="bolts", host="h", pid=os.getpid(), started=process_started(), version="1",
        since=time.time(), beat=time.time() + 3600,
    )  # fmt: skip
    registry = LocalRegistry(config.data)
    registry.beat(worker)
    assert "nodes of this data folder run: worker-main" in str(said(config, "move").exception)
    registry.leave("worker-main")
