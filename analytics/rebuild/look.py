"""A stored document beside what it should say, and what is told of those that differ."""

from collections import Counter
from dataclasses import dataclass, field

from analytics.core.agree import NOTHING, Changed, Differences, ListChanged, differences
from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.derive import States
from analytics.store import Document


@dataclass(frozen=True, slots=True)
class Change:
    """A document that differed. ``what``: "changed", "missing" (it should exist) or "extra" (it should not)."""

    collection: str
    id: str
    what: str
    differences: Differences


@dataclass(slots=True)
class Look:
    """A stored document as it was read, and what it should say."""

    key: Key | None
    document: Document | None
    parts: list[Document] | None
    states: States | None = None
    differences: Differences | None = None

    @property
    def what(self) -> str:
        """What is wrong, "" if nothing is."""
        if self.document is None:
            return "missing" if self.states is not None else ""
        if self.states is None:
            return "extra"
        return "changed" if self.differences else ""


@dataclass(slots=True)
class Done:
    """How many documents were looked at, per bolt; that differed, per bolt and how; those that moved on at every look."""

    looked: Counter[str] = field(default_factory=Counter)
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    restless: list[tuple[str, str]] = field(default_factory=list)


def change_of(bolt: Bolt, id_: str, look: Look, areas: Areas) -> Change:
    """Return what is told of a document that differs."""
    if look.what == "changed":
        return Change(bolt.name, id_, "changed", look.differences or {})
    if look.what == "extra":
        shown = {
            name: value for name, value in (look.document or {}).items() if name not in ("_id", "updated")
        }
        return Change(bolt.name, id_, "extra", {name: Changed(old, NOTHING) for name, old in shown.items()})
    missing = differences(bolt, known_key(look.key), look.states or [], areas, {}, [])
    return Change(
        bolt.name,
        id_,
        "missing",
        {name: one for name, one in missing.items() if not isinstance(one, ListChanged) or one.more},
    )


def known_key(key: Key | None) -> Key:
    """Return the key of a document that should exist."""
    assert key is not None
    return key
