"""Retention beyond 30 days: single later days of a day's cohort, and the weeks and months after a week's or month's."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from analytics.core.rates import percent
from analytics.timers.facts import Facts, Mask, Numbers
from analytics.timers.timer import Document, Looks, Timer, TimerPeriod, last_of

LATER = (45, 60, 90)
WEEKS, MONTHS = 8, 3

Cohort = Callable[[Facts, int], Numbers]
"""Returns the accts that join on a day."""

Back = Callable[[Facts, int, int], Mask]
"""Returns per acct whether it was there on any day from the first to the last one given."""


def _documents(
    size: str, cohort: Cohort, back: Back, period: TimerPeriod, after: Sequence[int], facts: Facts, firsts: Iterable[int]
) -> Iterator[Document]:  # fmt: skip
    """Yield retention by period: of those that joined in one, who was there in the n-th after it.

    | field | formula |
    | --- | --- |
    | `reg` or `pay_user` | the cohort's size: distinct accts that signed up, or first paid, in the period |
    | `retention.n.count` | those of the cohort that logged in, or paid, in the n-th day, week or month after |
    | `retention.n.rate` | 100 * `count` / the size, percent, two decimals |

    for each n of ``after`` whose period has begun; a document of a day only exists once its first n has.
    """
    for first in firsts:
        periods = {n: _later(period, first, n) for n in after}
        begun = {n: then for n, then in periods.items() if then <= facts.clock.begun}
        if period == "day" and not begun:
            continue
        last = last_of(period, first)
        joined = facts.among(cohort(facts, day) for day in range(first, last + 1))
        sizes = facts.counted(joined, last)
        counts = {
            n: facts.counted(joined & back(facts, then, last_of(period, then)), last)
            for n, then in begun.items()
        }
        for part, of_cohort in enumerate(sizes):
            fields = {
                size: of_cohort,
                "retention": {
                    str(n): {"count": count[part], "rate": percent(count[part], of_cohort)}
                    for n, count in counts.items()
                },
                "final": last_of(period, periods[after[-1]]) <= facts.clock.ended,
            }
            yield Document(first, fields, not of_cohort, part)


def _later(period: TimerPeriod, first: int, n: int) -> int:
    """Return the first day of the n-th period after the one that begins on ``first``."""
    if period == "day":
        return first + n
    for _ in range(n):
        first = last_of(period, first) + 1
    return first


def _paid(facts: Facts, first: int, last: int) -> Mask:
    return facts.among(facts.payments(day).accts for day in range(first, last + 1))


def _by_login(name: str, period: TimerPeriod, after: Sequence[int], days: Sequence[int]) -> Timer:
    documents = partial(_documents, "reg", Facts.signups, Facts.logged_in, period, after)
    looks: Looks = {"signup": range(1), "login": days}
    spans = 0 if period == "day" else after[-1]
    return Timer(
        name, documents, looks=looks, period=period, login_periods=spans, cohort="signup", numbers=("reg",)
    )


def _by_payment(name: str, period: TimerPeriod, after: Sequence[int], days: Sequence[int]) -> Timer:
    documents = partial(_documents, "pay_user", Facts.first_payers, _paid, period, after)
    looks: Looks = {"first_pay": range(1), "pay": days}
    return Timer(name, documents, looks=looks, period=period, cohort="pay", numbers=("pay_user",))


def _days(longest: int, periods: int) -> range:
    """Return the days after any day of a period that the periods after it lie in."""
    return range(1, longest * periods + 1)


loginlong = _by_login("loginlong", "day", LATER, LATER)
paylong = _by_payment("paylong", "day", LATER, LATER)
loginweek = _by_login("loginweek", "week", range(1, WEEKS + 1), _days(7, WEEKS))
payweek = _by_payment("payweek", "week", range(1, WEEKS + 1), _days(7, WEEKS))
loginmonth = _by_login("loginmonth", "month", range(1, MONTHS + 1), _days(31, MONTHS))
paymonth = _by_payment("paymonth", "month", range(1, MONTHS + 1), _days(31, MONTHS))
