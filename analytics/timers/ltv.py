"""What a cohort has brought in by its n-th day."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from analytics.core.rates import per_head
from analytics.timers.facts import Cents, Facts, Numbers
from analytics.timers.timer import Document, Timer, runs

THROUGH = (*range(31), 60, 90)
LAST = THROUGH[-1]
RUN = 31
"""Cohorts computed from the same payments: more would hold more days of payments at once."""


def _documents(facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield the lifetime value so far, per sign-up day.

    | field | formula |
    | --- | --- |
    | `reg` | the cohort's size: distinct accts that signed up on the day |
    | `ltv.n` | what the cohort paid from the day through the n-th day after, / `reg`, in currency units, four decimals |

    for n = 0 to 30, 60 and 90, of days that have ended. Lifetime value is a term of direct marketing for all that a
    customer will ever bring in. This is the part of it that has been observed, per head of the cohort, as games report
    it by day; nothing is forecast, and nothing subtracted.
    """
    for run in runs(days, RUN):
        paid = _PaymentRow(facts, run[0], run[-1] + LAST)
        for day in run:
            through = [n for n in THROUGH if day + n <= facts.clock.ended]
            for part, cohort in enumerate(facts.divided(facts.signups(day), day)):
                cents = paid.by(cohort, day, through)
                fields = {
                    "reg": len(cohort),
                    "ltv": {
                        str(n): per_head(sum_, len(cohort)) for n, sum_ in zip(through, cents, strict=True)
                    },
                    "final": day + LAST <= facts.clock.ended,
                }
                yield Document(day, fields, not len(cohort), part)


class _PaymentRow:
    """All payments of the days ``first`` to ``last`` in one row, and where in it each day begins."""

    def __init__(self, facts: Facts, first: int, last: int) -> None:
        payments = [facts.payments(day) for day in range(first, last + 1)]
        self._first = first
        self._accts: Numbers = np.concatenate([one.accts for one in payments])
        self._cents: Cents = np.concatenate([one.cents for one in payments])
        self._begin: NDArray[np.int64] = np.cumsum([0, *(len(one.accts) for one in payments)])
        self._member = np.zeros(facts.accts, np.bool_)

    def by(self, cohort: Numbers, day: int, through: list[int]) -> list[int]:
        """Return what ``cohort`` paid from ``day`` through each of the days ``through`` after it, in cents."""
        if not through:
            return []
        begin, *ends = self._begin[[day - self._first, *(day + n + 1 - self._first for n in through)]]
        self._member[cohort] = True
        of_cohort = np.flatnonzero(self._member[self._accts[begin : ends[-1]]])
        self._member[cohort] = False
        so_far = np.concatenate([[0], np.cumsum(self._cents[begin:][of_cohort])])
        return [int(so_far[n]) for n in np.searchsorted(of_cohort, np.array(ends) - begin)]


ltv = Timer(
    "ltv",
    _documents,
    looks={"signup": range(1), "pay": range(LAST + 1)},
    cohort="signup",
    numbers=("reg",),
)
