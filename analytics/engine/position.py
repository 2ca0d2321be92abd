"""How far an engine is, kept in the store: the last batch that is committed, and the plans of batches.

    positions       {"_id": "engine", "id": "5f0c…", "batch": 17, "frozen": false, "ends": [["gamelog_202501010000.txt", 4096]], …, "_v": 35}
    engine_plans    {"_id": "000000000018", "plan": <msgpack>, "_v": 1}

A plan is inserted first and frozen then, by a write of the position on condition of its version. So a plan that is there
without being frozen has changed nothing; who finds it executes it as it is. Plans are kept for a while after their batch:
where a backup has documents that are newer than its position, the same batches are executed again, and count once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import msgspec

from analytics.core.writing import Written
from analytics.engine.tasks import FoldTask, Names
from analytics.errors import AnalyticsError
from analytics.runtime.engine_progress import ENGINE
from analytics.store import POSITIONS, Store, Write

PLANS = "engine_plans"

PLANS_KEPT = 20_000
"""Of committed batches: hours of them, as a backup may take so long."""

FORGETTING = "forget"
"""The holder of the position while accts are being forgotten: it holds it until that has ended, also where it was interrupted."""

HELD_SECONDS = 60.0
"""A holder of the position that has not renewed it for this long has died."""

MOST_PLAN_BYTES = 12 << 20


class DriverOvertaken(AnalyticsError):
    """Another driver has gone on from the saved position."""

    def __init__(self) -> None:
        super().__init__(
            "another driver of the engine has gone on meanwhile; beginning again where it stands"
        )


class PlanTooLarge(AnalyticsError):
    """A plan does not fit into a document: fewer bytes have to be planned."""


class Plan(msgspec.Struct, frozen=True, array_like=True):
    """A batch as it is executed, by whichever driver, however often.

    Attributes:
        tasks: blocks, each without what counted before or counts in an earlier one.
        names: the records that count.
        rules: the fingerprint of what it counts by, see :mod:`analytics.engine.rules`; "" if that was not noted.
    """

    tasks: list[FoldTask]
    names: Names
    rules: str = ""


@dataclass(frozen=True)
class SavedPosition:
    """What is stored.

    Attributes:
        id: random, made with the first position.
        batch: the last batch that is committed; 0 before the first one.
        frozen: whether documents may have been written by the plan of the next batch.
        ends: per journal that spouts report, the byte before which everything is in committed batches. Others are in
            :mod:`analytics.engine.journals`.
        records: per topic, how many records count in all of them.
        sources: per spout and configured source, as "gamelog/s1", how many records count in all of them.
        repeated: how many lines named a record once more.
        written: per bolt, some of the documents that were written last: the store should have them.
        at: when the batch was committed, in Unix seconds; 0 before the first one.
        held: who has stopped batches for a while, "" if nobody has; see :data:`FORGETTING`.
        backfills: how often that was, so a driver knows that documents may have been written by others.
        version: of the stored document.
    """

    id: str
    batch: int = 0
    frozen: bool = False
    ends: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0
    written: Mapping[str, Written] = field(default_factory=dict)
    at: float = 0.0
    held: str = ""
    backfills: int = 0
    version: int = 0

    @property
    def log(self) -> str:
        """The identity that documents keep in ``_at``."""
        return f"engine:{self.id}"


class EnginePosition:
    """The saved position, and plans. Every change of it is made on condition of the version that was read.

    Every method raises Unavailable if the store does not answer: then :meth:`load` says whether a change took effect.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> SavedPosition:
        """Return what is stored; make a position where there is none."""
        self._store.barrier()
        while True:
            found = self._store.load(POSITIONS, [ENGINE]).get(ENGINE)
            if found is not None:
                return _saved(found)
            self._store.write(POSITIONS, [_write(SavedPosition(token_hex(8)))])

    def plan(self, batch: int) -> Plan | None:
        """Return the plan of a batch, None if there is none."""
        found = self._store.load(PLANS, [_id(batch)]).get(_id(batch))
        return None if found is None else msgspec.msgpack.decode(found["plan"], type=Plan)

    def propose(self, batch: int, plan: Plan) -> None:
        """Keep a plan. Raise PlanTooLarge if it does not fit, DriverOvertaken if there is one already."""
        text = msgspec.msgpack.encode(plan)
        if len(text) > MOST_PLAN_BYTES:
            raise PlanTooLarge(f"the plan of batch {batch} takes {len(text):,} bytes")
        document = {"plan": text, "updated": datetime.now(UTC), "_v": 1}
        if self._store.write(PLANS, [Write(_id(batch), document, 0)]):
            raise DriverOvertaken

    def freeze(self, saved: SavedPosition) -> SavedPosition:
        """Say that the next batch's plan is executed from now on."""
        return self._replace(replace(saved, frozen=True))

    def commit(self, saved: SavedPosition) -> SavedPosition:
        """Say that a batch's documents, and all that others need of it, are written."""
        committed = self._replace(replace(saved, frozen=False, at=datetime.now(UTC).timestamp()))
        self._store.delete(PLANS, [_id(saved.batch - PLANS_KEPT)])
        return committed

    def hold(self, saved: SavedPosition, by: str) -> SavedPosition:
        """Stop batches; the holder ``by`` has to call this again within :data:`HELD_SECONDS`."""
        return self._replace(replace(saved, held=by, backfills=saved.backfills + (saved.held != by)))

    def resume(self, saved: SavedPosition) -> SavedPosition:
        """Let batches go on, where no number has changed meanwhile."""
        return self._replace(replace(saved, held=""))

    def reopen(self, saved: SavedPosition, ends: Mapping[str, int]) -> SavedPosition:
        """Add ends of journals that were left out."""
        return self._replace(replace(saved, ends={**ends, **saved.ends}))

    def is_held(self) -> bool:
        """Whether batches are stopped, as far as one read says."""
        return bool(self._store.load(POSITIONS, [ENGINE]).get(ENGINE, {}).get("held"))

    def release(self, saved: SavedPosition) -> SavedPosition:
        """Let batches go on. What was written meanwhile is a batch of its own, without records: readers of changes learn of it."""
        batch = saved.batch + 1
        document = {"plan": msgspec.msgpack.encode(Plan([], {})), "updated": datetime.now(UTC), "_v": 1}
        self._store.write(PLANS, [Write(_id(batch), document, None)])
        return self._replace(replace(saved, held="", batch=batch))

    def _replace(self, saved: SavedPosition) -> SavedPosition:
        if self._store.write(POSITIONS, [_write(saved)]):
            raise DriverOvertaken
        return replace(saved, version=saved.version + 1)


_PAIRS = ("ends", "records", "sources")
"""Fields that are stored as pairs, since names of fields have no dots."""


def _id(batch: int) -> str:
    return f"{batch:012d}"


def _write(saved: SavedPosition) -> Write:
    document: dict[str, Any] = {name: value for name, value in vars(saved).items() if name != "version"}
    document |= {name: [list(pair) for pair in document[name].items()] for name in _PAIRS}
    document["written"] = [
        [bolt, id_, version, at]
        for bolt, some in saved.written.items()
        for id_, (version, at) in some.items()
    ]
    return Write(ENGINE, document | {"updated": datetime.now(UTC), "_v": saved.version + 1}, saved.version)


def _saved(document: Mapping[str, Any]) -> SavedPosition:
    written: dict[str, Written] = {}
    for bolt, id_, version, at in document["written"]:
        written.setdefault(bolt, {})[id_] = version, at
    known = {field.name: document[field.name] for field in fields(SavedPosition) if field.name in document}
    pairs = {name: dict(document.get(name, ())) for name in _PAIRS}
    return SavedPosition(**known | pairs | {"written": written, "version": document["_v"]})
