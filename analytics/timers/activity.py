"""How many accts were active in a day, a week, a month, and how many of them were new."""

from collections.abc import Iterable, Iterator

from analytics.core.rates import percent
from analytics.timers.facts import Facts
from analytics.timers.timer import Document, Timer, TimerPeriod, last_of


def _activity(name: str, period: TimerPeriod) -> Timer:
    """Return the timer of active accts per ``period``.

    | field | formula |
    | --- | --- |
    | `ac_user` | distinct accts that logged in during the period |
    | `new_ac_user` | those of them that signed up in the same period |
    | `old_ac_user` | `ac_user` - `new_ac_user` |
    | `new_ac_rate` | 100 * `new_ac_user` / `ac_user`, percent, two decimals |
    | `old_ac_rate` | 100 * `old_ac_user` / `ac_user`, percent, two decimals |

    Active users of a day, a week and a month are the usual DAU, WAU and MAU, counted over calendar periods. The
    split into new and old is this suite's contract. An acct that signed up without logging in is not active.
    """

    def documents(facts: Facts, firsts: Iterable[int]) -> Iterator[Document]:
        for first in firsts:
            last = last_of(period, first)
            days = range(first, last + 1)
            active = facts.logged_in(first, last)
            signed_up = facts.among(map(facts.signups, days))
            counts = (facts.counted(mask, last) for mask in (active, active & signed_up, signed_up))
            for part, (users, new, signups) in enumerate(zip(*counts, strict=True)):
                fields = {
                    "ac_user": users,
                    "new_ac_user": new,
                    "new_ac_rate": percent(new, users),
                    "old_ac_user": users - new,
                    "old_ac_rate": percent(users - new, users),
                    "final": last <= facts.clock.ended,
                }
                yield Document(first, fields, not (users or signups), part)

    numbers = ("ac_user", "new_ac_user", "new_ac_rate", "old_ac_user", "old_ac_rate")
    return Timer(
        name, documents, looks={"login": range(1), "signup": range(1)}, period=period, numbers=numbers
    )


activeday = _activity("activeday", "day")
activeweek = _activity("activeweek", "week")
activemonth = _activity("activemonth", "month")
