"""A stored document beside what it should say, and the report of one that differs."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from analytics.core.agree import NOTHING, Differences, ListChanged, ValueChanged, differences
from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.derive import States
from analytics.core.settle import PART_SIZE
from analytics.rebuild.stored import Header, header_of
from analytics.store import Document, Store


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
