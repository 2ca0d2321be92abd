"""The audit log: who fetched lists of accts, CSVs and exports, and who made or revoked API tokens and share links.

An entry is durable before the first row is sent, a secret is shown, or something stops working.
"""

from typing import Annotated, Any, Literal

from analytics.web.answers import labelled, means
from analytics.web.entries.collection import DAY_SECONDS, Entries, UserEntry, random_id

STRETCH_DIGITS, STRETCH_SECONDS = 7, 100_000
"""Entries whose ids begin with the same so many digits are of the same so many seconds, a little over a day."""

AuditKind = Literal["list", "csv", "export", "token created", "token revoked", "link created", "link revoked"]
RECENT_DAYS = 30
MOST_QUERY = 1000
"""Characters of a query that are kept."""


class AuditEntry(UserEntry, frozen=True, kw_only=True):
    """Something that was fetched, made or revoked. ``id`` begins with the time."""

    collection = "audit_log"
    at: Annotated[float, means("when, Unix seconds")]
    who: Annotated[str, means("The user, API token, or user of the machine; nothing where nobody logs in.", "Who", "text")]  # fmt: skip
    what: Annotated[AuditKind, labelled("What", "text")]
    name: Annotated[str, means("The page and table, the target of the export, the token, or the link's page and how its id begins.", "Of", "text")]  # fmt: skip
    query: Annotated[
        str, means("The filter, as in the address; of a token, what it may do.", "Filter", "text")
    ] = ""
    address: Annotated[str, means("The address that asked.", "Address", "text")] = ""


class AuditLog:
    """Writes to the audit log, and removes old entries once a day.

    Args:
        days: how long entries are kept.
    """

    def __init__(self, store: Any, days: int) -> None:
        self._store = store
        self._days = days
        self._next_cleaning = 0.0

    def note(
        self, at: float, who: str, what: AuditKind, name: str, query: str = "", address: str = ""
    ) -> None:
        """Store an entry durably. Raise Unavailable where the store does not take it."""
        entry = AuditEntry(
            id=f"{_begin(at)}:{random_id()}", at=at, who=who, what=what, name=name, query=query[:MOST_QUERY], address=address
        )  # fmt: skip
        Entries(self._store, AuditEntry).add(entry)
        if at >= self._next_cleaning:
            Entries(self._store, AuditEntry).remove_before(_begin(at - self._days * DAY_SECONDS))
            self._next_cleaning = at + DAY_SECONDS


def newest(store: Any, now: float, most: int) -> list[AuditEntry]:
    """Return at most so many entries of the last ``RECENT_DAYS``, the newest first. Only their stretches of time are read."""
    entries = Entries(store, AuditEntry)
    ids: list[str] = []
    for ago in range(RECENT_DAYS + 1):
        stretch = _begin(now - ago * STRETCH_SECONDS)[:STRETCH_DIGITS]
        ids = [*entries.ids(stretch), *ids]
        if len(ids) >= most:
            break
    return list(entries.load(ids[-most:]))[::-1]


def _begin(at: float) -> str:
    """Return how the ids of entries of this time begin: they sort by it."""
    return f"{max(0, int(at * 1000)):015d}"
