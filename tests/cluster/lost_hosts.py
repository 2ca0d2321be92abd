"""Hosts that can be lost and links that can be cut: network namespaces of this machine, on a switch of their own.

Each host is a namespace with one address and one link, a pair of ``veth`` interfaces, to a bridge in a further namespace;
this machine has a link to it too. Needs root and the program ``ip`` (Debian's iproute2).
"""

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Self

from analytics.errors import AnalyticsError
from analytics.system.processes import process_started

NETWORKS = "198.18"  # to 198.19; for tests of networks (RFC 2544), so nobody's address is lost by it
GONE_SECONDS = 20.0


class NoHosts(AnalyticsError):
    """Namespaces can't be had here; the message says why and what to do."""


class Hosts:
    """A switch with hosts of those names, for as long as the context lasts."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._mark = secrets.token_hex(3)
        self._switch = f"{self._mark}-switch"

    def __enter__(self) -> Self:
        possible()
        self._network = _free_network()
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._remove()

    def address(self, name: str) -> str:
        """Return a host's address."""
        return f"{self._network}.{10 + self._names.index(name)}"

    def within(self, name: str) -> list[str]:
        """Return what a command begins with to run on a host."""
        return ["ip", "netns", "exec", self._space(name)]

    def cut(self, name: str) -> None:
        """Unplug a host: no packet leaves it from now on, not even the end of a connection."""
        _ip("-n", self._switch, "link", "set", _port(name), "down")

    def restore(self, name: str) -> None:
        """Plug the host in again."""
        _ip("-n", self._switch, "link", "set", _port(name), "up")

    def lose(self, name: str) -> None:
        """Let a host vanish: link, processes and every connection at once, without a last word."""
        self.cut(name)
        pids = self._pids(name)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + GONE_SECONDS
        while any(map(process_started, pids)) and time.monotonic() < until:
            time.sleep(0.02)
        _ip("netns", "del", self._space(name))

    def come_back(self, name: str) -> None:
        """Let a lost host start again, with nothing of its former connections, at its address."""
        with suppress(AnalyticsError):  # the kernel takes it away a moment after its other end
            _ip("-n", self._switch, "link", "del", _port(name))
        self._connect(name)

    def _build(self) -> None:
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        _ip("link", "add", self._outside, "type", "veth", "peer", "name", "outside", "netns", self._switch)
        _ip("-n", self._switch, "link", "set", "outside", "master", "bridge", "up")
        _ip("address", "add", f"{self._network}.1/24", "dev", self._outside)
        _ip("link", "set", self._outside, "up")
        for name in self._names:
            self._connect(name)

    def _connect(self, name: str) -> None:
        space = self._space(name)
        _ip("netns", "add", space)
        _ip("-n", space, "link", "set", "lo", "up")
        _ip(
            "-n",
            space,
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            _port(name),
            "netns",
            self._switch,
        )
        _ip("-n", self._switch, "link", "set", _port(name), "master", "bridge", "up")
        card = f"02:00:00:00:00:{10 + self._names.index(name):02x}"  # its own, also when it comes back
        _ip("-n", space, "link", "set", "eth0", "address", card)
        _ip("-n", space, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")

    def _remove(self) -> None:
        for name in [*self._names, "switch"]:
            with suppress(AnalyticsError):
                _ip("netns", "del", self._space(name))
        with suppress(AnalyticsError):
            _ip("link", "del", self._outside)

    def _pids(self, name: str) -> list[int]:
        return [int(pid) for pid in _ip("netns", "pids", self._space(name)).split()]

    def _space(self, name: str) -> str:
        return f"{self._mark}-{name}"

    @property
    def _outside(self) -> str:
        return f"v{self._mark}"


def possible() -> None:
    """Return if namespaces can be made here. Raise NoHosts otherwise."""
    if shutil.which("ip") is None:
        raise NoHosts("the program ip is missing: install Debian's iproute2")
    if os.geteuid() != 0:
        raise NoHosts("network namespaces stand for hosts, and only root can make them: run it as root")
    name = f"{secrets.token_hex(3)}-try"
    try:
        _ip("netns", "add", name)
        _ip("netns", "del", name)
    except AnalyticsError as error:
        raise NoHosts(f"network namespaces can't be made here: {error}") from error


def _free_network() -> str:
    """Return the first three numbers of a network that this machine has no route to yet."""
    taken = {route["dst"].rpartition(".")[0] for route in json.loads(_ip("-json", "route", "show"))}
    free = [name for third in range(256) if (name := f"{NETWORKS}.{third}") not in taken]
    return random.SystemRandom().choice(free)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AnalyticsError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _port(name: str) -> str:
    """Return what a host's link is called on the switch."""
    return f"to-{name}"
