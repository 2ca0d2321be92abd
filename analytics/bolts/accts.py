"""Logins, sign-ups and new roles: distinct accts per area and hour, and per area and day."""

from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Distinct, Extreme
from analytics.core.tuples import Acct, Gamelog, Period


class NewAccts(Period):
    """An hour's count, and the accts that this change adds."""

    userlist: list[str] = []


def hour(what: str) -> Bolt:
    """Return the bolt ``<what>hour``, which reads the op code ``<what>_logcount``."""
    return Bolt(
        name=f"{what}hour",
        reads={f"gamelog.{what}_logcount": Reads(Gamelog[Acct])},
        period="hour",
        measures={
            "count": Distinct("data.acct", list_field="userlist"),
            "first_ts": Extreme("ts", min),
        },
        constants={"type": what},
        publishes=True,
        totals=True,
    )


def day(what: str) -> Bolt:
    """Return the bolt ``<what>day``, which unites the accts that ``<what>hour`` publishes."""
    return Bolt(
        name=f"{what}day",
        reads={f"{what}hour": Reads(NewAccts)},
        measures={"count": Distinct("userlist", list_field="userlist", each=True)},
        constants={"type": what},
        publishes=True,
    )


loginhour, signuphour, createrolehour = hour("login"), hour("signup"), hour("createrole")
loginday, signupday, createroleday = day("login"), day("signup"), day("createrole")
