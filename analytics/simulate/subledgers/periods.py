"""Documents over more than one day: activity, retention, repeated payments, lifetime value."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from analytics.simulate.funnel import NAME, STEPS, WITHIN_DAYS
from analytics.simulate.subledgers.common import Calendar, Documents, Fields, money, share
from analytics.simulate.subledgers.scopes import LedgerScope

WEEK, MONTH = 7, 30
ABSENT = 7
RETENTION_DAYS = range(1, 31)
LONG_DAYS = (45, 60, 90)
WORTH_DAYS = (*range(31), 60, 90)
FUNNEL_DAYS = range(WITHIN_DAYS + 3)
"""Until the last of them has ended everywhere, a step may still be reached in time."""

NEVER = 10**12

OfDay = Callable[[LedgerScope, int, int], Fields | None]


def _after(
    scope: LedgerScope, kind: str, first_of: Callable[[int], int], last_n: int, first: int, today: int
) -> Fields | None:
    """Return what became of the cohort of a week or month: ``kind`` is "reg" or "pay_user"."""
    weeks, joined = [_days_of(first_of, first)], set[str]()
    for _ in range(last_n):
        weeks.append(_days_of(first_of, weeks[-1][-1] + 1))
    for day in weeks[0]:
        joined |= _joined(scope, kind, day)
    if not joined:
        return None
    counts = {
        n: len(joined & _came(scope, kind, days)) for n, days in enumerate(weeks) if n and days[0] <= today
    }
    return {kind: len(joined), "retention": _shares(counts, len(joined)), "final": weeks[-1][-1] < today}


def _returns(kind: str, ns: Sequence[int], rolling: bool) -> OfDay:
    """Return what tells how many of a day's cohort came back on its n-th day, and if ``rolling``, then or later."""

    def fields(scope: LedgerScope, day: int, today: int) -> Fields | None:
        joined = _joined(scope, kind, day) if rolling or day + ns[0] <= today else set()
        if not joined:
            return None
        back = {n: joined & _came(scope, kind, [day + n]) for n in ns if day + n <= today}
        cells = _shares({n: len(accts) for n, accts in back.items()}, len(joined))
        later: set[str] = set()
        for n in sorted(back, reverse=True) if rolling else ():
            later |= back[n]
            cells[str(n)] |= {"rolling": len(later), "rolling_rate": share(len(later), len(joined))}
        return {kind: len(joined), "retention": cells, "final": day + ns[-1] < today}

    return fields


def _came(scope: LedgerScope, kind: str, days: Iterable[int]) -> set[str]:
    return scope.logged_in(days) if kind == "reg" else scope.payers(days)


def _joined(scope: LedgerScope, kind: str, day: int) -> set[str]:
    """Return who signed up on a day, or paid for the first time."""
    if kind == "reg":
        return scope.signed_up([day])
    payers = scope.payers([day])
    # All days before are looked at only where an acct paid: there may be years after the last payment.
    return payers - scope.payers(scope.days(day - 1)) if payers else payers


def _days_of(first_of: Callable[[int], int], first: int) -> list[int]:
    return [day for day in range(first, first + 31) if first_of(day) == first]


def period_documents(scopes: Iterable[LedgerScope], calendar: Calendar, today: int) -> Documents:
    """Return the documents of every collection here, as of a moment within ``today``."""
    names = (*PERIODS, *AFTER, *OF_DAYS)
    result: Documents = {
        "serverstarttime": {},
        **{f"{name}{of}": {} for name in names for of in ("", "_total", "_segment", "_segment_total")},
    }
    for scope in scopes:
        for name, fields_of in OF_DAYS.items():
            for day in scope.days(today):
                _add(result[_of(scope, name)], scope, calendar, day, fields_of(scope.on(day), day, today))
        for name, first_of in PERIODS.items():
            for first in {first_of(day) for day in scope.days(today)}:
                days = _days_of(first_of, first)
                of_period = _payers if name == "payers" else _active
                fields = of_period(scope.on(days[-1]), days, today)
                _add(result[_of(scope, name)], scope, calendar, first, fields)
        for name, (kind, first_of, last_n) in AFTER.items():
            for first in {first_of(day) for day in scope.days(today)}:
                last = _days_of(first_of, first)[-1]
                fields = _after(scope.on(last), kind, first_of, last_n, first, today)
                _add(result[_of(scope, name)], scope, calendar, first, fields)
        if scope.is_area and not scope.part and scope.first is not None and scope.first_day is not None:
            start = {"ts": scope.first, "day": calendar.start(scope.first_day)}
            result["serverstarttime"][scope.id] = scope.names | start | {"final": scope.first_day < today}
    return result


