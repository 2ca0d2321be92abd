"""The facts that timer bolts compute from: logins, sign-ups and payments by day, in one area or a whole game.

Days are ordinals of the calendar (``date.toordinal``), so that the areas of a game fall on the same days
in all time zones. Accts are numbers below ``Facts.accts``, assigned by the reader of the documents.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from analytics.core.funnels import STEPS

Numbers = NDArray[np.uint32]
Cents = NDArray[np.int64]
Mask = NDArray[np.bool_]
Bits = NDArray[np.uint8]
"""A mask, eight accts a byte. It may end before the last acct."""

Words = NDArray[np.uint64]
"""Masks of a bit an acct in whole words, one in each row or one alone: for unions over many days, and for counting."""

AcctSet = Numbers | Bits
"""Accts sorted, each once, or a bit each: whichever takes less memory."""

Span = tuple[int, int]
"""The first and the last day."""
Kind = Literal["login", "signup", "pay", "first_pay", "segment", "online", "session", "step"]
Stored = Literal["login", "signup", "pay"]
"""The kinds that a bolt's documents of days hold as they are."""

Hourly = Literal["online", "session", "step"]
"""The kinds that are worked out from a bolt's documents of hours, or of the steps of funnels."""

Changing = Stored | Hourly | Literal["segment"]
"""The kinds that change with a bolt's documents."""

COLLECTIONS: dict[Stored, str] = {"login": "loginday", "signup": "signupday", "pay": "paysummary"}
"""The bolts whose documents hold them."""

HOURLY: dict[Hourly, str] = {"online": "onlinehour", "session": "sessionhour", "step": STEPS}

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


@dataclass(frozen=True, slots=True)
class HeadCounts:
    """How many players were online in each minute of a day.

    Attributes:
        first: the day's first minute, in minutes since 1970.
        counts: by minute of the day; -1: unknown.
        hours: when the hours of the day begin, in Unix seconds.
        several_zones: whether some of it may lie in the day before or after of an area, which is in another zone.
    """

    first: int
    counts: NDArray[np.int64]
    hours: tuple[int, ...]
    several_zones: bool = False


class DaySessions(NamedTuple):
    """Sessions that began on one day.

    Attributes:
        accts: whose each was.
        seconds: how long each lasted; of one that has not ended, how long its ended part did.
        ways: how each ended; see :mod:`analytics.timers.sessions`.
    """

    accts: Numbers
    seconds: NDArray[np.int64]
    ways: NDArray[np.uint8]


NO_SESSIONS = DaySessions(NOBODY, np.empty(0, np.int64), np.empty(0, np.uint8))


class StepTimes(NamedTuple):
    """Accts that reached a step on one day, some of them several times, and when: in Unix seconds."""

    accts: Numbers
    times: NDArray[np.int64]


NO_STEP_TIMES = StepTimes(NOBODY, np.empty(0, np.int64))


TIERS = (1_000, 10_000)
"""Where no others are configured: from how many cents in a month on a payer is a dolphin, and from how many a whale."""

NEVER = np.iinfo(np.int32).max
"""Later than any day."""


@dataclass(frozen=True, slots=True)
class Split:
    """Which value of a segment each acct has.

    Attributes:
        values: how many values there are; the last one is of accts that have no other.
        since: by acct number, the day from which on it has its value. Before that it has the last one.
        places: by acct number, the place of its value.
    """

    values: int
    since: NDArray[np.int32]
    places: NDArray[np.uint8]

    def places_on(self, accts: NDArray[np.integer[Any]], day: int) -> NDArray[np.uint8]:
        """Return the place of the value that each of ``accts`` has on ``day``."""
        found: NDArray[np.uint8] = np.where(
            self.since[accts] <= day, self.places[accts], np.uint8(self.values - 1)
        )
        return found


def is_bits(accts: AcctSet) -> TypeGuard[Bits]:
    return accts.dtype == np.uint8


def numbered(accts: AcctSet) -> Numbers:
    """Return accts as numbers, sorted, each once."""
    if is_bits(accts):
        return np.flatnonzero(np.unpackbits(accts).view(np.bool_)).astype(np.uint32)
    return cast(Numbers, accts)


