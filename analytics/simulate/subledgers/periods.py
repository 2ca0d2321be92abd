"""Documents over more than one day: activity, retention, repeated payments, lifetime value."""

from collections.abc import Callable, Iterable
from datetime import date

from analytics.simulate.subledgers.common import Calendar, Documents, Fields, money, share
from analytics.simulate.subledgers.scopes import LedgerScope

WEEK, MONTH = 7, 30
RETENTION_DAYS = range(1, 31)
WORTH_DAYS = (*range(31), 60, 90)

OfDay = Callable[[LedgerScope, int, int], Fields | None]


def period_documents(scopes: Iterable[LedgerScope], calendar: Calendar, today: int) -> Documents:
    """Return the documents of every collection here, as of a moment within ``today``."""
    names = ("activeday", "activeweek", "activemonth", *OF_DAYS)
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
                days = [day for day in range(first, first + 31) if first_of(day) == first]
                _add(
                    result[_of(scope, name)], scope, calendar, first, _active(scope.on(days[-1]), days, today)
                )
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


def _retention(scope: LedgerScope, day: int, today: int) -> Fields | None:
    cohort = scope.signed_up([day])
    if not cohort:
        return None
    later = {n: len(cohort & scope.logged_in([day + n])) for n in RETENTION_DAYS if day + n <= today}
    return {"reg": len(cohort), "retention": _shares(later, len(cohort)), "final": day + 30 < today}


def _paytrace(scope: LedgerScope, day: int, today: int) -> Fields | None:
    payers = scope.payers([day])
    # All days before are looked at only where an acct paid: there may be years after the last payment.
    cohort = payers - scope.payers(scope.days(day - 1)) if payers else payers
    if not cohort:
        return None
    later = {n: len(cohort & scope.payers([day + n])) for n in RETENTION_DAYS if day + n <= today}
    return {"pay_user": len(cohort), "retention": _shares(later, len(cohort)), "final": day + 30 < today}


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
}
OF_DAYS: dict[str, OfDay] = {
    "loginretention": _retention,
    "paytraceday": _paytrace,
    "kpi": _kpi,
    "ltv": _worth,
}
