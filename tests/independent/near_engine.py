"""An engine in this process, journals that a test writes, and drivers that die, stall and wake."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace
from plain_numbers import Record

from analytics.config import Config, areas, catalogue
from analytics.config.sections import EngineSection
from analytics.core.combine import Deltas
from analytics.core.fold import Folder
from analytics.core.periods import DATES
from analytics.core.reference import Reference
from analytics.engine.context import Context, TaskProcess
from analytics.engine.engines import BatchEngine, TaskCall
from analytics.engine.fold import fold
from analytics.engine.live import EngineDriver
from analytics.engine.settle import settle_areas
from analytics.engine.tasks import AreaSettled, Folded, FoldTask, Summary
from analytics.spouts.ends import Ends
from analytics.spouts.rules import Rules
from analytics.store import MemoryStore, Store
from analytics.store.store import Document, Write

Stored = dict[tuple[str, str], dict[str, Any]]


_made: dict[str, tuple[Folder, Rules]] = {}
"""By games, what takes longest to make for a process."""


class InlineEngine:
    """Runs tasks one after the other, in this process.

    Args:
        processes: how many there are to run tasks, each with a cache of its own.
    """

    def __init__(self, store: Store, random: Random, processes: int = 2) -> None:
        self.tasks = processes
        self._store = store
        self._random = random
        self._processes: list[TaskProcess] = []
        self.batches: list[InlineBatch] = []
        self.twice = 0.0

    def start(self, context: Context) -> None:
        self._processes = [TaskProcess(context, self._store) for _ in range(self.tasks)]
        games = repr(context.config.games)
        if games not in _made:
            _made[games] = self._processes[0].folder, self._processes[0].rules
        for process in self._processes:
            process.folder, process.rules = _made[games]

    def process(self) -> TaskProcess:
        return self._random.choice(self._processes)

    def fold(self, number: int, tasks: Sequence[FoldTask]) -> "InlineBatch":
        self.batches.append(InlineBatch(self, number, tasks, self._random))
        return self.batches[-1]

    def each(self, calls: Sequence[TaskCall]) -> Iterator[tuple[TaskCall, Any]]:
        """Run each call, some of them twice, as a cluster does."""
        for call in self._random.sample(list(calls), len(calls)):
            if self._random.random() < self.twice:
                call.work(self.process(), *call.arguments)
            yield call, call.work(self.process(), *call.arguments)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        folder = self._processes[0].context.config.data / "scratch"
        folder.mkdir(exist_ok=True)
        yield folder

    def state(self) -> dict[str, Any]:
        return {"tasks_lost": 0, "executors": self.tasks, "error": ""}

    def close(self) -> None:
        """Do nothing."""


class InlineBatch:
    """Blocks that were folded, in memory."""

    def __init__(self, engine: InlineEngine, number: int, tasks: Sequence[FoldTask], random: Random) -> None:
        self._engine, self.number, self._random = engine, number, random
        self._folded: list[Folded] = [fold(engine.process(), task, number) for task in tasks]

    @property
    def summaries(self) -> list[Summary]:
        return [one.summary for one in self._folded]

    def again(self, tasks: Mapping[int, FoldTask]) -> None:
        for place, task in tasks.items():
            self._folded[place] = fold(self._engine.process(), task, self.number)

    def areas(self) -> dict[str, Deltas]:
        """Return what changes, by area, in any order, some of it combined."""
        found: dict[str, Deltas] = {}
        for one in self._random.sample(self._folded, len(self._folded)):
            for area, deltas in one.areas.items():
                there = found.setdefault(area, {})
                for bolt, keys in deltas.items():
                    for key, some in keys.items():
                        there.setdefault(bolt, {}).setdefault(key, []).extend(some)
        return found

    def settle(self) -> Iterator[AreaSettled]:
        left = self.areas()
        while left:
            names = self._random.sample(list(left), self._random.randrange(1, len(left) + 1))
            yield from settle_areas(
                self._engine.process(), {area: left.pop(area) for area in names}, self.number
            )

    def close(self) -> None:
        """Keep what was folded: a task that stalls holds it, too."""


class Died(BaseException):
    """Ends a driver and its tasks as kill -9 would."""


class SteppedStore:
    """A store whose writes are steps, between any two of which something may happen.

    ``at``: before (or, where ``after`` is set, after) that step ``event`` is called once: a number, counted from 1, or a
    collection and the number of the write to it. ``steps``: the collections that were written to.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.steps: list[str] = []
        self.at: int | tuple[str, int] = 0
        self.after = False
        self.event: Callable[[], None] = lambda: None

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        return self._step(collection, lambda: self._store.write(collection, writes))

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        self._step(collection, lambda: self._store.delete(collection, ids))

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        return self._store.load(collection, ids)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _step(self, collection: str, action: Callable[[], Any]) -> Any:
        self.steps.append(collection)
        here = self.at in (len(self.steps), (collection, self.steps.count(collection)))
        if here and not self.after:
            self.event()
        result = action()
        if here and self.after:
            self.event()
        return result


