"""One look at the documents: what a view reads for its place, day by day, and how old the oldest of it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from analytics.core.periods import Zone
from analytics.store.reading import Query
from analytics.store.store import Document
from analytics.web.data import Data
from analytics.web.place import ONE_DAY, WHOLE, Place, date_of

Key = tuple[Any, ...]
Sums = dict[Key, tuple[float, ...]]
"""By the values of the fields that were asked for as keys: the sums of the others."""

Fold = Callable[[Any, Document, date], Any]
"""Takes what there is of a day so far (None: nothing), a document and its day; returns both together."""


class Look:
    """Reads for one view. ``at`` is when the oldest of what it returned was read, in Unix seconds."""

    def __init__(self, data: Data, place: Place) -> None:
        self.data = data
        self.place = place
        self.at = data.clock()
        self._zones = {area.id: area.zone for area in place.members}
        self._same_zone = len(place.zones) == 1
        self._recent = place.today - ONE_DAY
        self._who = (place.game, place.plat, place.areas)

    def own(self, collection: str, fields: Sequence[str]) -> dict[date, Document]:
        """Return, by day, the documents of the one area, or of the whole game, that the place is.

        Places that are neither (``basis`` is ``sum``) have none of their own: see :meth:`folded`.
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

        def read(first: date, last: date) -> dict[date, Sums]:
            result: dict[date, Sums] = {}
            day_keys = ["ts"] if self._same_zone else ["area", "ts"]
            for query in self._queries(collection, first, last):
                for key, sums in self.data.reader.sums(query, [*day_keys, *keys], fields):
                    day = self._day(key[0] if not self._same_zone else "", key[len(day_keys) - 1])
                    if day is None or not first <= day <= last:
                        continue
                    of_day = result.setdefault(day, {})
                    rest = key[len(day_keys) :]
                    before = of_day.get(rest)
                    of_day[rest] = sums if before is None else tuple(map(sum, zip(before, sums, strict=True)))
            return result

        found: dict[date, Sums] = self._kept((collection, "sums", tuple(keys), tuple(fields)), read, days)
        return found

    def folded(
        self,
        collection: str,
        fields: Sequence[str],
        fold: Fold,
        days: Sequence[date] | None = None,
        name: str = "",
    ) -> dict[date, Any]:
        """Return, by day, what ``fold`` makes of the documents of all areas of the place.

        Args:
            name: tells this fold from others of the same collection and fields.
        """

        def read(first: date, last: date) -> dict[date, Any]:
            result: dict[date, Any] = {}
            for query in self._queries(collection, first, last):
                for document in self.data.reader.find(query, ["area", "ts", *fields]):
                    day = self._day(document["area"], document["ts"])
                    if day is not None and first <= day <= last:
                        result[day] = fold(result.get(day), document, day)
            return result

        found: dict[date, Any] = self._kept((collection, "fold", name, tuple(fields)), read, days)
        return found

    def hours(self, collection: str, fields: Sequence[str]) -> dict[date, Sums]:
        """Return, for the last day of the place and the one before, the sums by the start of each hour (Unix seconds).

        Hours are those of the zone that the place names.
        """
        place = self.place

        def read(first: date, last: date) -> dict[date, Sums]:
            result: dict[date, Sums] = {}
            for query in self._queries(collection, first, last):
                for (ts,), sums in self.data.reader.sums(query, ["ts"], fields):
                    hour = place.local.start("hour", ts)
                    day = date_of(place.local, hour)
                    if first <= day <= last:
                        of_day = result.setdefault(day, {})
                        before = of_day.get((hour,), (0,) * len(fields))
                        of_day[(hour,)] = tuple(map(sum, zip(before, sums, strict=True)))
            return result

        days = [place.last - ONE_DAY, place.last]
        found: dict[date, Sums] = self._kept((collection, "hours", tuple(fields)), read, days)
        return found

    def total(self, days: Mapping[date, Sums]) -> Sums:
        """Return the sums of all days together."""
        result: Sums = {}
        for of_day in days.values():
            for key, sums in of_day.items():
                before = result.get(key)
                result[key] = sums if before is None else tuple(map(sum, zip(before, sums, strict=True)))
        return result

    def _kept(
        self, what: Key, read: Callable[[date, date], dict[date, Any]], days: Sequence[date] | None
    ) -> Any:
        wanted = self.place.days() if days is None else days
        values, at = self.data.kept.get((*what, self._who), wanted, self._recent, read)
        self.at = min(self.at, at)
        return values

    def _queries(self, collection: str, first: date, last: date) -> Iterator[Query]:
        """Yield what to ask for these days: area by area where areas were named, which the index on them serves."""
        place = self.place
        since, until = place.bounds(first, last)
        for area in place.areas:
            yield Query(collection, place.game, areas=(area,), since=since, until=until)
        if not place.areas:
            yield Query(collection, place.game, plat=place.plat, since=since, until=until)

    def _day(self, area: str, ts: int) -> date | None:
        """Return the day of a document; None for one of the whole game, or of an area that nobody claims any more."""
        if area == WHOLE:
            return None
        local: Zone | None = next(iter(self.place.zones)) if self._same_zone else self._zones.get(area)
        return None if local is None else date_of(local, ts)
