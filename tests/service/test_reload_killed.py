"""A ``reload`` that is killed, at whatever step, leaves every node running: the supervisor restarts them, not the command."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_suite import until

from analytics.config import Config, ServiceSection
from analytics.runtime.service import conf, control
from analytics.runtime.service.supervisor import Supervisor

NODE = "timers"
SLEEP = "sh -c 'exec sleep 1000'"
STUBBORN = """sh -c 'trap "" TERM; while :; do sleep 0.1; done'"""


class Killed(BaseException):
    """Stands for a SIGKILL."""


class Mortal(Supervisor):
    """Asks ``left`` times and is killed then, before or after the last question had its effect."""

    left = 1000
    before = False

    def _ask(self, method: str, *arguments: Any) -> Any:
        self.left -= 1
        if self.left <= 0 and self.before:
            raise Killed
        answer = super()._ask(method, *arguments)
        if self.left <= 0:
            raise Killed
        return answer


@pytest.fixture(params=[SLEEP, STUBBORN], ids=["a node that ends", "a node that hangs"])
def supervisor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mortal]:
    """A real supervisor of one node, which does nothing."""
    monkeypatch.setattr(conf, "LIVED_SECONDS", 0)
    monkeypatch.setattr(conf, "STOP_SECONDS", 1)
    monkeypatch.setattr(control, "STOP_SECONDS", 0.3)
    monkeypatch.setattr(control, "_wait_until_up", lambda *_: None)
    found = Mortal(Config(data=tmp_path, service=ServiceSection(nodes=[NODE])), 60.0)
    found.folder.mkdir()
    (tmp_path / "log").mkdir()
    found.conf.write_text(conf.text(found._config))
    subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(found.conf)],
        cwd=found.folder, check=True, env={**os.environ, conf.RUN: request.param, conf.UMASK: "022"},
    )  # fmt: skip
    until(found.answers)
    try:
        yield found
    finally:
        found.left = 1000
        found.shut_down()
        until(lambda: not found.pid)


def test_a_node_lives_whenever_its_restart_is_killed(supervisor: Mortal) -> None:
    killed = 0
    for before in (False, True):
        for steps in range(1, 100):
            until(lambda: supervisor.processes()[NODE].statename == "RUNNING")
            pid = supervisor.processes()[NODE].pid
            supervisor.before, supervisor.left = before, steps
            try:
                control.restart_node(supervisor, supervisor._config, NODE, lambda text: None)
            except Killed:
                killed += 1
            finally:
                supervisor.left, done = 10_000, supervisor.left > 0
            if done:
                until(lambda: supervisor.processes()[NODE].pid not in (0, pid))  # noqa: B023
                break
            time.sleep(0.1)
            until(lambda: supervisor.processes()[NODE].statename == "RUNNING")
    assert killed >= 6
