"""The suite's supervisor, a process of the package ``supervisor``: starting it, asking it, and what it knows.

It keeps the nodes running, restarts one that ended after a wait that grows each time, and gives up on one that
never runs for long. All nodes end with it, however it ends: no node runs that it does not know.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xmlrpc.client import Error, Fault, ServerProxy

import gevent
import msgspec
from supervisor.xmlrpc import Faults, SupervisorTransport

from analytics.cluster import LocalRegistry
from analytics.config import Config
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.nodes import registered
from analytics.runtime.service import conf
from analytics.runtime.suite import python_path
from analytics.system import files
from analytics.system.processes import command_line, process_started

ASK_SECONDS = 10.0
LOOK_SECONDS = 0.5
LAUNCH_SECONDS = 30.0
TAIL_BYTES = 16384
RUNNING = ("STARTING", "RUNNING")
STOPPABLE = (*RUNNING, "BACKOFF")
UNDER_WAY = (*STOPPABLE, "STOPPING", "EXITED")
"""The states of a node that lives, or will be restarted: one that has just ended is ``EXITED``."""


class Process(msgspec.Struct, frozen=True):
    """What the supervisor knows of a node: its state (``RUNNING``, ``BACKOFF``, ``FATAL`` …) and last start."""

    name: str
    statename: str
    pid: int
    start: int
    spawnerr: str


class Supervisor:
    """The supervisor of one data folder, whether it runs or not."""

    def __init__(self, config: Config, timeout: float = ASK_SECONDS) -> None:
        self._config = config
        self._timeout = timeout
        self.folder = config.data / "run"
        self.conf = self.folder / conf.CONF
        self._started = self.folder / conf.STARTED

    @property
    def noted_pid(self) -> int:
        """The process id in the pid file, 0 where there is none. That process need not exist any more."""
        return conf.noted_pid(self._config)

    @property
    def pid(self) -> int:
        """The process id of the supervisor, 0 where none runs."""
        pid = self.noted_pid
        return pid if str(self.conf) in command_line(pid) and process_started(pid) else 0

    @property
    def left_behind(self) -> list[Path]:
        """What stays in the folder where the supervisor was killed."""
        return [self.folder / conf.PID, self.folder / conf.SOCKET]

    @property
    def noted_configuration(self) -> Config | None:
        """The configuration that the nodes run with: the file may have been changed since. None where it is not known."""
        try:
            return msgspec.json.decode(
                self._started.read_bytes(), type=Config, dec_hook=lambda kind, text: kind(text)
            )
        except (OSError, msgspec.MsgspecError):
            return None

    @property
    def started_with(self) -> Config:
        """The same; where it is not known, the configuration as it is now."""
        return self.noted_configuration or self._config

    def processes(self) -> dict[str, Process]:
        """Return every node that it supervises, by name. Raise Unavailable where it does not answer."""
        infos = self._ask("getAllProcessInfo")
        return {info["name"]: msgspec.convert(info, Process) for info in infos}

    def answers(self) -> bool:
        try:
            return bool(self.pid and self.processes())
        except Unavailable:
            return False

    def start(self, names: Sequence[str]) -> None:
        """Start nodes that have ended or failed; don't wait until they are up."""
        for name in names:
            self._ask("startProcess", name, False)

    def stop(self, names: Sequence[str]) -> None:
        """Ask nodes to end, in order; don't wait until they have. What lives on is killed after 20 s."""
        for name in names:
            self._ask("stopProcess", name, False)

    def signal(self, name: str, signal: str) -> None:
        """Send a running node a signal (``TERM``). If it ends, it is started again."""
        self._ask("signalProcess", name, signal)

    def shut_down(self) -> None:
        """Ask the supervisor itself to end, and whatever still runs."""
        self._ask("shutdown")

    def launch(self) -> None:
        """Start the supervisor, which starts the nodes. Return when it answers; raise AnalyticsError if it does not."""
        (self._config.data / "log").mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.left_behind:
            left.unlink(missing_ok=True)
        self.conf.write_text(conf.text(self._config))
        self.note_configuration()
        python = [sys.executable, "-P", "-m"]
        node = [*python, "analytics", "--config", str(self._config.file), "run", "--supervised"]
        done = subprocess.run(
            [*python, "supervisor.supervisord", "-c", str(self.conf)],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": python_path(),
                "PYTHONUTF8": "1",  # paths and logs, whatever the locale of who starts it
                conf.RUN: shlex.join(node),
                conf.UMASK: f"{_umask():03o}",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise AnalyticsError(
                f"the supervisor did not start: {' | '.join(done.stderr.strip().splitlines())}"
            )
        until = time.monotonic() + LAUNCH_SECONDS
        while not self.answers():
            if time.monotonic() > until:
                raise Unavailable(
                    f"the supervisor did not come up; see {self._config.data / 'log' / conf.LOG}"
                )
            time.sleep(0.05)

    def note_configuration(self) -> None:
        """Note with which configuration the nodes run."""
        files.write(self._started, msgspec.json.encode(self._config, enc_hook=str), 0o600)

    def _ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the supervisor's interface; see http://supervisord.org/api.html."""
        try:
            late = TimeoutError(f"nothing within {self._timeout:g} s")
            with gevent.Timeout(self._timeout, late), self._proxy() as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except Fault as error:
            if error.faultCode not in (Faults.ALREADY_STARTED, Faults.NOT_RUNNING):
                raise AnalyticsError(f"the supervisor refuses {method}: {error.faultString}") from error
            return None  # it has come to pass meanwhile
        except (Error, OSError) as error:
            raise Unavailable(
                f"the supervisor (process {self.noted_pid}) does not answer {method}: {error}; see "
                f"{self._config.data / 'log' / conf.LOG}"
            ) from error

    @contextmanager
    def _proxy(self) -> Iterator[ServerProxy]:
        folder = os.open(self.folder, os.O_PATH)  # the socket's path may be longer than an address can be
        try:
            transport = SupervisorTransport(None, None, f"unix:///proc/self/fd/{folder}/{conf.SOCKET}")
            with ServerProxy("http://localhost", transport) as proxy:
                yield proxy
        finally:
            os.close(folder)


def _umask() -> int:
    """Return this process's file mode mask, which can be read only by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def failing(config: Config) -> dict[str, str]:
    """Return, by their names in the registry, the nodes that the supervisor can't keep running, and why.

    Empty where the nodes are run without it. Raise Unavailable if it runs and does not answer within half a second.
    """
    supervisor = Supervisor(config, LOOK_SECONDS)
    noted = supervisor.noted_pid
    if not noted:
        return {}
    if not supervisor.pid:
        reason = f"process {noted}, which ran the suite, was killed; `analytics start` starts all again"
        return dict.fromkeys(registered(config, conf.nodes(config)), reason)
    found = supervisor.processes()
    reasons = {process.name: _reason(process, config) for process in found.values()}
    return {
        name: reason
        for node, reason in reasons.items()
        if reason
        for name in registered(config, [node]) or [node]
    }


def last_error(process: Process, config: Config) -> str:
    """Return what ended a node last: its error in the registry, else the last line of its log."""
    if process.spawnerr and not process.start:
        return process.spawnerr
    names = registered(config, [process.name])
    for entry in LocalRegistry(config.data).list():
        if entry.name in names and entry.ended and entry.since >= process.start:
            return entry.last_error
    if signal := _killed_by(process.name, config):
        return f"{signal}, sent by a user or by the kernel for lack of memory"
    return _last_line(config.data / "log" / f"{process.name}.log") or process.spawnerr or "it said nothing"


def _reason(process: Process, config: Config) -> str:
    if process.statename == "FATAL":
        return (
            f"failed, given up after {config.service.restarts + 1} starts in a row: {last_error(process, config)}. "
            "Fix that, then `analytics start`"
        )
    if process.statename == "BACKOFF":
        return f"ends soon after each start, is started again: {last_error(process, config)}"
    if process.statename in ("STOPPED", "STOPPING"):
        return "was stopped; `analytics start` starts it again"
    return ""


def _killed_by(node: str, config: Config) -> str:
    """Return which signal ended a node last, "" if none did. Only the supervisor's log says it."""
    said = f" exited: {node} ("
    ends = [line.partition(said)[2] for line in _tail(config.data / "log" / conf.LOG) if said in line]
    return ends[-1].partition(";")[0] if ends and ends[-1].startswith("terminated by ") else ""


def _last_line(log: Path) -> str:
    """Return the last line of a log that is not part of a traceback."""
    return next((line.strip() for line in reversed(_tail(log)) if line.strip() and not line[0].isspace()), "")


def _tail(log: Path) -> list[str]:
    """Return the last lines of a log, none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
