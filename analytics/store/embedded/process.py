"""Server processes: they die with this process; leftover ones are found and ended."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from analytics.errors import AnalyticsError, Unavailable
from analytics.system import ports
from analytics.system.locks import FileLock
from analytics.system.processes import command_line, dying_with_us

TERM_AGAIN_SECONDS = 4.0  # until the second SIGTERM
KILL_SECONDS = 10.0  # until SIGKILL, and for a killed process to vanish
PORT_SECONDS = 15.0  # for the kernel to free the port of a server that died


def launch(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start a server in ``folder``; its output is appended to ``log``."""
    with log.open("ab") as output:
        return subprocess.Popen(
            dying_with_us(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **environment},
            umask=0o077,
            start_new_session=True,  # Ctrl-C is for this process, which ends the server after its users
        )


def terminate(server: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM twice, since a server may miss the first; then kill, which loses nothing acknowledged."""
    for seconds in (TERM_AGAIN_SECONDS, KILL_SECONDS):
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(seconds)
            return
    server.kill()
    server.wait()


def take_folder(folder: Path) -> FileLock:
    """Take the store's folder for this process until the lock is closed. Raise LockTaken if another one has it."""
    refusal = "another store node uses this folder. Stop that one, or set `data` to another folder"
    return FileLock(folder / "lock", refusal)


def leftovers(flag: str, database: Path) -> list[int]:
    """Return the processes that serve ``database``. Under the lock, these are servers that no node supervises."""
    found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [pid for pid in found if _serves(pid, flag, database)]


def end_leftover(pid: int, flag: str, database: Path) -> None:
    """Kill a server that is not our child and wait until it is gone."""
    until = time.monotonic() + KILL_SECONDS
    while _serves(pid, flag, database):
        if time.monotonic() > until:
            raise AnalyticsError(f"process {pid}, a server left behind, does not end: kill -9 {pid}")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def wait_for_port(host: str, port: int) -> None:
    """Return when the port is free: a server that just died may hold it for a moment. Raise Unavailable after 15 s."""
    until = time.monotonic() + PORT_SECONDS
    while error := ports.refusal(host, port):
        if time.monotonic() > until:
            raise Unavailable(
                f"the embedded server's port {port} is taken by another program ({error.strerror}). Stop that, or set "
                "store.port to a free one"
            ) from error
        time.sleep(0.1)


def _serves(pid: int, flag: str, database: Path) -> bool:
    """Return whether the process's command line has ``flag`` followed by the database's folder."""
    return (flag, str(database)) in pairwise(command_line(pid))
