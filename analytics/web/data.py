"""What views are given: the documents, the areas that the configuration claims, and the time."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from analytics.config import Config
from analytics.core.areas import Areas
from analytics.store import Reader, Store
from analytics.store.reading import Query
from analytics.web.filters import Filters
from analytics.web.kept import Kept
from analytics.web.place import ONE_DAY, WHOLE, Place, basis_of, date_of, members_of, span, start_of, zone_of

LOOK_BACK = 40 * ONE_DAY


@dataclass(frozen=True)
class Data:
    """Everything that a view reads from.

    Attributes:
        store: gives whole documents, with their lists completed. It is only read from.
        reader: gives chosen fields and sums.
        clock: the time, in Unix seconds.
        kept: numbers that were read before.
        counts: requests answered, and those that failed, for ``status``.
    """

    config: Config
    store: Store
    reader: Reader
    areas: Areas
    clock: Callable[[], float] = time.time
    kept: Kept = field(default_factory=Kept)
    counts: Counter[str] = field(default_factory=Counter)

    def place(self, filters: Filters) -> Place:
        """Return which areas and days a filter means, by now.

        Raises:
            BadFilter: there are no such areas, or the days can't be.
            NothingThere: there are no areas at all.
        """
        game, members = members_of(list(self.areas.values()), filters)
        basis = basis_of(filters, members)
        of_game = self.config.games[game].timezone or self.config.timezone
        local = zone_of(basis, members, of_game)
        now = int(self.clock())
        today = date_of(local, now)
        newest = self._newest(game, today)
        first, last = span(filters, today, newest)
        zones = frozenset(area.zone for area in members)
        return Place(
            game, filters.plat, filters.areas, members, basis, local, zones, now, today, newest, first, last
        )

    def _newest(self, game: str, today: date) -> date | None:
        """Return the newest day on which anybody of the game logged in or signed up."""
        of_game = zone_of("game", [], self.config.games[game].timezone or self.config.timezone)

        def newest(first: date, last: date) -> dict[date, date | None]:
            since, until = start_of(of_game, today - LOOK_BACK), start_of(of_game, today + 2 * ONE_DAY)
            lately = Query("activeday", game, areas=(WHOLE,), since=since, until=until)
            found = list(self.reader.find(lately, ["ts"]))
            if not found:
                ever = Query("activeday", game, areas=(WHOLE,))
                found = list(self.reader.find(ever, ["ts"], by="ts", descending=True, limit=1))
            return {last: max((date_of(of_game, one["ts"]) for one in found), default=None)}

        values, _ = self.kept.get(("newest", game), [today], today, newest)
        found: date | None = values.get(today)
        return found
