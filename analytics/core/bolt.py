"""A bolt is a declaration: what it reads, which document a tuple belongs to, and what that document says."""

import traceback
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Any

from analytics.core.attribute_paths import getter, path_fault
from analytics.core.measures import Distinct, Getter, Growing, Measure
from analytics.core.periods import DATES, PeriodName, Zone

Key = tuple[Any, ...]

_EVERYWHERE = ("_id", "_v", "_at", "game", "plat", "area", "parts", "updated", *DATES)


CHANGES = "changes"
"""The topic on which bolts with totals that publish nothing else report which periods of a game have changed."""


@dataclass(frozen=True)
class Reads:
    """How a bolt reads one topic.

    Attributes:
        tuple_type: a msgspec Struct with at least ``area`` and ``ts``.
        rows: takes one tuple, and the zone of its area, apart into the rows that measures see; None: the tuple
            is the only row.
        departures: whether it also reads roles that went to an excluded acct: as states, marked by ``left``, of the acct
            that they have left.
    """

    tuple_type: type
    rows: Callable[[Any, Zone], Iterable[Any]] | None = None
    departures: bool = False


Reader = tuple[int, Callable[[Any, Any], Any], Callable[[Any, Any], list[Any]] | None, str]
"""A measure that looks at a topic: its place among all, its merge, and where it is Growing its absorb and list field."""


