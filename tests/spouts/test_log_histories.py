"""Whatever happens to a log, in whatever order: each record counts once, under one name, also when it is read again."""

import gzip
import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from analytics.config import GamelogSection, Source
from analytics.spouts.memory import Memory
from analytics.spouts.positions import StreamPosition
from analytics.spouts.sources.file import FileSource
from analytics.spouts.sources.health import Health
from analytics.spouts.sources.identity import beginning
from analytics.spouts.sources.log_source import SourceContext
from analytics.spouts.sources.stream import Stream

STEPS = 40
WEIGHTS = {
    "write": 20, "write_part": 8, "write_bytes": 3, "look": 20, "be_quiet": 6, "rename": 4, "copy_and_truncate": 4,
    "pack": 4, "restart": 4, "crash": 4, "touch": 2,
}  # fmt: skip


class History:
    """A log, the game server that writes it, what rotates it, and the spout that reads it."""

    def __init__(self, folder: Path, seed: int, clock: list[float]) -> None:
        self.draw = random.Random(seed)
        self.logs, self.data = folder / "logs", folder / "data"
        self.logs.mkdir()
        self.log = self.logs / "game.log"
        self.clock = clock
        self.end = self.draw.choice([b"\n", b"\n", b"\r\n", b"  \n"])
        self.pattern = self.logs / self.draw.choice(["game.log", "game.log*"])
        self.written: list[bytes] = []
        self.unwritten = b""
        self.found: dict[tuple[str, int], bytes] = {}
        self.begin()

    def begin(self) -> None:
        source = Source(name="s1", kind="file", path=str(self.pattern), poll_seconds=0.001)
        self.memory = memory = Memory(self.data, lambda state: None)
        given = SourceContext(
            GamelogSection(batch_lines=3), self.emit, Health("s1"), memory, lambda loss: None
        )
        self.source = FileSource(source, given)

    def emit(self, chunk) -> None:
        for n, line in enumerate(chunk.data.split(b"\n")[:-1], chunk.first):
            if line.strip() and not chunk.cut_off:
                assert self.found.setdefault((chunk.source, n), line.strip()) == line.strip()
        if chunk.position is not None:
            self.memory.acknowledged(chunk.source, chunk.position)
        if self.draw.random() < 0.3:
            self.memory.save(now=True)

    def append(self, data: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(data)

    def line(self) -> bytes:
        self.append(self.unwritten)
        self.unwritten = b""
        record = {"n": len(self.written), "x": "y" * self.draw.choice([0, 0, 50])}
        self.written.append(json.dumps(record).encode())
        return self.written[-1] + self.end

    def write(self) -> None:
        for _ in range(self.draw.choice([1, 2, 5, 12])):
            self.append(self.line())

    def write_part(self) -> None:
        line = self.line()
        record = len(self.written[-1])
        cut = self.draw.choice([self.draw.randrange(1, len(line)), record, min(record + 1, len(line) - 1)])
        self.append(line[:cut])
        self.unwritten = line[cut:]

    def write_bytes(self) -> None:
        for byte in self.line():
            self.append(bytes([byte]))

    def look(self) -> None:
        for _ in range(2):
            self.source.scan()
            self.source.turn()

    def be_quiet(self) -> None:
        self.look()
        self.clock[0] += self.draw.choice([6, 70])
        self.look()

    def rename(self) -> None:
        if self.log.exists():
            self.shift()
            self.log.rename(self.logs / "game.log.1")
            with (self.logs / "game.log.1").open("ab") as file:  # its writer has it open still
                file.write(self.unwritten)
            self.unwritten = b""

    def copy_and_truncate(self) -> None:
        if self.log.exists():
            self.append(self.unwritten)
            self.unwritten = b""
            self.shift()
            shutil.copy(self.log, self.logs / "game.log.1")
            os.truncate(self.log, 0)

    def shift(self) -> None:
        for number in range(STEPS, 0, -1):
            for path in self.logs.glob(f"game.log.{number}*"):
                if path.name.removesuffix(".gz") == f"game.log.{number}":
                    path.rename(self.logs / path.name.replace(f".{number}", f".{number + 1}"))

    def pack(self) -> None:
        path = self.logs / f"game.log.{self.draw.choice([1, 2, 3])}"
        if path.exists():
            packed, status = Path(f"{path}.gz"), path.stat()
            packed.write_bytes(gzip.compress(path.read_bytes()))
            os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
            path.unlink()

    def restart(self) -> None:
        self.memory.save(now=True)
        self.crash()

    def crash(self) -> None:
        self.source.close()
        self.begin()

    def touch(self) -> None:
        if self.log.exists():
            os.utime(self.log)

    def read_again(self) -> dict[bytes, tuple[str, int]]:
        """Return the names of all lines that lie in the folder, as a pipe would give them."""
        names = {}
        for path in self.logs.iterdir():
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()

            def read_at(offset: int, length: int, data: bytes = data) -> bytes:
                return data[offset : offset + length]

            if lines := beginning(read_at, final=True):
                name = self.memory.catalogue.find(read_at, lines)
                assert name is not None
                stream = Stream(name, StreamPosition(""), 3)
                for chunk in [*stream.feed(data), *stream.give_up()]:
                    for n, line in enumerate(chunk.data.split(b"\n")[:-1], chunk.first):
                        names |= {line.strip(): (name, n)} if line.strip() else {}
        return names


@pytest.mark.parametrize("seed", range(12))
def test_each_record_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    clock, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + clock[0])
    history = History(tmp_path, seed, clock)
    for happens in history.draw.choices(list(WEIGHTS), list(WEIGHTS.values()), k=STEPS):
        getattr(history, happens)()
    history.append(history.unwritten)
    for _ in range(4):
        history.look()
        history.be_quiet()
    assert sorted(history.found.values()) == sorted(history.written)
    assert history.read_again() == {line: name for name, line in history.found.items()}
    history.source.close()
