"""One look at the documents: what a view reads for its place, day by day, and how old the oldest of it is.

What is read of a game's areas is read once for the whole game and all of its plats, and kept apart by plat or by area;
areas that were named are read by themselves.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from analytics.core.periods import Zone
from analytics.store.reading import Query
from analytics.store.store import Document
from analytics.web.area_table import AreaTable, Row, Rows
from analytics.web.data import Data
from analytics.web.place import ONE_DAY, WHOLE, Place, bounds, date_of

Key = tuple[Any, ...]
Sums = dict[Key, tuple[float, ...]]
"""By the values of the fields that were asked for as keys: the sums of the others."""

Fold = Callable[[Any, Document, date], Any]
"""Takes what there is of a day so far (None: nothing), a document and its day; returns both together."""

ALL = ""
"""Stands for all plats together."""


class Look:
    """Reads for one view. ``at`` is when the oldest of what it returned was read, in Unix seconds."""

    def __init__(self, data: Data, place: Place) -> None:
        self.data = data
        self.place = place
        self.at = data.clock()
        if place.areas:
            self._zones = {area.id: area.zone for area in place.members}
        else:
            self._zones = {area.id: area.zone for area in data.areas.values() if area.game == place.game}
        self._zone_set = frozenset(self._zones.values())
        self._same_zone = len(self._zone_set) == 1
        self._recent = place.today - ONE_DAY
        self._who = (place.game, place.areas)
        self._plat = ALL if place.areas else place.plat

    def own(self, collection: str, fields: Sequence[str]) -> dict[date, Document]:
        """Return, by day, the documents of the one area, or of the whole game, that the place is.

        Places that are neither (``basis`` is ``sum``) have none of their own: see :meth:`tables`.
        """
        place = self.place
        area = WHOLE if place.basis == "game" else place.members[0].id
        since, until = place.bounds(place.first, place.last)
        query = Query(collection, place.game, areas=(area,), since=since, until=until)
        found = self.data.reader.find(query, ["ts", *fields])
        return {
            day: document
            for document in found
            if place.first <= (day := date_of(place.local, document["ts"])) <= place.last
        }

    def sums(
        self, collection: str, keys: Sequence[str], fields: Sequence[str], days: Sequence[date] | None = None
    ) -> dict[date, Sums]:
        """Return, by day, sums over all areas of the place, for every different value of the fields ``keys``.

        A day of which there is nothing is left out.
        """

        def read(first: date, last: date) -> dict[date, dict[str, Sums]]:
            result: dict[date, dict[str, Sums]] = {}
            day_keys = ["ts"] if self._same_zone else ["area", "ts"]
            for query in self._queries(collection, first, last):
                for key, sums in self.data.reader.sums(query, ["plat", *day_keys, *keys], fields):
                    plat, rest = key[0], key[1 + len(day_keys) :]
                    day = self._day("" if self._same_zone else key[1], key[len(day_keys)])
                    if plat != WHOLE and day is not None and first <= day <= last:
                        _add(result.setdefault(day, {}), plat, rest, sums)
            return result

        return self._of_plat(self._kept((collection, "sums", tuple(keys), tuple(fields)), read, days))

    def folded(
        self, collection: str, fields: Sequence[str], fold: Fold, days: Sequence[date] | None = None
    ) -> dict[date, Any]:
        """Return, by day, what ``fold`` makes of the documents of all areas of the place."""

        def read(first: date, last: date) -> dict[date, dict[str, Any]]:
            result: dict[date, dict[str, Any]] = {}
            for document, day in self._documents(collection, ["plat", *fields], first, last):
                by_plat = result.setdefault(day, {})
                for plat in (document["plat"], ALL):
                    by_plat[plat] = fold(by_plat.get(plat), document, day)
            return result

        return self._of_plat(self._kept((collection, "fold", tuple(fields)), read, days))

    def tables(
        self, collection: str, fields: Sequence[str], row: Row, days: Sequence[date] | None = None
    ) -> dict[date, AreaTable]:
        """Return, by day, a row of numbers for each area of the place.

        Args:
            row: makes a document's ``fields`` into numbers, as many of each document; the same for the same fields.
        """

        def read(first: date, last: date) -> dict[date, AreaTable]:
            rows: dict[date, Rows] = {}
            for document, day in self._documents(collection, ["plat", *fields], first, last):
                rows.setdefault(day, Rows()).add(document["area"], document["plat"], row(document))
            return {day: found.table() for day, found in rows.items()}

        found: dict[date, AreaTable] = self._kept((collection, "table", tuple(fields)), read, days)
        if self._plat == ALL:
            return found
        return {day: own for day, table in found.items() if (own := table.of_plat(self._plat)).areas}

    def hours(self, collection: str, fields: Sequence[str]) -> dict[date, Sums]:
        """Return, for the last day of the place and the one before, the sums by the start of each hour (Unix seconds).

        Hours are those of the zone that the place names.
        """
        local = self.place.local

        def read(first: date, last: date) -> dict[date, dict[str, Sums]]:
            result: dict[date, dict[str, Sums]] = {}
            for query in self._queries(collection, first, last):
                for (plat, ts), sums in self.data.reader.sums(query, ["plat", "ts"], fields):
                    hour = local.start("hour", ts)
                    day = date_of(local, hour)
                    if first <= day <= last:
                        _add(result.setdefault(day, {}), plat, (hour,), sums)
            return result

        days = [self.place.last - ONE_DAY, self.place.last]
        return self._of_plat(self._kept((collection, "hours", tuple(fields), local.name), read, days))

    def total(self, days: Mapping[date, Sums]) -> Sums:
        """Return the sums of all days together."""
        result: Sums = {}
        for of_day in days.values():
            for key, sums in of_day.items():
                before = result.get(key)
                result[key] = sums if before is None else tuple(map(sum, zip(before, sums, strict=True)))
        return result

    def _of_plat(self, days: Mapping[date, Mapping[str, Any]]) -> dict[date, Any]:
        return {day: by_plat[self._plat] for day, by_plat in days.items() if self._plat in by_plat}

    def _kept(
        self, what: Key, read: Callable[[date, date], dict[date, Any]], days: Sequence[date] | None
    ) -> Any:
        wanted = self.place.days() if days is None else days
        values, at = self.data.kept.get((*what, self._who), wanted, self._recent, read)
        self.at = min(self.at, at)
        return values

    def _documents(
        self, collection: str, fields: Sequence[str], first: date, last: date
    ) -> Iterator[tuple[Document, date]]:
        """Yield the documents of these days, each with its day."""
        for query in self._queries(collection, first, last):
            for document in self.data.reader.find(query, ["area", "ts", *fields]):
                day = self._day(document["area"], document["ts"])
                if day is not None and first <= day <= last:
                    yield document, day

    def _queries(self, collection: str, first: date, last: date) -> Iterator[Query]:
        """Yield what to ask for these days: area by area where areas were named, which the index on them serves."""
        place = self.place
        since, until = bounds(self._zone_set | {place.local}, first, last)
        for area in place.areas:
            yield Query(collection, place.game, areas=(area,), since=since, until=until)
        if not place.areas:
            yield Query(collection, place.game, since=since, until=until)

    def _day(self, area: str, ts: int) -> date | None:
        """Return the day of a document; None for one of the whole game, or of an area that nobody claims any more."""
        if area == WHOLE:
            return None
        local: Zone | None = next(iter(self._zone_set)) if self._same_zone else self._zones.get(area)
        return None if local is None else date_of(local, ts)


def _add(by_plat: dict[str, Sums], plat: str, key: Key, sums: tuple[float, ...]) -> None:
    """Add sums to those of their plat, and to those of all."""
    for of in (plat, ALL):
        so_far = by_plat.setdefault(of, {})
        before = so_far.get(key)
        so_far[key] = sums if before is None else tuple(map(sum, zip(before, sums, strict=True)))
