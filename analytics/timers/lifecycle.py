"""The lifecycle of accts: how many of the active ones are new, retained or returned, and how many were lost."""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from analytics.timers.facts import Facts, Words
from analytics.timers.timer import Document, Timer, runs

ABSENT_DAYS = 7
"""Days without a login after which an acct is lost, if the configuration has no other number."""

RUN = 31
"""Days computed from the same rows of logins and sign-ups: more would hold more of them at once."""


def _documents(absent: int, facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield per day how the active accts have changed since the day before.

    An acct is active through ``absent`` days: the day of a login and those after it.

    | field | formula |
    | --- | --- |
    | `active`, `before` | distinct accts that are active on the day, and that were on the day before |
    | `new` | accts that became active on the day and signed up on one of the last ``absent`` days, the day included |
    | `returned` | the other accts that became active on the day: they were absent for ``absent`` days or longer |
    | `lost` | accts whose last login is ``absent`` days ago |
    | `retained` | `before` - `lost`, which is `active` - `new` - `returned` |

    So `active` = `before` + `new` + `returned` - `lost`: the balance that investors call growth accounting, which they
    draw up by month, with other words for returned (resurrected) and lost (churned).
    """
    for day, *masks in _masks(absent, facts, {day for day in days if day <= facts.clock.begun}):
        counts = zip(*(facts.counted_bits(mask, day) for mask in masks), strict=True)
        for part, (there, were, of_new, returned, lost) in enumerate(counts):
            fields = {
                "active": there,
                "before": were,
                "new": of_new,
                "retained": were - lost,
                "returned": returned,
                "lost": lost,
                "final": day <= facts.clock.ended,
            }
            yield Document(day, fields, not (there or were), part)


def _masks(
    absent: int, facts: Facts, days: Iterable[int]
) -> Iterator[tuple[int, Words, Words, Words, Words, Words]]:
    """Yield each of ``days`` with who is active, who was the day before, who is new, has returned and is lost, a bit an acct."""
    for run in runs(days, RUN):
        logins, signups = (facts.rows(of, run[0] - absent, run[-1]) for of in (facts.login, facts.signup))
        for day in run:
            here = day - run[0] + absent + 1  # behind the day's own row
            before = np.bitwise_or.reduce(logins[here - absent - 1 : here - 1], axis=0)
            active = np.bitwise_or.reduce(logins[here - absent : here], axis=0)
            joined = np.bitwise_or.reduce(signups[here - absent : here], axis=0)
            came = active & ~before
            yield day, active, before, came & joined, came & ~joined, before & ~active


def lifecycle_after(absent: int) -> Timer:
    """Return the timer ``lifecycle``, with accts lost after so many days without a login."""
    return Timer(
        "lifecycle",
        partial(_documents, absent),
        looks={"login": range(-absent, 1), "signup": range(1 - absent, 1)},
        numbers=("active", "before", "new", "retained", "returned", "lost"),
    )


lifecycle = lifecycle_after(ABSENT_DAYS)