def rows_of(groups: Sequence[AcctSet], accts: int) -> Words:
    """Return each of the groups as a row of bits."""
    rows = np.zeros((len(groups), 8 * -(-accts // 64)), np.uint8)
    mask = np.zeros(accts, np.bool_)
    for row, group in zip(rows, groups, strict=True):
        if is_bits(group):
            row[: len(group)] = group
        elif len(group):
            mask[group] = True
            row[: -(-accts // 8)] = np.packbits(mask)
            mask[group] = False
    return rows.view(np.uint64)


@dataclass(frozen=True)
class Facts:
    """The facts of one scope: an area, or a whole game.

    Attributes:
        accts: every acct's number is below this.
        clock: what has begun and ended.
        login, signup: per day who did. Days without anybody may be left out.
        pay: per day who paid how much. Where first payments matter, from the scope's very first on.
        start: Unix seconds of the scope's earliest record, None before there is one.
        start_day: the day on which that was.
        login_spans: who logged in on any day from the first to the last one, a bit an acct, where that is known as a whole.
        tiers: from how many cents in a month on a payer is a dolphin, and from how many a whale.
        split: how a segment divides the accts; None: they are counted as a whole.
        online: takes a day; returns how many players were online. A plat's or game's days are those of its own zone.
        sessions: takes a day; returns the sessions that began on it.
        reached: takes a step of a funnel and a day; returns who reached it then.
    """

    accts: int
    clock: Clock
    login: Mapping[int, AcctSet] = field(default_factory=dict)
    signup: Mapping[int, AcctSet] = field(default_factory=dict)
    pay: Mapping[int, Payments] = field(default_factory=dict)
    start: int | None = None
    start_day: int | None = None
    split: Split | None = None
    tiers: tuple[int, int] = TIERS
    login_spans: Mapping[Span, Bits] = field(default_factory=dict)
    online: Callable[[int], HeadCounts] = lambda day: HeadCounts(0, np.empty(0, np.int64), ())
    sessions: Callable[[int], DaySessions] = lambda day: NO_SESSIONS
    reached: Callable[[str, int], StepTimes] = lambda step, day: NO_STEP_TIMES

    def divided(self, accts: Numbers, day: int) -> list[Numbers]:
        """Return ``accts`` by the value that they have on ``day``, in their order; where nothing divides them, all together."""
        return [part for (part,) in self._divided([accts], day)]

    def counted(self, mask: Mask, day: int) -> list[int]:
        """Return how many accts ``mask`` has of each value that they have on ``day``; where nothing divides them, of all."""
        if self.split is None:
            return [int(np.count_nonzero(mask))]
        places = self.split.places_on(np.flatnonzero(mask), day)
        counts: list[int] = np.bincount(places, minlength=self.split.values).tolist()
        return counts

    def counted_bits(self, there: Words, day: int) -> list[int]:
        """Return the same of a mask of a bit an acct."""
        if self.split is None:
            return [int(np.bitwise_count(there).sum())]
        return self.counted(np.unpackbits(there.view(np.uint8), count=self.accts).view(np.bool_), day)

    def divided_payments(self, payments: Payments, day: int) -> list[Payments]:
        """Return payments by the value that the payers have on ``day``."""
        return [Payments(*part) for part in self._divided([payments.accts, payments.cents], day)]

    def divided_sessions(self, sessions: DaySessions, day: int) -> list[DaySessions]:
        """Return sessions by the value that their accts have on ``day``."""
        return [DaySessions(*part) for part in self._divided(sessions, day)]

    def _divided(self, columns: Sequence[NDArray[Any]], day: int) -> Iterable[Sequence[NDArray[Any]]]:
        """Return columns, the first of which are accts, by the value that these have on ``day``."""
        if self.split is None:
            return [columns]
        places = self.split.places_on(columns[0], day)
        order, counts = np.argsort(places, kind="stable"), np.bincount(places, minlength=self.split.values)
        bounds = np.cumsum(counts)[:-1]
        return zip(*(np.split(column[order], bounds) for column in columns), strict=True)

    def rows(self, of: Mapping[int, AcctSet], first: int, last: int) -> Words:
        """Return who logged in, or signed up, on each of these days, a row a day. ``of``: :attr:`login` or :attr:`signup`."""
        return rows_of([of.get(day, NOBODY) for day in range(first, last + 1)], self.accts)

    def logged_in(self, first: int, last: int) -> Mask:
        """Return per acct number whether it logged in on any of these days."""
        whole = self.login_spans.get((first, last))
        days = (self.login[day] for day in range(first, last + 1) if day in self.login)
        mask = np.zeros(self.accts, np.bool_)
        for accts in days if whole is None else [whole]:
            if is_bits(accts):
                there = np.unpackbits(accts)[: self.accts].view(np.bool_)
                mask[: len(there)] |= there
            else:
                mask[accts] = True
        return mask

    def signups(self, day: int) -> Numbers:
        return numbered(self.signup.get(day, NOBODY))

    def payments(self, day: int) -> Payments:
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
            if len(accts):
                mask[accts] = True
        return mask

    @cached_property
    def _first_paid(self) -> NDArray[np.int32]:
        """Per acct number the first day of a payment."""
        first = np.full(self.accts, np.iinfo(np.int32).max, np.int32)
        for day in sorted(self.pay, reverse=True):
            first[self.pay[day].accts] = day
        return first
