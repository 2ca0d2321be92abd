"""The whole suite as processes of this one: for the demo, tests and benchmarks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from analytics.cluster import LocalRegistry
from analytics.cluster.registry import alive
from analytics.config import Config, load
from analytics.errors import AnalyticsError
from analytics.runtime.nodes import needed, registered
from analytics.system.started import Started

UP_SECONDS = 180.0
"""A node starts within seconds; a loaded machine of tests may take a minute."""

DOWN_SECONDS = 20.0
LAST_WORDS = 5


class ProcessNotUp(AnalyticsError):
    """A process of the suite ended at its start or did not come up; the message quotes its log."""


class Suite(Started):
    """Starts nodes as processes, each list of names one process, and ends them whatever happens.

    The processes die with this one even if it is killed. Each writes to ``data/log/<its names>.log``.

    Args:
        config: file of the configuration.
        nodes: the names that ``run`` takes, a list for each process, in the order in which to start them;
            None: every node that the configuration needs, one process each.
        within: what their command lines begin with, say ``ip netns exec …``; it has to end in an ``exec`` of the rest.
    """

    def __init__(
        self, config: Path, nodes: Sequence[Sequence[str]] | None = None, within: Sequence[str] = ()
    ) -> None:
        self._within = list(within)
        self.config: Config = load(config)
        self._nodes = {
            "+".join(names): list(names) for names in nodes or [[name] for name in needed(self.config)]
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def names(self) -> list[str]:
        """The processes' names, in the order in which they are started."""
        return list(self._nodes)

    def start(self) -> None:
        """Start every process and wait until all are up. Raise ProcessNotUp if one does not come up."""
        for name in self._nodes:
            self._launch(name)
        for name in self._nodes:
            self.wait_until_up(name)

    def stop(self) -> None:
        """End every process in order, spouts first, and kill what does not end within 20 s."""
        for name in reversed(list(self._processes)):
            process = self._processes.pop(name)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(DOWN_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait()

    def kill(self, name: str) -> None:
        """Kill a process at once, as a crash would."""
        process = self._processes[name]
        process.kill()
        process.wait()

    def restart(self, name: str, wait: bool = True) -> None:
        """Start a process that has ended again."""
        if self.runs(name):
            raise AnalyticsError(f"{name} still runs as process {self.pid(name)}; kill it first")
        self._launch(name)
        if wait:
            self.wait_until_up(name)

    def runs(self, name: str) -> bool:
        """Return whether the process was started and has not ended."""
        return name in self._processes and self._processes[name].poll() is None

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def log(self, name: str) -> Path:
        return self.config.data / "log" / f"{name}.log"

    def wait_until_up(self, name: str, timeout: float = UP_SECONDS) -> None:
        """Return when all of the process's nodes beat. Raise ProcessNotUp if it ends, or after ``timeout`` seconds."""
        process = self._processes[name]
        registry = LocalRegistry(self.config.data)
        expected = set(registered(self.config, self._nodes[name]))
        until = time.monotonic() + timeout
        while expected - {node.name for node in registry.list() if node.pid == process.pid and alive(node)}:
            if process.poll() is not None:
                raise ProcessNotUp(
                    f"{name} ended with status {process.returncode} at its start; {self._last_words(name)}"
                )
            if time.monotonic() >= until:
                raise ProcessNotUp(f"{name} did not come up within {timeout:g} s; {self._last_words(name)}")
            time.sleep(0.05)

    def _launch(self, name: str) -> None:
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [*self._within, sys.executable, "-m", "analytics", "--config", str(self.config.file), "run"]
        command += ["--with-parent", str(os.getpid()), *self._nodes[name]]
        with log.open("ab") as output:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we end the nodes in order
                env={**os.environ, "PYTHONPATH": python_path()},
            )

    def _last_words(self, name: str) -> str:
        lines = self.log(name).read_text(errors="replace").strip().splitlines()
        return f"its last words in {self.log(name)}: {' | '.join(lines[-LAST_WORDS:]) or '(none)'}"


def python_path() -> str:
    """Return a path on which the processes find this very package, from whatever folder they are started."""
    here = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
