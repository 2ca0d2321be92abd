"""When accts came and went: the logins and logouts of an hour, of which sessions are made."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from analytics.core.bolt import Bolt, Reads
from analytics.core.columns import Columns
from analytics.core.measures import Distinct
from analytics.core.tuples import Acct, AcctName, Gamelog

LOGIN, LOGOUT = "gamelog.login_logcount", "gamelog.logout_logcount"

LONGEST = 10**8
"""Seconds: more than three years."""

UNKNOWN = -1
"""Stands for a length that a logout does not say."""


class Logout(msgspec.Struct, gc=False):
    """An acct that left, and for how many seconds it had been there, if the game server says so."""

    acct: AcctName
    seconds: Annotated[int, msgspec.Meta(ge=0, le=LONGEST)] | None = None


class Logins(Distinct):
    """When which acct logged in: how many different pairs there are, and as the list's items ``<ts> <acct>``."""

    def __init__(self, list_field: str, on: str) -> None:
        super().__init__("data.acct", list_field, on=on)
        self.paths = frozenset({"ts", "data.acct"})

    def values(self, rows: Sequence[Any] | Columns) -> list[str]:
        """Return each row's item."""
        if isinstance(rows, Columns):
            pairs = zip(rows.lists["ts"], rows.lists["data.acct"], strict=True)
            return [f"{ts} {acct}" for ts, acct in pairs]
        return [f"{row.ts} {row.data.acct}" for row in rows]


def _logout(row: Gamelog[Logout]) -> str:
    seconds = row.data.seconds
    return f"{row.ts} {UNKNOWN if seconds is None else seconds} {row.data.acct}"


WORDS_BEFORE_ACCT = {"_logins": 1, "_logouts": 2}
"""By list, how many words of an item come before the acct, which may have spaces."""

sessionhour = Bolt(
    name="sessionhour",
    reads={LOGIN: Reads(Gamelog[Acct]), LOGOUT: Reads(Gamelog[Logout])},
    period="hour",
    measures={
        "logins": Logins(list_field="_logins", on=LOGIN),
        "logouts": Distinct(_logout, list_field="_logouts", on=LOGOUT),
    },
    publishes=True,
)
