"""What ``start`` tells systemd; the service itself is tried under a real one in tests/deploy."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_suite import Background

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
    # Files of nodes are as private as whoever starts them has it.
    assert "Umask:\t0027\n" in Path(f"/proc/{before}/status").read_text()
    said = suite.must("start")
    assert f"process {before} runs the suite beside systemd" in said and "started (process" in said
    pid = suite.supervisor.pid
    assert pid not in (0, before)
    assert told.recv(1000) == f"MAINPID={pid}\nREADY=1".encode()


def test_a_start_of_nothing_tells_nothing(suite: Background, told: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", suite.ports[1])):
        assert suite("start").returncode == 1
    told.setblocking(False)
    with pytest.raises(BlockingIOError):
        told.recv(1000)