@dataclass(frozen=True)
class Bolt:
    """Folds the tuples of some topics into the documents of the collection ``name``.

    Attributes:
        reads: topic to how it is read.
        measures: field to measure.
        period: the period of ``ts`` that a document covers; None for documents without time.
        by: further parts of the key: field of the document to the value of a row, a string or integer.
        constants: fields that every document carries as they are.
        finish: computes further fields from those that the measures show. It runs without rows, too.
        percents: the shown numbers that are in percent, as pages write them.
        publishes: whether each change is published as a tuple of topic ``name``.
        totals: whether the collection ``<name>_total`` has the sums over the areas of each plat and each game. Every number
            that the measures show of no rows is added up, and so is every table of numbers.
        indexes: the fields of each index for readers, where documents have no ``ts`` to find them by.
        lenient: whether its types take whatever records say, so that spouts need not check any for it.
        of_excluded: whether it counts the records of excluded accts, and no others.
    """

    name: str
    reads: Mapping[str, Reads]
    measures: Mapping[str, Measure[Any]]
    period: PeriodName | None = "day"
    by: Mapping[str, str | Getter] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    percents: Collection[str] = ()
    publishes: bool = False
    indexes: Sequence[tuple[str, ...]] = ()
    totals: bool = False
    lenient: bool = False
    of_excluded: bool = False

    def __post_init__(self) -> None:
        if self.totals and self.period is None:
            raise ValueError(f"bolt {self.name}: expected a period where there are totals, got None")
        for name, measure in self.measures.items():
            unread = (measure.on or frozenset()) - self.reads.keys()
            if unread:
                raise ValueError(
                    f"bolt {self.name}: measure {name} is on {sorted(unread)}, which the bolt does not read"
                )
        fields = [
            *_EVERYWHERE,
            *(["ts"] if self.period else []),
            *self.by,
            *self.constants,
            *self.list_fields,
        ]
        for name, measure in self.measures.items():
            fields += {name, *measure.hidden(name), *measure.save(name, measure.empty())}
        taken = sorted({field for field in fields if fields.count(field) > 1})
        if taken:
            raise ValueError(f"bolt {self.name}: expected a field of its own for each, taken twice: {taken}")

        for what, topics, path in self._named_paths():
            for reads in (self.reads[topic] for topic in topics if self.reads[topic].rows is None):
                if fault := path_fault(reads.tuple_type, path):
                    raise ValueError(f"bolt {self.name}: {what}: {fault}")

    def _named_paths(self) -> Iterator[tuple[str, Iterable[str], str]]:
        """Yield each attribute path that a row has to have: of what it is, for which topics, and the path."""
        for name, of in self.by.items():
            if isinstance(of, str):
                yield f"by.{name}", self.reads, of
        for name, measure in self.measures.items():
            for path in measure.named:
                yield f"measure {name}", filter(measure.reads, self.reads), path

    @cached_property
    def list_fields(self) -> list[str]:
        """The fields that may spread over parts."""
        return [measure.list_field for measure in self.measures.values() if isinstance(measure, Growing)]

    @cached_property
    def readers(self) -> Mapping[str, list[Reader]]:
        """By topic, the measures that look at it."""
        return {
            topic: [
                (place, measure.merge, measure.absorb, measure.list_field)
                if isinstance(measure, Growing)
                else (place, measure.merge, None, "")
                for place, measure in enumerate(self.measures.values())
                if measure.reads(topic)
            ]
            for topic in self.reads
        }

    @cached_property
    def named_lists(self) -> Mapping[str, list[tuple[str, Callable[[Any], Iterable[Any]]]]]:
        """By topic, for each reader whose list names values, its list field and what gives a delta's; "" for the others."""
        return {
            topic: [
                (measure.list_field, measure.compact)
                if isinstance(measure, Distinct) or (isinstance(measure, Growing) and measure.shrinks)
                else ("", iter)
                for measure in self.measures.values()
                if measure.reads(topic)
            ]
            for topic in self.reads
        }

    @cached_property
    def shrinking(self) -> list[tuple[str, str]]:
        """The fields, and the list fields, of the measures whose lists may shrink."""
        return [
            (name, measure.list_field)
            for name, measure in self.measures.items()
            if isinstance(measure, Growing) and measure.shrinks
        ]

    @cached_property
    def cancelling(self) -> Container[str]:
        """The topics of which a measure may change without showing it."""
        return {
            topic
            for topic in self.reads
            if any(measure.cancels and measure.reads(topic) for measure in self.measures.values())
        }

    @cached_property
    def gathers(self) -> Mapping[str, list[Callable[[Sequence[Any]], Any]]]:
        """By topic, what makes the deltas of its readers from rows."""
        return {
            topic: [measure.delta for measure in self.measures.values() if measure.reads(topic)]
            for topic in self.reads
        }

    @cached_property
    def lists_go_stale(self) -> bool:
        """Whether newer list items can make older ones meaningless, so that lists are compacted at times."""
        return any(isinstance(measure, Growing) and measure.goes_stale for measure in self.measures.values())

    def show(self, states: Iterable[Any]) -> dict[str, Any]:
        """Return the fields, without lists, that the measures and ``finish`` show for a state of each measure."""
        fields: dict[str, Any] = {}
        for (name, save), state in zip(self._saves, states, strict=True):
            fields |= save(name, state)
        if self.finish:
            try:
                fields |= self.finish(fields)
            except Exception as error:
                self.note_failure(error)
                raise
        return fields

    def note_failure(self, error: Exception) -> None:
        """Have an error of the declaration's own functions name the bolt, and where."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        error.add_note(f"in bolt {self.name} ({PurePath(last.filename).name}, line {last.lineno})")

    @cached_property
    def _saves(self) -> list[tuple[str, Callable[[str, Any], dict[str, Any]]]]:
        return [(name, measure.save) for name, measure in self.measures.items()]

    @cached_property
    def visible(self) -> Mapping[str, Any]:
        """What a document without rows shows besides its key and constants: field to value. An ``Extreme`` shows none."""
        shown = self.show(measure.empty() for measure in self.measures.values())
        return {name: value for name, value in shown.items() if not name.startswith("_")}

    @cached_property
    def added(self) -> frozenset[str]:
        """The shown fields that may be added up over documents; not those that count what is distinct in each."""
        return frozenset(one for name, measure in self.measures.items() for one in measure.added(name))

    @property
    def key_getters(self) -> list[Getter]:
        """What reads the key's further parts from a row, in the order of ``by``."""
        return [getter(of) for of in self.by.values()]

    def id_of(self, key: Key) -> str:
        """Return the document's ``_id``: see :func:`joined`."""
        return joined(key)

    @cached_property
    def key_fields(self) -> list[str]:
        """The fields that the parts of a key have in the document."""
        return ["area", *(["ts"] if self.period else []), *self.by]

    def fields_of(self, key: Key) -> dict[str, Any]:
        """Return the fields that the key itself gives a document."""
        return dict(zip(self.key_fields, key, strict=True))


def joined(key: Sequence[Any]) -> str:
    """Return an ``_id``: the parts of a key joined by ``:``.

    ``#`` separates a document from the number of its part, and ``:`` the parts of a key, so both are
    escaped; not ``:`` in the last part, which ends the id anyway.
    """
    plain = ":".join(map(str, key))
    if "%" not in plain and "#" not in plain and plain.count(":") == len(key) - 1:
        return plain
    parts = [str(part).replace("%", "%25").replace("#", "%23") for part in key]
    return ":".join([*(part.replace(":", "%3A") for part in parts[:-1]), parts[-1]])
