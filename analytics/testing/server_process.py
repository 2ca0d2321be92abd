"""A server as a process of its own, which tests kill and freeze."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


class ServerProcess:
    """Holds the process; a subclass starts it."""

    _process: "subprocess.Popen[bytes] | None" = None

    def _spawn(self, command: Sequence[str], log: str | Path = os.devnull, **environment: str) -> None:
        """Start the process in a session of its own; what it prints is added to ``log``."""
        with Path(log).open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, **environment},
            )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill the process at once, frozen or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop the process where it is: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)
        while self._process is not None and not _is_stopped(self._process.pid):
            time.sleep(0.005)  # until all of its threads have taken the signal, some of them answer

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def _is_stopped(pid: int) -> bool:
    """Return whether each thread of a process is stopped."""
    states = (
        one.read_text().rpartition(")")[2].split()[0] for one in Path(f"/proc/{pid}/task").glob("*/stat")
    )
    return all(state in "TtZX" for state in states)  # what has ended answers nothing, either
