"""Documents derived from records alone, and how they replace stored ones. Pure.

:mod:`analytics.core.fold` computes the changes of a record, as for a worker, and the bolt's measures merge them. Records up to
the cut are in a document's states; messages after it are kept separately, by topic and number, so that the document can be
computed as of any number after the cut.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.document import dates_of
from analytics.core.fold import Delta, Folder, UnusableLine
from analytics.core.measures import Growing
from analytics.core.settle import PART_SIZE, Fields, Known, Position, settle

States = list[Any]


@dataclass(slots=True)
class Derived:
    """One document. ``begun``: whether it has records up to the cut. ``later``: the changes of messages after it."""

    bolt: Bolt
    key: Key
    states: States
    begun: bool = False
    later: list[Delta] = field(default_factory=list)

    def at(self, numbers: Mapping[str, int] | None) -> States | None:
        """Return the states with all messages up to ``numbers`` (None: all there are); None without any record."""
        some = [one for one in self.later if numbers is None or one.number <= numbers.get(one.topic, 0)]
        if not some:
            return self.states if self.begun else None
        states = [copy(state) for state in self.states]
        for delta in some:
            _merge(self.bolt, states, delta)
        return states


class Derivation:
    """Documents of some bolts as records come in.

    Args:
        keep: takes a bolt and a document's key; False leaves the document out.

    Attributes:
        unusable: lines that count nowhere, since a bolt that reads them can't use them.
    """

    def __init__(
        self, bolts: Iterable[Bolt], areas: Areas, keep: Callable[[Bolt, Key], bool] = lambda bolt, key: True
    ) -> None:
        self._bolts = {bolt.name: bolt for bolt in bolts}
        self._folder = Folder(self._bolts.values(), areas)
        self._topics = {topic for bolt in self._bolts.values() for topic in bolt.reads}
        self._keep = keep
        self.documents: dict[str, dict[Key, Derived]] = {name: {} for name in self._bolts}
        self.unusable: list[UnusableLine] = []

    def fold(self, topic: str, number: int, body: bytes) -> None:
        """Take lines of a topic: of message ``number`` after the cut, 0 for records up to it.

        Lines that no bolt can use count nowhere, as in a worker.
        """
        if topic not in self._topics:
            return
        changes, unusable = self._folder.fold(topic, number, body)
        self.unusable += unusable
        for name, deltas in changes.items():
            bolt, documents = self._bolts[name], self.documents[name]
            for key, delta in deltas.items():
                one = documents.get(key)
                if one is None:
                    if not self._keep(bolt, key):
                        continue
                    states = [measure.empty() for measure in bolt.measures.values()]
                    one = documents[key] = Derived(bolt, key, states)
                if number:
                    one.later.append(delta)
                else:
                    one.begun = True
                    _merge(bolt, one.states, delta)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A document to write after its parts, and the tuple that says all of it."""

    parts: list[Fields]
    document: Fields
    tuple: Fields


def rewritten(
    bolt: Bolt,
    key: Key,
    states: States,
    areas: Areas,
    *,
    version: int,
    at: Position,
    before: Position | None = None,
    first_part: int = 1,
    all_in_parts: bool = False,
) -> Rewritten:
    """Return the document that says ``states``, complete to ``at``.

    Args:
        version: what its ``_v`` will be.
        before: what it includes of an earlier log.
        first_part: from which number on its parts are counted.
        all_in_parts: whether all of its lists lie in parts, however short, so that later parts count on from there.
    """
    lists = lists_of(bolt, states)
    longest = max(map(len, lists.values()), default=0)
    count = max(1, -(-longest // PART_SIZE)) if all_in_parts and lists else longest // PART_SIZE
    id_ = bolt.id_of(key)
    parts = list(_parts(id_, lists, first_part, count))
    opened = {name: items[count * PART_SIZE :] for name, items in lists.items()}
    known = Known(
        bolt, key, id_, states, version=version - 1, log=at.log, numbers=at.numbers,
        shown={field: len(lists[name]) for field, name in bolt.shrinking},
        open=opened, first=first_part, last=first_part + count - 1, before=before,
    )  # fmt: skip
    settled = settle(known, [], at, areas)
    whole = {name: items for name, items in lists.items() if not name.startswith("_")}
    document = settled.steps[-1].document
    return Rewritten(parts, {**document, **dates_of(document, areas)}, settled.tuple | whole)


def lists_of(bolt: Bolt, states: States) -> dict[str, list[Any]]:
    """Return the whole lists of a document, by field, as they are when they are compact."""
    return {
        measure.list_field: measure.compact(state)
        for measure, state in zip(bolt.measures.values(), states, strict=True)
        if isinstance(measure, Growing)
    }


def states_of(bolt: Bolt, whole: Mapping[str, Any]) -> States:
    """Return what a stored document, lists complete, says."""
    return [measure.load(name, whole) for name, measure in bolt.measures.items()]


def _parts(stem: str, lists: Mapping[str, list[Any]], first: int, count: int) -> Iterator[Fields]:
    for place in range(count):
        part = {"_id": f"{stem}#{first + place}", "part_of": stem, "part": first + place}
        yield part | {
            name: items[place * PART_SIZE : (place + 1) * PART_SIZE] for name, items in lists.items()
        }


def _merge(bolt: Bolt, states: States, delta: Delta) -> None:
    for (place, merge, *_), more in zip(bolt.readers[delta.topic], delta.states, strict=True):
        states[place] = merge(states[place], more)
