"""A broker and a worker in this process that count by bolts of the configuration."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import gevent
import msgspec
from msgspec.structs import replace
from runtime_harness import AREA, NOON, OTHER_AREA, RunningBroker

from analytics.broker.clients import Publisher
from analytics.broker.wire import Batch, BatchHeader, Part, tagged
from analytics.config import (
    AreaSection,
    Config,
    Game,
    TimersSection,
    WorkerSection,
    areas,
    catalogue,
)
from analytics.config.bolt_sections import BoltSection
from analytics.core.periods import DATES
from analytics.core.reference import Reference
from analytics.rebuild.run import Rebuild
from analytics.rebuild.selection import RebuildResult, Selection
from analytics.runtime.declarations import Declarations
from analytics.runtime.worker import Worker
from analytics.store import MemoryStore, Store
from analytics.store.store import Document

TOPIC = "gamelog.pvp_log"
PVP = {
    "reads": "pvp_log",
    "by": ["bracket"],
    "measures": {
        "fights": "count",
        "wins": {"count": {"where": "result == 'win'"}},
        "players": {"distinct": "acct"},
        "points": {"sum": "points"},
    },
    "derived": {"win_rate": "percent(wins, fights)"},
}
CHANGED = PVP | {"measures": PVP["measures"] | {"wins": {"count": {"where": "result != 'loss'"}}}}  # type: ignore[operator]


def sections(**tables: Any) -> dict[str, BoltSection]:
    return msgspec.convert(tables, type=dict[str, BoltSection])


class Kept(MemoryStore):
    """A store that outlives its users."""

    def close(self) -> None:
        """Stay."""


def fights(random: Random, count: int) -> list[dict[str, Any]]:
    return [
        {
            "op": {"code": "pvp_log"}, "area": random.choice([AREA, OTHER_AREA]), "ts": NOON - random.choice([0, 60, 3 * 86_400]),
            "data": {
                "acct": random.choice("abcde"), "bracket": random.choice(["2v2", "3v3"]), "points": random.randint(-3, 30),
                "result": random.choice(["win", "loss", "draw"]),
            },
        }
        for _ in range(count)
    ]  # fmt: skip


class Suite:
    """A broker and a worker in this process, with journals of what is sent."""

    def __init__(self, data: Path, store: Store, tables: dict[str, BoltSection]) -> None:
        self.store = store
        self.sent: list[dict[str, Any]] = []
        self.worker: Worker | None = None
        self.config = Config(
            data=data,
            worker=WorkerSection(flush_seconds=0.05),
            timers=TimersSection(every_seconds=0),
            games={
                "dl": Game(areas={AREA: AreaSection(plat="2001")}),
                "wsdx": Game(areas={OTHER_AREA: AreaSection(plat="1059")}),
            },
            bolts=tables,
        )
        self.broker = RunningBroker(data, catalogue(self.config))
        self.config = replace(self.config, broker=self.broker.section)
        self.publisher = Publisher(self.config.broker, "test")

    def restart(self, tables: dict[str, BoltSection], without_queue: bool = False) -> None:
        """Start again with other bolts."""
        self.kill()
        self.publisher.close()
        self.broker.stop()
        if without_queue:
            shutil.rmtree(self.config.data / "queue")
        self.config = replace(self.config, bolts=tables)
        self.broker.bolts = catalogue(self.config)
        self.broker.start()
        self.publisher = Publisher(self.config.broker, "test")
        self.start()

    def start(self) -> None:
        self.worker = one = Worker(self.config, list(catalogue(self.config)), "worker-main")
        one.start()

        def run() -> None:
            while True:
                one.step()

        self._greenlet = gevent.spawn(run)

    def kill(self) -> None:
        """End the worker wherever it is: nothing is settled or saved."""
        if self.worker is not None:
            self._greenlet.kill()
            self.worker._tasks.stop()
            self.worker.stop()
            self.worker = None

    def send(self, records: Sequence[dict[str, Any]], begin: int | None = None) -> None:
        """Journal and publish records; those from number ``begin`` on are sent once more."""
        first = len(self.sent) + 1 if begin is None else begin
        numbers = range(first, first + len(records))
        lines = tagged("gamelog/test", numbers, [msgspec.json.encode(one) for one in records])
        if begin is None:
            self.sent += records
            (self.config.data / f"gamelog_{201501080000 + first}.txt").write_bytes(b"\n".join(lines) + b"\n")
        header = BatchHeader(
            "gamelog/test", [(numbers[0], numbers[-1])], [Part(TOPIC, len(lines), len(lines))]
        )
        self.publisher.publish(Batch(header, [b"\n".join(lines)])).get(timeout=600)

    def documents(self, name: str = "pvp") -> dict[str, Document]:
        """Return what readers see."""
        return {
            one["_id"]: {
                field: value
                for field, value in one.items()
                if not field.startswith("_") and field not in ("updated", "parts", *DATES)
            }
            for one in self.store.find(name)
        }

    def expected(
        self, name: str = "pvp", records: Sequence[dict[str, Any]] | None = None
    ) -> dict[str, Document]:
        """Return the same, as the reference counts in memory."""
        reference = Reference([catalogue(self.config)[name]], areas(self.config))
        reference.put(TOPIC, self.sent if records is None else records)
        return reference.documents(name)

    def rebuild(self, *names: str) -> RebuildResult:
        bolts = catalogue(self.config)
        return Rebuild(self.config, self.store, self.publisher, Selection(names, (), bolts)).run()

    def disagreements(self) -> list[str]:
        return list(Declarations(self.config, self.store).disagreements(self.config))

    def close(self) -> None:
        self.kill()
        self.publisher.close()
        self.broker.stop()
