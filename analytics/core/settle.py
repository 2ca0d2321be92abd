"""Settling: from a stored document and what messages change in it to the document's next versions. Pure.

A document remembers, in `_at`, the number of each topic through which it is complete, and has a version
`_v`. Whoever writes it does so on condition that it still has the version that was read, so a change is
either in the document together with its numbers, or not at all.

A Queue that was removed comes back as another log, whose numbers begin anew. The document then remembers its
numbers in the log before, in `_at.before`: a worker that still holds messages of that one folds in only what is
missing, and does not turn the document back to it.

A change too large for one write takes several versions. All but the last only add list items, show the
totals of before, and say in `_at.toward` what messages their items may come from: whoever folds those again
publishes all of their items, since an item that the list holds already may never have been published.

Long lists live in parts. The main document holds the open end of the list; when that has grown to
`PART_SIZE`, the next version moves it, exactly as it was stored, to sealed parts `<_id>#1`, `<_id>#2`, …
What is sealed depends only on the stored version, and a version is written by one writer only: so parts
may be written again by anybody, at any time, and always say the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.fold import Delta
from analytics.core.measures import Distinct, Growing

PART_SIZE = 2_000
STEP_SIZE = 5 * PART_SIZE

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a bolt has folded, in one log: per topic the number of the last message it includes."""

    log: str
    numbers: Mapping[str, int]


class Step(NamedTuple):
    """One version of a document, to be written after its parts and on condition of the version before.

    ``stale`` are ids of parts that nothing refers to once the document is written.
    """

    parts: list[Fields]
    document: Fields
    stale: list[str]


@dataclass(slots=True)
class Settled:
    """What has to be written for one document, in order, and the tuple to publish afterwards.

    ``known`` is the document after the last step. The tuple of a bolt that publishes none says only what the
    change accounts for.
    """

    known: "Known"
    steps: list[Step]
    tuple: Fields


@dataclass(slots=True)
class Known:
    """A document as its bolt knows it: as stored, with every measure's state ready for more.

    Attributes:
        states: a state per measure of the bolt.
        shown: the fields that the measures wrote, without lists.
        open: per list field, what the main document holds of it. Documents share these lists: they never change.
        first, last: numbers of the sealed parts; ``last`` is ``first - 1`` where there are none.
        sealed: items in sealed parts, over all lists.
        toward: the position of a change that may be half written: its list items are there, or some of them.
        before: what the document includes of the log before ``log``, if there was one.
        head: the fields that never change, once the document has been written from here.
    """

    bolt: Bolt
    key: Key
    states: list[Any]
    version: int = 0
    log: str = ""
    numbers: dict[str, int] = field(default_factory=dict)
    shown: Fields = field(default_factory=dict)
    open: dict[str, list[Any]] = field(default_factory=dict)
    first: int = 1
    last: int = 0
    sealed: int = 0
    toward: Position | None = None
    before: Position | None = None
    head: Fields = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Items that the document's lists hold: a measure of the memory it takes."""
        return self.sealed + sum(map(len, self.open.values()))

    def included(self, log: str) -> Mapping[str, int]:
        """Return, per topic of ``log``, the number through which the document has all changes."""
        if self.log == log:
            return self.numbers
        return self.before.numbers if self.before and self.before.log == log else {}

    def half_included(self, log: str) -> Mapping[str, int]:
        """Return, per topic of ``log``, the number through which its lists may already hold items of changes."""
        return self.toward.numbers if self.toward and self.toward.log == log else {}


def unknown(bolt: Bolt, key: Key) -> Known:
    """Return the document of ``key`` as it is before its first version."""
    return Known(bolt, key, [measure.empty() for measure in bolt.measures.values()])


def part_ids(document: Mapping[str, Any]) -> list[str]:
    """Return the ids of a stored document's sealed parts, in order."""
    parts = document.get("parts")
    if not parts:
        return []
    stem, first = parts["first"].rsplit("#", 1)
    return [f"{stem}#{n}" for n in range(int(first), int(first) + parts["count"])]


