"""What a run computes: the plans that follow from changes, from days that begin and end, and from what is stored."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

import gevent

from analytics.runtime.timers import planning
from analytics.runtime.timers.dirty import Dirty
from analytics.runtime.timers.facts import FactsReader
from analytics.runtime.timers.planning import Plan
from analytics.runtime.timers.scopes import Scope
from analytics.timers.timer import Timer


class Planner:
    """Plans runs over the scopes of a configuration."""

    def __init__(self, facts: FactsReader, scopes: Sequence[Scope], timers: Mapping[str, Timer]) -> None:
        self._facts = facts
        self._scopes = scopes
        self._timers = timers
        self.games = sorted({scope.game for scope in scopes})

    def plans(
        self,
        game: str,
        dirty: Dirty,
        before: int,
        now: int,
        moved: set[str],
        is_other: Callable[[Scope], bool] = lambda scope: False,
        other_rules: Container[str] = (),
    ) -> Iterator[Plan]:
        """Yield what is to be computed of a game.

        Args:
            dirty: what has changed, of any game.
            before: the time that documents were computed for so far, 0 if there is none.
            moved: the areas that started on another day than was known.
            is_other: whether everything of a scope is to be computed, since it unites or divides accts in another way now.
            other_rules: timer bolts of which everything is to be computed, since they count by other rules now.
        """
        by_area = dirty.by_area()
        ruled = {name: timer for name, timer in self._timers.items() if name in other_rules}
        scopes = [scope for scope in self._scopes if scope.game == game]
        if dirty.everything:
            yield from self._everything(scopes, by_area, now)
            return
        if others := [scope for scope in scopes if is_other(scope)]:
            yield from self._everything(others, by_area, now)
        if ruled:
            yield from planning.of_spans(spans(self._facts, scopes, ruled.values(), now), ruled)
        yield self._plan(scopes, by_area, before, now)
        if restarted := [scope for scope in scopes if moved.intersection(scope.areas)]:
            users = {name: timer for name, timer in self._timers.items() if timer.uses_start}
            yield from planning.of_spans(spans(self._facts, restarted, users.values(), now), users)

    def _everything(
        self, scopes: list[Scope], by_area: Mapping[str, planning.Changes], now: int
    ) -> Iterator[Plan]:
        """Yield plans of all that the store has; what is known to have changed is still accounted for."""
        known = {
            scope: planning.of_changes(
                planning.for_scope(self._timers, scope),
                planning.changes_of(scope, by_area),
                scope.last_day(now),
            )
            for scope in scopes
        }
        for plan in planning.of_spans(spans(self._facts, scopes, self._timers.values(), now), self._timers):
            for scope, work in plan.items():
                for name, firsts in work.items():
                    if of_changes := {
                        first: known[scope][name][first] for first in firsts if first in known[scope][name]
                    }:
                        work[name] = Counter({**firsts, **of_changes})
            yield plan

    def _plan(
        self, scopes: list[Scope], by_area: Mapping[str, planning.Changes], before: int, now: int
    ) -> Plan:
        """Return what changes, and the time that has passed since ``before``, make of work."""
        changes = {scope: planning.changes_of(scope, by_area) for scope in scopes}
        works = {scope: self._work_of_changes(scope, some, now) for scope, some in changes.items() if some}
        joining = {scope: planning.cohort_days(work, self._timers) for scope, work in works.items()}
        self._facts.load_areas((scope, {"signup": days["signup"]}) for scope, days in joining.items())
        plan: Plan = {}
        for scope in scopes:
            timers, some = planning.for_scope(self._timers, scope), []
            if scope in works:
                joined = self._facts.days_of_anybody(scope, joining[scope])
                for kind, day in changes[scope]:
                    if kind != "segment":
                        joined[kind].add(day)
                some.append(planning.of_cohorts(works[scope], timers, joined))
                if scope.segment:
                    some.append(planning.of_divisions(timers.values(), changes[scope], scope.last_day(now)))
            if before:
                some.append(planning.of_time(timers, scope.clock(before), scope.clock(now)))
            if work := planning.merged(some):
                plan[scope] = work
            gevent.sleep(0)
        return plan

    def _work_of_changes(self, scope: Scope, changes: planning.Changes, now: int) -> planning.Work:
        """Return what changes may change, also of cohorts that are empty."""
        if any(kind == "pay" for kind, _ in changes):
            self._facts.load_history(scope)
        gevent.sleep(0)
        return planning.of_changes(
            planning.for_scope(self._timers, scope),
            changes,
            scope.last_day(now),
            lambda day: self._facts.days_paid_next(scope, day),
        )


def spans(
    facts: FactsReader, scopes: Sequence[Scope], timers: Iterable[Timer], now: int
) -> dict[Scope, tuple[int, int]]:
    """Return the first and last day on which any of the timer bolts may have something to say, per scope that has facts."""
    looks = [(days, timer.cohort) for timer in timers for days in timer.looks.values()]
    back = max((-days[0] for days, _ in looks), default=0)
    # What looks at both sides of its day may find something on the next one alone, as of areas in other zones.
    ahead = max((days[-1] for days, cohort in looks if not cohort and days[0] < 0 < days[-1]), default=0)
    stored = {}
    for scope in scopes:
        for area in scope.areas:
            if area not in stored:
                stored[area] = facts.days_stored(area, scope.last_day(now))
                gevent.sleep(0)
    result = {}
    for scope in scopes:
        days = [found for area in scope.areas if (found := stored[area])]
        if days:
            last = max(last for _, last in days) + back
            result[scope] = min(first for first, _ in days) - ahead, min(last, scope.last_day(now))
    return result
