"""Small scopes as plain sets of names by day, and the facts that the timer bolts get to see of them."""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from analytics.core.funnels import PAYMENT, Funnel
from analytics.timers.facts import (
    NEVER,
    NO_STEP_TIMES,
    TIERS,
    Clock,
    DaySessions,
    Facts,
    HeadCounts,
    Payments,
    Split,
    StepTimes,
)
from analytics.timers.online import head_counts

EPOCH = date(1970, 1, 1).toordinal()
FIRST_WEEK = Funnel("first_week", ("signup", "createrole", "task:5 finish", "first payment"), 7 * 86_400)
FUNNELS = (
    Funnel("first_hour", ("signup", "level:10"), 3600),
    Funnel("two_days", ("signup", "level:10", "createrole", "first payment"), 2 * 86_400),
)


@dataclass
class World:
    """What happened in one scope. Accts are names; ``pays`` in integer cents; days are ordinals.

    ``tiers``: in cents. ``begun``, ``ended``: the last day that has. ``values``: per acct since which day it has which value, as its place among
    ``many`` values; 0: no segment divides the accts. ``online``: per area, minutes since 1970 with head counts, in order; days are of UTC.
    ``sessions``: acct, seconds, and how each ended. ``reached``: by step and day, accts and Unix seconds.
    """

    begun: int
    ended: int
    signs_up: dict[int, set[str]] = field(default_factory=dict)
    logs_in: dict[int, set[str]] = field(default_factory=dict)
    pays: dict[int, dict[str, int]] = field(default_factory=dict)
    start_day: int | None = None
    values: dict[str, tuple[int, int]] = field(default_factory=dict)
    many: int = 0
    tiers: tuple[int, int] = TIERS
    online: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    sessions: dict[int, list[tuple[str, int, int]]] = field(default_factory=dict)

    reached: dict[tuple[str, int], list[tuple[str, int]]] = field(default_factory=dict)

    def steps(self, step: str, day: int) -> list[tuple[str, int]]:
        """Return who reached a step on a day, and when; a payment counts as made when its day begins."""
        if step == PAYMENT:
            return [(acct, (day - EPOCH) * 86_400) for acct in self.pays.get(day, ())]
        return self.reached.get((step, day), [])

    def facts(self, strangers: int = 0, as_bits: bool = False) -> Facts:
        """Return the same as facts. ``strangers``: accts with a number of whom nothing is known. ``as_bits``: who came on a day is a bit each."""
        played = [[acct for acct, *_ in some] for some in self.sessions.values()]
        stepped = [[acct for acct, _ in some] for some in self.reached.values()]
        by_day = [*self.signs_up.values(), *self.logs_in.values(), *self.pays.values(), *played, *stepped]
        numbers = {acct: n + strangers for n, acct in enumerate(sorted(set().union(*by_day)))}

        def numbered(accts):
            return np.array(sorted(numbers[acct] for acct in accts), np.uint32)

        def there(accts):
            known = numbered(accts)
            if not as_bits:
                return known
            mask = np.zeros(int(known[-1]) + 1 if len(known) else 0, np.bool_)
            mask[known] = True
            return np.packbits(mask)

        def paid(cents):
            accts = sorted(cents)
            return Payments(numbered(accts), np.array([cents[acct] for acct in accts], np.int64))

        def sessions(some):
            return DaySessions(
                np.array([numbers[acct] for acct, *_ in some], np.uint32),
                np.array([seconds for _, seconds, _ in some], np.int64),
                np.array([way for *_, way in some], np.uint8),
            )

        def reached(step, day):
            if not (some := self.steps(step, day)):
                return NO_STEP_TIMES
            accts = np.array([numbers[acct] for acct, _ in some], np.uint32)
            return StepTimes(accts, np.array([ts for _, ts in some], np.int64))

        return Facts(
            accts=len(numbers) + strangers,
            clock=Clock(self.begun, self.ended),
            login={day: there(accts) for day, accts in self.logs_in.items()},
            signup={day: there(accts) for day, accts in self.signs_up.items()},
            pay={day: paid(cents) for day, cents in self.pays.items()},
            start=None if self.start_day is None else 1,
            start_day=self.start_day,
            split=self._split(numbers, strangers) if self.many else None,
            tiers=self.tiers,
            online=self._head_counts,
            sessions=lambda day: sessions(self.sessions.get(day, [])),
            reached=reached,
        )

    def _head_counts(self, day: int) -> HeadCounts:
        start = (day - EPOCH) * 86_400
        of_areas = [np.array(counts, np.int32).reshape(-1, 2) for counts in self.online.values()]
        hours = tuple(range(start, start + 86_400, 3600))
        return head_counts((start, start + 86_400), hours, [(one[:, 0], one[:, 1]) for one in of_areas])

    def _split(self, numbers: dict[str, int], strangers: int) -> Split:
        since = np.full(len(numbers) + strangers, NEVER, np.int32)
        places = np.zeros(len(numbers) + strangers, np.uint8)
        for acct, number in numbers.items():
            since[number], places[number] = self.values.get(acct, (NEVER, 0))
        return Split(self.many, since, places)
