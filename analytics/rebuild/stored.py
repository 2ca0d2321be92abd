"""What a stored document says of itself, whoever may have changed it by hand: its version, its numbers, its parts."""

import time
from collections.abc import Mapping
from typing import Any

from analytics.core.bolt import Bolt
from analytics.core.settle import PART_SIZE, Position, part_ids
from analytics.store import Document, Store

ALL = 1 << 62
"""More than any number: everything of a log that is over."""


def at_of(document: Document | None) -> Mapping[str, Any] | None:
    """Return what a document says of what it includes, None where it does not say it as the suite does."""
    at = document.get("_at") if document else None
    if not isinstance(at, dict) or not isinstance(at.get("log"), str) or not _are_numbers(at.get("topics")):
        return None
    for other in ("before", "toward"):
        one = at.get(other)
        if other in at and not (isinstance(one, dict) and _are_numbers(one.get("numbers")) and len(one) == 2):
            return None
    return at


def _are_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(n, int) for n in value.values())


def included(at: Mapping[str, Any] | None, log: str) -> Mapping[str, int]:
    """Return the numbers of ``log`` that a document includes."""
    if at is None:
        return {}
    if at["log"] == log:
        numbers: Mapping[str, int] = at["topics"]
        return numbers
    before = at.get("before", {})
    return before["numbers"] if before.get("log") == log else {}


def before_of(bolt: Bolt, at: Mapping[str, Any] | None, log: str) -> Position | None:
    """Return what a rewritten document includes of a log before this one: all of it."""
    if at is None:
        return None
    if at["log"] != log:
        return Position(at["log"], dict.fromkeys(bolt.reads, ALL))
    return Position(at["before"]["log"], dict.fromkeys(bolt.reads, ALL)) if "before" in at else None


def parts_of(document: Document) -> list[str]:
    try:
        return part_ids(document)
    except (TypeError, ValueError, KeyError, AttributeError):
        return []


def orphans_of(bolt: Bolt, document: Document, store: Store) -> list[str]:
    """Return the ids of stored parts that a document has left behind: they are numbered below those that it speaks of.

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
    """Return from which number on to count parts that nobody else has counted, whoever writes at the same time."""
    ids = parts_of(document) if document is not None else []
    return (number_of(ids[-1]) if ids else 0) + 1 + time.time_ns() // 1_000_000


def counts_parts(bolt: Bolt, document: Document | None) -> bool:
    """Whether a writer who holds this version has parts to count on from."""
    if document is None:
        return False
    longest = max((len(document.get(name) or ()) for name in bolt.list_fields), default=0)
    return "parts" in document or longest >= PART_SIZE
