"""Documents derived from journals again: what tasks of a backfill do.

    blocks ── fold ──▶ deltas, by portion of the documents ── derive, bolts that read spouts ──▶ documents that differ, written
                                       ▲                                    │
                                       └──── tuples of these documents ─────┘ derive, bolts that read those, and so on

A portion has documents of some areas and stretches of time, so the memory of a task does not grow with the journals.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from zlib import crc32

import msgspec

from analytics.core.agree import NOTHING, ValueChanged, agreed_states, differences
from analytics.core.bolt import Bolt, Key
from analytics.core.combine import Deltas, combine
from analytics.core.derive import Rewritten, States
from analytics.core.document import Position
from analytics.core.fold import Delta
from analytics.engine.blocks import read
from analytics.engine.context import TaskProcess
from analytics.engine.extents import load_extent, write_portions
from analytics.engine.fold import Cutter
from analytics.engine.tasks import Extent, Extents, FoldTask, Summary
from analytics.rebuild.check import Check, load_checks
from analytics.rebuild.group import tuple_of
from analytics.rebuild.write import replace_documents, replacement
from analytics.store.store import Document, is_version, is_within

STRETCH_SECONDS = 30 * 86_400
"""Of documents that lie in one portion."""

AT_ONCE = 200

_IDS = -1
"""No portion: what lies there are ids of documents."""

Spans = Mapping[str, tuple[int | None, int | None]]
"""Per area the bounds of the periods that are wanted, Unix seconds; None: no bound."""


@dataclass(frozen=True, slots=True)
class DerivationScope:
    """Which documents to derive.

    Attributes:
        bolts: names of those whose documents are compared and written.
        sources: names of the others that they read, directly or through others.
        spans: of the areas whose documents are wanted.
        low: per bolt and area, from when on (Unix seconds) all of the journals' records are there.
        horizons: per bolt and area, from when on documents are kept: earlier ones were dropped, and are left alone.
        portions: how many parts the documents are divided into.
        batch: documents are complete to this one, which is the last that was committed.
    """

    bolts: frozenset[str]
    sources: frozenset[str]
    spans: Spans
    low: Mapping[tuple[str, str], int]
    portions: int
    batch: int
    horizons: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def reads(self, bolt: Bolt, key: Key) -> bool:
        """Whether a document, or what follows from it, is wanted."""
        if key[0] not in self.spans:
            return False
        return bolt.period is None or is_within(key[1], *self.spans[key[0]])

    def is_complete(self, bolt: Bolt, key: Key) -> bool:
        """Whether all records of a document are in the journals."""
        low = self.low.get((bolt.name, key[0]), 0)
        return not low if bolt.period is None else bool(key[1] >= low)

    def is_dropped(self, bolt: Bolt, key: Key) -> bool:
        """Whether a document is of a period that is no longer kept."""
        return bolt.period is not None and bool(key[1] < self.horizons.get((bolt.name, key[0]), 0))

    def portion(self, bolt: Bolt, key: Key) -> int:
        """Return where a document belongs."""
        place = bolt.id_of(key) if bolt.period is None else f"{key[0]}:{key[1] // STRETCH_SECONDS}"
        return crc32(place.encode()) % self.portions


@dataclass(slots=True)
class DerivedPortion:
    """What deriving a portion came to.

    Attributes:
        looked: per bolt, documents that were compared.
        changed: per bolt and "changed" or "missing", documents that were written.
        left_out: per bolt, documents whose records are not all there.
        refused: per bolt, documents that were written by others meanwhile, or can't be read.
        starts: per bolt and area, the starts of the periods whose documents were written.
        kept: per bolt and area, documents that there should be, but for those whose ids look like those of parts.
        ids: where the ids of all of them lie, by bolt.
        repeated: whether a task has begun more than once: documents that the other one wrote are not in ``starts``.
        extents: what follows for bolts that read these.
    """

    looked: Counter[str] = field(default_factory=Counter)
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    starts: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    kept: Counter[tuple[str, str]] = field(default_factory=Counter)
    ids: list[Extent] = field(default_factory=list)
    repeated: bool = False
    extents: dict[int, Extent] = field(default_factory=dict)

    def add(self, other: "DerivedPortion") -> None:
        self.looked += other.looked
        self.changed += other.changed
        self.left_out += other.left_out
        self.refused += other.refused
        self.kept += other.kept
        self.ids += other.ids
        self.repeated |= other.repeated
        for key, starts in other.starts.items():
            self.starts.setdefault(key, set()).update(starts)


def fold_again(
    process: TaskProcess, task: FoldTask, wanted: DerivationScope, path: str
) -> tuple[Summary, Extents]:
    """Fold a block for the wanted documents; write the deltas to a file whose name begins with ``path``."""
    cutter = Cutter(task, process.rules)
    names = wanted.bolts | wanted.sources
    topics = {topic for name in names for topic in process.bolts[name].reads}
    portions: dict[int, Deltas] = {}
    for piece in read(process.context.shared, task.block):
        for topic, body in cutter.cut(piece).items():
            if topic in topics:
                folded, _ = process.folder.fold(topic, wanted.batch, body, names)
                _divide(process, wanted, folded, portions)
    cutter.summary.names = cutter.names()
    cutter.summary.unusable = []  # the batch that had them has reported them
    return cutter.summary, write_portions(portions, str(_own_file(path)))


def derive(
    process: TaskProcess, wanted: DerivationScope, level: frozenset[str], extents: Iterable[Extent], path: str
) -> DerivedPortion:
    """Derive a portion's documents of the bolts ``level``; write those that differ, and what follows from them to a file whose name
    begins with ``path``."""
    file = _own_file(path)
    deltas: Deltas = {}
    for extent in extents:
        for name, documents in load_extent(extent).items():
            for key, some in documents.items():
                for delta in some:
                    combine(deltas, process.bolts, {name: {key: delta}})
    process.store.barrier()
    done, following, ids = DerivedPortion(), dict[int, Deltas](), dict[str, list[str]]()
    for name in sorted(level & deltas.keys()):
        bolt = process.bolts[name]
        keys = list(deltas[name])
        for begin in range(0, len(keys), AT_ONCE):
            some_keys = keys[begin : begin + AT_ONCE]
            states = {key: _states(bolt, deltas[name][key]) for key in some_keys}
            if name in wanted.bolts:
                ids.setdefault(name, []).extend(map(bolt.id_of, some_keys))
                done.kept.update(
                    (name, key[0])
                    for key in some_keys
                    if "#" not in bolt.id_of(key) and not wanted.is_dropped(bolt, key)
                )
            versions = _repair(process, wanted, bolt, states, done)
            readers = [one for one in wanted.bolts | wanted.sources if name in process.bolts[one].reads]
            if readers:
                lines = [
                    msgspec.json.encode(tuple_of(bolt, key, one, process.areas, versions.get(key, 0)))
                    for key, one in states.items()
                ]
                folded, _ = process.folder.fold(name, wanted.batch, b"\n".join(lines), readers)
                _divide(process, wanted, folded, following)
    done.extents = write_portions(following | {_IDS: ids}, str(file))
    done.ids = [done.extents.pop(_IDS)]
    done.repeated = len(list(file.parent.glob(f"{file.stem}.*"))) > 1
    return done


def _own_file(path: str) -> Path:
    """Make a file for one run of a task: another run of the same one may be under way."""
    file = Path(f"{path}.{token_hex(8)}")
    file.touch()
    return file


def _divide(
    process: TaskProcess,
    wanted: DerivationScope,
    folded: Mapping[str, Mapping[Key, Delta]],
    portions: dict[int, Deltas],
) -> None:
    """Add what was folded to the portions of the documents that it changes."""
    for name, deltas in folded.items():
        bolt = process.bolts[name]
        for key, delta in deltas.items():
            if wanted.reads(bolt, key):
                there = portions.setdefault(wanted.portion(bolt, key), {})
                combine(there, process.bolts, {name: {key: delta}})


def _states(bolt: Bolt, deltas: Iterable[Delta]) -> States:
    states = [measure.empty() for measure in bolt.measures.values()]
    for delta in deltas:
        for (place, merge, *_), more in zip(bolt.readers[delta.topic], delta.states, strict=True):
            states[place] = merge(states[place], more)
    return states


def _repair(
    process: TaskProcess,
    wanted: DerivationScope,
    bolt: Bolt,
    states: Mapping[Key, States],
    done: DerivedPortion,
) -> dict[Key, int]:
    """Compare documents with those stored, and write those that differ; return the versions that are stored then."""
    keys = {bolt.id_of(key): key for key in states}
    stored = process.store.load(bolt.name, list(keys))
    versions = {keys[id_]: one["_v"] for id_, one in stored.items() if is_version(one)}
    if bolt.name not in wanted.bolts:
        return versions
    keys = {id_: key for id_, key in keys.items() if not wanted.is_dropped(bolt, key)}
    complete = {id_: key for id_, key in keys.items() if wanted.is_complete(bolt, key)}
    done.looked[bolt.name] += len(complete)
    done.left_out[bolt.name] += len(keys) - len(complete)
    wrong: dict[str, Check] = {}
    for id_, key in complete.items():
        check = _check(process, wanted, bolt, key, states[key], stored.get(id_))
        if check is None:
            done.refused[bolt.name] += 1
        elif check.what:
            wrong[id_] = check
    texts = {id_: _text(process, wanted, bolt, check) for id_, check in wrong.items()}
    refused = replace_documents(process.store, bolt, wrong, texts) if wrong else set()
    done.refused[bolt.name] += len(refused)
    for id_ in wrong.keys() - refused:
        key = complete[id_]
        versions[key] = texts[id_].document["_v"]
        done.changed[bolt.name, wrong[id_].what] += 1
        if bolt.period and (bolt.publishes or bolt.totals):
            done.starts.setdefault((bolt.name, key[0]), set()).add(key[1])
    return versions


def _check(
    process: TaskProcess,
    wanted: DerivationScope,
    bolt: Bolt,
    key: Key,
    states: States,
    document: Document | None,
) -> Check | None:
    """Return what a document should say beside what it says; None where nobody may judge it."""
    if document is None:
        return Check(key, None, None, states)
    [check] = load_checks(process.store, bolt, [document])
    header = check.header
    if header is None:
        gone = process.store.remove(bolt.name, document["_id"], document.get("_v"))
        return Check(key, None, None, states) if gone else None
    if any(number > wanted.batch for number in header.included(process.context.log).values()):
        return None
    check.key, check.states = key, states
    # Of tuples, a document may know an earlier version that said the same.
    agreed = agreed_states(bolt, states, states, document, check.parts)
    check.differences = differences(bolt, key, agreed, process.areas, document, check.parts)
    if header.at is None:
        check.differences["_at"] = ValueChanged(document.get("_at", NOTHING), NOTHING)
    return check


def _text(process: TaskProcess, wanted: DerivationScope, bolt: Bolt, check: Check) -> Rewritten:
    assert check.key is not None and check.states is not None
    log = process.context.log
    at = Position(log, dict.fromkeys(bolt.reads, wanted.batch))
    before = check.header.before_log(bolt, log) if check.header else None
    return replacement(bolt, check.key, check.states, process.areas, check, at, before, check.has_parts(bolt))


def levels(bolts: Mapping[str, Bolt], names: Iterable[str]) -> Iterator[frozenset[str]]:
    """Yield bolts, each after those that it reads: together what can be derived at once."""
    left = dict.fromkeys(names)
    while left:
        level = frozenset(name for name in left if not any(topic in left for topic in bolts[name].reads))
        yield level
        for name in level:
            del left[name]
