"""A document as its bolt knows it: as it is stored, with every measure's state ready for more. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.periods import DATES, dates
from analytics.core.tuples import LATEST

Fields = dict[str, Any]

EMPTIED = "_emptied"
"""The field of a document that is being dropped, and whose lists are gone: it names the parts that they had."""


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a bolt has folded, in one log: per topic the number of the last message it includes."""

    log: str
    numbers: Mapping[str, int]


class Known(msgspec.Struct, gc=False):
    """A document as its bolt knows it: as stored, with every measure's state ready for more.

    Attributes:
        id: its ``_id``.
        states: a state per measure of the bolt.
        numbers: per topic of ``log``, the number through which the document is complete.
        shown: the fields that the measures wrote, without lists.
        open: per list field, what the main document holds of it.
        first, last: numbers of the sealed parts; ``last`` is ``first - 1`` where there are none.
        sealed: items in sealed parts, over all lists.
        toward: the position of a change that may be half written: its list items are there, or some of them.
        stale: whether its lists may hold items that have been taken away, or lack some.
        before: what the document includes of the log before ``log``, if there was one.
        dropped: whether it is no longer kept: changes are published, and not written.
        about: the fields that follow from its key, once they were asked for.

    Documents that were written share ``numbers``, ``shown`` and the lists in ``open``: these never change.
    """

    bolt: Bolt
    key: Key
    id: str
    states: list[Any]
    version: int = 0
    log: str = ""
    numbers: Mapping[str, int] = {}
    shown: Fields = {}
    open: dict[str, list[Any]] = {}
    first: int = 1
    last: int = 0
    sealed: int = 0
    toward: Position | None = None
    stale: bool = False
    before: Position | None = None
    dropped: bool = False
    about: Fields = {}

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


def unknown(bolt: Bolt, key: Key, id_: str = "") -> Known:
    """Return the document of ``key`` as it is before its first version. ``id_``: its ``_id``, where that is known."""
    return Known(bolt, key, id_ or bolt.id_of(key), [measure.empty() for measure in bolt.measures.values()])


def dates_of(document: Mapping[str, Any], areas: Areas) -> Mapping[str, Any]:
    """Return what a bolt's document says of its ``ts`` for readers; nothing where it has none, as one without period."""
    ts = document.get("ts")
    return dates(areas[document["area"]].zone, ts) if isinstance(ts, int) and 0 <= ts <= LATEST else {}


def without_dates(document: Mapping[str, Any]) -> Fields:
    """Return a document without what :func:`dates_of` says of its ``ts``. ``serverstarttime`` has a number as its ``day``."""
    return {
        name: value
        for name, value in document.items()
        if name not in DATES or "ts" not in document or isinstance(value, int)
    }


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
        document["_id"],
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
        stale="stale" in at,
        before=Position(**at["before"]) if "before" in at else None,
    )
