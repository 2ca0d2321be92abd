"""A ``restart`` that is killed, with its terminal or by hand, ends in a suite that runs."""

import os
import signal

import pytest
from service_suite import Background, until

from analytics.config import Config
from analytics.errors import ConfigError
from analytics.runtime.service import detached
from analytics.runtime.service.control import NotStarted


def test_a_suite_runs_again_although_its_restart_was_killed(suite_without_documents: Background) -> None:
    suite = suite_without_documents
    suite.must("start")
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
