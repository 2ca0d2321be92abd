"""A suite to start and stop in the background: its configuration, its commands, and what of it runs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from in_process import in_process

from analytics.cluster import LocalRegistry
from analytics.config import Config, load
from analytics.runtime.report import facts, report
from analytics.runtime.service.supervisor import Supervisor
from analytics.store import open_store
from analytics.system.processes import process_started
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports

ROOT = Path(__file__).resolve().parents[2]
AREA = "549140c8dbdb67794fc0fa3b"
NOON = 1420689600
PATIENCE = 600.0
WITHOUT_DOCUMENTS = '[mongodb]\nuri = "counting:"\n[timers]\nevery_seconds = 0\n'


class Background:
    """One suite in ``folder``. Its spout reads ``logs/*.log``.

    Args:
        has_documents: whether it keeps any, for which it takes a store and timers: a third of all that a start costs.
    """

    def __init__(self, folder: Path, has_documents: bool = True) -> None:
        self.folder = folder
        self.file = folder / "analytics.toml"
        self.log = folder / "logs" / "game.log"
        self.written = 0
        self.log.parent.mkdir(parents=True)
        self.ports = free_ports(5)
        self.has_dashboard = False
        self.has_documents = has_documents
        self.configure()
        self.processes: set[int] = set()

    def configure(self, more: str = "") -> None:
        """Write the configuration; ``more`` goes behind it."""
        self.file.write_text(f"""
data = "data"
{on_ports(*self.ports[: 4 + self.has_dashboard])}{"" if self.has_documents else WITHOUT_DOCUMENTS}
[service]
restarts = 2
drain_seconds = 100
[games.dl.areas.{AREA}]
plat = "2001"
[[gamelog.sources]]
name = "local"
kind = "file"
path = "logs/*.log"
poll_seconds = 0.1
{more}""")

    def move(self) -> None:
        """Write a configuration with other ports."""
        self.ports = free_ports(5)
        self.configure()

    @property
    def config(self) -> Config:
        return load(self.file)

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.config)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the suite in this process, with the words that it wrote in one string, ``stdout``."""
        done = in_process("--config", str(self.file), *arguments)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout + done.stderr)

    def popen(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin a command in a process of its own."""
        command = [sys.executable, "-m", "analytics", "--config", str(self.file), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )

    @contextmanager
    def foreground(self, node: str) -> "Iterator[subprocess.Popen[str]]":
        """Run a node in the foreground, without a supervisor."""
        process = self.popen("run", node)
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=600)

    def must(self, *arguments: str) -> str:
        """Run a command that has to succeed; return what it wrote."""
        done = self(*arguments)
        assert done.returncode == 0, done.stdout + self.logs()
        self.pids()
        return done.stdout

    def status(self) -> dict[str, Any]:
        """Return what ``status --json`` prints, without a process for it."""
        return dict(msgspec.json.decode(msgspec.json.encode(facts(report(self.config)))))

    def ensure_started(self) -> None:
        """Start it where it does not run, as it is configured at first."""
        self.configure()
        if not self.supervisor.answers():
            self.end()
            self.must("start")

    def is_well(self) -> bool:
        """Whether ``status`` finds nothing wrong, as init systems ask it."""
        # Less than the time after which nodes that report nothing seem to hang: they are listed first.
        return report(self.config).healthy and self("status", "--lsb", "--patience", "4").returncode == 0

    def write(self, count: int) -> None:
        """Have that many more accts log in."""
        with self.log.open("a") as log:
            for number in range(self.written, self.written + count):
                op = {"code": "login_logcount"}
                line = {"op": op, "area": AREA, "ts": NOON, "data": {"corpid": 1, "acct": f"a{number}"}}
                log.write(json.dumps(line) + "\n")
        self.written += count

    def journaled(self) -> int:
        """Return how many lines the spout has journaled."""
        return sum(file.read_bytes().count(b"\n") for file in (self.folder / "data").glob("gamelog_*.txt"))

    def write_and_journal(self, count: int) -> None:
        """Have that many more accts log in, and return when the spout has journaled that. What was read before is journaled by now."""
        before = self.journaled()
        self.write(count)
        until(lambda: self.journaled() >= before + count)

    def counted(self) -> int:
        """Return how many accts the documents say logged in."""
        with closing(open_store(self.config)) as store:
            return sum(int(one["count"]) for one in store.find("loginday"))

    def pids(self) -> dict[str, int]:
        """Return the processes of the nodes that live, by node; they are remembered."""
        nodes = LocalRegistry(self.folder / "data").list()
        living = {node.name: node.pid for node in nodes if process_started(node.pid) == node.started}
        self.processes |= set(living.values()) | {
            int(node.state["server_pid"]) for node in nodes if node.state.get("server_pid")
        }
        return living

    def left(self) -> set[int]:
        """Return what still lives of all processes that were ever seen."""
        return {pid for pid in self.processes if process_started(pid)}

    def logs(self) -> str:
        folder = self.folder / "data" / "log"
        return "".join(f"\n--- {log.name}\n{log.read_text()[-2000:]}" for log in folder.glob("*.log"))

    def end(self) -> None:
        """Stop whatever runs, and see that nothing is left."""
        self("stop")
        until(lambda: not self.left())
        assert self.supervisor.pid == 0


def until(true: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Return what ``true`` returns as soon as it is true."""
    end = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)
    return found


def running(folder: Path, has_documents: bool = True) -> Iterator[Background]:
    """Yield a suite, and end it."""
    suite = Background(folder, has_documents)
    try:
        yield suite
    finally:
        suite.end()
