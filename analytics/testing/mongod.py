"""A real MongoDB of our own, standalone or a replica set, to break.

Servers die with the process that started them. Each has a folder for its data and its log, and a port of its own.
"""

import json
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from analytics.errors import AnalyticsError
from analytics.store.mongod import find_mongod
from analytics.system.processes import dying_with_us
from analytics.system.started import Started
from analytics.testing.ports import free_ports
from analytics.testing.server_process import ServerProcess

UP_SECONDS = 60.0
CACHE_GB = 0.25
"""The least that mongod takes."""

ROLLED_BACK = "Rollback reverted command counts"
"""Message in the log of a server that has rolled back, with its inserts, updates and deletes that were taken back."""


class NotUp(AnalyticsError):
    """A server ended at its start or did not answer in time; the message names its log."""


class Server(ServerProcess, Started):
    """One ``mongod``: a process that can be killed, frozen and started again on the same data.

    Args:
        folder: for its data and its log; made if it is not there.
        flags: further arguments, such as ``--replSet NAME``.
        host: the address to listen at.
        within: what its command line begins with, say ``ip netns exec …``; it has to end in an ``exec`` of the rest.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        flags: Sequence[str] = (),
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        self.host = host
        self._within = list(within)
        self.port = port if port is not None else free_ports(1)[0]
        self.log = folder / "mongod.log"
        self._folder = folder
        self._flags = list(flags)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self.host}:{self.port}"

    @property
    def uri(self) -> str:
        """Where clients find this one server, whatever set it belongs to."""
        return f"mongodb://{self.address}/?directConnection=true"

    @property
    def pid(self) -> int:
        """Of the process that runs. Raise NotUp where none does."""
        if self._process is None:
            raise NotUp(f"mongod at {self.address} does not run; start it first")
        return self._process.pid

    def start(self, wait: bool = True) -> None:
        """Start the process on its data, and wait until it answers. Raise NotUp where it does not."""
        data = self._folder / "db"
        data.mkdir(parents=True, exist_ok=True)
        command = [
            str(find_mongod().path), "--dbpath", str(data), "--port", str(self.port), "--bind_ip", self.host,
            "--nounixsocket", "--quiet", "--logpath", str(self.log), "--logappend",
            "--wiredTigerCacheSizeGB", str(CACHE_GB), "--networkMessageCompressors", "disabled",
            "--wiredTigerJournalCompressor", "none",
            "--setParameter", "diagnosticDataCollectionEnabled=false", *self._flags,
        ]  # fmt: skip
        self._spawn([*self._within, *dying_with_us(command)])
        if wait:
            self.wait_until_up()

    def wait_until_up(self) -> None:
        """Return when it answers. Raise NotUp if it ends, or after a minute."""
        until = time.monotonic() + UP_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > until:
                raise NotUp(f"mongod at {self.address} did not come up; see {self.log}")
            time.sleep(0.05)

    def hello(self) -> dict[str, Any]:
        """Return what the server says of itself and its set. Raise PyMongoError where it does not answer."""
        with self.client() as client:
            return client.admin.command("hello")

    def client(self) -> MongoClient[dict[str, Any]]:
        """Return a client of this one server that gives up soon; close it, or use it in ``with``."""
        return MongoClient(
            self.uri, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000, socketTimeoutMS=2000
        )

    def rollbacks(self) -> list[int]:
        """Return how many operations each rollback of this server has taken back so far, by its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [sum(json.loads(line)["attr"].values()) for line in lines if ROLLED_BACK in line]

    def stop(self) -> None:
        """End the process in order, or kill it after 20 s."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self.kill()

    def _answers(self) -> bool:
        try:
            self.hello()
        except PyMongoError:
            return False
        return True


class ReplicaSet(Started):
    """A replica set of ``count`` members on this machine.

    Args:
        flags: further arguments of each member.
        election_ms: how long members wait for a silent primary before they elect another. MongoDB's default is 10 s;
            tests wait for many elections.
    """

    name = "rs"

    def __init__(
        self, folder: Path, count: int = 3, flags: Sequence[str] = (), election_ms: int = 2000
    ) -> None:
        self._election_ms = election_ms
        self.members = [
            Server(folder / f"m{number}", port, ["--replSet", self.name, *flags])
            for number, port in enumerate(free_ports(count))
        ]

    @property
    def hosts(self) -> list[str]:
        """Under which addresses members and clients find each member, in the order of ``members``."""
        return [member.address for member in self.members]

    @property
    def uri(self) -> str:
        """Where clients find the set."""
        return f"mongodb://{','.join(self.hosts)}/?replicaSet={self.name}"

    def start(self) -> None:
        """Start all members as a new set, and wait until one is primary."""
        for member in self.members:
            member.start(wait=False)
        for member in self.members:
            member.wait_until_up()
        settings = {
            "_id": self.name,
            "members": [{"_id": number, "host": host} for number, host in enumerate(self.hosts)],
            "settings": {"electionTimeoutMillis": self._election_ms, "heartbeatIntervalMillis": 500},
        }
        with MongoClient[dict[str, Any]](self.members[0].uri) as client:
            client.admin.command("replSetInitiate", settings)
        self.primary()

    def primary(self, seconds: float = UP_SECONDS, among: Sequence[Server] | None = None) -> Server:
        """Return the member that takes writes, as soon as there is one. Raise NotUp where there is none in time.

        Args:
            among: only these members count, say those that are not cut off; None: all.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for member in self.members if among is None else among:
                with suppress(PyMongoError):
                    if member.running and member.hello().get("isWritablePrimary"):
                        return member
            time.sleep(0.1)
        raise NotUp(f"the replica set {self.name} has no primary after {seconds:g} s")

    def wait_until_in_sync(self, seconds: float = UP_SECONDS) -> None:
        """Return when every member answers, and has replicated from the primary of the newest term.

        Raises:
            NotUp: they have not within so many seconds.
        """
        until = time.monotonic() + seconds
        while not self._is_in_sync():
            if time.monotonic() > until:
                logs = ", ".join(str(member.log) for member in self.members)
                raise NotUp(f"the members of {self.name} are not in sync after {seconds:g} s; see {logs}")
            time.sleep(0.1)

    def _is_in_sync(self) -> bool:
        try:
            found = [member.hello() for member in self.members]
        except PyMongoError:
            return False
        terms = {one.get("lastWrite", {}).get("opTime", {}).get("t") for one in found}
        return len(terms) == 1 and any(one["isWritablePrimary"] for one in found)

    def stop(self) -> None:
        """Kill every member."""
        for member in self.members:
            member.kill()