def _of(scope: LedgerScope, name: str) -> str:
    return f"{name}{'_segment' if scope.part else ''}{'' if scope.is_area else '_total'}"


def _add(
    into: dict[str, Fields], scope: LedgerScope, calendar: Calendar, day: int, fields: Fields | None
) -> None:
    if fields is not None:
        ts = calendar.start(day)
        into[f"{scope.id}:{ts}{scope.part}"] = scope.names | {"ts": ts} | fields


def _active(scope: LedgerScope, days: list[int], today: int) -> Fields | None:
    active, signed_up = scope.logged_in(days), scope.signed_up(days)
    if not active and not signed_up:
        return None
    new = len(active & signed_up)
    old = len(active) - new
    return {
        "ac_user": len(active),
        "new_ac_user": new,
        "old_ac_user": old,
        "new_ac_rate": share(new, len(active)),
        "old_ac_rate": share(old, len(active)),
        "final": days[-1] < today,
    }


def _lifecycle(scope: LedgerScope, day: int, today: int) -> Fields | None:
    active = scope.logged_in(range(day - ABSENT + 1, day + 1))
    before = scope.logged_in(range(day - ABSENT, day))
    if not active and not before:
        return None
    came = active - before
    new = came & scope.signed_up(range(day - ABSENT + 1, day + 1))
    return {
        "active": len(active),
        "before": len(before),
        "new": len(new),
        "retained": len(active & before),
        "returned": len(came - new),
        "lost": len(before - active),
        "final": day < today,
    }


def _shares(counts: dict[int, int], whole: int) -> Fields:
    return {str(n): {"count": count, "rate": share(count, whole)} for n, count in counts.items()}


def _kpi(scope: LedgerScope, day: int, today: int) -> Fields | None:
    dau = len(scope.logged_in([day]))
    wau = len(scope.logged_in(range(day - WEEK + 1, day + 1)))
    mau = len(scope.logged_in(range(day - MONTH + 1, day + 1)))
    signed_up, payers = scope.signed_up([day]), scope.payers([day])
    if not (dau or mau or payers or signed_up):
        return None
    cents = scope.cents(payers, [day])
    return {
        "dau": dau,
        "wau": wau,
        "mau": mau,
        "stickiness": _quotient(dau, mau),
        "payers": len(payers),
        "pay_rate": _quotient(len(payers), dau),
        "revenue": money(cents),
        "arpu": _quotient(cents, 100 * dau),
        "arppu": _quotient(cents, 100 * len(payers)),
        "reg": len(signed_up),
        "new_payers": len(signed_up & payers),
        "new_pay_rate": _quotient(len(signed_up & payers), len(signed_up)),
        "open_day": None if scope.first_day is None else day - scope.first_day,
        "final": day < today,
    }


def _worth(scope: LedgerScope, day: int, today: int) -> Fields | None:
    cohort = scope.signed_up([day])
    if not cohort:
        return None
    worth = {
        str(n): _quotient(scope.cents(cohort, range(day, day + n + 1)), 100 * len(cohort))
        for n in WORTH_DAYS
        if day + n < today
    }
    return {"reg": len(cohort), "ltv": worth, "final": day + WORTH_DAYS[-1] < today}


