"""The day in figures: who was active, who paid, how much a head."""

from collections.abc import Iterable, Iterator

import numpy as np

from analytics.core.rates import per_head, ratio
from analytics.timers.facts import Facts, Numbers, Words
from analytics.timers.timer import Document, Timer, runs

WEEK, MONTH = 7, 30
"""Trailing days, the day itself included."""

RUN = 31
"""Days computed from the same rows of logins: more would hold more of them at once."""


def _documents(facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield the key figures per day.

    | field | formula |
    | --- | --- |
    | `dau`, `wau`, `mau` | distinct accts that logged in during the trailing 1, 7 and 30 days, the day included |
    | `stickiness` | `dau` / `mau`, four decimals |
    | `payers`, `revenue` | distinct accts that paid on the day; the sum of what they paid, in currency units |
    | `pay_rate` | `payers` / `dau`, four decimals |
    | `arpu`, `arppu` | `revenue` / `dau`, `revenue` / `payers`, in currency units, four decimals |
    | `reg`, `new_payers` | distinct accts that signed up on the day; those of them that paid on it |
    | `new_pay_rate` | `new_payers` / `reg`, four decimals |
    | `open_day` | days since the scope's start, 0 on its first; null while nothing is known of it |

    Stickiness as DAU / MAU came into use with the games on Facebook, which publishes both numbers of itself. ARPU, the
    average revenue per user, comes from telephone companies, which count a month's subscribers; games divide by the
    day's active accts (also written ARPDAU). ARPPU, the average per paying user, is the free-to-play games' own. The
    trailing 30 days are no calendar month: `activemonth` is.
    """
    asked = {day for day in days if day <= facts.clock.begun}
    for day, *trailing in _trailing(facts, asked):
        groups = zip(
            *(facts.counted_bits(there, day) for there in trailing),
            facts.divided(facts.signups(day), day),
            facts.divided_payments(facts.payments(day), day),
            strict=True,
        )
        for part, (dau, wau, mau, signups, payments) in enumerate(groups):
            reg, payers = len(signups), len(payments.accts)
            cents, new_payers = int(payments.cents.sum()), _in_both(payments.accts, signups)
            fields = {
                "dau": dau,
                "wau": wau,
                "mau": mau,
                "stickiness": ratio(dau, mau),
                "payers": payers,
                "revenue": per_head(cents, 1),
                "pay_rate": ratio(payers, dau),
                "arpu": per_head(cents, dau),
                "arppu": per_head(cents, payers),
                "reg": reg,
                "new_payers": new_payers,
                "new_pay_rate": ratio(new_payers, reg),
                "open_day": day - facts.start_day if facts.start_day is not None else None,
                "final": day <= facts.clock.ended,
            }
            yield Document(day, fields, not (dau or mau or payers or reg), part)


def _trailing(facts: Facts, days: Iterable[int]) -> Iterator[tuple[int, Words, Words, Words]]:
    """Yield each of ``days`` with the distinct accts of the day, of its trailing week and of its trailing month, a bit each."""
    for run in runs(days, RUN):
        rows = facts.rows(facts.login, run[0] - MONTH + 1, run[-1])
        for day in run:
            upto = day - run[0] + MONTH
            week, month = (np.bitwise_or.reduce(rows[upto - n : upto], axis=0) for n in (WEEK, MONTH))
            yield day, rows[upto - 1], week, month


def _in_both(few: Numbers, many: Numbers) -> int:
    """Return how many of ``few`` are in ``many``, which is sorted."""
    if not len(many):
        return 0
    at = np.minimum(np.searchsorted(many, few), len(many) - 1)
    return int(np.count_nonzero(many[at] == few))


kpi = Timer(
    "kpi",
    _documents,
    looks={"login": range(1 - MONTH, 1), "signup": range(1), "pay": range(1)},
    uses_start=True,
    numbers=(
        "dau", "wau", "mau", "stickiness", "payers", "revenue", "pay_rate", "arpu", "arppu", "reg", "new_payers", "new_pay_rate",
    ),
    added=("revenue",),
)  # fmt: skip
