"""Small scopes as plain sets of names by day, and the facts that the timer bolts get to see of them."""

from dataclasses import dataclass, field

import numpy as np

from analytics.timers.facts import NEVER, TIERS, Clock, Facts, Payments, Split


@dataclass
class World:
    """What happened in one scope. Accts are names; ``pays`` in integer cents; days are ordinals.

    ``tiers``: in cents. ``begun``, ``ended``: the last day that has. ``values``: per acct since which day it has which value, as its place among
    ``many`` values; 0: no segment divides the accts.
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

    def facts(self, strangers: int = 0) -> Facts:
        """Return the same as facts. ``strangers``: accts with a number of whom nothing is known."""
        by_day = [*self.signs_up.values(), *self.logs_in.values(), *self.pays.values()]
        numbers = {acct: n + strangers for n, acct in enumerate(sorted(set().union(*by_day)))}

        def numbered(accts):
            return np.array(sorted(numbers[acct] for acct in accts), np.uint32)

        def paid(cents):
            accts = sorted(cents)
            return Payments(numbered(accts), np.array([cents[acct] for acct in accts], np.int64))

        return Facts(
            accts=len(numbers) + strangers,
            clock=Clock(self.begun, self.ended),
            login={day: numbered(accts) for day, accts in self.logs_in.items()},
            signup={day: numbered(accts) for day, accts in self.signs_up.items()},
            pay={day: paid(cents) for day, cents in self.pays.items()},
            start=None if self.start_day is None else 1,
            start_day=self.start_day,
            split=self._split(numbers, strangers) if self.many else None,
            tiers=self.tiers,
        )

    def _split(self, numbers: dict[str, int], strangers: int) -> Split:
        since = np.full(len(numbers) + strangers, NEVER, np.int32)
        places = np.zeros(len(numbers) + strangers, np.uint8)
        for acct, number in numbers.items():
            since[number], places[number] = self.values.get(acct, (NEVER, 0))
        return Split(self.many, since, places)
