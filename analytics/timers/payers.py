"""The payers of the last 30 days: how much each paid, how uneven that is, who paid again and who no longer pays."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.core.rates import per_head, percent
from analytics.timers.facts import Facts, Mask, Numbers
from analytics.timers.timer import Document, Timer

DAYS = 30
"""Trailing days, the day itself included."""

TIERS = ("minnow", "dolphin", "whale")
TOPS = (1, 5, 10)
"""Percent of the payers."""


def _documents(facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield per day who the payers of the trailing 30 days are.

    | field | formula |
    | --- | --- |
    | `payers`, `revenue` | distinct accts that paid during the trailing 30 days, the day included; what they paid |
    | `non_payers` | distinct accts that logged in during these days and did not pay in them |
    | `minnows`, `dolphins`, `whales` | payers by what each paid in these days: less than the first of ``facts.tiers``, less than the second, more |
    | `minnow_revenue` … | what these paid |
    | `top1_revenue`, `top5_revenue`, `top10_revenue` | what the 1, 5, 10 % of the payers paid who paid most; their number is rounded up |
    | `top1_rate` … | 100 * `top1_revenue` / `revenue`, percent, two decimals |
    | `repeat_payers`, `repeat_rate` | payers that paid on two or more of these days; 100 * them / `payers` |
    | `before` | distinct accts that paid during the 30 days before these |
    | `lost_payers`, `churn_rate` | those of `before` that are no payers now; 100 * them / `before` |

    Minnows, dolphins and whales are the words of free-to-play games, which took the last one from casinos. Shares of
    the top few percent measure concentration, as economists do with incomes. Repeat rate and churn come from retail.
    """
    now, earlier = _Window(facts, DAYS), _Window(facts, DAYS)
    seen = np.zeros(facts.accts, np.int32)
    upto = 0
    for day in sorted({day for day in days if day <= facts.clock.begun}):
        now.end_on(day)
        earlier.end_on(day - DAYS)
        for login in range(max(upto, day - DAYS) + 1, day + 1):
            seen[facts.logins(login)] = login
        upto = day
        paid, before = now.payers, earlier.payers
        masks = ((seen > day - DAYS) & ~paid, before, before & ~paid)
        counts = zip(*(facts.counted(mask, day) for mask in masks), strict=True)
        groups = facts.divided(np.flatnonzero(paid).astype(np.uint32), day)
        for part, (accts, (non_payers, were, lost)) in enumerate(zip(groups, counts, strict=True)):
            fields = {
                **now.of(accts),
                "non_payers": non_payers,
                "before": were,
                "lost_payers": lost,
                "churn_rate": percent(lost, were),
                "final": day <= facts.clock.ended,
            }
            yield Document(day, fields, not (len(accts) or non_payers or were), part)


class _Window:
    """What each acct paid during some days that end on a day, and on how many of them."""

    def __init__(self, facts: Facts, days: int) -> None:
        self._facts = facts
        self._days = days
        self._cents = np.zeros(facts.accts, np.int64)
        self._times = np.zeros(facts.accts, np.int16)
        self._upto = 0

    def end_on(self, day: int) -> None:
        """Let it end on ``day``, which is no earlier than before."""
        for gone in range(self._upto - self._days + 1, min(self._upto, day - self._days) + 1):
            self._add(gone, -1)
        for new in range(max(self._upto, day - self._days) + 1, day + 1):
            self._add(new, 1)
        self._upto = day

    @property
    def payers(self) -> Mask:
        """Per acct whether it paid in these days."""
        return self._times > 0

    def of(self, accts: Numbers) -> dict[str, Any]:
        """Return a document's fields on ``accts``, which are payers."""
        cents: NDArray[np.int64] = np.sort(self._cents[accts])[::-1]
        tiers = np.searchsorted(self._facts.tiers, cents, side="right")
        whole, again = int(cents.sum()), int(np.count_nonzero(self._times[accts] > 1))
        fields: dict[str, Any] = {"payers": len(accts), "revenue": per_head(whole, 1)}
        for place, tier in enumerate(TIERS):
            fields[f"{tier}s"] = int(np.count_nonzero(tiers == place))
            fields[f"{tier}_revenue"] = per_head(int(cents[tiers == place].sum()), 1)
        for top in TOPS:
            most = int(cents[: -(-len(accts) * top // 100)].sum())
            fields[f"top{top}_revenue"] = per_head(most, 1)
            fields[f"top{top}_rate"] = percent(most, max(whole, 0))
        return fields | {"repeat_payers": again, "repeat_rate": percent(again, len(accts))}

    def _add(self, day: int, times: int) -> None:
        payments = self._facts.payments(day)
        self._cents[payments.accts] += times * payments.cents
        self._times[payments.accts] += times


NUMBERS = (
    "payers", "revenue", "non_payers",
    *(f"{tier}{of}" for tier in TIERS for of in ("s", "_revenue")),
    *(f"top{top}_{of}" for top in TOPS for of in ("revenue", "rate")),
    "repeat_payers", "repeat_rate", "before", "lost_payers", "churn_rate",
)  # fmt: skip

payers = Timer(
    "payers",
    _documents,
    looks={"login": range(1 - DAYS, 1), "pay": range(1 - 2 * DAYS, 1)},
    numbers=NUMBERS,
    added=("revenue",),
)
