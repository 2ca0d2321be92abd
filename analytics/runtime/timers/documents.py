"""What of a timer bolt's document is for readers, and what is the suite's own."""

from collections.abc import Mapping
from typing import Any

from analytics.store.store import Document

MARK = "_now"
"""The field that holds the time that a document was computed for, in Unix seconds."""

HIDDEN = frozenset({"_id", "_v", "_run", MARK, "updated"})


def public(document: Mapping[str, Any]) -> Document:
    """Return what a document says to readers, without its id and date."""
    return {name: value for name, value in document.items() if name not in HIDDEN}
