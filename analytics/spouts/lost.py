"""Parts of logs that are certainly gone before they were read: kept in ``data/lost_YYYYmmddHHMM.txt`` until they are accepted."""

import time
from pathlib import Path

import msgspec

from analytics.config import Config
from analytics.core.tuples import UNDECODABLE
from analytics.spouts.journal import Journal, files

PREFIX = "lost"


class Loss(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """What follows some line of a record source and is gone.

    ``line`` and ``byte`` are the first that are lost, counted from 1 and 0. ``bytes`` is how many of them were seen; 0:
    that was not known, and there may be none.
    """

    at: float
    source: str
    line: int
    byte: int
    bytes: int = 0
    reason: str = ""
    accepted: bool = False

    @property
    def words(self) -> str:
        much = f"{self.bytes} bytes" if self.bytes else "all"
        return f"{self.source}: {much} from line {self.line}, byte {self.byte}, on: {self.reason}"


class Lost:
    """Writes losses; each call returns when they are on the disk."""

    def __init__(self, config: Config) -> None:
        self._folder = config.data
        self._journal = Journal(config, PREFIX, {})  # nothing of it is deleted
        self._seen: dict[Path, int] = {}
        self._waiting: list[Loss] = []

    def put(self, loss: Loss) -> None:
        self._journal.append(msgspec.json.encode(loss))

    def waiting(self) -> list[Loss]:
        """Return those that nobody has accepted; the files are read where they have changed."""
        seen = {path: path.stat().st_size for path in files(self._folder, PREFIX)}
        if seen != self._seen:
            self._seen, self._waiting = seen, waiting(self._folder)
        return self._waiting

    def close(self) -> None:
        self._journal.close()


def waiting(folder: Path) -> list[Loss]:
    """Return the losses that nobody has accepted, oldest first. A torn line is passed over."""
    found: dict[tuple[str, int], Loss] = {}
    for path in files(folder, PREFIX):
        for line in path.read_bytes().splitlines():
            try:
                loss = msgspec.json.decode(line, type=Loss)
            except UNDECODABLE:
                continue
            found.pop((loss.source, loss.byte), None)
            if not loss.accepted:
                found[loss.source, loss.byte] = loss
    return list(found.values())


def accept(config: Config) -> list[Loss]:
    """Note that all losses so far are known, and return them."""
    lost = Lost(config)
    found = lost.waiting()
    for loss in found:
        lost.put(msgspec.structs.replace(loss, at=time.time(), accepted=True))
    lost.close()
    return found
