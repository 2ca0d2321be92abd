"""Accts as numbers, and what is done with many of them: sorted arrays, masks, and masks of a bit an acct."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from analytics.timers.facts import AcctSet, Bits, Numbers, Payments


def each_once(numbers: Numbers) -> Numbers:
    """Return numbers sorted, each once. Sorting is far quicker than ``np.unique``, which hashes, and than a mask of all accts."""
    ordered = np.sort(numbers)
    again = ordered[1:] == ordered[:-1]
    return ordered[np.concatenate([[True], ~again])] if again.any() else ordered


def united(groups: Sequence[Numbers]) -> Numbers:
    """Return who is in any of the groups, sorted, each once."""
    return each_once(np.concatenate(groups))


def bits(groups: Iterable[Numbers], accts: int) -> Bits:
    """Return who is in any of the groups, a bit an acct."""
    there = np.zeros(accts, np.bool_)
    for group in groups:
        there[group] = True
    return np.packbits(there)


def packed(numbers: Numbers) -> AcctSet:
    """Return sorted accts as bits where that takes less than half the memory, as of those who log in on a day."""
    accts = int(numbers[-1]) + 1 if len(numbers) else 0
    return bits([numbers], accts) if 2 * (accts // 8 + 1) < numbers.nbytes else numbers


def summed(numbers: Numbers, cents: Any) -> Payments:
    """Return payments sorted by acct, several of one acct added up."""
    accts, where = np.unique(numbers, return_inverse=True)
    sums = np.zeros(len(accts), np.int64)
    np.add.at(sums, where, cents)
    return Payments(accts, sums)


def paid_next(pay: Mapping[int, Payments], accts: int) -> dict[int, set[int]]:
    """Return, by day, the days on which those who paid on it paid next. ``accts``: all their numbers are below."""
    found: dict[int, set[int]] = {}
    then = np.zeros(accts, np.int32)  # 0: never again
    for day in sorted(pay, reverse=True):
        payers = pay[day].accts
        found[day] = set(np.unique(then[payers]).tolist()) - {0}
        then[payers] = day
    return found
