"""Stored documents, read without trust since they may have been edited by hand, beside what they should say; and the report of one that differs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from analytics.core.agree import NOTHING, Differences, ListChanged, ValueChanged, differences
from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.derive import States
from analytics.core.document import Position, part_ids
from analytics.core.settle import PART_SIZE
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


@dataclass(frozen=True, slots=True)
class DifferingDocument:
    """A document that differed. ``what``: "changed", "missing" (it should exist) or "extra" (it should not)."""

    collection: str
    id: str
    what: str
    differences: Differences


@dataclass(slots=True)
class Check:
    """A stored document as it was read, and what it should say.

    Attributes:
        parts: None where one is missing.
        header: None where the document does not exist, or has no version.
    """

    key: Key | None
    document: Document | None
    parts: list[Document] | None
    states: States | None = None
    differences: Differences | None = None
    header: Header | None = field(init=False)

    def __post_init__(self) -> None:
        self.header = header_of(self.document)

    @property
    def has_no_version(self) -> bool:
        """Whether nobody can replace the document: it is removed, and derived as one that is missing."""
        return self.document is not None and self.header is None

    def has_parts(self, bolt: Bolt) -> bool:
        """Whether a writer who holds the document has parts, or is about to begin some."""
        document = self.document or {}
        longest = max((len(document.get(name) or ()) for name in bolt.list_fields), default=0)
        return "parts" in document or longest >= PART_SIZE

    @property
    def what(self) -> str:
        """What is wrong, "" if nothing is."""
        if self.document is None:
            return "missing" if self.states is not None else ""
        if self.states is None:
            return "extra"
        return "changed" if self.differences or self.has_no_version else ""


def load_checks(store: Store, bolt: Bolt, documents: Iterable[Document]) -> Iterator[Check]:
    """Yield stored documents with their parts."""
    for document in documents:
        one = Check(None, document, None)
        ids = one.header.parts if one.header else []
        found = store.load(bolt.name, ids) if ids else {}
        if len(found) == len(ids) and ("parts" not in document or ids):
            one.parts = [found[id_] for id_ in ids]
        yield one


@dataclass(slots=True)
class DocumentCounts:
    """How many documents were looked at, per bolt; that differed, per bolt and how; those that moved on at every check."""

    looked: Counter[str] = field(default_factory=Counter)
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    restless: list[tuple[str, str]] = field(default_factory=list)


def change_of(bolt: Bolt, id_: str, check: Check, areas: Areas) -> DifferingDocument:
    """Return the report of a document that differs."""
    if check.what == "changed":
        return DifferingDocument(bolt.name, id_, "changed", check.differences or {})
    if check.what == "extra":
        shown = {
            name: value for name, value in (check.document or {}).items() if name not in ("_id", "updated")
        }
        return DifferingDocument(
            bolt.name, id_, "extra", {name: ValueChanged(old, NOTHING) for name, old in shown.items()}
        )
    assert check.key is not None  # what is missing has one
    missing = differences(bolt, check.key, check.states or [], areas, {}, [])
    return DifferingDocument(
        bolt.name,
        id_,
        "missing",
        {name: one for name, one in missing.items() if not isinstance(one, ListChanged) or one.more},
    )
