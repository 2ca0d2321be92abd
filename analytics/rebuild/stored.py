"""A stored document's version, numbers and parts, read without trust: they may have been edited by hand."""

import time
from collections.abc import Mapping

import msgspec

from analytics.core.bolt import Bolt
from analytics.core.settle import PART_SIZE, Position, part_ids
from analytics.store import Document, Store

ALL = 1 << 62
"""More than any number: everything of a log that was replaced."""


class LogNumbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers of messages by topic, in one log."""

    log: str
    numbers: dict[str, int]


class Header(msgspec.Struct, frozen=True):
    """What a document says of itself in ``_at``; see :mod:`analytics.core.settle`."""

    log: str
    topics: dict[str, int]
    before: LogNumbers | msgspec.UnsetType = msgspec.UNSET
    toward: LogNumbers | msgspec.UnsetType = msgspec.UNSET

    def included(self, log: str) -> Mapping[str, int]:
        """Return the numbers of ``log`` that the document includes."""
        if self.log == log:
            return self.topics
        return self.before.numbers if self.before and self.before.log == log else {}

    def before_log(self, bolt: Bolt, log: str) -> Position | None:
        """Return what the document, rewritten, includes of the log before ``log``: all of it."""
        before = self.log if self.log != log else self.before.log if self.before else ""
        return Position(before, dict.fromkeys(bolt.reads, ALL)) if before else None


def header_of(document: Document | None) -> Header | None:
    """Return a document's header, None where it is not as the suite writes it."""
    try:
        return msgspec.convert((document or {}).get("_at"), Header)
    except msgspec.ValidationError:
        return None


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


def next_part(document: Document | None) -> int:
    """Return a part number above any that another writer uses at the same time."""
    ids = parts_of(document) if document is not None else []
    return (number_of(ids[-1]) if ids else 0) + 1 + time.time_ns() // 1_000_000


def counts_parts(bolt: Bolt, document: Document | None) -> bool:
    """Whether a writer who holds this version has parts to count on from."""
    if document is None:
        return False
    longest = max((len(document.get(name) or ()) for name in bolt.list_fields), default=0)
    return "parts" in document or longest >= PART_SIZE
