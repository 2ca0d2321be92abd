"""Settling: from a stored document and what messages change in it to the document's next versions. Pure.

A document remembers, in `_at`, the number of each topic through which it is complete, and has a version
`_v`. It is written on condition that it still has the version that was read, so a change is
either in the document together with its numbers, or not at all.

A Queue that was removed comes back as another log, whose numbers start over. The document then remembers its
numbers in the log before, in `_at.before`: a worker that still holds messages of that one folds in only what is
missing, and does not turn the document back to it.

A change too large for one write takes several versions. All but the last only add list items, show the
previous totals, and list in `_at.toward` the messages that their items may come from. If these messages are folded again,
all of their items are published, since an item that is in the list already may never have been published.

Long lists live in parts. The main document holds the open end of the list; when that has grown to
`PART_SIZE`, the next version moves it, exactly as it was stored, to sealed parts `<_id>#1`, `<_id>#2`, …
What is sealed depends only on the stored version, and a version has only one writer: so parts may be written again by
any process at any time, and always have the same content.

If a change removes an item, its version may still list the item, and marks this in `_at.stale`. The next version then
writes all lists again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt
from analytics.core.document import Fields, Known, Position, known, part_ids, unknown
from analytics.core.fold import Delta
from analytics.core.measures import Growing
from analytics.errors import AnalyticsError

PART_SIZE = 2_000
STEP_SIZE = 5 * PART_SIZE

__all__ = ["PART_SIZE", "Fields", "Known", "Position", "known", "part_ids", "settle", "unknown"]


class PartlyIncluded(AnalyticsError):
    """A document includes some of the messages that were folded together, and not all: they have to be folded one by one."""


class Step(msgspec.Struct, gc=False):
    """One version of a document, to be written after its parts and on condition of the version before.

    ``stale`` are ids of parts that nothing refers to once the document is written.
    """

    parts: list[Fields]
    document: Fields
    stale: list[str]


class Settled(msgspec.Struct, gc=False):
    """What has to be written for one document, in order, and the tuple to publish afterwards.

    ``known`` is the document after the last step. The tuple of a bolt that publishes none says only what the
    change accounts for.
    """

    known: Known
    steps: list[Step]
    tuple: Fields


def settle(document: Known, deltas: Iterable[Delta], to: Position, areas: Areas) -> Settled:
    """Fold into ``document`` what it does not include yet of ``deltas``, and return what to write.

    Afterwards, ``document`` is the state after the last step is written. If a write is refused, drop it and load it again.
    Deltas that the document includes are published once more, since their tuple may not have been sent: readers take tuples
    by their meaning, so a repeated tuple changes nothing.

    Args:
        deltas: all changes of this document up to ``to``, complete.
        to: the position that the document will be complete to.

    Raises:
        PartlyIncluded: the document can't take one of ``deltas``. It is unusable now: drop it.
    """
    seal = _seal(document) if document.open else None
    change = _fold_in(document, deltas, to.log)
    shown = document.bolt.show(document.states)
    steps: list[Step] = []
    if (
        change.fresh
        or change.counts
        or not document.version
        or shown != document.shown
        or (seal and seal.compacts)
    ):
        stale = _has_shrunk(document, change.fresh, shown)
        steps = _steps(document, seal, change.fresh, shown, to, areas, stale)
        if document.stale:
            steps.append(_step(document, _seal(document), {}, shown, to, areas))
    return Settled(document, steps, _published(document, change, areas))


class _Change(msgspec.Struct, gc=False):
    """What deltas add to one document.

    Attributes:
        fresh: per list field that has any, the items that are new.
        again: per list field, items of deltas that the document includes, or half includes.
        tuples: the spout tuples that the deltas account for.
        counts: whether something was counted, if only to cancel out: the document must say that it has it.
    """

    fresh: dict[str, list[Any]] = {}
    again: dict[str, set[Any]] = {}
    tuples: int = 0
    counts: bool = False


def _fold_in(document: Known, deltas: Iterable[Delta], log: str) -> _Change:
    change = _Change()
    states, fresh = document.states, change.fresh
    readers, cancelling = document.bolt.readers, document.bolt.cancelling
    included, half = document.included(log), document.half_included(log)
    for delta in deltas:
        topic, number = delta.topic, delta.number
        change.tuples += delta.tuples
        done = included.get(topic, 0)
        new = number > done
        if new and delta.first <= done:
            raise PartlyIncluded(
                f"{document.bolt.name}: document {document.id!r} includes message {done} of {topic}, which was folded together "
                f"with those from {delta.first} to {number}"
            )
        if not new or (half and delta.first <= half.get(topic, 0)):
            _see_again(delta, document.bolt, change)
        if not new:
            continue
        if topic in cancelling:
            change.counts = True
        for (place, merge, absorb, name), more in zip(readers[topic], delta.states, strict=True):
            if absorb is None:
                states[place] = merge(states[place], more)
            elif items := absorb(states[place], more):
                if name in fresh:
                    fresh[name] += items
                else:
                    fresh[name] = items
    return change


def _see_again(delta: Delta, bolt: Bolt, change: _Change) -> None:
    for (name, values_of), more in zip(bolt.named_lists[delta.topic], delta.states, strict=True):
        if name:
            change.again.setdefault(name, set()).update(values_of(more))


def _has_shrunk(document: Known, fresh: Mapping[str, list[Any]], shown: Fields) -> bool:
    """Whether a list may hold other items in the end than there are: of those that a half written change added, some."""
    return any(
        document.toward or document.shown.get(field, 0) + len(fresh.get(name, ())) != shown[field]
        for field, name in document.bolt.shrinking
    )


@dataclass(frozen=True, slots=True)
class _Seal:
    """Lists that leave the main document for sealed parts: all of them once more, or just the open ends."""

    lists: dict[str, list[Any]]
    compacts: bool


def _seal(known: Known) -> _Seal | None:
    """Decide, by nothing but the stored version, what the next version moves to sealed parts."""
    if not known.stale and max(map(len, known.open.values()), default=0) < PART_SIZE:
        return None
    if known.bolt.lists_go_stale and (known.stale or known.toward is None):
        measures = known.bolt.measures.values()
        lists = {
            measure.list_field: measure.compact(state)
            for measure, state in zip(measures, known.states, strict=True)
            if isinstance(measure, Growing)
        }
        if known.stale or known.size > 2 * sum(map(len, lists.values())) + PART_SIZE:
            return _Seal(lists, compacts=True)
    return _Seal(known.open, compacts=False)


def _steps(
    known: Known,
    seal: _Seal | None,
    fresh: dict[str, list[Any]],
    shown: Fields,
    to: Position,
    areas: Areas,
    stale: bool,
) -> list[Step]:
    """Return one step, or, where the lists grow by much, several so that none is too large.

    Only the last one shows the new totals and updates `_at`. If it is never written, the list items
    of those before it are found in the lists again when the same messages are folded once more. No version
    that follows a half written one compacts its lists, since that must depend on whole versions.

    Args:
        stale: whether the lists hold something in the end that has been taken away.
    """
    total = max(map(len, fresh.values()), default=0)
    if total <= STEP_SIZE:
        return [_step(known, seal, fresh, shown, to, areas, stale)]
    if not known.version:
        known.shown = known.bolt.show([measure.empty() for measure in known.bolt.measures.values()])
    steps = []
    for begin in range(0, total, STEP_SIZE):
        if begin:
            seal = _seal(known)
        some = {name: items[begin : begin + STEP_SIZE] for name, items in fresh.items()}
        last = begin + STEP_SIZE >= total
        steps.append(_step(known, seal, some, shown if last else None, to, areas, stale and last))
    return steps


def _step(
    known: Known,
    seal: _Seal | None,
    fresh: Mapping[str, list[Any]],
    shown: Fields | None,
    to: Position,
    areas: Areas,
    stale: bool = False,
) -> Step:
    """Take ``known`` to its next version. ``shown``: what it shows once it is complete, None before that."""
    replaced = _id_range(known) if seal and seal.compacts else []
    parts = _move(known, seal) if seal else []
    for name in known.bolt.list_fields:
        there, items = known.open.get(name), fresh.get(name)
        known.open[name] = there + items if there and items else there or items or []
    known.version += 1
    known.stale |= stale
    if shown is None:
        known.toward = _furthest(known.toward, to)
    else:
        _complete(known, shown, to)
    return Step(parts, _document(known, areas), replaced)


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
        known.log, known.numbers = to.log, to.numbers
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


def _further(numbers: Mapping[str, int], to: Mapping[str, int]) -> Mapping[str, int]:
    """Return for each topic the higher number: ``to`` itself, where it is everywhere."""
    for topic, number in numbers.items():
        if number > to.get(topic, 0):
            return {name: max(numbers.get(name, 0), to.get(name, 0)) for name in {**numbers, **to}}
    return to


def _move(known: Known, seal: _Seal) -> list[Fields]:
    """Move the sealed lists out of the open ones; return the parts to write."""
    if seal.compacts:
        known.first, known.sealed, known.stale = known.last + 1, 0, False
        if not known.last and max(map(len, seal.lists.values())) < PART_SIZE:
            known.open = dict(seal.lists)  # it has never had parts, and needs none
            return []
    stem = known.id
    parts = []
    for begin in range(0, max(map(len, seal.lists.values())), PART_SIZE):
        known.last += 1
        part = {"_id": f"{stem}#{known.last}", "part_of": stem, "part": known.last}
        parts.append(part | {name: items[begin : begin + PART_SIZE] for name, items in seal.lists.items()})
    known.sealed += sum(map(len, seal.lists.values()))
    known.open = {name: [] for name in seal.lists}
    return parts


def _id_range(known: Known) -> list[str]:
    return [f"{known.id}#{n}" for n in range(known.first, known.last + 1)]


def _document(known: Known, areas: Areas) -> Fields:
    document: Fields = {"_id": known.id, **_about(known, areas), **known.shown, **known.open}
    if known.last >= known.first:
        document["parts"] = {
            "count": known.last - known.first + 1,
            "first": f"{known.id}#{known.first}",
            "last": f"{known.id}#{known.last}",
        }
    at: Fields = {"log": known.log, "topics": known.numbers}
    if known.before:
        at["before"] = {"log": known.before.log, "numbers": known.before.numbers}
    if known.toward:
        at["toward"] = {"log": known.toward.log, "numbers": known.toward.numbers}
    if known.stale:
        at["stale"] = True
    document["_v"] = known.version
    document["_at"] = at
    return document


def _about(known: Known, areas: Areas) -> Fields:
    """Return the fields that follow from the document's key, always the same ones."""
    if not known.about:
        bolt, area = known.bolt, areas[known.key[0]]
        known.about = {"game": area.game, "plat": area.plat, **bolt.fields_of(known.key), **bolt.constants}
    return known.about


def _published(known: Known, change: _Change, areas: Areas) -> Fields:
    if not known.bolt.publishes:
        return {"tuples": change.tuples}
    fields = _about(known, areas) | {
        name: value for name, value in known.shown.items() if not name.startswith("_")
    }
    for name in known.bolt.list_fields:
        if not name.startswith("_"):
            items = change.fresh.get(name, [])
            again = change.again.get(name)
            fields[name] = items + sorted(again.difference(items)) if again else items
    return fields | {"version": known.version, "tuples": change.tuples}
