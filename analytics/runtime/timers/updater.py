"""Brings the documents of timer bolts and the totals up to date, from the saved position to the present."""

from collections.abc import Iterator, Mapping

from analytics.broker.wire import Head
from analytics.config import Config, segments
from analytics.core.periods import Zone
from analytics.runtime.outlet import Outlet
from analytics.runtime.timers.dirty import Dirty
from analytics.runtime.timers.documents import SKEW_SECONDS, Now
from analytics.runtime.timers.game_requests import GameRequest, LargeGames, fingerprint
from analytics.runtime.timers.game_run import GameComputer
from analytics.runtime.timers.position import TimersPosition
from analytics.runtime.timers.rules import SEGMENTS, UNITED, rules
from analytics.runtime.timers.run import GameTooLarge, Run
from analytics.runtime.timers.scopes import next_boundary
from analytics.runtime.timers.strays import remove_all, remove_undeclared, remove_united
from analytics.runtime.timers.totals import Totals
from analytics.runtime.timers.writing import Done
from analytics.store import Store
from analytics.timers import TIMERS
from analytics.timers.rollup import Rollup
from analytics.timers.timer import Timer


class Updater:
    """Computes what has changed, and what days that begin and end change, and saves the position afterwards.

    Args:
        now: the clock, in Unix seconds.

    Attributes:
        again: whether the run before ended half-way: the next writes and publishes everything that it touches.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        outlet: Outlet,
        position: TimersPosition,
        timers: Mapping[str, Timer],
        rollups: Mapping[str, Rollup],
        now: Now,
    ) -> None:
        self._store = store
        self._position = position
        self._rollups = rollups
        self._now = now
        self._segments = segments(config)
        self._fingerprint = fingerprint(config)
        self._games = GameComputer(config, store, outlet, timers, position.check, now)
        self._rules = rules(config, self._games.areas)
        self._boundary = 0
        self.again = False
        self.large = LargeGames(config, store)

    def resume(self) -> None:
        """Go on from the saved position, which was just loaded; forget what was known before."""
        self.forget()
        saved = self._position.saved
        self.again = bool(saved.run)
        self._boundary = next_boundary(self._zones(), saved.now) if saved.now else 0

    def forget(self) -> None:
        """Read facts again: those in memory may be older than the store."""
        self._games.forget()

    def is_due(self) -> bool:
        """Return whether there is work that no change reports: a day has begun, a run ended half-way, or rules are others."""
        now = self._now()
        # The clock was corrected: what has begun or ended by it has not.
        went_back = now < self._position.saved.now - SKEW_SECONDS
        return self.again or now >= self._boundary or went_back or bool(self._other_rules())

    def update(self, run: str, dirty: Dirty, log: str, heads: dict[str, Head]) -> tuple[Done, float]:
        """Bring up to date what is ``dirty``; return what was done, and the seconds that totals took of it.

        Args:
            run: the name of this run, which its documents carry.
            log, heads: what ``dirty`` reaches to; saved when everything is written.

        Raises:
            Unavailable: the store does not answer.
            Overtaken: another instance is at work.
        """
        now = int(self._now())
        saved = self._position.saved
        other = self._other_rules()
        others, merged, ruled = SEGMENTS in other, UNITED in other, other - {SEGMENTS, UNITED}
        due = bool(other or self.again or now >= self._boundary or now < saved.now)
        again = self.again or bool(saved.run)
        runner = self._games.new_run(run=run, again=again, most_bytes=self.large.most_bytes)
        totals = Totals(
            self._store, self._rollups, self._games.areas, self._games.scopes, runner.writer, self._now,
            self._position.check,
        )  # fmt: skip
        for kind, area, day in dirty.days:
            self._games.facts.forget(kind, area, day)
        if dirty.everything:
            self._games.facts.clear()
        if dirty or dirty.everything or due:
            self._position.begin(run)
            moved = self._move_starts(runner, dirty)
            if merged:
                remove_united(self._store, self._position.check)
            for game in self._games.games:
                request = GameRequest(
                    game, run, self._position.saved.version, again, saved.now, now, self._fingerprint,
                    dirty.everything, moved=sorted(moved), others=others, merged=merged, ruled=sorted(ruled),
                )  # fmt: skip
                for days in self._bring_up_to_date(runner, request, dirty):
                    totals.bring_areas_up_to_date(game, days)
            if others:
                remove_undeclared(self._store, self._games.scopes, self._segments, self._position.check)
            remove_all(self._store, ruled - self._rules.keys(), self._position.check)
            self._roll_up(totals, dirty, saved.now, now, dirty.everything or merged)
        self._position.finish(log, heads, now, self._rules)
        self._boundary = next_boundary(self._zones(), now)
        self.again = False
        return runner.done, totals.seconds

    def _bring_up_to_date(self, runner: Run, request: GameRequest, dirty: Dirty) -> Iterator[set[int]]:
        """Bring a game up to date, here or elsewhere; yield the days of which the figures of areas may have changed."""
        while not self.large.has(request.game):
            alone = not self._games.facts.bytes
            try:
                yield from self._games.work(runner, request, dirty)
                return
            except GameTooLarge:
                self._games.facts.clear()
                if alone:  # else what is known of other games may be what is too much
                    self.large.add(request.game)
        answer = self.large.compute(request, dirty, self._games.areas)
        self._position.went_on(answer.version)
        runner.done.add(answer)
        yield set(answer.days)

    def _zones(self) -> set[Zone]:
        return {zone for scope in self._games.scopes for zone in (*scope.zones, scope.zone)}

    def _other_rules(self) -> set[str]:
        """Return the rules that documents were computed by and that are others now: those of timer bolts, some of which may be gone,
        ``SEGMENTS`` and ``UNITED``."""
        saved = self._position.saved.rules
        return {
            name for name in (*TIMERS, SEGMENTS, UNITED) if saved.get(name, "") != self._rules.get(name, "")
        }

    def _roll_up(self, totals: Totals, dirty: Dirty, before: int, now: int, everything: bool) -> None:
        """Bring the totals up to date: of what has changed, and of days that have ended since ``before``; or ``everything``."""
        for game in self._games.games:
            for name in totals.names:
                if everything:
                    stored = totals.stored(name, game)
                    hours = totals.of_days(game, stored.areas | stored.totals.keys())
                else:
                    hours = totals.of_changes(name, game, dirty.totals.get((name, game), ()))
                    hours |= totals.of_time(name, game, before, now) if before else {}
                totals.bring_up_to_date(name, game, hours)

    def _move_starts(self, run: Run, dirty: Dirty) -> set[str]:
        """Bring starts up to date; return the areas that started on another day than was known."""
        again, moved = self.again, set[str]()
        areas = self._games.areas if dirty.everything else ()
        while starts := [
            *self._games.starts.computed(areas, self._now, again),
            *self._games.starts.due(dirty.starts, self._now, again),
        ]:
            moved |= run.write_starts({one.area: one for one in starts}.values(), dirty.start_tuples)
            again = False
        return moved