def _payers(scope: LedgerScope, last: list[int], today: int) -> Fields | None:
    earlier = _days_of(_first_of_month, _first_of_month(last[0] - 1))
    accts, before = scope.payers(last), scope.payers(earlier)
    amounts = {
        acct: [scope.paid[one][acct] for one in last if acct in scope.paid.get(one, ())] for acct in accts
    }
    active = scope.logged_in(last)
    if not (accts or before or active):
        return None
    paid = sorted((sum(some) for some in amounts.values()), reverse=True)
    again = [acct for acct, some in amounts.items() if len(some) > 1]
    fields: Fields = {
        "payers": len(accts),
        "revenue": money(sum(paid)),
        "non_payers": len(active - accts),
        "repeat_payers": len(again),
        "repeat_rate": share(len(again), len(accts)),
        "before": len(before),
        "lost_payers": len(before - accts),
        "churn_rate": share(len(before - accts), len(before)),
        "final": last[-1] < today,
    }
    for tier, least, most in (("minnow", 0, 1_000), ("dolphin", 1_000, 10_000), ("whale", 10_000, 10**18)):
        own = [cents for cents in paid if least <= cents < most]
        fields |= {f"{tier}s": len(own), f"{tier}_revenue": money(sum(own))}
    for top in (1, 5, 10):
        most = sum(paid[: (len(paid) * top + 99) // 100])
        fields |= {f"top{top}_revenue": money(most), f"top{top}_rate": share(most, sum(paid))}
    return fields


def _first_payment(scope: LedgerScope, day: int, today: int) -> Fields | None:
    cohort = scope.signed_up([day])
    if not cohort:
        return None
    waited: list[int] = []
    left = set(cohort)
    for n in range(min(WORTH_DAYS[-1] + 1, today - day)):
        now = left & scope.payers([day + n])
        waited += [n] * len(now)
        left -= now
    counts = {n: sum(one <= n for one in waited) for n in WORTH_DAYS if day + n < today}
    return {
        "reg": len(cohort),
        "paid": _shares(counts, len(cohort)),
        "median_days": waited[(len(waited) - 1) // 2] if waited else None,
        "final": day + WORTH_DAYS[-1] < today,
    }


def _played(scope: LedgerScope, day: int, today: int) -> Fields | None:
    every = scope.sessions.get(day, [])
    among = scope.only(one.acct for one in every)
    some = [one for one in every if one.acct in among]
    over = [one for one in some if one.way != "open"]
    if not some:
        return None
    seconds = sum(one.seconds for one in over)
    upto = sorted(_rounded_up(one.seconds) for one in over)
    return {
        "sessions": len(some),
        "accts": len(among),
        "open": len(some) - len(over),
        "seconds": seconds,
        "playtime": round(seconds / len(among), 2),
        "median_minutes": upto[(len(upto) - 1) // 2] if upto else None,
        "ended_by_login": sum(one.way == "login" for one in over),
        "ended_by_limit": sum(one.way == "limit" for one in over),
        "lengths": {str(n): upto.count(n) for n in sorted(set(upto))},
        "final": day + 1 < today,
    }


def _went_through(scope: LedgerScope, day: int, today: int) -> Fields | None:
    cohort = scope.signed_up([day])
    if not cohort:
        return None
    left, table = dict.fromkeys(cohort, 0), {}
    for n, step in enumerate(STEPS, 1):
        for acct in list(left):
            of_days = [scope.reached.get((step, day + n), {}) for n in FUNNEL_DAYS]
            times = [times[acct] for times in of_days if acct in times]
            took = min(times, default=NEVER) - scope.reached[STEPS[0], day][acct]
            left[acct] = max(left[acct], took)
            if left[acct] > WITHIN_DAYS * 86_400:
                del left[acct]
        took_in_order = sorted(left.values())
        table[f"{NAME}-{n}"] = {
            "step": step,
            "count": len(left),
            "rate": share(len(left), len(cohort)),
            "median_seconds": took_in_order[(len(left) - 1) // 2] if left else None,
        }
    return {"reg": len(cohort), "steps": table, "final": day + FUNNEL_DAYS[-1] < today}


def _rounded_up(seconds: int) -> int:
    """Return minutes, rounded up to one of those that a histogram has: ever fewer as they grow."""
    minutes = max(1, -(-seconds // 60))
    step = 1 if minutes <= 60 else 5 if minutes <= 240 else 30 if minutes <= 1440 else 3000
    return -(-minutes // step) * step


def _quotient(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0


def _monday(day: int) -> int:
    return day - date.fromordinal(day).weekday()


def _first_of_month(day: int) -> int:
    return date.fromordinal(day).replace(day=1).toordinal()


PERIODS: dict[str, Callable[[int], int]] = {
    "activeday": lambda day: day,
    "activeweek": _monday,
    "activemonth": _first_of_month,
    "payers": _first_of_month,
}
AFTER: dict[str, tuple[str, Callable[[int], int], int]] = {
    "loginweek": ("reg", _monday, 8),
    "loginmonth": ("reg", _first_of_month, 3),
    "payweek": ("pay_user", _monday, 8),
    "paymonth": ("pay_user", _first_of_month, 3),
}
OF_DAYS: dict[str, OfDay] = {
    "loginlong": _returns("reg", LONG_DAYS, rolling=False),
    "paylong": _returns("pay_user", LONG_DAYS, rolling=False),
    "lifecycle": _lifecycle,
    "sessionday": _played,
    "loginretention": _returns("reg", RETENTION_DAYS, rolling=True),
    "paytraceday": _returns("pay_user", RETENTION_DAYS, rolling=True),
    "kpi": _kpi,
    "ltv": _worth,
    "firstpay": _first_payment,
    "funnel": _went_through,
}
