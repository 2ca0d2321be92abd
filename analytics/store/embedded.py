"""The node ``store``: runs the embedded MongoDB-speaking server as a program of its own, and looks after it.

The server (PyPI package ``secantusdb``, GPL) is started by its console script and spoken to over TCP on
the loopback only; it is never imported. Under ``data/store`` lie its database ``db``, the empty
``server.toml`` that keeps it from picking up some other configuration, ``lock``, which says that a
node looks after this folder, and ``making`` until the database has its tables.
"""

import fcntl
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from pymongo.errors import OperationFailure

from analytics.config import Config
from analytics.errors import AnalyticsError, ConfigError, Unavailable
from analytics.store import EMBEDDED_HOST, SECANTUS, MongoStore, Write, embedded_uri

PROGRAM = "secantusd-py"
READY_SECONDS = 30.0
PORT_SECONDS = 15.0
HUNG_SECONDS = 60.0
REFUSING_SECONDS = 5.0
FULL_MB = 64
TERM_AGAIN_SECONDS = 4.0
KILL_SECONDS = 10.0
SPREAD = 18
"""So many collections, ``part0`` and so on, have a part in each of the server's 16 tables of documents."""
LOG_BYTES = 8 * 1024 * 1024
HEALTH_OPTIONS = "&socketTimeoutMS=2000&serverSelectionTimeoutMS=1000&connectTimeoutMS=1000"

# Without this, a kill -9 of the server loses writes that it had acknowledged.
_SYNC_EACH_TRANSACTION = {"WIREDTIGER_CONFIG": "transaction_sync=(enabled=true,method=none)"}

# Runs between fork and the server: it dies with this process, even if that is killed, and its files are private.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started the server is gone")
os.umask(0o077)
os.execv(sys.argv[2], sys.argv[2:])
"""

log = logging.getLogger(__name__)


class Ended(AnalyticsError):
    """The server ended at its start; the message quotes its last words."""


class StoreNode:
    """Starts the server, checks it each second by a write and a read, and starts it again when it died."""

    name = "store"
    role = "store"

    def __init__(self, config: Config) -> None:
        self._config = config
        self._folder = config.data.absolute() / "store"
        self._log = config.data.absolute() / "log" / "store-server.log"
        self._lock: IO[str] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._health = MongoStore(embedded_uri(config) + HEALTH_OPTIONS, "health", dialect=SECANTUS)
        self._error = ""
        self._patience = HUNG_SECONDS
        self._answered = 0.0
        self._took = 0.0
        self._restarts = 0
        self._wait = 1.0
        self._not_before = 0.0

    def start(self) -> None:
        """Start the server and wait until it answers, or for 30 s: it may have much to recover.

        Raises:
            ConfigError: the program is not installed.
            AnalyticsError: another node holds the folder, another program the port, or the server ended.
        """
        program = _program()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self._folder / "lock")
        for pid in _leftovers(self._database):
            log.warning("ending the server that an earlier store node left behind pid=%d", pid)
            _end(pid, self._database)
        if not self._database.exists():
            self._making.touch()
        try:
            self._come_up(program)
        except Ended as error:
            if not self._making.exists():
                raise
            log.warning("making the database anew, as it was killed while it was made: %s", error)
            shutil.rmtree(self._database, ignore_errors=True)
            self._come_up(program)

    def step(self) -> None:
        """Check the server once, start it again where it is needed, and wait out the second."""
        began = time.monotonic()
        if self._running() and self._check():
            self._wait = 1.0
        elif self._server is None or not self._running():
            self._restart()
        elif time.time() - self._answered > self._patience:
            log.error(
                "the server runs but has passed no check for %d s, killing it: %s",
                self._patience,
                self._error,
            )
            self._server.kill()
            self._server.wait()
        time.sleep(max(0.0, began + 1.0 - time.monotonic()))

    def stop(self) -> None:
        """End the server in good order, in 14 s at the latest."""
        self._health.close()
        if self._server is not None:
            _terminate(self._server)
            self._server = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def state(self) -> dict[str, Any]:
        """Return what ``status`` shows: whether the last check passed, why not, and how long it took."""
        running = self._running()
        return {
            "healthy": running and not self._error,
            "error": self._error,
            "address": f"{EMBEDDED_HOST}:{self._config.store.port}",
            "server_pid": self._server.pid if self._server is not None and running else None,
            "restarts": self._restarts,
            "answered": self._answered,
            "check_ms": round(self._took * 1000, 1),
        }

    @property
    def _database(self) -> Path:
        return self._folder / "db"

    @property
    def _making(self) -> Path:
        """A file that is there until the database has all its tables.

        A server that is killed while it makes one can't open the database any more. So all are made at once, and
        where that was cut short, and the server does not come up, the database is made anew: nothing has been
        counted into it that the Queue would not give again.
        """
        return self._folder / "making"

    def _come_up(self, program: str) -> None:
        self._launch(program)
        until = time.monotonic() + READY_SECONDS
        while not self._check() and time.monotonic() < until:
            if not self._running():
                raise Ended(f"{self._full()}the embedded server ended at its start; {self._last_words()}")
            time.sleep(0.1)

    def _make_tables(self) -> None:
        """Have the server make all its tables, which it spreads collections over by their names."""
        for number in range(SPREAD):
            self._health.write(f"part{number}", [Write("store", {"at": time.time()}, None)])
        self._making.unlink()

    def _running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _launch(self, program: str) -> None:
        _wait_for_port(self._config.store.port)
        empty = self._folder / "server.toml"
        empty.write_text("")
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        command = [program, "--config", str(empty), "--host", EMBEDDED_HOST, "--log-level", "WARNING"]
        command += ["--port", str(self._config.store.port), "--storage-path", str(self._database)]
        # As a replica set of one it would write each document a second time, into a log of changes that nobody reads.
        command += ["--standalone"]
        command += ["--cache-size", f"{self._config.store.cache_mb}M"]
        if self._config.store.power_loss_safe:
            command.append("--sync-on-commit")
        with self._log.open("ab") as output:
            self._server = subprocess.Popen(
                [sys.executable, "-I", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env={**os.environ, **_SYNC_EACH_TRANSACTION},
                start_new_session=True,  # Ctrl-C is for us; we end the server after those who use it
            )
        self._answered = time.time()

    def _restart(self) -> None:
        """Start the server again; wait longer each time that it does not live to pass a check."""
        now = time.monotonic()
        if self._not_before == 0.0:
            code = self._server.poll() if self._server is not None else None
            self._error = f"{self._full()}the embedded server ended with code {code}; {self._last_words()}"
            log.error("%s; starting it again in %d s", self._error, self._wait)
            self._not_before = now + self._wait
        elif now >= self._not_before:
            self._not_before = 0.0
            if self._making.exists() and self._wait > 1.0:  # not for the first time
                shutil.rmtree(self._database, ignore_errors=True)
            self._wait = min(self._wait * 2, 30.0)
            self._restarts += 1
            self._launch(_program())

    def _check(self) -> bool:
        """Write and read, note the outcome, and return whether it went well."""
        began = time.time()
        try:
            self._health.write("checks", [Write("store", {"at": began}, None)])
            seen = self._health.load("checks", ["store"])
            if seen["store"]["at"] != began:
                raise AnalyticsError("the embedded server read back something else than was written")
            if self._making.exists():
                self._make_tables()
        except AnalyticsError as error:
            # Silence may be work that takes long. A refusal is final: a full disk, once met, makes the server
            # refuse everything until it is started again, also when there is room by then.
            refused = isinstance(error.__cause__, OperationFailure)
            self._patience = REFUSING_SECONDS if refused else HUNG_SECONDS
            self._error = self._full() + str(error)
            return False
        self._error = ""
        self._answered = time.time()
        self._took = self._answered - began
        return True

    def _full(self) -> str:
        """Return "", or that the disk is full, for the front of an error that this explains."""
        free = shutil.disk_usage(self._folder).free >> 20
        return f"the disk under {self._folder} has {free} MB left, make room: " if free < FULL_MB else ""

    def _last_words(self) -> str:
        """Return the end of the server's output, and where the rest is."""
        with self._log.open("rb") as output:
            output.seek(max(0, self._log.stat().st_size - 2000))
            lines = output.read().decode(errors="replace").strip().splitlines()
        return f"its last words in {self._log}: {' | '.join(lines[-3:]) or '(none)'}"


