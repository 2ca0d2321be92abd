"""Which documents of timer bolts may say something else now, and what they have to be computed from."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from analytics.runtime.timers.facts import Needs
from analytics.runtime.timers.scopes import Scope
from analytics.timers.facts import Changing, Clock, Span
from analytics.timers.timer import Timer, TimerPeriod, first_of, runs

DAYS_AT_ONCE = 31
"""Documents of so many days are computed from the same facts: more would hold more of them at once."""

DOCUMENTS_AT_ONCE = 3_000

Work = dict[str, Counter[int]]
"""Per timer bolt the first days of periods, and the incoming tuples that each then accounts for."""

Plan = dict[Scope, Work]

Changes = Counter[tuple[Changing, int]]
"""Per kind of fact and day the number of incoming tuples that changed it."""


def changes_of(scope: Scope, by_area: Mapping[str, Changes]) -> Changes:
    """Return what changed in the scope, given what did in each area."""
    result: Changes = Counter()
    for area in scope.areas:
        result.update(by_area.get(area, {}))
    return result


def of_changes(
    timers: Mapping[str, Timer],
    changes: Changes,
    last: int,
    paid_next: Callable[[int], Iterable[int]] = lambda day: (),
) -> Work:
    """Return what changed days change.

    A late, earlier payment moves an acct to an earlier cohort: so the day on which each payer of a changed day paid
    next is looked at, too. That is enough, whatever is stored already of changes that are reported later: of all the
    new days that an acct has before the one that was its first, the last leads there.

    ``paid_next``: takes a day; returns the days on which its payers paid next. Left out where all days are looked at.
    """
    work = _nothing()
    first_pays = [timer for timer in timers.values() if "first_pay" in timer.looks]
    for (kind, day), tuples in changes.items():
        for timer in timers.values():
            _add(work, timer, timer.affected(kind, day), last, tuples)
    for day in (day for kind, day in changes if kind == "pay") if first_pays else ():
        for timer in first_pays:
            _add(work, timer, timer.affected("first_pay", day), last, changes["pay", day])
            for later in paid_next(day):
                _add(work, timer, timer.affected("first_pay", later), last, 0)
    return work


def cohort_days(work: Work, timers: Mapping[str, Timer]) -> Needs:
    """Return the days on which accts can join the cohorts that documents are about."""
    days: Needs = defaultdict(set)
    for name, firsts in work.items():
        if cohort := timers[name].cohort:
            for first in firsts:
                days[cohort].update(timers[name].days_from(first))
    return days


def of_cohorts(work: Work, timers: Mapping[str, Timer], joined: Needs) -> Work:
    """Return the part of the work that is not about empty cohorts.

    ``joined``: the days on which accts join cohorts, and those whose facts changed: accts may have joined on them before.
    """
    result = _nothing()
    for name, firsts in work.items():
        timer = timers[name]
        days = joined[timer.cohort] if timer.cohort else set()
        for first, tuples in firsts.items():
            if not timer.cohort or not days.isdisjoint(timer.days_from(first)):
                result[name][first] = tuples
    return result


def of_divisions(timers: Iterable[Timer], changes: Changes, last: int) -> Work:
    """Return what changed days of properties change where a segment divides accts: whatever looks at values of these days or later.

    Whom the change concerns is not asked: an acct that came today is looked at today and later alone, and one whose first
    record came in late is a rare thing.
    """
    work = _nothing()
    begin = min((day for kind, day in changes if kind == "segment"), default=last + 1)
    for timer in timers:
        _add(work, timer, timer.divided_since(begin, last), last, 0)
    return work


def of_time(timers: Mapping[str, Timer], before: Clock, now: Clock) -> Work:
    """Return what days change that have begun or ended since; also where the clock was put back."""
    work = _nothing()
    for was, is_ in ((before.begun, now.begun), (before.ended, now.ended)):
        for day in range(min(was, is_) + 1, max(was, is_) + 1):
            for timer in timers.values():
                _add(work, timer, timer.aged(day), max(was, is_), 0)
    return work


def of_days(timers: Iterable[Timer], first: int, last: int, within: bool = False) -> Work:
    """Return all periods that any of the days lies in; with ``within`` only those that begin on one of them.

    Timer bolts of the same period share them: a plan of many areas would be large otherwise.
    """
    listed = list(timers)
    by_period: dict[TimerPeriod, Counter[int]] = {}
    for period in {timer.period for timer in listed}:
        firsts = {first_of(period, day) for day in range(first, last + 1)}
        by_period[period] = Counter(dict.fromkeys((day for day in firsts if day >= first or not within), 0))
    return {timer.name: by_period[timer.period] for timer in listed}


def of_spans(
    spans: Mapping[Scope, tuple[int, int]], timers: Mapping[str, Timer], within: bool = False
) -> Iterator[Plan]:
    """Yield plans of all documents of each scope's first to last day, some days after the other.

    ``within``: leave out the week and month that the first day lies in, but that began before.
    """
    begin = min((first for first, _ in spans.values()), default=0)
    end = max((last for _, last in spans.values()), default=-1)
    for day in range(begin, end + 1, DAYS_AT_ONCE):
        plan: Plan = {}
        for scope, (first, last) in spans.items():
            low, high = max(day, first), min(day + DAYS_AT_ONCE - 1, last)
            if low <= high:
                plan[scope] = of_days(for_scope(timers, scope).values(), low, high, within or low > first)
        yield plan


def for_scope(timers: Mapping[str, Timer], scope: Scope) -> Mapping[str, Timer]:
    """Return the timer bolts that have documents of the scope."""
    if not scope.segment:
        return timers
    return {name: timer for name, timer in timers.items() if timer.of_segments}


def days_of_areas(plan: Plan) -> dict[str, set[int]]:
    """Return, by game, the days of which a plan has figures of areas, the documents of ``kpi``."""
    result: dict[str, set[int]] = defaultdict(set)
    for scope, work in plan.items():
        if not scope.is_total and scope.segment is None and (days := work.get("kpi")):
            result[scope.game].update(days)
    return result


def merged(works: Iterable[Work]) -> Work:
    """Return several pieces of work as one."""
    result = _nothing()
    for work in works:
        for name, firsts in work.items():
            result[name].update(firsts)
    return {name: firsts for name, firsts in result.items() if firsts}


def chunks(plan: Plan) -> Iterator[Plan]:
    """Yield a plan in pieces of neighbouring days, oldest first."""
    days = {day for work in plan.values() for firsts in work.values() for day in firsts}
    for run in runs(days, DAYS_AT_ONCE):
        piece: Plan = {}
        for scope, work in plan.items():
            # Timer bolts may share their periods: each is cut once.
            different = {id(firsts): firsts for firsts in work.values()}
            cut = {
                key: Counter({day: firsts[day] for day in firsts if run[0] <= day <= run[-1]})
                for key, firsts in different.items()
            }
            if some := {name: cut[id(firsts)] for name, firsts in work.items() if cut[id(firsts)]}:
                piece[scope] = some
        yield piece


def groups(plan: Plan) -> Iterator[Plan]:
    """Yield a plan in pieces of limited size: areas together, and at the end each plat and game, those that share their facts together."""
    piece: Plan = {}
    size, pool = 0, None
    for scope in sorted(plan, key=lambda scope: (scope.is_total, scope.is_total and scope.shared_by)):
        count = sum(map(len, plan[scope].values())) * len(scope.parts)
        others = scope.shared_by != pool if scope.is_total else size + count > DOCUMENTS_AT_ONCE
        pool = scope.shared_by
        if piece and others:
            yield piece
            piece, size = {}, 0
        piece[scope] = plan[scope]
        size += count
    if piece:
        yield piece


def needs(work: Work, timers: Mapping[str, Timer], last: int) -> tuple[Needs, bool]:
    """Return the days that the documents look at, and whether they look at all payments there ever were.

    Days of logins that are looked at as weeks and months are not among them: see :func:`spans_needed`.
    """
    days: Needs = defaultdict(set)
    history = False
    for name, firsts in work.items():
        timer = timers[name]
        for kind in timer.looks:
            if kind == "first_pay":
                history = True
                continue
            if kind == "segment" or (kind == "login" and timer.login_periods):
                continue
            for first in firsts:
                days[kind].update(timer.looked_at(kind, first))
    return {kind: {day for day in some if day <= last} for kind, some in days.items()}, history


def spans_needed(work: Work, timers: Mapping[str, Timer], last: int) -> set[Span]:
    """Return the weeks and months whose logins the documents look at as a whole."""
    return {
        span
        for name, firsts in work.items()
        for first in firsts
        for span in timers[name].periods_looked_at(first)
        if span[0] <= last
    }


def _nothing() -> Work:
    return defaultdict(Counter)


def _add(work: Work, timer: Timer, firsts: Iterable[int], last: int, tuples: int) -> None:
    for first in firsts:
        if first <= last:
            work[timer.name][first] += tuples