class NearEngine:
    """Journals, a store, and drivers over both."""

    def __init__(
        self,
        config: Config,
        random: Random,
        block_bytes: int = 3_000,
        batch_bytes: int = 20_000,
        store: Store | None = None,
    ) -> None:
        self.config = replace(config, engine=EngineSection(kind="local"))
        self.random = random
        self.store = store or MemoryStore()
        self.block_bytes, self.batch_bytes = block_bytes, batch_bytes
        self._files: dict[str, int] = {}
        self._ends = Ends(self.config, "test")
        self.written: list[Record] = []

    def journal(self, records: Iterable[Record], files: int = 2) -> None:
        """Append records to one of some journals of each spout, newer ones from time to time, and report what is durable."""
        lines: dict[str, list[bytes]] = defaultdict(list)
        for topic, one in records:
            spout, minute = topic.partition(".")[0], self.random.randrange(files) + len(self._files) // 4
            lines[f"{spout}_{201801010000 + minute}.txt"].append(msgspec.json.encode(one) + b"\n")
            self.written.append((topic, one))
        for name, some in lines.items():
            with (self.config.data / name).open("r+b" if name in self._files else "w+b") as file:
                file.truncate(self._files.get(name, 0))  # what an append that failed has left behind
                file.seek(0, 2)
                file.write(b"".join(some))
                self._files[name] = file.tell()
                file.write(self.random.choice([b"", b'{"id":"gamelog/torn:1","area":"', some[0]]))
        self._ends.report(self._files)

    def driver(
        self, store: Store | SteppedStore | None = None, engine: BatchEngine | None = None
    ) -> EngineDriver:
        """Return a driver, as after a start."""
        used: Any = store or self.store
        engine = engine or InlineEngine(used, self.random)
        section = replace(
            self.config.engine, block_mb=self.block_bytes / 1e6, batch_mb=self.batch_bytes / 1e6
        )
        return EngineDriver(replace(self.config, engine=section), used, engine)

    def finish(self, driver: EngineDriver) -> None:
        """Have the driver do all that waits."""
        while driver.step():
            pass

    def documents(self) -> Stored:
        """Return every document as readers see it, lists complete and sorted, without its dates, which it has."""
        for name in catalogue(self.config):
            assert all({*DATES} <= one.keys() for one in self.store.find(name) if one.get("ts")), name
        return {
            (name, one["_id"]): {
                field: sorted(value, key=str) if isinstance(value, list) else value
                for field, value in self.store.whole(name, one).items()
                if not field.startswith("_") and field not in ("updated", "parts", *DATES)
            }
            for name in catalogue(self.config)
            for one in self.store.find(name)
        }

    def expected(self) -> Stored:
        """Return what bolts should have of all that was written, each record once, by the reference runner."""
        reference = Reference(catalogue(self.config).values(), areas(self.config))
        topics: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for topic, one in {one["id"]: (topic, one) for topic, one in self.written}.values():
            topics[topic].append(one)
        for topic, some in topics.items():
            for begin in range(0, len(some), 500):
                reference.put(topic, some[begin : begin + 500])
        return {
            (name, id_): {
                field: sorted(value, key=str) if isinstance(value, list) else value
                for field, value in document.items()
                if field != "parts"
            }
            for name in catalogue(self.config)
            for id_, document in reference.documents(name).items()
        }


def differing(expected: Stored, found: Stored) -> list[str]:
    """Return, in words, the first documents that differ."""
    return [
        f"{where}: expected {expected.get(where)}, found {found.get(where)}"
        for where in sorted(expected.keys() | found.keys())
        if expected.get(where) != found.get(where)
    ][:5]
