"""Tasks in processes of this host.

    this process ── task, pickled ──▶ process 0: folds blocks; settles areas 0, n, 2n …
                 ◀── result, pickled ──          │ ▲
                                        deltas in files, by share of the areas

Deltas go from the fold to the settling in files, so the memory of neither grows with the batch. Areas are divided among
shares by a hash, and a share is settled by the same process each time: it remembers the documents that it wrote.
"""

import contextlib
import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedRWPair
from pathlib import Path
from queue import SimpleQueue
from secrets import token_hex
from typing import Any

from analytics.engine.context import Context
from analytics.engine.engines import BatchEngine, TaskCall
from analytics.errors import AnalyticsError, Unavailable
from analytics.system.processes import process_started

FOLDER = "engine"
"""The folder for deltas, in the data folder."""

SHARES = 8
"""Of the areas, for each process: what is settled at once has to fit into memory."""

TRIES = 6
"""Of a task whose process ends: it may be the task that ends it."""

GONE = (EOFError, OSError, pickle.UnpicklingError)
"""What sending and receiving raise if the other process is gone."""


class ProcessLost(Exception):
    """A process has ended before it has replied."""


def send(stream: BufferedRWPair, message: object) -> None:
    """Send a message, which the other process receives by ``pickle.load``."""
    pickle.dump(message, stream, pickle.HIGHEST_PROTOCOL)
    stream.flush()


class _TaskProcessHandle:
    """One of the processes, started again if it ends."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: BufferedRWPair | None = None

    def call(self, call: TaskCall) -> Any:
        """Return what a task returns, or raise what it raises. Raise ProcessLost where its process ends."""
        try:
            stream = self._stream or self._start()
            send(stream, call)
            result = pickle.load(stream)
        except GONE as error:
            self.stop()
            raise ProcessLost from error
        if isinstance(result, BaseException):
            raise result
        return result

    def stop(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):  # what is left to send
                self._stream.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._stream = self._process = None

    @property
    def runs(self) -> bool:
        return self._process is not None

    def _start(self) -> BufferedRWPair:
        here, there = socket.socketpair()
        with here, there:
            command = [sys.executable, "-m", "analytics.engine.engines.local_process", str(there.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[there.fileno()])
            self._stream = stream = here.makefile("rwb")
        send(stream, self._context)
        return stream


class LocalEngine(BatchEngine):
    """Runs tasks in ``tasks`` processes of this host. Deltas lie in a folder of ``data/engine`` meanwhile."""

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks
        self.portions = SHARES * tasks
        self._folder: Path | None = None
        self._processes: list[_TaskProcessHandle] = []
        self._lost = 0
        self.shuffled_bytes = 0
        self._error = ""

    def start(self, context: Context) -> None:
        """Make ready: processes start with their first task."""
        self.close()
        self._folder = own_folder(context.config.data / FOLDER)
        self._processes = [_TaskProcessHandle(context) for _ in range(self.tasks)]

    def folder(self, number: int) -> Path:
        assert self._folder is not None
        folder = self._folder / str(number)
        folder.mkdir(exist_ok=True)
        return folder

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Make a folder for files of tasks, which is removed at the end."""
        assert self._folder is not None
        folder = self._folder / "scratch"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def state(self) -> dict[str, object]:
        running = sum(one.runs for one in self._processes)
        return {
            "tasks_lost": self._lost,
            "executors": running,
            "shuffled_bytes": self.shuffled_bytes,
            "error": self._error,
        }

    def close(self) -> None:
        for one in self._processes:
            one.stop()
        self._processes = []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def outcomes(self, calls: Mapping[int, TaskCall], at_home: bool = False) -> Iterator[tuple[int, Any]]:
        """Yield what calls come to, as it comes. After an error, which is yielded when all processes have stopped, no further call begins."""
        divided: list[list[tuple[int, TaskCall]]] = [[] for _ in self._processes]
        for turn, (place, call) in enumerate(sorted(calls.items())):
            divided[(place if at_home else turn) % self.tasks].append((place, call))
        results: SimpleQueue[tuple[int, Any] | None] = SimpleQueue()
        stopping = threading.Event()

        def work(process: _TaskProcessHandle, some: Sequence[tuple[int, TaskCall]]) -> None:
            for place, call in some:
                if stopping.is_set():
                    break
                try:
                    results.put((place, self._call(process, call)))
                except BaseException as error:
                    stopping.set()
                    results.put((place, error))
            results.put(None)

        threads = [
            threading.Thread(target=work, args=(process, some), daemon=True)
            for process, some in zip(self._processes, divided, strict=True)
        ]
        for thread in threads:
            thread.start()
        failed: list[tuple[int, BaseException]] = []
        try:
            for _ in threads:
                while (found := results.get()) is not None:
                    if isinstance(found[1], BaseException):
                        failed.append(found)
                    else:
                        yield found
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        for place, error in failed:
            if not isinstance(error, AnalyticsError):
                raise error
            yield place, error

    def _call(self, process: _TaskProcessHandle, call: TaskCall) -> Any:
        for _ in range(TRIES):
            try:
                return process.call(call)
            except ProcessLost:
                self._lost += 1
        raise Unavailable(
            f"{call.name} has ended its process {TRIES} times: does it have enough memory? See [engine] block_mb and batch_mb"
        )


def own_folder(folder: Path) -> Path:
    """Make a folder for this process in ``folder``; remove those of processes that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        pid, _, rest = left.name.partition("-")
        if not pid.isdecimal() or str(process_started(int(pid))) != rest.partition("-")[0]:
            shutil.rmtree(left, ignore_errors=True)
    own = folder / f"{os.getpid()}-{process_started()}-{token_hex(4)}"
    own.mkdir()
    return own
