"""Reads a bolt's documents for its page: sums by day and by key, the lines of a chart, documents one by one.

What may be added up is added up over areas and days: whole games and plats by their totals where the bolt has them. What
counts distinct values of each document is shown where one document is all there is: of one area, period and key.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from analytics.core.bolt import Bolt
from analytics.core.fields import BoltFields, NumberValues
from analytics.store.reading import Query
from analytics.store.store import Document
from analytics.web.data import Data
from analytics.web.look import Look, Where
from analytics.web.place import ONE_DAY, Place, date_of, start_of

LINES = 5
"""The most values of a key that have a line of their own; the others are one together."""

MOST_AREA_DAYS = 3_000
"""Without totals, the documents of so many areas and days are added up for a page of a bolt with keys: 90,000 for 30 values take 0.3 s."""

TOP = 50
"""The most keys of a table."""

Sums = Mapping[str, float]


class ChartLine(NamedTuple):
    """The values of a field by period. ``name``: the key's value; None: all others."""

    name: str | None
    values: list[float | None]


class BoltReading:
    """What a page of ``bolt`` shows of a place, of documents whose keys have the values of ``chosen``."""

    def __init__(self, data: Data, place: Place, bolt: Bolt, chosen: Mapping[str, str]) -> None:
        self.bolt = bolt
        self.fields = BoltFields(bolt)
        self.place = place
        self.where: Where = tuple((name, _values(text)) for name, text in chosen.items())
        # Without totals a game is the sum of its areas.
        own = place if bolt.totals or not place.is_whole else replace(place, basis="sum")
        self.look = Look(data, own, self.where)
        self._found: dict[tuple[str, tuple[str, ...]], Mapping[tuple[Any, ...], tuple[float, ...]]] = {}

    @cached_property
    def starts(self) -> list[date]:
        """The first days of the periods that begin in the place's days; of hours, the days."""
        place, period = self.place, self.bolt.period or "day"
        if period in ("hour", "day"):
            return place.days()
        starts = ((day, start_of(place.local, day)) for day in place.days())
        return [day for day, ts in starts if place.local.start(period, ts) == ts]

    def ended(self, day: date) -> bool:
        """Whether the period that begins on ``day`` has ended in all areas."""
        period = self.bolt.period
        if period not in ("week", "month"):
            return self.place.ended(day)
        zones = self.place.zones
        return all(zone.next(period, start_of(zone, day)) <= self.place.now for zone in zones)

    def can_say(self, field: str, split: str = "") -> bool:
        """Whether a field can be shown by period, or by period and the values of the key ``split``."""
        sums = dict.fromkeys(self._summed(split), 1.0)
        return self.fields.of_sums(sums)[field] is not None

    def by_period(self) -> dict[date, NumberValues]:
        """Return the numbers of each period that has begun."""
        return {
            day: self.fields.of_sums(self._all.get((day,), self._nothing("")))
            for day in self.starts
            if self.place.begun(day)
        }

    def by_key(self, field: str) -> Iterator[tuple[tuple[Any, ...], NumberValues]]:
        """Yield the keys with the most of ``field`` and their numbers of all days, the most first."""
        if self.fields.added and self.fields.keys and not self.is_too_wide:
            yield from self._of_keys(field, self._most(field, self.fields.keys))

    def by_every_key(self, field: str) -> Iterator[tuple[tuple[Any, ...], NumberValues]]:
        """Yield all keys, as :meth:`by_key` does."""
        if self.fields.added and self.fields.keys:
            every = self.look.sums(self.bolt.name, self.fields.keys, self._ranked(field))
            ordered = sorted(every.items(), key=lambda one: (-one[1][0], *map(str, one[0])))
            yield from self._of_keys(field, dict(ordered))

    def _of_keys(
        self, field: str, found: Mapping[tuple[Any, ...], tuple[float, ...]]
    ) -> Iterator[tuple[tuple[Any, ...], NumberValues]]:
        for key, sums in found.items():
            yield key, self.fields.of_sums(dict(zip(self._ranked(field), sums, strict=True)))

    def by_period_and_key(self) -> Iterator[tuple[date, tuple[Any, ...], NumberValues]]:
        """Yield the numbers of each period and value of the keys, in order."""
        summed = self._addable(*self.fields.keys)
        found = self.look.sums_by_day(self.bolt.name, self.fields.keys, summed)
        for (day, *key), sums in sorted(found.items(), key=lambda one: tuple(map(str, one[0]))):
            yield day, tuple(key), self.fields.of_sums(dict(zip(summed, sums, strict=True)))

    def lines(self, field: str, split: str, whole: Mapping[date, NumberValues]) -> list[ChartLine]:
        """Return the lines of a chart: one of ``whole``, or one for each of the key's values with the most, and one for the others."""
        if not split:
            return [ChartLine("", [whole[day][field] if day in whole else None for day in self.starts])]
        names = [key for (key,) in self._most(field, (split,))]
        shown = names[:LINES]
        found = self._sums_by_day(split, ((split, tuple(shown)),))
        lines = [
            ChartLine(str(name), [self._value(field, split, found, day, name) for day in self.starts])
            for name in shown
        ]
        if len(names) > LINES and self.can_say(field):
            lines.append(ChartLine(None, [self._rest(field, found, day, shown) for day in self.starts]))
        return lines

    def documents(self, skip: int = 0, limit: int = 0) -> Iterator[Document]:
        """Yield documents of areas, with ``day`` and ``time`` if they have a period: the newest first, or by the declared index."""
        yield from filter(None, self._documents(skip, limit))

    def page_of_documents(self, page: int, size: int) -> tuple[list[Document], bool]:
        """Return the documents of a page, from 1, and whether there is another."""
        found = list(self._documents((page - 1) * size, size + 1))
        return [one for one in found[:size] if one], len(found) > size

    def _documents(self, skip: int, limit: int) -> Iterator[Document | None]:
        """Yield documents; None for those of a day that is not among the place's in their area's zone."""
        place = self.place
        first, last = self._days_with_documents() if limit else (place.first, place.last)
        if first > last:
            return
        query = Query(self.bolt.name, place.game, place.plat, place.named, where=self.where)
        if self.bolt.period:
            since, until = place.bounds(first, last)
            query = replace(query, since=since, until=until)
        own = self.fields
        fields = dict.fromkeys(("area", "plat", "ts", *own.keys, *own.numbers, *own.extremes, *own.others))
        found = self.look.data.reader.find(
            query, list(fields), by=self._order, descending=True, limit=limit, skip=skip
        )
        zones = {area.id: area.zone for area in place.members}
        for one in found:
            if self.bolt.period:
                local = zones.get(one["area"], place.local)
                day = date_of(local, one["ts"])
                timed = {**one, "day": str(day), "time": f"{local.local(one['ts']):%H:%M}"}
                yield timed if place.first <= day <= place.last else None
            else:
                yield one

    def _days_with_documents(self) -> tuple[date, date]:
        """Return the first and last day of which there may be documents with the chosen values of keys.

        Totals know it: without them the server looks through the documents of all values for those of a rare one. They may be
        some minutes behind, so the newest days count anyway.
        """
        place = self.place
        if not (self.where and self.bolt.totals and self.bolt.period and place.is_whole and self._summed("")):
            return place.first, place.last
        newest = max(place.first, place.today - ONE_DAY)
        days = [day for (day,) in self._all] + ([newest, place.last] if newest <= place.last else [])
        return (min(days), max(days)) if days else (place.last, place.first)

    @property
    def _order(self) -> str:
        """The indexed field by which documents are sorted; "": none."""
        if self.bolt.indexes:
            return self.bolt.indexes[0][-1]
        return "ts" if self.bolt.period or "ts" in self.bolt.visible else ""

    @property
    def is_too_wide(self) -> bool:
        """Whether a page would have to add up the documents of too many areas and days."""
        place, bolt = self.place, self.bolt
        return (
            place.is_whole
            and not bolt.totals
            and bool(bolt.by and bolt.period)
            and len(place.members) * len(place.days()) > MOST_AREA_DAYS
        )

    def _summed(self, *split: str) -> tuple[str, ...]:
        """Return the numbers that a page asks for as sums by period and ``split``."""
        return () if self.is_too_wide else self._addable(*split)

    def _addable(self, *split: str) -> tuple[str, ...]:
        """Return the numbers that can be asked for as such sums: all where each sum is of one document."""
        chosen = {name for name, values in self.where if values}
        keys = {*self.fields.keys} <= {*split, *chosen}
        single = self.place.basis == "area" and self.bolt.period != "hour" and keys
        return (
            tuple(one for one in self.fields.numbers if one not in self.fields.derived)
            if single
            else self.fields.added
        )

    def _nothing(self, split: str) -> Sums:
        return dict.fromkeys(self._summed(split), 0)

    def _sums_by_day(self, split: str, where: Where = ()) -> dict[tuple[Any, ...], Sums]:
        summed = self._summed(split)
        found = (
            self.look.sums_by_day(self.bolt.name, [split] if split else [], summed, where) if summed else {}
        )
        return {key: dict(zip(summed, sums, strict=True)) for key, sums in found.items()}

    def _ranked(self, field: str) -> tuple[str, ...]:
        """Return what may be added up over all days, ``field`` first if it is among it; without any, ``field`` alone."""
        return tuple(sorted(self.fields.added, key=lambda one: one != field)) or (field,)

    def _most(self, field: str, keys: tuple[str, ...]) -> Mapping[tuple[Any, ...], tuple[float, ...]]:
        """Return the values of ``keys`` with the most of ``field``, and their sums."""
        if (field, keys) not in self._found:
            found = self.look.highest(self.bolt.name, keys, self._ranked(field), TOP)
            self._found[field, keys] = found
        return self._found[field, keys]

    def _value(
        self, field: str, split: str, found: Mapping[tuple[Any, ...], Sums], day: date, name: Any
    ) -> float | None:
        if not self.place.begun(day):
            return None
        return self.fields.of_sums(found.get((day, name), self._nothing(split)))[field]

    @cached_property
    def _all(self) -> dict[tuple[Any, ...], Sums]:
        return self._sums_by_day("")

    def _rest(
        self, field: str, found: Mapping[tuple[Any, ...], Sums], day: date, names: Sequence[Any]
    ) -> float | None:
        """Return what is left of a day when ``names`` are taken away."""
        if not self.place.begun(day):
            return None
        left = {
            one: value - sum(found.get((day, name), {}).get(one, 0) for name in names)
            for one, value in self._all.get((day,), self._nothing("")).items()
        }
        return self.fields.of_sums(left)[field]


def _values(text: str) -> tuple[str | int, ...]:
    """Return what a key may be where a query string says ``text``: keys are strings or integers."""
    return (
        (text, int(text))
        if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19
        else (text,)
    )
