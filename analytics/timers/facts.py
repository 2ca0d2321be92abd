"""The facts that timer bolts compute from: logins, sign-ups and payments by day, in one area or a whole game.

Days are ordinals of the calendar (``date.toordinal``), so that the areas of a game fall on the same days
in all time zones. Accts are numbers below ``Facts.accts``, assigned by the reader of the documents.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint32]
Cents = NDArray[np.int64]
Mask = NDArray[np.bool_]
Kind = Literal["login", "signup", "pay", "first_pay"]
Stored = Literal["login", "signup", "pay"]
"""The kinds that a bolt's documents hold as they are."""

COLLECTIONS: dict[Stored, str] = {"login": "loginday", "signup": "signupday", "pay": "paysummary"}
"""The bolts whose documents hold them."""

NOBODY: Numbers = np.empty(0, np.uint32)


@dataclass(frozen=True, slots=True)
class Clock:
    """Which days have begun and ended. ``begun``: the last day that has begun somewhere in the scope;
    ``ended``: the last day that has ended everywhere in it."""

    begun: int
    ended: int


@dataclass(frozen=True, slots=True)
class Payments:
    """One day's payers, sorted, each once, and what each paid that day, in integer cents."""

    accts: Numbers
    cents: Cents


NO_PAYMENTS = Payments(NOBODY, np.empty(0, np.int64))


@dataclass(frozen=True)
class Facts:
    """The facts of one scope: an area, or a whole game.

    Attributes:
        accts: every acct's number is below this.
        clock: what has begun and ended.
        login, signup: per day who did, sorted, each once. Days without anybody may be left out.
        pay: per day who paid how much. Where first payments matter, from the scope's very first on.
        start: Unix seconds of the scope's earliest record, None before there is one.
        start_day: the day on which that was.
    """

    accts: int
    clock: Clock
    login: Mapping[int, Numbers] = field(default_factory=dict)
    signup: Mapping[int, Numbers] = field(default_factory=dict)
    pay: Mapping[int, Payments] = field(default_factory=dict)
    start: int | None = None
    start_day: int | None = None

    def logins(self, day: int) -> Numbers:
        """Return who logged in on ``day``."""
        return self.login.get(day, NOBODY)

    def signups(self, day: int) -> Numbers:
        """Return who signed up on ``day``."""
        return self.signup.get(day, NOBODY)

    def payments(self, day: int) -> Payments:
        """Return who paid on ``day``."""
        return self.pay.get(day, NO_PAYMENTS)

    def first_payers(self, day: int) -> Numbers:
        """Return who paid on ``day`` and never before in this scope."""
        payers = self.payments(day).accts
        first: Numbers = payers[self._first_paid[payers] == day]
        return first

    def among(self, groups: Iterable[Numbers]) -> Mask:
        """Return per acct number whether it is in any of ``groups``."""
        mask = np.zeros(self.accts, np.bool_)
        for accts in groups:
            mask[accts] = True
        return mask

    @cached_property
    def _first_paid(self) -> NDArray[np.int32]:
        """Per acct number the first day of a payment."""
        first = np.full(self.accts, np.iinfo(np.int32).max, np.int32)
        for day in sorted(self.pay, reverse=True):
            first[self.pay[day].accts] = day
        return first
