"""One look at the documents: what a view reads for its place, day by day, and when the oldest of it was computed.

Whole games and plats, and single areas, have documents of their own. Of several areas that were named the documents are read
and added up. Of one value of a segment, the documents of timer bolts are read that count the accts with it; the views read no others then.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date
from typing import Any

from analytics.store.reading import Query
from analytics.store.store import DIVIDED, TOTAL, Document
from analytics.timers import TIMERS
from analytics.web.data import Data
from analytics.web.place import ONE_DAY, Place, bounds, date_of

Key = tuple[Any, ...]
Sums = dict[Key, tuple[float, ...]]
"""By the values of the fields that were asked for as keys: the sums of the others."""

Where = tuple[tuple[str, tuple[str | int, ...]], ...]
"""Fields of documents, and the values that each may have."""


class Look:
    """Reads for one view, only documents that fit ``where``.

    ``at`` is when the oldest of what it returned was computed or read, in Unix seconds.
    """

    def __init__(self, data: Data, place: Place, where: Where = ()) -> None:
        self.data = data
        self.place = place
        self.where = where
        self.at = data.clock()
        self._zones = {area.id: area.zone for area in place.members}

    def documents(
        self, collection: str, fields: Sequence[str], first: date | None = None, last: date | None = None
    ) -> Iterator[tuple[Document, date]]:
        """Yield the documents of the place, each with its day: one a day, or of several areas one for each of them."""
        first, last = first or self.place.first, last or self.place.last
        own = [] if self.place.is_whole else ["area"]
        query = self._query(collection, first, last)
        found = list(
            self.data.reader.find(query, list(dict.fromkeys(["ts", "final", "updated", *own, *fields])))
        )
        if self.place.is_whole:
            self._computed(found)
        for document in found:
            if first <= (day := self._day(document.get("area"), document["ts"])) <= last:
                yield document, day

    def own(self, collection: str, fields: Sequence[str]) -> dict[date, Document]:
        """Return, by day, the documents of the one area, the plat or the whole game that the place is.

        Places that are none of these (``basis`` is ``sum``) have none of their own.
        """
        return {day: document for document, day in self.documents(collection, fields)}

    def by_day(self, collection: str, fields: Sequence[str]) -> dict[date, tuple[float, ...]]:
        """Return, by day, the sums of ``fields`` over the place. A day of which there is nothing is left out."""
        if self.place.basis != "sum":
            found = self.own(collection, fields)
            return {day: tuple(one.get(name, 0) for name in fields) for day, one in found.items()}
        summed = self.sums_by_day(collection, [], fields)
        return {day: sums for (day,), sums in summed.items()}

    def sums(self, collection: str, keys: Sequence[str], fields: Sequence[str]) -> Sums:
        """Return the sums of ``fields`` over all days of the place, for every different value of the fields ``keys``."""
        place = self.place
        result: Sums = {}
        if place.is_whole or len(place.zones) == 1:
            return dict(self.data.reader.sums(self._query(collection, place.first, place.last), keys, fields))
        for (_, *key), sums in self.sums_by_day(collection, keys, fields).items():
            _add(result, tuple(key), sums)
        return result

    def highest(self, collection: str, keys: Sequence[str], fields: Sequence[str], most: int) -> Sums:
        """Return what :meth:`sums` does, in order, of the ``most`` values of ``keys`` with the highest sum of the first field."""
        place = self.place
        if place.is_whole or len(place.zones) == 1:
            query = self._query(collection, place.first, place.last)
            return dict(self.data.reader.sums(query, keys, fields, most=most))
        found = sorted(self.sums(collection, keys, fields).items(), key=lambda one: (-one[1][0], str(one[0])))
        return dict(found[:most])

    def hours(self, collection: str, fields: Sequence[str]) -> Sums:
        """Return, of the last day of the place and the one before, the sums by the start of each hour (Unix seconds).

        Hours are those of the zone that the place names.
        """
        place = self.place
        result: Sums = {}
        since, until = bounds([place.local], place.last - ONE_DAY, place.last)
        query = self._query(collection, place.last, place.last, (since, until))
        for (ts,), sums in self.data.reader.sums(query, ["ts"], fields):
            _add(result, (place.local.start("hour", ts),), sums)
        return result

    def of_all_areas(
        self, collection: str, fields: Sequence[str], first: date, last: date
    ) -> dict[date, Document]:
        """Return, by day, the documents that hold a row for each area of the game."""
        local = self.data.zone_of_game(self.place.game)
        since, until = bounds([local], first, last)
        query = Query(collection, self.place.game, since=since, until=until, scope="game")
        found = list(self.data.reader.find(query, ["ts", "final", "updated", *fields]))
        self._computed(found)
        return {date_of(local, one["ts"]): one for one in found}

    def sums_by_day(
        self, collection: str, keys: Sequence[str], fields: Sequence[str], where: Where = ()
    ) -> Sums:
        """Return sums over the place by day and ``keys``, of documents that fit ``where`` as well; a day is each area's own."""
        result: Sums = {}
        first, last = self.place.first, self.place.last
        query = self._query(collection, first, last, where=where)
        own = [] if self.place.is_whole or len(self.place.zones) == 1 else ["area"]
        for (ts, *key), sums in self.data.reader.sums(query, ["ts", *keys, *own], fields):
            day = self._day(key.pop() if own else None, ts)
            if first <= day <= last:
                _add(result, (day, *key), sums)
        return result

    def _query(
        self, collection: str, first: date, last: date, span: tuple[int, int] | None = None, where: Where = ()
    ) -> Query:
        """Return what to ask for these days, or for a span in Unix seconds."""
        place, where = self.place, self.where + where
        if place.value and collection in TIMERS:
            collection = f"{collection}{DIVIDED}"
            segment, value = place.value
            where += ("segment", (segment,)), ("value", (value,))
        if place.is_whole:
            since, until = span or bounds([place.local], first, last)
            name = f"{collection}{TOTAL}"
            return Query(
                name, place.game, place.plat, since=since, until=until, scope=place.total, where=where
            )
        since, until = span or bounds(place.zones, first, last)
        areas = tuple(area.id for area in place.members)
        return Query(collection, place.game, areas=areas, since=since, until=until, where=where)

    def _day(self, area: str | None, ts: int) -> date:
        if area is None:
            return date_of(self.place.local, ts)
        return date_of(self._zones[area], ts)

    def _computed(self, found: Iterable[Document]) -> None:
        """Note when totals that still change were computed."""
        times = [one["updated"] for one in found if "updated" in one and not one.get("final", True)]
        if times:
            self.at = min(self.at, max(times).replace(tzinfo=UTC).timestamp())


def _add(result: Sums, key: Key, sums: tuple[float, ...]) -> None:
    before = result.get(key)
    result[key] = sums if before is None else tuple(map(sum, zip(before, sums, strict=True)))
