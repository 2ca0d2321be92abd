"""A replica set whose members and clients reach each member through a proxy, so that each link can be cut."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from analytics.errors import AnalyticsError
from analytics.runtime.suite import python_path
from analytics.testing.mongod import ReplicaSet, Server
from analytics.testing.ports import free_ports

Kind = Literal["members", "clients"]
What = Literal["pass", "hold", "refuse", "drop"]


class Proxies:
    """Runs :mod:`analytics.testing.proxy` for some ports, and sends it commands."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.ports = free_ports(len(targets))
        self._targets = targets
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Return when every port accepts connections."""
        pairs = [f"{port}:{target}" for port, target in zip(self.ports, self._targets, strict=True)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "analytics.testing.proxy", *pairs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": python_path()},
            start_new_session=True,
        )
        self._wait_until_done()

    def stop(self) -> None:
        """End the process; every connection is closed."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def command(self, what: What, number: int, kind: Kind) -> None:
        """Do ``what`` to all connections of ``kind`` at the proxy ``number``; return when it is done."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(f"{what} {number} {kind}\n")
        self._process.stdin.flush()
        self._wait_until_done()

    def _wait_until_done(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        answer = self._process.stdout.readline()
        if answer != "done\n":
            raise AnalyticsError(f"the proxies should answer done, got {answer!r}; see standard error above")


class ProxiedSet(ReplicaSet):
    """A replica set behind proxies: its configuration and its ``uri`` name the proxies' ports."""

    def __init__(self, folder: Path, election_ms: int = 2000) -> None:
        super().__init__(folder, election_ms=election_ms)
        self._proxies = Proxies([member.port for member in self.members])

    @property
    def hosts(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self._proxies.ports]

    def start(self) -> None:
        self._proxies.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._proxies.stop()

    def isolate(self, member: Server, how: Literal["hold", "refuse"]) -> None:
        """Let no other member reach this one. Its clients still do.

        The others elect a new primary. This one, if it was primary, takes writes that no majority gets, until it
        learns of the election from its own heartbeats, which still leave it.
        """
        self._proxies.command(how, self.members.index(member), "members")

    def cut_off(self, member: Server, how: Literal["hold", "refuse"]) -> None:
        """Let nobody reach this member, neither other members nor clients."""
        for kind in ("members", "clients"):
            self._proxies.command(how, self.members.index(member), kind)

    def heal(self) -> None:
        """Let everything pass again."""
        for number in range(len(self.members)):
            for kind in ("members", "clients"):
                self._proxies.command("pass", number, kind)

    def reset_clients(self, member: Server) -> None:
        """Reset the connections of all clients to this member; they may connect again at once."""
        self._proxies.command("drop", self.members.index(member), "clients")