def known(bolt: Bolt, key: Key, document: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> Known:
    """Return a stored document, with all of its parts in order, as its bolt knows it."""
    whole = dict(document)
    for name in bolt.list_fields:
        whole[name] = [item for part in parts for item in part.get(name, ())] + list(document.get(name, ()))
    states = [measure.load(name, whole) for name, measure in bolt.measures.items()]
    ids = part_ids(document)
    first = int(ids[0].rsplit("#", 1)[1]) if ids else 1
    at = document["_at"]
    return Known(
        bolt,
        key,
        states,
        version=document["_v"],
        log=at["log"],
        numbers=dict(at["topics"]),
        shown={name: document[name] for name in bolt.show(states) if name in document},
        open={name: list(document.get(name, ())) for name in bolt.list_fields},
        first=first,
        last=first + len(ids) - 1,
        sealed=sum(len(part.get(name, ())) for part in parts for name in bolt.list_fields),
        toward=Position(**at["toward"]) if "toward" in at else None,
        before=Position(**at["before"]) if "before" in at else None,
    )


def settle(document: Known, deltas: Iterable[Delta], to: Position, areas: Areas) -> Settled:
    """Fold into ``document`` what it does not include yet of ``deltas``, and return what to write.

    ``document`` then stands for the state after the last step has been written; where a write is refused
    it must be thrown away and loaded anew. Deltas that the document includes are published once more,
    since nobody knows whether their tuple went out: readers take tuples by their meaning, so that twice
    is as good as once.

    Args:
        deltas: all changes of this document up to ``to``, complete.
        to: the position that the document will be complete to.
    """
    seal = _seal(document)
    change = _Change(document.bolt)
    _fold_in(document, deltas, to.log, change)
    shown = document.bolt.show(document.states)
    steps: list[Step] = []
    if change.counts or document.version == 0 or shown != document.shown or any(change.fresh.values()):
        steps = list(_steps(document, seal, change.fresh, shown, to, areas))
    return Settled(document, steps, _published(document, change, areas))


class _Change:
    """What deltas add to one document.

    Attributes:
        fresh: per list field, the items that are new.
        again: per list field, items of deltas that the document includes, or half includes.
        tuples: the spout tuples that the deltas account for.
        counts: whether something was counted, if only to cancel out: the document must say that it has it.
    """

    __slots__ = ("again", "counts", "fresh", "tuples")

    def __init__(self, bolt: Bolt) -> None:
        self.fresh: dict[str, list[Any]] = {name: [] for name in bolt.list_fields}
        self.again: dict[str, set[Any]] = {}
        self.tuples = 0
        self.counts = False


def _fold_in(document: Known, deltas: Iterable[Delta], log: str, change: _Change) -> None:
    states, readers = document.states, document.bolt.readers
    included, half = document.included(log), document.half_included(log)
    for delta in deltas:
        topic, number = delta.topic, delta.number
        change.tuples += delta.tuples
        new = number > included.get(topic, 0)
        if not new or number <= half.get(topic, 0):
            _see_again(delta, document.bolt, change)
        if not new:
            continue
        for (place, measure, growing), more in zip(readers[topic], delta.states, strict=True):
            if growing is not None:
                change.fresh[growing.list_field] += growing.absorb(states[place], more)
            else:
                change.counts |= measure.cancels
                states[place] = measure.merge(states[place], more)


def _see_again(delta: Delta, bolt: Bolt, change: _Change) -> None:
    for (_, measure, growing), more in zip(bolt.readers[delta.topic], delta.states, strict=True):
        if growing is not None and isinstance(measure, Distinct):
            change.again.setdefault(growing.list_field, set()).update(more)


@dataclass(frozen=True, slots=True)
class _Seal:
    """Lists that leave the main document for sealed parts: all of them once more, or just the open ends."""

    lists: dict[str, list[Any]]
    compacts: bool


def _seal(known: Known) -> _Seal | None:
    """Decide, by nothing but the stored version, what the next version moves to sealed parts."""
    if max(map(len, known.open.values()), default=0) < PART_SIZE:
        return None
    if known.bolt.lists_go_stale and known.toward is None:
        measures = known.bolt.measures.values()
        lists = {
            measure.list_field: measure.compact(state)
            for measure, state in zip(measures, known.states, strict=True)
            if isinstance(measure, Growing)
        }
        if known.size > 2 * sum(map(len, lists.values())) + PART_SIZE:
            return _Seal(lists, compacts=True)
    return _Seal(known.open, compacts=False)


def _steps(
    known: Known, seal: _Seal | None, fresh: dict[str, list[Any]], shown: Fields, to: Position, areas: Areas
) -> Iterator[Step]:
    """Yield one step, or, where the lists grow by much, several so that none is too large.

    Only the last one shows the new totals and takes `_at` along. If it is never written, the list items
    of those before it are found in the lists again when the same messages are folded once more. No version
    that follows a half written one compacts its lists, since that must depend on whole versions.
    """
    total = max([1, *map(len, fresh.values())])
    if total > STEP_SIZE and not known.version:
        known.shown = known.bolt.show([measure.empty() for measure in known.bolt.measures.values()])
    for begin in range(0, total, STEP_SIZE):
        if begin:
            seal = _seal(known)
        stale = _id_range(known) if seal and seal.compacts else []
        parts = _move(known, seal) if seal else []
        for name, items in fresh.items():
            known.open[name] = known.open.get(name, []) + items[begin : begin + STEP_SIZE]
        known.version += 1
        if begin + STEP_SIZE >= total:
            _complete(known, shown, to)
        else:
            known.toward = _furthest(known.toward, to)
        yield Step(parts, _document(known, areas), stale)


def _complete(known: Known, shown: Fields, to: Position) -> None:
    """Take the document's totals and position to ``to``; what went further, only half, stays remembered."""
    known.shown = shown
    if known.before and known.before.log == to.log != known.log:
        known.before = _furthest(known.before, to)
    elif known.log == to.log:
        known.numbers = _further(known.numbers, to.numbers)
    else:
        if known.log:
            known.before = Position(known.log, known.numbers)
        known.log, known.numbers = to.log, dict(to.numbers)
    half = known.toward
    if half and (
        half.log != known.log or all(n <= known.numbers.get(topic, 0) for topic, n in half.numbers.items())
    ):
        known.toward = None


def _furthest(at: Position | None, to: Position) -> Position:
    """Return ``to``, and in the same log for each topic the further of both."""
    if at is None or at.log != to.log:
        return to
    return Position(to.log, _further(at.numbers, to.numbers))


def _further(numbers: Mapping[str, int], to: Mapping[str, int]) -> dict[str, int]:
    """Return for each topic the higher number."""
    result = {**numbers, **to}
    for topic, number in numbers.items():
        if number > result[topic]:
            result[topic] = number
    return result


def _move(known: Known, seal: _Seal) -> list[Fields]:
    """Move the sealed lists out of the open ones; return the parts to write."""
    if seal.compacts:
        known.first, known.sealed = known.last + 1, 0
    stem = known.bolt.id_of(known.key)
    parts = []
    for begin in range(0, max(map(len, seal.lists.values())), PART_SIZE):
        known.last += 1
        part = {"_id": f"{stem}#{known.last}", "part_of": stem, "part": known.last}
        parts.append(part | {name: items[begin : begin + PART_SIZE] for name, items in seal.lists.items()})
    known.sealed += sum(map(len, seal.lists.values()))
    known.open = {name: [] for name in seal.lists}
    return parts


def _id_range(known: Known) -> list[str]:
    stem = known.bolt.id_of(known.key)
    return [f"{stem}#{n}" for n in range(known.first, known.last + 1)]


def _document(known: Known, areas: Areas) -> Fields:
    if not known.head:
        known.head = {"_id": known.bolt.id_of(known.key), **_about(known, areas)}
    document = known.head | known.shown
    document.update(known.open)
    if known.last >= known.first:
        document["parts"] = {
            "count": known.last - known.first + 1,
            "first": f"{known.head['_id']}#{known.first}",
            "last": f"{known.head['_id']}#{known.last}",
        }
    at: Fields = {"log": known.log, "topics": known.numbers}
    if known.before:
        at["before"] = {"log": known.before.log, "numbers": known.before.numbers}
    if known.toward:
        at["toward"] = {"log": known.toward.log, "numbers": known.toward.numbers}
    document["_v"] = known.version
    document["_at"] = at
    return document


def _about(known: Known, areas: Areas) -> Fields:
    """Return the fields that follow from the document's key."""
    bolt, area = known.bolt, areas[known.key[0]]
    return {"game": area.game, "plat": area.plat, **bolt.fields_of(known.key), **bolt.constants}


def _published(known: Known, change: _Change, areas: Areas) -> Fields:
    if not known.bolt.publishes:
        return {"tuples": change.tuples}
    fields = _about(known, areas)
    fields |= {name: value for name, value in known.shown.items() if not name.startswith("_")}
    for name, items in change.fresh.items():
        if not name.startswith("_"):
            again = change.again.get(name)
            fields[name] = items + sorted(again.difference(items)) if again else items
    return fields | {"version": known.version, "tuples": change.tuples}
