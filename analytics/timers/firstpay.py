"""How long it takes until the accts that signed up on a day pay for the first time."""

from collections.abc import Iterable, Iterator

import numpy as np

from analytics.core.rates import percent
from analytics.timers.facts import NEVER, Facts
from analytics.timers.ltv import LAST, RUN, THROUGH
from analytics.timers.timer import Document, Timer, runs


def _documents(facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield the conversion to payers, per sign-up day.

    | field | formula |
    | --- | --- |
    | `reg` | the cohort's size: distinct accts that signed up on the day |
    | `paid.n.count` | those of the cohort that paid on the day or one of the n days after |
    | `paid.n.rate` | 100 * `count` / `reg`, percent, two decimals |
    | `median_days` | the least n by which half of those had paid that have paid so far, n = 0 to 90; null: nobody has |

    for n = 0 to 30, 60 and 90, of days that have ended. Direct marketing calls this the conversion of a cohort, and
    the curve the cumulative conversion by age.
    """
    for run in runs(days, RUN):
        next_paid = np.full(facts.accts, NEVER, np.int32)
        upto = min(run[-1] + LAST, facts.clock.ended) + 1
        for day in reversed(run):
            for paid in range(min(upto, facts.clock.ended + 1) - 1, day - 1, -1):
                next_paid[facts.payments(paid).accts] = paid
            upto = day
            through = [n for n in THROUGH if day + n <= facts.clock.ended]
            for part, cohort in enumerate(facts.divided(facts.signups(day), day)):
                after = next_paid[cohort] - day
                so_far = np.bincount(after[after <= LAST], minlength=LAST + 1).cumsum()
                payers = int(so_far[-1])
                fields = {
                    "reg": len(cohort),
                    "paid": {
                        str(n): {"count": int(so_far[n]), "rate": percent(int(so_far[n]), len(cohort))}
                        for n in through
                    },
                    "median_days": int(np.searchsorted(2 * so_far, payers)) if payers else None,
                    "final": day + LAST <= facts.clock.ended,
                }
                yield Document(day, fields, not len(cohort), part)


firstpay = Timer(
    "firstpay",
    _documents,
    looks={"signup": range(1), "pay": range(LAST + 1)},
    cohort="signup",
    numbers=("reg",),
)
