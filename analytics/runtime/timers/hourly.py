"""Facts that are worked out from documents of hours, or of the steps of funnels: read by area and day, and kept until a change is reported."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import gevent
import numpy as np
from numpy.typing import NDArray

from analytics.core.areas import Areas
from analytics.core.funnels import PAYMENT
from analytics.core.numberset import pairs_of
from analytics.core.periods import Zone
from analytics.runtime.timers.scopes import Scope, day_of, start_of
from analytics.runtime.timers.sized import Sized, sized, sum_of_sizes
from analytics.store import Store
from analytics.store.store import Document
from analytics.timers.facts import (
    HOURLY,
    NO_PAYMENTS,
    NO_SESSIONS,
    NO_STEP_TIMES,
    Clock,
    DaySessions,
    HeadCounts,
    Hourly,
    Numbers,
    Payments,
    StepTimes,
)
from analytics.timers.online import head_counts
from analytics.timers.sessions import LOGIN, sessions_of

Number = Callable[[str, list[str]], Numbers]
Translation = Callable[[str, str, Numbers], Numbers]

Columns = tuple[NDArray[Any], ...]
"""What an area's day says, as arrays of one length."""
T = TypeVar("T", bound=DaySessions | StepTimes)

HOURS_AT_ONCE = 50
BYTES_A_DAY = 400


def _size_of(columns: Columns) -> int:
    """Return about how much memory a day's columns take."""
    return sum(column.nbytes for column in columns) + BYTES_A_DAY


class HourlyFacts(ABC):
    """The facts of one kind."""

    kind: Hourly

    def __init__(self, store: Store, areas: Areas) -> None:
        self._store = store
        self._areas = areas
        self.clear()

    def clear(self) -> None:
        self._days: dict[str, Sized[int, Columns]] = sized(_size_of)

    @property
    def bytes(self) -> int:
        """Return about how much memory the facts take."""
        return sum_of_sizes(self._days.values())

    def forget(self, area: str, day: int) -> None:
        """Take it that an area's day has changed."""
        self._days[area].pop(day, None)

    def trim(self, wanted: set[int]) -> None:
        """Forget all other days."""
        for days in self._days.values():
            for day in days.keys() - wanted:
                del days[day]

    def load(self, area: str, days: set[int]) -> None:
        """Read those of an area's days that are not known yet."""
        missing = sorted(days - self._days[area].keys())
        for first, last in pairs_of(np.array(missing)) if missing else ():
            self._read(area, first, last)

    @abstractmethod
    def _columns(self, area: str, day: int, documents: list[Document]) -> Columns:
        """Return what the documents of a day, in order and with their lists, say."""

    def _of(self, area: str, days: Iterable[int]) -> Columns:
        """Return what some days in order say, together."""
        return tuple(map(np.concatenate, zip(*(self._days[area][day] for day in days), strict=True)))

    def _read(self, area: str, first: int, last: int) -> None:
        zone, collection = self._areas[area].zone, HOURLY[self.kind]
        hours: dict[int, list[Document]] = {day: [] for day in range(first, last + 1)}
        since, until = span_of(zone, first)[0], span_of(zone, last)[1]
        for document in self._store.find(
            collection, area=area, since=since, until=until, batch=HOURS_AT_ONCE
        ):
            # One that begins at no hour is left over from before the zone was changed.
            if zone.start("hour", document["ts"]) == document["ts"]:
                hours[day_of(zone, document["ts"])].append(self._store.whole(collection, document))
        for day, documents in hours.items():
            self._days[area][day] = self._columns(area, day, documents)
        gevent.sleep(0)


class OnlineFacts(HourlyFacts):
    """Head counts: minutes since 1970, and the highest count of each."""

    kind: Hourly = "online"

    def of(self, scope: Scope, day: int) -> HeadCounts:
        """Return how many players were online in a scope on a day of its zone; its areas' days around it must be loaded."""
        span = span_of(scope.zone, day)
        of_areas = [self._of(area, range(day - 1, day + 2)) for area in scope.areas]
        known = any(len(minutes) for minutes, _ in of_areas)
        hours = tuple(scope.zone.starts("hour", span[0], span[1] - 1)) if known and span[0] < span[1] else ()
        return head_counts(span, hours, of_areas, scope.zones != {scope.zone})

    def _columns(self, area: str, day: int, documents: list[Document]) -> Columns:
        counts = sorted((minute, online) for one in documents for minute, online in one.get("_counts", ()))
        # Documents keep a minute's earlier, lower count until their list is compacted.
        pairs = np.array(list(dict(counts).items()), np.int64).reshape(-1, 2).astype(np.int32)
        return pairs[:, 0], pairs[:, 1]


class AcctFacts(HourlyFacts):
    """Facts about accts.

    Args:
        number: takes an area and accts; returns their numbers there.
        translate: takes an area, the stem of a plat or game, and numbers of accts there; returns their numbers in that.
    """

    def __init__(self, store: Store, areas: Areas, number: Number, translate: Translation) -> None:
        self._number = number
        self._translate = translate
        super().__init__(store, areas)

    def _joined(self, scope: Scope, found: Sequence[tuple[str, T]], none: T) -> T:
        """Return what was found of a scope's areas as one: of each area columns, its accts first; ``none`` where there is nothing."""
        if not scope.is_total:
            return found[0][1] if found else none
        some = [(area, one) for area, one in found if len(one[0])]
        if not some:
            return none
        accts = [self._translate(area, scope.pool, one[0]) for area, one in some]
        others = zip(*(one[1:] for _, one in some), strict=True)
        return type(none)(np.concatenate(accts), *map(np.concatenate, others))


