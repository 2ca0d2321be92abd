"""Streams and journals that are piped into a running suite, more than once, and not always to their ends."""

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 600.0
MOST_LINES = 20_000
"""Of a journal, the newest: a long one would take the whole test."""


class Pipes:
    """Pipes into the suite whose configuration lies in ``folder``.

    Attributes:
        count: how many pipes were started by :meth:`some`.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self._folder = folder
        self._rng = rng
        self._streams: list[Path] = []
        self._complete: set[Path] = set()
        self.count = 0

    def add(self, lines: Sequence[bytes]) -> None:
        """Add a stream of lines."""
        path = self._folder / f"stream{len(self._streams)}.log"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        self._streams.append(path)

    def some(self, journals: Sequence[Path]) -> None:
        """Pipe one of the newest streams, or a journal forwards or backwards; kill the pipe half-way at times."""
        if self._streams and self._rng.random() < 0.7:
            path = self._rng.choice(self._streams[-3:])
            pipe = self._pipe_stream(path)
        elif journals:
            path = self._rng.choice(journals)
            lines = path.read_bytes().splitlines()[-MOST_LINES:]
            if self._rng.random() < 0.5:
                lines.reverse()
            pipe = self._pipe(b"\n".join(lines) + b"\n", "replay")
        else:
            return
        self.count += 1
        try:
            if pipe.wait(self._rng.choice([0.5, 20])) == 0:
                self._complete.add(path)
        except subprocess.TimeoutExpired:
            pipe.kill()
            pipe.wait()

    def rest(self) -> list[str]:
        """Pipe every stream completely that was not, and a few once more; return what failed."""
        failed = []
        for path in self._streams:
            if path not in self._complete or self._rng.random() < 0.2:
                pipe = self._pipe_stream(path)
                if pipe.wait(PATIENCE):
                    failed.append(f"piping {path.name} ended with status {pipe.returncode}")
        return failed

    def _pipe_stream(self, path: Path) -> "subprocess.Popen[bytes]":
        return self._pipe(path.read_bytes(), "--source", path.stem)

    def _pipe(self, text: bytes, *arguments: str) -> "subprocess.Popen[bytes]":
        source = self._folder / f"pipe{self.count}"
        source.write_bytes(text)
        command = [sys.executable, "-m", "analytics", "--config", str(self._folder / "analytics.toml")]
        with source.open("rb") as stdin, (self._folder / "pipes.log").open("ab") as output:
            pipe = subprocess.Popen(
                [*command, "read-stdin-gamelog", *arguments], stdin=stdin, stdout=output, stderr=output
            )
        source.unlink()
        return pipe
