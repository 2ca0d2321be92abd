"""Timer bolts by hand: every document of some areas and days is computed again, whether or not anything changed.

Afterwards those are removed that no computation comes to.

It works beside the node: each write is on condition of the version that was read before the facts.
"""

from collections.abc import Iterable, Iterator, Mapping

from analytics.broker.clients import Publisher
from analytics.config import Config, catalogue, segments
from analytics.runtime.outlet import Outlet, new_session
from analytics.runtime.timers.collections import collections_of, indexed
from analytics.runtime.timers.documents import Now
from analytics.runtime.timers.facts import FactsReader
from analytics.runtime.timers.game_run import GameComputer
from analytics.runtime.timers.planner import spans
from analytics.runtime.timers.planning import Plan, of_spans
from analytics.runtime.timers.rules import timers_of
from analytics.runtime.timers.scopes import Scope
from analytics.runtime.timers.strays import FEW, Strays
from analytics.runtime.timers.totals import Totals
from analytics.runtime.timers.wanted import Wanted
from analytics.runtime.timers.writing import Done
from analytics.store import Store
from analytics.store.store import AREAS, TOTAL
from analytics.timers.rollup import NAME as ROLLUP
from analytics.timers.rollup import rollups
from analytics.timers.start import NAME as START
from analytics.timers.timer import Timer

LONGEST_PERIOD = 31


def by_hand(config: Config, store: Store, publisher: Publisher, wanted: Wanted, now: Now) -> Done:
    """Compute what is wanted; return how many documents were computed, changed and removed.

    ``now``: the clock, in Unix seconds. Raise Unavailable if the store does not answer.
    """
    bolts, timers = catalogue(config), timers_of(config)
    session = f"by-hand-{new_session()}"
    store.ensure_indexes(indexed(bolts))
    games = GameComputer(config, store, Outlet(publisher, session), timers, None, now)
    scopes, starts, run = games.scopes, games.starts, games.new_run(run=session)
    moved: set[str] = set()
    if START in wanted.timers:
        ids = [scope.area for scope in scopes if not scope.is_total and wanted.includes(scope)]
        while due := starts.computed(ids, now):
            moved |= run.write_starts(due, {})
        run.done.computed[START] = len(ids)
    found: dict[Scope, tuple[int, int]] = {}
    for plan in _plans(games.facts, games.every_scope, timers, wanted, moved, now, found):
        run.work(plan)
    strays = Strays(store, games, segments(config), wanted, found, now, timers)
    for name in wanted.timers:
        for collection in collections_of(name, bolts) if name != ROLLUP else ():
            strays.remove(name, collection)
    # They are sums of what is right by now.
    whole = sorted({scope.game for scope in scopes if wanted.includes(scope)})
    totals = Totals(store, rollups(bolts.values()), games.areas, scopes, run.writer, now)
    _roll_up(totals, store, whole, wanted, run.done)
    run.done.removed.update(strays.removed)
    run.done.kept.update(strays.kept)
    run.done.spared.update(strays.spared)
    return run.done


def _plans(
    facts: FactsReader,
    scopes: list[Scope],
    known: Mapping[str, Timer],
    wanted: Wanted,
    moved: set[str],
    now: Now,
    found: dict[Scope, tuple[int, int]],
) -> Iterator[Plan]:
    """Yield what is to be computed, game by game; put the first and last day of each scope that has facts into ``found``."""
    timers = {name: timer for name, timer in known.items() if name in wanted.timers}
    users = {name: timer for name, timer in known.items() if timer.uses_start}
    for game in sorted({scope.game for scope in scopes}):
        of_game = [scope for scope in scopes if scope.game == game]
        asked = [scope for scope in of_game if wanted.includes(scope)]
        here = spans(facts, asked, known.values(), int(now()))
        found |= here
        yield from of_spans(
            {scope: _bounded(span, wanted) for scope, span in here.items()},
            timers,
            within=wanted.since is not None,
        )
        # Where a start has moved, what looks at it is computed for all days: nobody else would.
        moved_scopes = [scope for scope in of_game if moved.intersection(scope.areas)]
        yield from of_spans(spans(facts, moved_scopes, users.values(), int(now())), users)


def _roll_up(totals: Totals, store: Store, games: Iterable[str], wanted: Wanted, done: Done) -> None:
    """Compute the totals of every day that is stored and wanted, and remove what can't be one."""
    asked = {f"{name}{TOTAL}": name for name in totals.names if ROLLUP in wanted.timers and not wanted.area}
    if {"kpi", ROLLUP} & {*wanted.timers}:
        asked[AREAS] = "kpi"
    for collection, name in asked.items():
        for game in games:
            stored = totals.stored(name, game, collection)
            days = {day for day in stored.areas | stored.totals.keys() if wanted.holds(day)}
            alone = days - stored.areas
            lost, every = sum(stored.totals[day] for day in alone), stored.totals.total()
            if lost > min(every // 2, max(FEW, every // 10)) and not wanted.remove_many:
                # It may be the areas' documents that are missing.
                done.spared[collection] += lost
                days -= alone
            if collection == AREAS:
                totals.bring_areas_up_to_date(game, days)
            else:
                totals.bring_up_to_date(name, game, totals.of_days(game, days))
        if wanted.is_everything:
            others = [id_ for id_ in store.ids(collection) if not totals.is_one(id_)]
            for id_, one in store.load(collection, others).items():
                done.removed[collection] += store.remove(collection, id_, one.get("_v"))


def _bounded(span: tuple[int, int], wanted: Wanted) -> tuple[int, int]:
    first, last = span
    return (
        # A month that begins before the first fact may hold it.
        first if wanted.since is None else max(wanted.since, first - LONGEST_PERIOD),
        last if wanted.until is None else min(wanted.until, last),
    )