def _program() -> str:
    beside = Path(sys.executable).parent / PROGRAM
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise ConfigError(
            f"the embedded store needs the program {PROGRAM}, which is neither beside {sys.executable} nor in PATH. "
            "Install it with: pip install 'analytics[embedded]'; or set mongodb.uri to a MongoDB of yours"
        )
    return found


def _lock(path: Path) -> IO[str]:
    """Return the lock's open file; the lock ends with this process, however that ends."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise AnalyticsError(
            f"another store node (process {holder}) looks after {path.parent}. Stop that one, or set `data` to "
            "another folder"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _leftovers(database: Path) -> list[int]:
    """Return the processes that serve ``database``: with the lock in our hand, nobody looks after them."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _serves(int(entry.name), database)]


def _serves(pid: int, database: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return str(database) in command and any(Path(word).name == PROGRAM for word in command)


def _end(pid: int, database: Path) -> None:
    """Kill a server that is not our child and wait until it is gone."""
    until = time.monotonic() + KILL_SECONDS
    while _serves(pid, database):
        if time.monotonic() > until:
            raise AnalyticsError(f"process {pid}, a server left behind, does not end: kill -9 {pid}")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _terminate(server: subprocess.Popen[bytes]) -> None:
    """Ask twice, since the first signal is lost now and then; then kill, which loses nothing acknowledged."""
    for seconds in (TERM_AGAIN_SECONDS, KILL_SECONDS):
        server.terminate()
        try:
            server.wait(seconds)
            return
        except subprocess.TimeoutExpired:
            continue
    server.kill()
    server.wait()


def _wait_for_port(port: int) -> None:
    """Return when the port is free: a server that just died may hold it for a moment."""
    until = time.monotonic() + PORT_SECONDS
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((EMBEDDED_HOST, port))
                return
            except OSError as error:
                if time.monotonic() > until:
                    raise Unavailable(
                        f"the embedded server's port {port} is taken by another program ({error.strerror}). "
                        "Stop that, or set store.port to a free one"
                    ) from error
        time.sleep(0.1)
