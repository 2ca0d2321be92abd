"""For which time a document of a timer bolt is computed. A later computation never dates it back."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from analytics.runtime.timers.documents import MARK

SKEW_SECONDS = 300
"""Clocks of hosts may differ by so much. A mark further ahead comes from a clock that was wrong, and counts for nothing."""

Now = Callable[[], float]
"""Returns the time, in Unix seconds."""


def moment(now: Now, documents: Iterable[Mapping[str, Any] | None]) -> int:
    """Return the time for which to compute: the present, or the latest mark of ``documents`` where that is later.

    Call it when the versions of ``documents`` have been read: a time from before may be older than what is stored.
    """
    present = int(now())
    marks = (document.get(MARK) for document in documents if document is not None)
    later = (mark for mark in marks if isinstance(mark, int) and present < mark <= present + SKEW_SECONDS)
    return max(later, default=present)
