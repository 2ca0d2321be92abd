"""What of a timer bolt's document is for readers, and what is the suite's own: for which time it was computed."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from analytics.store.store import Document

MARK = "_now"
"""The field that holds the time that a document was computed for, in Unix seconds. A later computation never dates it back."""

HIDDEN = frozenset({"_id", "_v", "_run", MARK, "updated"})

SKEW_SECONDS = 300
"""Clocks of hosts may differ by so much. A mark further ahead comes from a clock that was wrong, and counts for nothing."""

Now = Callable[[], float]
"""Returns the time, in Unix seconds."""


def public(document: Mapping[str, Any]) -> Document:
    """Return what a document says to readers, without its id and date."""
    return {name: value for name, value in document.items() if name not in HIDDEN}


def moment(now: Now, documents: Iterable[Mapping[str, Any] | None]) -> int:
    """Return the time for which to compute: the present, or the latest mark of ``documents`` where that is later.

    Call it when the versions of ``documents`` have been read: a time from before may be older than what is stored.
    """
    present = int(now())
    marks = (document.get(MARK) for document in documents if document is not None)
    later = (mark for mark in marks if isinstance(mark, int) and present < mark <= present + SKEW_SECONDS)
    return max(later, default=present)
