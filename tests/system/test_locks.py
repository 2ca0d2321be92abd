"""Locks between processes: one owner, named to others, and none after its death."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest

from analytics.system.locks import FileLock, LockTaken

HOLD = """
import sys, time
from pathlib import Path
from analytics.system.locks import FileLock
lock = FileLock(Path(sys.argv[1]), "")
print(flush=True)
time.sleep(600)
"""


@contextmanager
def held_by_another(path: Path) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def test_who_is_refused_is_told_by_whom(tmp_path: Path) -> None:
    path = tmp_path / "state" / "one.lock"
    with held_by_another(path) as pid:
        with pytest.raises(LockTaken, match=rf"one\.lock: stop it first \(held by process {pid}\)"):
            FileLock(path, "stop it first")
        os.kill(pid, signal.SIGKILL)
        FileLock(path, "", seconds=60).close()
    with FileLock(path, ""):
        assert path.read_text().strip() == str(os.getpid())


def test_waiting_lets_other_greenlets_run(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", "")
    waiting = gevent.spawn(FileLock, tmp_path / "lock", "", 60)
    gevent.sleep(0.05)
    assert not waiting.ready()
    lock.close()
    lock.close()
    waiting.get().close()


def test_a_file_system_without_locks_is_reported_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        FileLock(tmp_path / "lock", "stop it first")


def test_a_full_disk_costs_the_owners_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with FileLock(tmp_path / "lock", ""), pytest.raises(LockTaken, match="held by process unknown"):
        FileLock(tmp_path / "lock", "")


def test_a_child_that_is_being_started_does_not_keep_a_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", "stop it")
    child = os.dup(lock._fd)  # what a fork leaves to the child until it runs its program
    lock.close()
    FileLock(tmp_path / "lock", "stop it").close()
    os.close(child)
