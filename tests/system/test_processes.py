"""Facts about processes, and ports."""

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

from analytics.system import ports
from analytics.system.processes import command_line, process_started, usage


def test_a_process_is_known_by_its_id_and_start_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", "a b"], stdin=subprocess.PIPE) as process:
        started = process_started(process.pid)
        assert started >= process_started()
        assert command_line(process.pid)[-1] == "a b"
        process.kill()
        process.wait()
    assert process_started(process.pid) == 0
    assert command_line(process.pid) == []
    assert usage(process.pid).memory_bytes == 0


def test_usage_includes_children() -> None:
    alone = usage()
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        both = usage()
        assert both.descriptors > usage(process.pid).descriptors > 0
        assert both.memory_bytes >= usage(process.pid).memory_bytes > 0
        process.kill()
    assert usage(os.getpid()).cpu_seconds >= alone.cpu_seconds


def test_a_port_that_somebody_listens_on_is_refused() -> None:
    port = ports.free_port("127.0.0.1")
    assert ports.refusal("127.0.0.1", port) is None
    with socket.create_server(("127.0.0.1", port)):
        error = ports.refusal("127.0.0.1", port)
    assert error is not None
    assert error.strerror == "Address already in use"


STARTS = """
import subprocess, sys
from analytics.system.processes import dying_with_us
child = subprocess.Popen(dying_with_us([sys.executable, "-c", "import time; time.sleep(600)"]))
print(child.pid, flush=True)
input()
"""


def test_a_program_dies_with_the_process_that_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        started = process_started(child)
        assert started
        process.kill()
    until = time.monotonic() + 600
    while process_started(child) == started:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_node_may_open_as_many_files_as_the_system_allows(tmp_path: Path) -> None:
    (tmp_path / "analytics.toml").write_text('data = "data"\n')
    command = [
        sys.executable,
        "-m",
        "analytics",
        "--config",
        str(tmp_path / "analytics.toml"),
        "run",
        "loginhour",
    ]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with subprocess.Popen(
        command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    ) as node:
        try:
            end = time.monotonic() + 60
            while (found := resource.prlimit(node.pid, resource.RLIMIT_NOFILE)) != (most, most):
                assert time.monotonic() < end and node.poll() is None, found
                time.sleep(0.05)
        finally:
            node.terminate()
