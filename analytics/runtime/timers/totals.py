"""Sums over the areas of each game, plat and united area, brought up to date day by day: the timer family ``rollup``.

    documents stored ──▶ (still mine?) ──▶ sums of the areas' documents ──▶ written, if the version is as read ──▶ published

A day of a bolt is computed as a whole, or of an hour bolt the hours between the first and the last that changed. A week or month
is one of its first day. The server
adds up what is numbers. What is stored and has no document of an area any more is removed.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, TypeGuard

import gevent

from analytics.core.areas import Areas
from analytics.core.bolt import joined
from analytics.core.tuples import EARLIEST_START, LATEST
from analytics.runtime.horizons import Horizons
from analytics.runtime.timers.documents import Now, moment
from analytics.runtime.timers.scopes import Scope, day_of, start_of
from analytics.runtime.timers.writing import Changes, TimerWriter
from analytics.store import Store
from analytics.store.store import AREAS, TOTAL, Document, number_in
from analytics.timers.rollup import AREA_FIELDS, Rollup, added

Hours = dict[int, tuple[int, int]]
"""By the ordinal of a day, from when to when (Unix seconds) the totals of the day are to be computed."""


@dataclass
class _Sums:
    """What areas say together. ``numbers`` as the rollup names them."""

    numbers: list[float]
    tables: dict[str, Counter[str]] = field(default_factory=dict)


class StoredDays(NamedTuple):
    """Ordinals of days: of which areas have documents; and of which there are totals, and how many."""

    areas: set[int]
    totals: Counter[int]


class Totals:
    """Computes the totals of games.

    Args:
        rollups: by bolt, what its totals say.
        scopes: all games, plats and united areas.
        check: called after versions were read; raises Overtaken. None: nobody else is expected.
    """

    def __init__(
        self,
        store: Store,
        rollups: Mapping[str, Rollup],
        areas: Areas,
        scopes: Sequence[Scope],
        writer: TimerWriter,
        now: Now,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._store = store
        self._rollups = rollups
        self._areas = areas
        self._stems = {scope.stem for scope in scopes if scope.is_total}
        self._games: dict[str, Scope] = {}
        self._parts: dict[str, dict[tuple[str, ...], Scope]] = defaultdict(dict)
        for scope in scopes:
            if scope.kind == "game":
                self._games[scope.game] = scope
            elif scope.is_total:
                self._parts[scope.game][scope.key] = scope
        self._merged = {area.game for area in areas.values() if area.united}
        self._writer = writer
        self._now = now
        self._check = check or (lambda: None)
        self._horizons = Horizons.load(store, rollups)
        self.seconds = 0.0

    @property
    def names(self) -> Iterable[str]:
        """The bolts that have totals."""
        return self._rollups

    def bring_up_to_date(self, name: str, game: str, hours: Hours) -> None:
        """Compute the totals of a bolt on some days.

        Raises:
            Unavailable: the store does not answer.
            Overtaken: another instance is at work.
        """
        began = time.monotonic()
        scope, rollup = self._games[game], self._rollups[name]
        for day, span in sorted(hours.items(), reverse=True):
            if self._is_settled(name, scope, day):
                continue
            self._settle(
                f"{name}{TOTAL}", scope, day, span, partial(self._documents, rollup, scope, day, span)
            )
        self.seconds += time.monotonic() - began

    def bring_areas_up_to_date(self, game: str, days: Iterable[int]) -> None:
        """Compute the tables of all areas of some days, from their documents of ``kpi``. Errors as above."""
        began = time.monotonic()
        scope = self._games[game]
        for day, span in sorted(self.of_days(game, days).items(), reverse=True):
            self._settle(AREAS, scope, day, span, partial(self._table, scope, day))
        self.seconds += time.monotonic() - began

    def of_changes(self, name: str, game: str, starts: Iterable[int]) -> Hours:
        """Return what documents of areas that begin at ``starts`` change, whatever their zones."""
        scope = self._games[game]
        found: Hours = {}
        for ts in starts:
            if self._rollups[name].bolt.period == "hour":
                hour = scope.zone.start("hour", ts)
                day, end = day_of(scope.zone, hour), scope.zone.next("hour", hour)
                first, last = found.get(day, (hour, end))
                found[day] = min(first, hour), max(last, end)
            else:
                days = {day_of(zone, ts) for zone in scope.zones if zone.start("day", ts) == ts}
                found |= self.of_days(game, days)
        return found

    def of_days(self, game: str, days: Iterable[int]) -> Hours:
        """Return whole days."""
        zone = self._games[game].zone
        return {day: (start_of(zone, day), start_of(zone, day + 1)) for day in days}

    def of_time(self, name: str, game: str, before: int, now: int) -> Hours:
        """Return the days of periods that may have ended somewhere since ``before``; also where the clock was put back."""
        days: set[int] = set()
        for scope in (self._games[game], *self._parts[game].values()):
            was, is_ = _ended(scope, before), _ended(scope, now)
            days.update(range(min(was, is_) + 1, max(was, is_) + 1))
        return self.of_days(game, {self._rollups[name].first(day) for day in days})

    def stored(self, name: str, game: str, collection: str = "") -> StoredDays:
        """Return the days of which areas have documents, and of which there are totals; none of which areas' documents may be dropped.

        ``collection``: where the totals are; "": where those of a bolt are.
        """
        scope, collection = self._games[game], collection or f"{name}{TOTAL}"
        starts = {ts for ts, _ in self._store.starts(name, game=game) if _is_start(ts)}
        totals: Counter[int] = Counter()
        for ts, count in self._store.starts(collection, game=game):
            if _is_start(ts):
                totals[day_of(scope.zone, ts)] += count
        # An hour's day is that of the game's zone, a day's that of its area's.
        hourly = name in self._rollups and self._rollups[name].bolt.period == "hour"
        zones = {scope.zone} if hourly else scope.zones
        found = StoredDays({day_of(zone, ts) for zone in zones for ts in starts}, totals)
        for day in [day for day in {*found.areas, *totals} if self._is_settled(name, scope, day)]:
            found.areas.discard(day)
            del totals[day]
        return found

    def _is_settled(self, name: str, scope: Scope, day: int) -> bool:
        """Whether documents of areas may be dropped that the totals of a day were added up from: those stay as they are."""
        last = self._rollups[name].last(day) if name in self._rollups else day
        return self._horizons.is_settled(name, start_of(scope.zone, last + 1))

    def is_one(self, id_: Any) -> bool:
        """Whether there may be a total of that id."""
        kind, *rest = id_.split(":") if isinstance(id_, str) else [""]
        length = {"game": 1, "plat": 2, "united": 2}.get(kind, 0)
        stem, ts = ":".join([kind, *rest[:length]]), "".join(rest[length : length + 1])
        return stem in self._stems and ts.isdecimal() and str(int(ts)) == ts

    def _settle(
        self,
        collection: str,
        game: Scope,
        day: int,
        span: tuple[int, int],
        documents: Callable[[int], Iterator[tuple[str, Document]]],
    ) -> None:
        """Write what differs of a day, and remove what is stored of it and not computed.

        ``documents``: computes them for a time, each with its id.
        """
        # A document that was refused may have another game or time by now, changed by hand: it is found by its id.
        refused: set[str] = set()
        while game.has_day(day):
            found = self._store.find(collection, game=game.game, since=span[0], until=span[1])
            stored = {one["_id"]: one for one in found}
            again = self._store.load(collection, sorted(refused)) if refused else {}
            self._check()
            now = moment(self._now, [*stored.values(), *again.values()])
            changes = Changes()
            for id_, document in documents(now):
                self._writer.done.computed[collection] += 1
                old = stored.pop(id_, None) or again.get(id_)
                self._writer.compare(changes, id_, old, document, now)
            changes.removals.update({id_: one.get("_v") for id_, one in stored.items()})
            refused = self._writer.carry_out(collection, changes)
            gevent.sleep(0)
            if not refused:
                break

    def _table(self, game: Scope, day: int, now: int) -> Iterator[tuple[str, Document]]:
        """Yield the table of a day's figures of every area, where any has some."""
        starts = {start_of(zone, day) for zone in game.zones}
        found = self._store.rows(
            "kpi", ["area", "ts", *AREA_FIELDS], game=game.game, since=min(starts), until=max(starts) + 1
        )
        rows = sorted((one for one in found if self._is_of(one, day)), key=itemgetter("area"))
        if rows:
            columns = {name: [one.get(name, 0) for one in rows] for name in AREA_FIELDS}
            areas = {"areas": [one["area"] for one in rows]}
            final = {"final": day <= game.clock(now).ended}
            yield game.id_of(day), {**game.key_fields(day), **areas, **columns, **final}

    def _is_of(self, document: Document, day: int) -> bool:
        """Whether a day document of a claimed area is of that day of the calendar."""
        area = self._areas.get(document["area"])
        return area is not None and start_of(area.zone, day) == document["ts"]

    def _documents(
        self, rollup: Rollup, game: Scope, day: int, span: tuple[int, int], now: int
    ) -> Iterator[tuple[str, Document]]:
        """Yield the totals of a day, each with its id."""
        by = tuple(rollup.bolt.by)
        scopes = {game.key: game, **self._parts[game.game]}
        for (of, ts, *key), sums in self._added(rollup, game, day, span).items():
            scope = scopes[of]
            document = {
                **scope.fields_at(ts),
                **dict(zip(by, key, strict=True)),
                **rollup.fields(sums.numbers, sums.tables),
                "final": rollup.last(day) <= _ended(scope, now),
            }
            yield joined((*scope.key, ts, *key)), document

    def _added(
        self, rollup: Rollup, game: Scope, day: int, span: tuple[int, int]
    ) -> dict[tuple[Any, ...], _Sums]:
        """Return the sums by scope, start of the period, and the further parts of the key."""
        found: dict[tuple[Any, ...], _Sums] = {}
        parts = self._parts[game.game]
        for of, ts, key, numbers, tables in self._of_areas(rollup, game, day, span):
            area = self._areas.get(of.get("area", ""))
            keys = ("plat", game.game, of["plat"]), ("united", game.game, area.united if area else "")
            for scope in [game.key, *(one for one in keys if one in parts)]:
                sums = found.setdefault((scope, ts, *key), _Sums([0] * len(rollup.numbers)))
                for place, number in enumerate(numbers):
                    sums.numbers[place] += number
                added(sums.tables, tables)
        return found

    def _of_areas(
        self, rollup: Rollup, game: Scope, day: int, span: tuple[int, int]
    ) -> Iterator[
        tuple[Mapping[str, Any], int, tuple[Any, ...], Iterable[float], Mapping[str, Mapping[str, float]]]
    ]:
        """Yield whose it is, start of the period in the game's zone, further key, numbers and tables, each of one area or several.

        Whose: its ``plat`` and, where areas of one plat have to be told apart, its ``area``.
        """
        bolt, by = rollup.bolt, tuple(rollup.bolt.by)
        hourly = bolt.period == "hour"
        since, until = span
        if not hourly:
            starts = {start_of(zone, day) for zone in {*game.zones, game.zone}}
            since, until = min(starts), max(starts) + 1
        apart = game.game in self._merged or not (hourly or game.zones == {game.zone})
        keys = ["plat", "ts", *by, *(["area"] if apart else [])]
        for values, numbers, tables in self._read(rollup, keys, game.game, since, until):
            of = dict(zip(keys, values, strict=True))
            ts = game.zone.start("hour", of["ts"]) if hourly else start_of(game.zone, day)
            # Days of the calendar are each area's own.
            area = self._areas.get(of.get("area", ""))
            if hourly or start_of(area.zone if area else game.zone, day) == of["ts"]:
                yield of, ts, tuple(of[name] for name in by), numbers, tables

    def _read(
        self, rollup: Rollup, keys: list[str], game: str, since: int, until: int
    ) -> Iterator[tuple[tuple[Any, ...], Iterable[float], Mapping[str, Mapping[str, float]]]]:
        """Yield values of ``keys``, numbers and tables. What was changed by hand and has none of these is left out, until it is rebuilt."""
        name, numbers, tables = rollup.bolt.name, rollup.numbers, rollup.tables
        if not tables:
            for values, sums in self._store.sums(name, keys, numbers, game=game, since=since, until=until):
                if _are_keys(values):
                    yield values, sums, {}
            return
        fields = [*keys, *numbers, *tables]
        for one in self._store.rows(name, fields, game=game, since=since, until=until):
            values = tuple(one.get(key) for key in keys)
            if _are_keys(values):
                yield (
                    values,
                    [number_in(one, name) for name in numbers],
                    {name: table for name in tables if _is_table(table := one.get(name))},
                )


def _are_keys(values: tuple[Any, ...]) -> bool:
    """Whether these can be values of a key."""
    return all(value is None or isinstance(value, str | int | float) for value in values)


def _is_table(value: Any) -> TypeGuard[Mapping[str, float]]:
    """Whether this is a table of numbers."""
    return isinstance(value, dict) and all(isinstance(one, int | float) for one in value.values())


def _is_start(ts: Any) -> TypeGuard[int]:
    """Whether a period can begin then; a document may have been changed by hand."""
    return isinstance(ts, int) and EARLIEST_START <= ts <= LATEST


def _ended(scope: Scope, now: int) -> int:
    """Return the last day that has ended everywhere in a scope and in its game's own zone, which names its hours."""
    return min(day_of(zone, now) for zone in {*scope.zones, scope.zone}) - 1
