"""Databases on a real MongoDB: one standalone server and one replica set of three, shared by all processes of a run.

Both servers require log-in. A test gets a database of its own, and a user with the role ``readWrite`` on that database and
no other right: all that the suite needs. Only the administrator here creates users and drops databases.

Nobody stops, freezes or reconfigures these servers. A test that breaks a server starts its own, see
``analytics/testing/mongod.py``.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from needed import need_mongod
from pymongo import MongoClient

from analytics.config.sections import MongoDB
from analytics.store.mongod import NoMongod
from analytics.system.processes import process_started
from analytics.testing.mongod import ReplicaSet, Server

STANDALONE, MEMBERS = "standalone", "three members"
FLAGS = (
    # Log-in is not what is tested: the fewest rounds of hashing that MongoDB takes.
    "--setParameter", "scramSHA256IterationCount=5000",
    # 17 MB on disk at start, not 300.
    "--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=16MB)",
    # Less of what a server does that has nothing to do. A write that is to be durable waits for neither.
    "--journalCommitInterval", "500", "--setParameter", "disableLogicalSessionCacheRefresh=true",
)  # fmt: skip
FOLDER = "mongod-of-tests-"
MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 << 30
ELECTION_MILLISECONDS = 60_000
"""A busy machine may stand still for longer than the ten seconds after which MongoDB elects another primary."""

HEARTBEAT_MILLISECONDS = 10_000
"""They take a third of the time of a member that has nothing to do, and no test waits for one."""


@dataclass(frozen=True, slots=True)
class Database:
    """An empty database that nobody else uses: its address, with user and password, and its name."""

    uri: str
    name: str

    @property
    def section(self) -> MongoDB:
        """The section ``[mongodb]`` of a configuration that uses it."""
        return MongoDB(uri=self.uri, database=self.name)

    @property
    def toml(self) -> str:
        """The same section as the text of a configuration file."""
        return f'[mongodb]\nuri = "{self.uri}"\ndatabase = "{self.name}"\n'


class Servers:
    """The servers of one run, each started when it is first needed. They die with the process that starts them.

    Args:
        running: addresses of servers that the run's main process has started, with the administrator's password.
    """

    def __init__(self, running: Mapping[str, str] | None = None) -> None:
        self._addresses = dict(running or {})
        self._stops: list[Callable[[], object]] = []

    def addresses(self) -> dict[str, str]:
        """Start whatever is not running; return the addresses for other processes, none where no mongod runs."""
        try:
            return {kind: self._address(kind) for kind in (STANDALONE, MEMBERS)}
        except NoMongod:
            return {}

    @contextmanager
    def database(self, kind: str = STANDALONE) -> Iterator[Database]:
        """Create a database and its user on that kind of server; remove both in the end."""
        need_mongod()
        address = self._address(kind)
        name = f"test_{secrets.token_hex(6)}"
        with MongoClient[dict[str, Any]](address) as client:
            password = _create_user(client, name, name, "readWrite")
            try:
                yield Database(_logged_in(address, name, password, name), name)
            finally:
                client.drop_database(name)
                client[name].command("dropUser", name)

    def stop(self) -> None:
        """End the servers that this process has started, and remove their data."""
        while self._stops:
            self._stops.pop()()

    def _address(self, kind: str) -> str:
        if kind not in self._addresses:
            there = _place()
            remove_abandoned(there)
            prefix = f"{FOLDER}{os.getpid()}-{process_started()}-"
            folder = tempfile.TemporaryDirectory(prefix=prefix, dir=there, ignore_cleanup_errors=True)
            self._stops.append(folder.cleanup)
            start = self._standalone if kind == STANDALONE else self._members
            self._addresses[kind] = start(Path(folder.name))
        return self._addresses[kind]

    def _standalone(self, folder: Path) -> str:
        server = Server(folder, flags=["--auth", *FLAGS])
        self._stops.append(server.stop)
        server.start()
        return _administered(server, server.uri)

    def _members(self, folder: Path) -> str:
        # Members of a set with log-in recognise each other by a common key.
        key = folder / "key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32))
        members = ReplicaSet(folder, flags=["--auth", "--keyFile", str(key), *FLAGS])
        self._stops.append(members.stop)
        members.start()
        address = _administered(members.primary(), members.uri)
        with MongoClient[dict[str, Any]](address) as client:
            settings = client.admin.command("replSetGetConfig")["config"]
            settings["version"] += 1
            settings["settings"] |= {
                "electionTimeoutMillis": ELECTION_MILLISECONDS,
                "heartbeatIntervalMillis": HEARTBEAT_MILLISECONDS,
            }
            # Without force it returns when a majority has heard of it, by the slow heartbeats that it asks for: after ten seconds.
            client.admin.command("replSetReconfig", settings, force=True)
        return address


def _place() -> Path:
    """Return where the servers' data lies: in memory where it has room, as every write waits for the server's journal."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        return MEMORY
    return Path(tempfile.gettempdir())


def remove_abandoned(folder: Path) -> None:
    """Remove the data of earlier runs whose process was killed: a folder's name says whose it is."""
    for left in folder.glob(f"{FOLDER}*-*-*"):
        pid, started, _ = left.name.removeprefix(FOLDER).split("-", 2)
        if process_started(int(pid)) != int(started):
            shutil.rmtree(left, ignore_errors=True)


def _administered(server: Server, uri: str) -> str:
    """Create the administrator on a server that has no user yet; return ``uri`` for that administrator."""
    with MongoClient[dict[str, Any]](server.uri) as client:
        return _logged_in(uri, "admin", _create_user(client, "admin", "admin", "root"), "admin")


def _create_user(client: MongoClient[dict[str, Any]], database: str, user: str, role: str) -> str:
    password = secrets.token_hex(8)
    client[database].command("createUser", user, pwd=password, roles=[role], mechanisms=["SCRAM-SHA-256"])
    return password


def _logged_in(uri: str, user: str, password: str, database: str) -> str:
    """Return ``uri`` with a user, who is known in ``database``, in place of the one that it names, if any."""
    scheme, _, rest = uri.partition("://")
    hosts_and_options = rest.rpartition("@")[2].partition("&authSource=")[0]
    return f"{scheme}://{user}:{password}@{hosts_and_options}&authSource={database}"
