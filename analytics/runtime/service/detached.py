"""Restarts the whole suite in a process of its own, so that a command that is killed half-way leaves no suite stopped."""

import os
import subprocess
import sys

from analytics.config import Config
from analytics.errors import ConfigError
from analytics.runtime.service import control, refusals, systemd
from analytics.runtime.suite import python_path

HERE = "--here"
"""The option of `restart` with which it stops and starts the suite itself."""

_TRIES = 5  # of a restart that is killed again and again
_PREFIX = "analytics: "
_BAD_CONFIGURATION = 2  # exit status


def restart(config: Config, say: control.Say) -> None:
    """Stop and start the suite, and return when all is up. What a start would refuse is refused while everything runs on.

    If this process is killed, or its terminal closed, the restart goes on without it. If that one is killed, it begins again.

    Raise ConfigError and NotStarted as a start does.
    """
    refusals.refuse_unset(config)
    if (
        systemd.waits()
    ):  # only to a process that systemd has called it listens, and it ends others with the service
        control.restart(config, say)
        return
    for _ in range(_TRIES):
        status, words = _run(config, say)
        if not status:
            return
        if status > 0:
            raise (ConfigError if status == _BAD_CONFIGURATION else control.NotStarted)(words)
        say("the process that restarts the suite was killed: it is started again")
    raise control.NotStarted(f"the restart was killed {_TRIES} times; `analytics restart` continues it")


def _run(config: Config, say: control.Say) -> tuple[int, str]:
    """Run the restart, pass on what it says; return its exit status, and its error."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "analytics", "--config", str(config.file), "restart", HERE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": python_path(), "PYTHONUTF8": "1"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        for line in process.stdout:
            say(line.rstrip("\n"))
        text = process.stderr.read().strip()
        return process.wait(), "\n".join(line.removeprefix(_PREFIX) for line in text.splitlines())
    except KeyboardInterrupt:
        say(
            f"the restart goes on in the background (process {process.pid}); `analytics status` shows the result"
        )
        raise
