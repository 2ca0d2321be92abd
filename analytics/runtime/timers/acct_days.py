"""Logins and sign-ups: sets of accts by area and day, and by plat or game and day.

A day of a plat or game is united from its areas. After a change, an area as a rule has a few accts more: these alone are then added to
what was united before, which gives the same as to unite all areas again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from analytics.runtime.timers.arrays import packed, united
from analytics.runtime.timers.sized import Sized, sized, sum_of_sizes
from analytics.timers.facts import AcctSet, Numbers, is_bits, numbered

BYTES_A_DAY = 250
"""What a day of an area takes beside its accts: an array's head, a number, a place in a dictionary."""


def size_of(accts: AcctSet) -> int:
    """Return about how much memory a day's accts take."""
    return accts.nbytes + BYTES_A_DAY


@dataclass(frozen=True, slots=True)
class _Outdated:
    """What was united of a day, and of the areas that have changed since, what they had then."""

    whole: AcctSet
    before: dict[str, AcctSet] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return size_of(self.whole) + sum(map(size_of, self.before.values()))


class AcctDays:
    """The accts of each day, of one kind. A day of an area is taken up once, and stays as it is until it is forgotten.

    ``translate``: takes an area, the stem of a plat or game, and numbers of accts there; returns their numbers in that.
    """

    def __init__(self, translate: Callable[[str, str, Numbers], Numbers]) -> None:
        self._translate = translate
        self._days: dict[str, Sized[int, AcctSet]] = sized(size_of)
        self._outdated: dict[str, dict[int, _Outdated]] = defaultdict(dict)

    def __getitem__(self, stem: str) -> Sized[int, AcctSet]:
        """Return what is known of an area, a plat or a game, by day."""
        return self._days[stem]

    @property
    def nbytes(self) -> int:
        outdated = sum(one.nbytes for days in self._outdated.values() for one in days.values())
        return sum_of_sizes(self._days.values()) + outdated

    def forget(self, area: str, pools: Iterable[str], day: int) -> None:
        """Take it that an area's day has changed, and with it those of its plats and games."""
        before: AcctSet | None = self._days[area].pop(day, None)
        for pool in pools:
            outdated = self._outdated[pool]
            if (whole := self._days[pool].pop(day, None)) is not None:
                outdated[day] = _Outdated(whole)
            if day in outdated and area not in outdated[day].before:
                if before is None:
                    del outdated[day]
                else:
                    outdated[day].before[area] = before

    def trim(self, wanted: set[int]) -> None:
        """Forget all other days."""
        for known in self._days.values():
            for day in known.keys() - wanted:
                del known[day]
        for outdated in self._outdated.values():
            for day in outdated.keys() - wanted:
                del outdated[day]

    def unite(self, pool: str, areas: Iterable[str], day: int) -> None:
        """Work out a plat's or game's day. Those of all its areas must be known."""
        whole = None
        if outdated := self._outdated[pool].pop(day, None):
            whole = self._extended(outdated, pool, day)
        if whole is None:
            groups = [self._translate(area, pool, numbered(self._days[area][day])) for area in areas]
            whole = packed(united(groups))
        self._days[pool][day] = whole

    def _extended(self, outdated: _Outdated, pool: str, day: int) -> AcctSet | None:
        """Return what was united with what its areas have more by now; None where an area has lost an acct."""
        groups = []
        for area, before in outdated.before.items():
            more = _added(before, self._days[area][day])
            if more is None:
                return None
            groups.append(self._translate(area, pool, more))
        added = np.concatenate(groups)
        if not is_bits(outdated.whole):
            return packed(united([numbered(outdated.whole), added]))
        whole = np.zeros(max(len(outdated.whole), int(added.max(initial=0)) // 8 + 1), np.uint8)
        whole[: len(outdated.whole)] = outdated.whole
        np.bitwise_or.at(whole, added // 8, (128 >> (added % 8)).astype(np.uint8))
        return whole


def _added(before: AcctSet, now: AcctSet) -> Numbers | None:
    """Return who is there now and was not before; None where anybody is missing."""
    old, new = numbered(before), numbered(now)
    there = np.zeros(max(int(some[-1]) + 1 if len(some) else 0 for some in (old, new)), np.bool_)
    there[new] = True
    if not there[old].all():
        return None
    there[old] = False
    return np.flatnonzero(there).astype(np.uint32)
