"""The payers of a month: how much each paid, how uneven that is, who paid again and who no longer pays."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.core.rates import per_head, percent
from analytics.timers.facts import Facts, Numbers
from analytics.timers.timer import Document, Timer, first_of, last_of

TIERS = ("minnow", "dolphin", "whale")
TOPS = (1, 5, 10)
"""Percent of the payers."""


def _documents(facts: Facts, firsts: Iterable[int]) -> Iterator[Document]:
    """Yield per calendar month who its payers are.

    | field | formula |
    | --- | --- |
    | `payers`, `revenue` | distinct accts that paid in the month; what they paid |
    | `non_payers` | distinct accts that logged in in the month and did not pay in it |
    | `minnows`, `dolphins`, `whales` | payers by what each paid in the month: less than the first of ``facts.tiers``, less than the second, more |
    | `minnow_revenue` … | what these paid |
    | `top1_revenue`, `top5_revenue`, `top10_revenue` | what the 1, 5, 10 % of the payers paid who paid most; their number is rounded up |
    | `top1_rate` … | 100 * `top1_revenue` / `revenue`, percent, two decimals |
    | `repeat_payers`, `repeat_rate` | payers that paid on two or more days of the month; 100 * them / `payers` |
    | `before` | distinct accts that paid in the month before |
    | `lost_payers`, `churn_rate` | those of `before` that did not pay in the month; 100 * them / `before` |

    Minnows, dolphins and whales are the words of free-to-play games, which took the last one from casinos. Shares of
    the top few percent measure concentration, as economists do with incomes. Repeat rate and churn come from retail.
    """
    for first in (first for first in firsts if first <= facts.clock.begun):
        last = last_of("month", first)
        month = _Payers(facts, first, last)
        paid = facts.among([month.accts])
        month_before = range(first_of("month", first - 1), first)
        earlier = facts.among(facts.payments(day).accts for day in month_before)
        masks = (facts.logged_in(first, last) & ~paid, earlier, earlier & ~paid)
        counts = zip(*(facts.counted(mask, last) for mask in masks), strict=True)
        groups = facts.divided(month.accts, last)
        for part, (accts, (non_payers, were, lost)) in enumerate(zip(groups, counts, strict=True)):
            fields = {
                **month.of(accts),
                "non_payers": non_payers,
                "before": were,
                "lost_payers": lost,
                "churn_rate": percent(lost, were),
                "final": last <= facts.clock.ended,
            }
            yield Document(first, fields, not (len(accts) or non_payers or were), part)


class _Payers:
    """What each acct paid during some days, and on how many of them."""

    def __init__(self, facts: Facts, first: int, last: int) -> None:
        self._tiers = facts.tiers
        days = [facts.payments(day) for day in range(first, last + 1)]
        self.accts, where = np.unique(np.concatenate([day.accts for day in days]), return_inverse=True)
        self._cents = np.zeros(len(self.accts), np.int64)
        np.add.at(self._cents, where, np.concatenate([day.cents for day in days]))
        self._times = np.bincount(where, minlength=len(self.accts))

    def of(self, accts: Numbers) -> dict[str, Any]:
        """Return a document's fields on ``accts``, which are payers."""
        places = np.searchsorted(self.accts, accts)
        cents: NDArray[np.int64] = np.sort(self._cents[places])[::-1]
        tiers = np.searchsorted(self._tiers, cents, side="right")
        whole, again = int(cents.sum()), int(np.count_nonzero(self._times[places] > 1))
        fields: dict[str, Any] = {"payers": len(accts), "revenue": per_head(whole, 1)}
        for place, tier in enumerate(TIERS):
            fields[f"{tier}s"] = int(np.count_nonzero(tiers == place))
            fields[f"{tier}_revenue"] = per_head(int(cents[tiers == place].sum()), 1)
        for top in TOPS:
            most = int(cents[: -(-len(accts) * top // 100)].sum())
            fields[f"top{top}_revenue"] = per_head(most, 1)
            fields[f"top{top}_rate"] = percent(most, max(whole, 0))
        return fields | {"repeat_payers": again, "repeat_rate": percent(again, len(accts))}


NUMBERS = (
    "payers", "revenue", "non_payers",
    *(f"{tier}{of}" for tier in TIERS for of in ("s", "_revenue")),
    *(f"top{top}_{of}" for top in TOPS for of in ("revenue", "rate")),
    "repeat_payers", "repeat_rate", "before", "lost_payers", "churn_rate",
)  # fmt: skip

payers = Timer(
    "payers",
    _documents,
    looks={
        "login": range(1),
        "pay": range(-31, 1),
    },  # from each day of the month, so that the month before is in it
    period="month",
    numbers=NUMBERS,
    added=("revenue",),
)
