"""*Access*: API tokens, and the audit log of who fetched lists, CSVs and exports. For those who see everything."""

from typing import Annotated

import msgspec

from analytics.web.answers import filled, labelled, means
from analytics.web.csvs import structs
from analytics.web.data import Data
from analytics.web.entries import audit
from analytics.web.entries.audit import AuditEntry
from analytics.web.entries.collection import Entries
from analytics.web.entries.tokens import ApiToken
from analytics.web.filters import Filters
from analytics.web.page import DashboardPage
from analytics.web.tables import Table
from analytics.web.translation import msg

MOST = 200
"""Entries of the audit log on the page."""


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """An API token, without its secret."""

    name: Annotated[str, labelled("Name", "text")]
    games: Annotated[str, means("The games that it sees; nothing: all.", "Games", "text")]
    lists: Annotated[bool, means("whether it sees accts by name")]
    annotates: Annotated[bool, means("whether it may enter and remove annotations")]
    by: Annotated[str, labelled("By", "text")]
    expires: Annotated[float, means("when it stops working, Unix seconds; expired ones are listed until they are revoked")]  # fmt: skip


class AccessAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The page *access*."""

    at: float
    tokens: Annotated[list[TokenRow], means("by name")]
    games: Annotated[list[str], means("those that a token may be limited to")]
    audit: Annotated[list[AuditEntry], means(f"the newest first; at most {MOST} of a month, the CSV has all")]


def view(data: Data, filters: Filters) -> AccessAnswer:
    """Return the tokens and the newest of the audit log."""
    found = audit.newest(data.store, data.clock(), MOST)
    return AccessAnswer(
        at=data.clock(),
        tokens=[
            filled(TokenRow, one, name=one.id, games=" ".join(one.games))
            for one in Entries(data.store, ApiToken).find()
        ],
        games=sorted({area.game for area in data.areas.values()}),
        audit=found,
    )


TOKENS = Table("tokens", msg("API tokens"), TokenRow, "name games by")
AUDIT = Table("audit", msg("Audit log"), AuditEntry, "who what name query address")

PAGE = DashboardPage(
    name="access",
    title="Access",
    answer=AccessAnswer,
    view=view,
    icon="M5 7V5a3 3 0 0 1 6 0v2M3 7h10v7H3zM8 10v1.5",
    tables=(TOKENS, AUDIT),
    csvs={"audit": lambda data, filters: structs(AuditEntry, Entries(data.store, AuditEntry).find())},
    template="access.html",
    has_filter=False,
    every=60,
)
