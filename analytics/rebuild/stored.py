"""Stored documents, read without trust: they may have been edited by hand."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from analytics.core.bolt import Bolt
from analytics.core.document import Position, part_ids
from analytics.store import Document, Store
from analytics.store.store import is_version

ALL = 1 << 62
"""More than any number: everything of a log that was replaced."""


class Included(msgspec.Struct, frozen=True):
    """Which messages a document includes: its ``_at``, see :mod:`analytics.core.settle`."""

    log: str
    topics: dict[str, int]
    before: Position | None = None
    toward: Position | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What a document says of itself to those that write it.

    Attributes:
        at: None where it is not as the suite writes it.
        parts: the ids of its parts; none where it does not list them as the suite does.
    """

    version: int
    at: Included | None
    parts: list[str]

    def included(self, log: str) -> Mapping[str, int]:
        """Return the numbers of ``log`` that the document includes."""
        at = self.at
        if at is None or at.log == log:
            return at.topics if at else {}
        return at.before.numbers if at.before and at.before.log == log else {}

    def before_log(self, bolt: Bolt, log: str) -> Position | None:
        """Return what the document, rewritten, includes of the log before ``log``: all of it."""
        if self.at is None:
            return None
        before = self.at.log if self.at.log != log else self.at.before.log if self.at.before else ""
        return Position(before, dict.fromkeys(bolt.reads, ALL)) if before else None


def header_of(document: Document | None) -> Header | None:
    """Return a document's header, None where it has no version, so that nobody can replace it."""
    if document is None or not is_version(document):
        return None
    try:
        at = msgspec.convert(document.get("_at"), Included)
    except msgspec.ValidationError:
        at = None
    return Header(document["_v"], at, parts_of(document))


def parts_of(document: Document) -> list[str]:
    """Return the ids of a document's parts, none where it does not list them as the suite does."""
    try:
        return part_ids(document)
    except (TypeError, ValueError, KeyError, AttributeError):
        return []


def orphans_of(bolt: Bolt, document: Document, store: Store) -> list[str]:
    """Return the ids of stored parts that a document has left behind: they are numbered below those that it lists.

    Nobody writes these numbers again. Later ones may belong to a change that is in flight.
    """
    stem, parts = document["_id"], parts_of(document)
    if not parts:
        return []
    first = number_of(parts[0])
    below = [id_ for id_ in store.ids(bolt.name, f"{stem}#") if 0 <= number_of(id_) < first]
    found = store.load(bolt.name, below) if below else {}
    return [id_ for id_, part in found.items() if part.get("part_of") == stem]


def number_of(part: str) -> int:
    """Return a part's number, by its id; -1 where that is no part's."""
    number = part.rpartition("#")[2]
    return int(number) if number.isdecimal() else -1
