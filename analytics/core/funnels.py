"""Funnels: the steps that the accts of a sign-up day go through, and how many reach each of them in time. Pure."""

import re
from dataclasses import dataclass

STEPS = "acctstep"
"""The bolt, collection and topic of the times at which accts reach steps."""

SIGNUP, CREATEROLE, PAYMENT = "signup", "createrole", "first payment"
STEP = re.compile(
    rf"{SIGNUP}|{CREATEROLE}|{PAYMENT}"
    r"|task:(?P<task>0|[1-9][0-9]{0,17}) (?P<deed>accept|finish)|level:(?P<level>[1-9][0-9]{0,8})"
)
"""How a step is written; each in one way alone."""

SPREAD_SECONDS = 25 * 3600 + 26 * 3600
"""A day has up to 25 hours, and zones are up to 26 apart: so much later than on the calendar a step's day may be."""

DAYS_BEHIND = 2
"""Where another area's calendar is up to 26 hours behind, a step after the sign-up may lie on an earlier day there."""

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Funnel:
    """Steps that begin with the sign-up. ``within``: so many seconds after it all of them have to be reached."""

    name: str
    steps: tuple[str, ...]
    within: int

    @property
    def days(self) -> int:
        """How many days after that of the sign-up a step may lie."""
        return (self.within + SPREAD_SECONDS) // DAY_SECONDS

    def key(self, n: int) -> str:
        """Return how documents name the n-th step, counted from 1: so that funnels are sorted by name, then by step."""
        return f"{self.name}-{n}"


def steps_of_bolt(funnels: tuple[Funnel, ...]) -> tuple[str, ...]:
    """Return the steps whose times a bolt keeps, each once, sorted; first payments come from ``paysummary``."""
    return tuple(sorted({step for one in funnels for step in one.steps} - {PAYMENT}))
