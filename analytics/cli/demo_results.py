"""What the suite counted compared with the simulated game's ledger: each document of each collection."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.store import Store
from analytics.testing.comparing import Expected, wrong_documents

NO_COUNTS = ("ts", "open_day", "final")
SHOWN = 3
MOST_LISTED = 4
"""Collections that are named one by one where all of them agree; more would fill the screen."""


@dataclass
class Compared:
    """How one collection compares: how many documents there should be, and a description of each that differs."""

    collection: str
    documents: int
    wrong: list[str] = field(default_factory=list)


def compare(store: Store, expected: Expected) -> dict[str, Compared]:
    """Compare every document of every collection; lists of accts count as sets.

    A document that ought not to be there is none the worse where it says that nothing happened: late
    records may have taken away all that it once counted.
    """
    result = {name: Compared(name, len(documents)) for name, documents in expected.items()}
    for collection, id, text in wrong_documents(store, expected, harmless=_says_nothing):
        result[collection].wrong.append(f"{id}: {text}")
    for one in result.values():
        one.wrong.sort()
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


def _says_nothing(value: Any, name: str = "") -> bool:
    """Whether every count and rate in a document is 0."""
    if name in NO_COUNTS or isinstance(value, str):
        return True
    if isinstance(value, Mapping):
        return all(_says_nothing(one, name) for name, one in value.items())
    return not value
