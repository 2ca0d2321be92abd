"""What views are given: the documents, the areas that the configuration claims, and the time."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from analytics.bolts import BOLTS
from analytics.config import Config, segments
from analytics.core.areas import Areas
from analytics.core.bolt import Bolt
from analytics.core.exclusion import EXCLUDED
from analytics.core.periods import Zone, zone
from analytics.core.segments import Segment
from analytics.errors import AnalyticsError
from analytics.runtime.horizons import Horizons
from analytics.store import Reader, Store
from analytics.store.reading import Query
from analytics.store.store import TOTAL
from analytics.web.filters import Filters
from analytics.web.live_records import LiveRecords
from analytics.web.place import Place, basis_of, date_of, members_of, span, value_of, zone_of
from analytics.web.rights import UNLIMITED, Viewer


@dataclass(frozen=True)
class Data:
    """Everything that a view reads from.

    Attributes:
        store: gives whole documents, with their lists completed. It is only read from.
        entries: the same store, where what people enter is written; None: nothing can be entered.
        viewer: who looks; ``areas`` are those of the games that this viewer sees.
        reader: gives chosen fields and sums.
        clock: the time, in Unix seconds.
        bolts: the bolts whose documents there are, by name.
        counts: requests answered, and those that failed, for ``status``.
        formerly: up to when documents may be gone of collections that are no longer dropped, once that was read.
    """

    config: Config
    store: Store
    reader: Reader
    areas: Areas
    clock: Callable[[], float] = time.time
    bolts: Mapping[str, Bolt] = field(default_factory=lambda: BOLTS)
    counts: Counter[str] = field(default_factory=Counter)
    entries: Store | None = None
    viewer: Viewer = UNLIMITED
    formerly: list[dict[str, int]] = field(default_factory=list)

    @cached_property
    def live(self) -> LiveRecords:
        """The newest records that the broker publishes."""
        return LiveRecords(self.config)

    def seen_by(self, viewer: Viewer) -> "Data":
        """Return what a viewer is shown of this."""
        areas = self.areas
        if viewer.games is not None:
            areas = Areas(area for area in areas.values() if viewer.sees(area.game))
        found = replace(self, viewer=viewer, areas=areas)
        vars(found)["live"] = self.live  # one for all: it has a connection
        return found

    def viewer_named(self, name: str) -> Viewer:
        """Return what a user may see by the configuration."""
        rights = self.config.dashboard.rights.get(name)
        if rights is None:
            return Viewer(name)
        return Viewer(name, None if rights.games is None else frozenset(rights.games), rights.lists)

    def writable(self) -> Store:
        """Return the store that takes what people enter. Raise AnalyticsError where there is none."""
        if self.entries is None:
            raise AnalyticsError("nothing can be entered: this dashboard's store was opened for reading")
        return self.entries

    def store_error(self) -> str:
        """Return why the store does not answer, "" where it does."""
        try:
            self.store.ping()
        except AnalyticsError as error:
            return str(error)
        return ""

    def place(self, filters: Filters) -> Place:
        """Return which areas and days a filter means, by now.

        Raises:
            BadFilter: there are no such areas, or the days can't be.
            NothingThere: there are no areas at all.
        """
        game, members = members_of(list(self.areas.values()), filters)
        basis = basis_of(filters, members, self.areas.values())
        local = zone_of(basis, members, self.zone_of_game(game))
        now = int(self.clock())
        today = date_of(local, now)
        newest = self._newest(game)
        first, last = span(filters, today, newest)
        value = value_of(filters, self.segments_of(game))
        place = Place(
            game, filters.plat, filters.areas, members, basis, local, now, today, newest, first, last,
            value, united=filters.united,
        )  # fmt: skip
        if EXCLUDED in self.bolts:
            place = replace(place, excluded=self._excluded(place))
        return replace(place, dropped=self._dropped(place))

    def _dropped(self, place: Place) -> dict[str, date]:
        """Return, by collection, the first day that is kept, where that is not the first of a place. Totals are kept."""
        now = Horizons.load(self.store, names).until if (names := self.config.documents.keep_days) else {}
        days = {
            name: date_of(place.local, ts)
            for name, ts in (self._dropped_formerly() | now).items()
            if not (place.is_whole and self.bolts[name].totals)
        }
        return {name: day for name, day in days.items() if day > place.first}

    def _dropped_formerly(self) -> dict[str, int]:
        """Return up to when documents may be gone of collections that the configuration no longer drops: that does not change."""
        if not self.formerly:
            names = [
                name
                for name, bolt in self.bolts.items()
                if bolt.period and name not in self.config.documents.keep_days
            ]
            self.formerly.append(Horizons.load(self.store, names).until)
        return self.formerly[0]

    def _excluded(self, place: Place) -> int:
        """Return the most accts that were excluded on one day of a place, those of its areas added up."""
        since, until = place.bounds(place.first, place.last)
        by_day: Counter[date] = Counter()
        if place.is_whole:
            query = Query(
                f"{EXCLUDED}{TOTAL}", place.game, place.plat, since=since, until=until, scope=place.total
            )
            for (ts,), (count,) in self.reader.sums(query, ["ts"], ["count"]):
                by_day[date_of(place.local, ts)] += int(count)
        else:
            zones = {area.id: area.zone for area in place.members}
            query = Query(EXCLUDED, place.game, areas=tuple(zones), since=since, until=until)
            for (area, ts), (count,) in self.reader.sums(query, ["area", "ts"], ["count"]):
                by_day[date_of(zones[area], ts)] += int(count)
        return max((count for day, count in by_day.items() if place.first <= day <= place.last), default=0)

    def today(self, game: str) -> date:
        """Return the present day of a game."""
        return date_of(self.zone_of_game(game), int(self.clock()))

    def segments_of(self, game: str) -> Sequence[Segment]:
        return segments(self.config).get(game, ())

    def zone_of_game(self, game: str) -> Zone:
        """Return the zone that gives the ``ts`` of a game's totals."""
        return zone(self.config.games[game].timezone or self.config.timezone)

    def _newest(self, game: str) -> date | None:
        """Return the newest day on which anybody of the game logged in or signed up."""
        query = Query("activeday_total", game, scope="game")
        found = list(self.reader.find(query, ["ts"], by="ts", descending=True, limit=1))
        return date_of(self.zone_of_game(game), found[0]["ts"]) if found else None
