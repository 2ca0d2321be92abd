"""Funnels: how many of the accts that signed up on a day reached each step in time, and how long that took."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.core.funnels import DAYS_BEHIND, SIGNUP, Funnel
from analytics.core.rates import percent
from analytics.timers.facts import Facts, Numbers
from analytics.timers.timer import Document, Timer

FAR = np.iinfo(np.int64).max // 2
"""Later than any time; half, so that a difference fits."""


def _documents(funnels: Sequence[Funnel], facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield the funnels, per sign-up day.

    | field | formula |
    | --- | --- |
    | `reg` | the cohort's size: distinct accts that signed up on the day |
    | `steps.n.step` | the step; n: the funnel's name and the step's number, as in `first_hour-2` |
    | `steps.n.count` | those of the cohort that reached the step and all before it, no later than `within` after their sign-up |
    | `steps.n.rate` | 100 * `count` / `reg`, percent, two decimals |
    | `steps.n.median_seconds` | the time from the sign-up until half of those had reached all of these steps; null: nobody has |

    The order in which an acct reaches the steps does not matter. A step that was reached before the sign-up, on its day, takes no time.
    Product analytics calls this a funnel, here with steps in any order.
    """
    last = max(one.days for one in funnels) if funnels else 0
    for day in days:
        groups = facts.divided(facts.signups(day), day)
        waited = _waited(funnels, facts, np.concatenate(groups), day, last)
        end = 0
        for part, cohort in enumerate(groups):
            begin, end = end, end + len(cohort)
            own = {step: seconds[begin:end] for step, seconds in waited.items()}
            fields = {
                "reg": len(cohort),
                "steps": _table(funnels, own),
                "final": day + last <= facts.clock.ended,
            }
            # Where no sign-up has a time, the steps of that day were never counted.
            yield Document(day, fields, not (own[SIGNUP] < FAR).any(), part)


def _waited(
    funnels: Sequence[Funnel], facts: Facts, cohort: Numbers, day: int, last: int
) -> dict[str, NDArray[np.int64]]:
    """Return, by step, how many seconds after its sign-up each acct of a cohort reached it; ``FAR``: it did not, or its sign-up is unknown.

    Args:
        day: the day of the sign-up.
        last: how many days after it a step may be reached.
    """
    places = np.full(facts.accts, -1, np.int32)
    places[cohort] = np.arange(len(cohort), dtype=np.int32)
    any_time = np.zeros(len(cohort), np.int64)
    began = _first(facts, places, SIGNUP, [day], any_time)
    waited = {SIGNUP: np.where(began < FAR, 0, FAR)}
    for step in {step for one in funnels for step in one.steps} - {SIGNUP}:
        reached = np.minimum(
            _first(facts, places, step, range(day, day + last + 1), any_time),
            _first(facts, places, step, range(day - DAYS_BEHIND, day), began),
        )
        waited[step] = np.where((began < FAR) & (reached < FAR), np.maximum(reached - began, 0), FAR)
    return waited


def _table(funnels: Sequence[Funnel], waited: Mapping[str, NDArray[np.int64]]) -> dict[str, dict[str, Any]]:
    table = {}
    for funnel in funnels:
        so_far = waited[SIGNUP]
        for n, step in enumerate(funnel.steps, 1):
            so_far = np.maximum(so_far, waited[step])
            there = np.sort(so_far[so_far <= funnel.within])
            table[funnel.key(n)] = {
                "step": step,
                "count": len(there),
                "rate": percent(len(there), len(so_far)),
                "median_seconds": int(there[(len(there) - 1) // 2]) if len(there) else None,
            }
    return table


def _first(
    facts: Facts, places: NDArray[np.int32], step: str, days: Iterable[int], since: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return when each acct of a cohort first reached a step on some days, but not before ``since``; ``FAR``: it did not.

    ``places``: by acct number its place in the cohort, or -1.
    """
    found = np.full(len(since), FAR, np.int64)
    for day in days if len(since) else ():
        reached = facts.reached(step, day)
        at = places[reached.accts]
        at, times = at[at >= 0], reached.times[at >= 0]
        later = times >= since[at]
        np.minimum.at(found, at[later], times[later])
    return found


def funnel_of(funnels: Sequence[Funnel]) -> Timer:
    """Return the timer ``funnel`` with these funnels."""
    days = range(-DAYS_BEHIND, max((one.days for one in funnels), default=0) + 1)
    return Timer(
        "funnel",
        partial(_documents, funnels),
        looks={"signup": range(1), "step": days, "pay": days},
        cohort="signup",
        numbers=("reg",),
    )


funnel = funnel_of(())
"""Stands for it where its name and fields are asked for. Nothing is computed by it: without funnels there is no such timer bolt."""
