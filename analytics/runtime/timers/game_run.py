"""What a run does for one game: plan, compute, write. In the node, or in a process of a cluster that was asked to.

A cluster may run a task twice, and nobody knows whether one that was lost is still alive. So each task takes the saved position before it
reads anything, and those before it fail at their next look there. Every task but the first writes all documents that it
touches: what an earlier one had computed is refused then, since its versions have moved.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from analytics.config import Config, areas, funnels, segments
from analytics.core.funnels import steps_of_bolt
from analytics.runtime.outlet import Outlet, new_session
from analytics.runtime.timers.dirty import Dirty
from analytics.runtime.timers.documents import Now
from analytics.runtime.timers.facts import FactsReader
from analytics.runtime.timers.game_requests import GameAnswer, GameRequest
from analytics.runtime.timers.planner import Planner
from analytics.runtime.timers.planning import days_of_areas
from analytics.runtime.timers.position import Overtaken, TimersPosition
from analytics.runtime.timers.rules import session_rule, tiers, timers_of
from analytics.runtime.timers.run import Run
from analytics.runtime.timers.scopes import Scope, all_scopes, divided
from analytics.runtime.timers.starts import Starts
from analytics.spouts.acknowledging import Silent
from analytics.store import Store
from analytics.timers.timer import Timer


class GameComputer:
    """Computes the documents of timer bolts from facts that it keeps.

    Args:
        check: see :class:`~analytics.runtime.timers.run.Run`.
        now: the clock, in Unix seconds.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        outlet: Outlet,
        timers: Mapping[str, Timer],
        check: Callable[[], None] | None,
        now: Now,
    ) -> None:
        self.areas = areas(config)
        self.scopes = all_scopes(config, self.areas)
        of_segments, steps = segments(config), steps_of_bolt(funnels(config))
        self.every_scope = [*self.scopes, *divided(self.scopes, of_segments)]
        self.facts = FactsReader(store, self.areas, of_segments, tiers(config), session_rule(config), steps)
        self.starts = Starts(store, self.areas)
        self._planner = Planner(self.facts, self.every_scope, timers)
        self.games = self._planner.games
        self.new_run = partial(
            Run, store, outlet, self.facts, self.starts, timers,
            now=now, check=check, max_bytes=int(config.timers.max_known_mb * (1 << 20)),
        )  # fmt: skip

    def forget(self) -> None:
        """Read facts again: those in memory may be older than the store."""
        self.facts.clear()
        self.starts.clear()

    def work(self, run: Run, request: GameRequest, dirty: Dirty) -> Iterator[set[int]]:
        """Bring a game up to date; yield, as documents are written, the days of which the figures of areas may have changed.

        Args:
            dirty: what has changed of any game; ``request`` need not say it.

        Raises:
            Unavailable: the store does not answer.
            Overtaken: another instance is at work.
        """

        def is_other(scope: Scope) -> bool:
            return bool((request.others and scope.segment) or (request.merged and scope.united))

        for plan in self._planner.plans(
            request.game, dirty, request.before, request.now, set(request.moved), is_other, request.ruled
        ):
            run.work(plan)
            yield days_of_areas(plan).get(request.game, set())


def compute_game(config: Config, store: Store, request: GameRequest, now: Now) -> GameAnswer:
    """Bring a game up to date for the node, which waits for that. Nobody reads the tuples of timer bolts there.

    Raises:
        Unavailable: the store does not answer.
        Overtaken: another run is under way, or another process does the same.
    """
    session = f"game-{new_session()}"
    position = TimersPosition(store, session)
    saved = position.load()
    if saved.run != request.run:
        raise Overtaken(f"the run {request.run} of timer bolts has ended, or another one has begun")
    is_first = saved.version == request.version
    position.begin(request.run)
    computer = GameComputer(config, store, Outlet(Silent(), session), timers_of(config), position.check, now)
    run = computer.new_run(run=request.run, again=request.again or not is_first)
    days = set[int]().union(*computer.work(run, request, request.dirty()))
    return GameAnswer(
        position.saved.version,
        sorted(days),
        dict(run.done.computed),
        dict(run.done.changed),
        dict(run.done.removed),
        run.done.facts_bytes,
    )
