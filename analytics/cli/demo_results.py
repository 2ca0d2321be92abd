"""What the suite counted compared with the simulated game's ledger: each document of each collection."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.core.document import without_dates
from analytics.store import Document, Store

OWN_FIELDS = ("updated", "parts")
NO_COUNTS = ("ts", "open_day", "final")
SHOWN = 3
MOST_LISTED = 4
"""Collections that are named one by one where all of them agree; more would fill the screen."""

LONGEST = 60

Expected = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass
class Compared:
    """How one collection compares: how many documents there should be, and a description of each that differs."""

    collection: str
    documents: int
    wrong: list[str] = field(default_factory=list)


def compare(store: Store, expected: Expected) -> dict[str, Compared]:
    """Compare every document of every collection; lists count as sets.

    A document that ought not to be there is none the worse where it says that nothing happened: late
    records may have taken away all that it once counted.
    """
    return {collection: _compare(store, collection, wanted) for collection, wanted in expected.items()}


def _compare(store: Store, collection: str, wanted: Mapping[str, Mapping[str, Any]]) -> Compared:
    result = Compared(collection, len(wanted))
    missing = set(wanted)
    for document in store.find(collection):
        id = document["_id"]
        found = _public(store.whole(collection, document))
        missing.discard(id)
        if id in wanted:
            if found != wanted[id]:
                result.wrong.append(f"{id}: {_difference(wanted[id], found)}")
        elif not _says_nothing(found):
            result.wrong.append(f"{id}: expected none, found {_short(found)}")
    result.wrong += [f"{id}: expected {_short(wanted[id])}, found none" for id in missing]
    result.wrong.sort()
    return result


def verdict(compared: Iterable[Compared]) -> tuple[bool, list[str]]:
    """Return whether these collections agree with the books, and that, or how they differ, as lines to print."""
    compared = list(compared)
    wrong = [one for one in compared if one.wrong]
    if not wrong:
        count = f"{sum(one.documents for one in compared):,} documents"
        if len(compared) > MOST_LISTED:
            return True, [f"✓ agrees ({count} in {len(compared)} collections)"]
        listed = ", ".join(f"{one.documents:,} {one.collection}" for one in compared)
        return True, [f"✓ agrees ({count}: {listed})"]
    lines = []
    for one in wrong:
        lines.append(f"✗ differs: {len(one.wrong):,} of {one.documents:,} documents of {one.collection}")
        lines += [f"  {line}" for line in one.wrong[:SHOWN]]
    return False, lines


def _public(document: Document) -> Document:
    shown = without_dates(document)
    fields = {name: value for name, value in shown.items() if name[0] != "_" and name not in OWN_FIELDS}
    return {name: sorted(value) if _is_set(value) else value for name, value in fields.items()}


def _is_set(value: object) -> bool:
    """Whether a value is a list whose order means nothing: of accts, not of an area's numbers."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Return the first field in which two documents differ, with both values."""
    for name in sorted(wanted.keys() | found.keys()):
        one, other = wanted.get(name, "nothing"), found.get(name, "nothing")
        if one != other:
            if isinstance(one, dict) and isinstance(other, dict):
                return f"{name}.{_difference(one, other)}"
            if isinstance(one, list) and isinstance(other, list):
                one, other = sorted(set(one) - set(other)), sorted(set(other) - set(one))
            return f"{name}: expected {_short(one)}, found {_short(other)}"
    return "nothing"


def _says_nothing(value: Any, name: str = "") -> bool:
    """Whether every count and rate in a document is 0."""
    if name in NO_COUNTS or isinstance(value, str):
        return True
    if isinstance(value, Mapping):
        return all(_says_nothing(one, name) for name, one in value.items())
    return not value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
