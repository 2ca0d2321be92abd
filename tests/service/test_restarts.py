"""A suite that is started where it is not expected, or restarted by what is killed, ends up running once.

What ``start`` tells systemd is tested here; the service itself is tried under a real one in tests/deploy.
"""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_suite import Background, until

from analytics.config import Config
from analytics.errors import ConfigError
from analytics.runtime.service import detached
from analytics.runtime.service.control import NotStarted

PATIENCE = 600.0


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that systemd listens at, by a name that the kernel keeps."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"analytics-test-{os.getpid()}"
        listening.bind(f"\0{name}")
        listening.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        yield listening


def test_a_start_of_nothing_tells_nothing(suite_without_documents: Background, told: socket.socket) -> None:
    suite = suite_without_documents
    with socket.create_server(("127.0.0.1", suite.ports[1])):
        assert suite("start").returncode == 1
    told.setblocking(False)
    with pytest.raises(BlockingIOError):
        told.recv(1000)


def test_a_start_tells_which_process_runs_the_suite_and_takes_over_one_that_runs(
    suite_without_documents: Background, told: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suite_without_documents
    with monkeypatch.context() as by_hand:
        by_hand.delenv("NOTIFY_SOCKET")
        mask = os.umask(0o027)
        suite.must("start")
        os.umask(mask)
    before = suite.supervisor.pid
    # Nodes keep the umask of the process that starts them.
    assert "Umask:\t0027\n" in Path(f"/proc/{before}/status").read_text()
    said = suite.must("start")
    assert f"process {before} runs the suite beside systemd" in said and "started (process" in said
    pid = suite.supervisor.pid
    assert pid not in (0, before)
    assert told.recv(1000) == f"MAINPID={pid}\nREADY=1".encode()


def test_a_suite_runs_again_although_its_restart_was_killed(suite_without_documents: Background) -> None:
    suite = suite_without_documents
    suite.ensure_started()
    before = suite.supervisor.pid
    suite.move()
    command = suite.popen("restart")
    assert command.stdout is not None
    assert "stopping gamelog" in command.stdout.readline()
    os.kill(command.pid, signal.SIGKILL)
    command.communicate()
    until(lambda: suite.supervisor.pid not in (0, before), 300)
    suite.write(10)
    until(lambda: suite.journaled() == suite.written, 300)
    suite.pids()


@pytest.mark.parametrize(
    ("ends", "error"),
    [
        ([(-9, ""), (0, "")], None),
        ([(-9, "")] * 5, NotStarted),
        ([(1, "main ended at its start")], NotStarted),
        ([(2, "a.toml: expected …")], ConfigError),
    ],
)
def test_a_restart_begins_again_where_its_process_was_killed(
    monkeypatch: pytest.MonkeyPatch, ends: list[tuple[int, str]], error: type[Exception] | None
) -> None:
    left = list(ends)
    monkeypatch.setattr(detached, "_run", lambda config, say: left.pop(0))
    if error is None:
        detached.restart(Config(), print)
    else:
        with pytest.raises(error, match=ends[0][1]):
            detached.restart(Config(), print)
    assert not left
