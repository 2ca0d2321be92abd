"""The lifecycle of accts: how many of the active ones are new, retained or returned, and how many were lost."""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from analytics.timers.facts import Facts
from analytics.timers.timer import Document, Timer

ABSENT_DAYS = 7
"""Days without a login after which an acct is lost, if the configuration has no other number."""


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
    # Per acct the last day of a login, and of a sign-up, so far.
    seen, joined = np.zeros(facts.accts, np.int32), np.zeros(facts.accts, np.int32)
    upto = 0
    for day in sorted({day for day in days if day <= facts.clock.begun}):
        for login in range(max(upto + 1, day - absent), day):
            seen[facts.logins(login)] = login
        before = seen >= day - absent
        seen[facts.logins(day)] = day
        for signup in range(max(upto, day - absent) + 1, day + 1):
            joined[facts.signups(signup)] = signup
        upto = day
        active = seen > day - absent
        came = active & ~before
        new = came & (joined > day - absent)
        masks = (active, before, new, came & ~new, before & ~active)
        counts = zip(*(facts.counted(mask, day) for mask in masks), strict=True)
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


def lifecycle_after(absent: int) -> Timer:
    """Return the timer ``lifecycle``, with accts lost after so many days without a login."""
    return Timer(
        "lifecycle",
        partial(_documents, absent),
        looks={"login": range(-absent, 1), "signup": range(1 - absent, 1)},
        numbers=("active", "before", "new", "retained", "returned", "lost"),
    )


lifecycle = lifecycle_after(ABSENT_DAYS)
