"""The MongoDB servers that tests share: what a test's user may do there, and how the servers end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from databases import FOLDER, Database, remove_abandoned
from needed import need_mongod
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from analytics.system.processes import process_started

UNAUTHORIZED = 13
TESTS = Path(__file__).parents[1]
PATIENCE = 600.0


def test_a_user_has_no_right_outside_its_database_and_cannot_drop_it(database: Database) -> None:
    with MongoClient(database.uri) as client:
        client[database.name]["c"].insert_one({"_id": "a"})
        for refused in (
            lambda: client["another"]["c"].find_one(),
            lambda: client["another"]["c"].insert_one({"_id": "a"}),
            lambda: client.drop_database(database.name),
            lambda: client.admin.command("serverStatus"),
        ):
            with pytest.raises(OperationFailure) as caught:
                refused()
            assert caught.value.code == UNAUTHORIZED
        assert client[database.name]["c"].find_one() == {"_id": "a"}


def test_nobody_reads_without_log_in(database: Database) -> None:
    hosts = database.uri.rpartition("@")[2].partition("&authSource")[0]
    with MongoClient(f"mongodb://{hosts}") as client, pytest.raises(OperationFailure, match="authentication"):
        client[database.name]["c"].find_one()


STARTS = """
import sys, time
sys.path.insert(0, sys.argv[1])
from databases import Servers
with Servers().database() as database:
    print(database.uri, flush=True)
    time.sleep(600)
"""


def test_servers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    need_mongod()
    process = subprocess.Popen(
        [sys.executable, "-c", STARTS, str(TESTS)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    uri = process.stdout.readline().strip()
    try:
        assert answers(uri)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    until = time.monotonic() + PATIENCE
    while answers(uri):
        assert time.monotonic() < until, f"{uri} still answers"


def answers(uri: str) -> bool:
    with MongoClient(uri, serverSelectionTimeoutMS=500) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
        return True


def test_data_of_a_run_that_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    mine, killed = (tmp_path / f"{FOLDER}{os.getpid()}-{started}-x" for started in (process_started(), 1))
    for folder in (mine, killed):
        (folder / "db").mkdir(parents=True)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