class SessionFacts(AcctFacts):
    """Logins and logouts: accts, times since the day began, and the seconds that logouts say.

    ``rule``: the longest gap after which a login still continues a session, and how long one lasts at most whose logout is lost, in seconds.
    """

    kind: Hourly = "session"

    def __init__(
        self, store: Store, areas: Areas, number: Number, translate: Translation, rule: tuple[int, int]
    ) -> None:
        super().__init__(store, areas, number, translate)
        self._rule = rule

    def clear(self) -> None:
        super().clear()
        self._derived: dict[str, Sized[int, tuple[bool, DaySessions]]] = sized(
            lambda known: _size_of(known[1])
        )

    @property
    def bytes(self) -> int:
        return super().bytes + sum_of_sizes(self._derived.values())

    def forget(self, area: str, day: int) -> None:
        """Take it that an area's day has changed: sessions of the days around it may be others."""
        super().forget(area, day)
        for near in (day - 1, day, day + 1):
            self._derived[area].pop(near, None)

    def trim(self, wanted: set[int]) -> None:
        super().trim(wanted)
        self._derived.clear()

    def of(self, scope: Scope, clock: Clock, day: int) -> DaySessions:
        """Return the sessions of a scope that began on a day; its areas' days around it must be loaded."""
        found = [(area, self._of_area(area, day, clock.ended > day)) for area in scope.areas]
        return self._joined(scope, found, NO_SESSIONS)

    def _of_area(self, area: str, day: int, over: bool) -> DaySessions:
        if not any(len(self._days[area][near][0]) for near in (day - 1, day, day + 1)):
            return NO_SESSIONS
        was, sessions = self._derived[area].get(day, (not over, NO_SESSIONS))
        if was != over:
            accts, times, seconds = self._of(area, range(day - 1, day + 2))
            zone = self._areas[area].zone
            end = span_of(zone, day + 1)[1]
            sessions = sessions_of(accts, times, seconds, span_of(zone, day), end, over, *self._rule)
            self._derived[area][day] = over, sessions
        return sessions

    def _columns(self, area: str, day: int, documents: list[Document]) -> Columns:
        logins = [item.split(" ", 1) for one in documents for item in one.get("_logins", ())]
        logouts = [item.split(" ", 2) for one in documents for item in one.get("_logouts", ())]
        accts = self._number(area, [acct for *_, acct in (*logins, *logouts)])
        begin = self._begin(area, day)
        times = np.array([int(ts) - begin for ts, *_ in (*logins, *logouts)], np.int32)
        said = [LOGIN] * len(logins) + [int(seconds) for _, seconds, _ in logouts]
        return accts, times, np.array(said, np.int32)

    def _of(self, area: str, days: Iterable[int]) -> Columns:
        """Return the accts, the times in Unix seconds, and the seconds of some days in order, together."""
        listed = list(days)
        accts, times, seconds = zip(*(self._days[area][day] for day in listed), strict=True)
        absolute = [
            since + np.int64(self._begin(area, day)) for day, since in zip(listed, times, strict=True)
        ]
        return np.concatenate(accts), np.concatenate(absolute), np.concatenate(seconds).astype(np.int64)

    def _begin(self, area: str, day: int) -> int:
        return start_of(self._areas[area].zone, day)


class StepFacts(AcctFacts):
    """The steps of funnels: which step, the acct, and the time since the day began. ``steps``: those that are known here."""

    kind: Hourly = "step"

    def __init__(
        self, store: Store, areas: Areas, number: Number, translate: Translation, steps: Sequence[str]
    ) -> None:
        super().__init__(store, areas, number, translate)
        self._places = {step: place for place, step in enumerate(steps)}

    def of(self, scope: Scope, pay: Mapping[str, Mapping[int, Payments]], step: str, day: int) -> StepTimes:
        """Return who reached a step in a scope on a day, which must be loaded; nobody on a day that is not.

        ``pay``: payments by area and day. Only their day is known: they count as made when it begins.
        """
        found: list[tuple[str, StepTimes]] = []
        for area in scope.areas:
            if step == PAYMENT:
                payers = pay[area].get(day, NO_PAYMENTS).accts
                begin = start_of(self._areas[area].zone, day)
                found.append((area, StepTimes(payers, np.full(len(payers), begin, np.int64))))
            elif known := self._days[area].get(day):
                places, accts, times = known
                there = places == self._places[step]
                since = np.int64(start_of(self._areas[area].zone, day))
                found.append((area, StepTimes(accts[there], times[there] + since)))
        return self._joined(scope, found, NO_STEP_TIMES)

    def _columns(self, area: str, day: int, documents: list[Document]) -> Columns:
        begin = start_of(self._areas[area].zone, day)
        # One that begins at another time is left over from before the zone was changed.
        found = [
            (self._places[one["step"]], acct, ts - begin)
            for one in documents
            if one["ts"] == begin and one["step"] in self._places
            for acct, ts in one.get("_accts", ())
        ]
        places, accts, times = zip(*found, strict=True) if found else ((), (), ())
        return np.array(places, np.uint8), self._number(area, list(accts)), np.array(times, np.int32)


class HourlyKinds(NamedTuple):
    """The facts of every kind."""

    online: OnlineFacts
    session: SessionFacts
    step: StepFacts

    def of(self, kind: Hourly) -> HourlyFacts:
        """Return the facts of one kind."""
        facts: HourlyFacts = getattr(self, kind)
        return facts


def span_of(zone: Zone, day: int) -> tuple[int, int]:
    """Return when a day begins and when the next one does, in Unix seconds; of a date that the zone skips the same twice."""
    begin = start_of(zone, day)
    return (begin, zone.next("day", begin)) if day_of(zone, begin) == day else (begin + 1, begin + 1)
