"""What a rebuild tells others: the tuples of documents that it wrote, each once more if it died in between.

Before documents are written, a file says which; it is emptied when their tuples are in the Queue. So the next rebuild
publishes those that may never have gone out.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from analytics.broker.clients import Publisher
from analytics.broker.wire import Batch, BatchHeader, Part, portions
from analytics.runtime.settler import ACCTS_A_TUPLE, new_session
from analytics.spouts.positions import StateFile
from analytics.system.locks import FileLock

LINES_A_BATCH = 200


class Unfinished(msgspec.Struct):
    """What a rebuild has begun. ``tuples``: per bolt, documents whose tuples may not be in the Queue.

    ``timers``: whether timer bolts have still to be looked at.
    """

    tuples: dict[str, list[str]] = {}
    timers: bool = False


class Notes:
    """Keeps what is unfinished in a file; without a path only in memory."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else StateFile(path, every=0)
        self.unfinished = Unfinished() if self._file is None else self._file.load(Unfinished)

    def begin(self, bolt: str, ids: Iterable[str]) -> None:
        """Note that documents of a bolt that publishes are about to be written or removed."""
        kept = self.unfinished.tuples
        kept[bolt] = sorted({*kept.get(bolt, ()), *ids})
        self.unfinished.timers = True
        self._save()

    def published(self, bolt: str) -> None:
        """Note that a bolt's tuples are in the Queue."""
        self.unfinished.tuples.pop(bolt, None)
        self._save()

    def timers_done(self) -> None:
        """Note that timer bolts have been looked at."""
        if self.unfinished.timers:
            self.unfinished.timers = False
            self._save()

    def _save(self) -> None:
        if self._file is not None:
            self._file.save(self.unfinished, now=True)


class Outlet:
    """Publishes tuples that account for no records: whoever counts these has them already."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._session = f"rebuild-{new_session()}"
        self._published = 0

    def publish(self, bolt: str, tuples: Iterable[Mapping[str, Any]]) -> None:
        """Publish a bolt's tuples, and wait until they are durable."""
        lines = (line for one in tuples for line in self._lines(bolt, one))
        pending = []
        for some in portions(lines, LINES_A_BATCH, len):
            header = BatchHeader(f"{bolt}@{self._session}", [], [Part(bolt, len(some), 0)])
            pending.append(self._publisher.publish(Batch(header, [b"\n".join(some)])))
        for result in pending:
            result.get()

    def _lines(self, bolt: str, fields: Mapping[str, Any]) -> Iterator[bytes]:
        accts: list[Any] = fields.get("userlist", [])
        for begin in range(0, max(len(accts), 1), ACCTS_A_TUPLE):
            self._published += 1
            one = {"id": f"{bolt}@{self._session}:{self._published}"} | dict(fields) | {"tuples": 0}
            if accts:
                one["userlist"] = accts[begin : begin + ACCTS_A_TUPLE]
            yield msgspec.json.encode(one)


def alone(data: Path, dry: bool) -> AbstractContextManager[object]:
    """Keep a second rebuild that writes away."""
    if dry:
        return nullcontext()
    return FileLock(data / "state" / "rebuild.lock", "another rebuild runs: wait until it ends")
