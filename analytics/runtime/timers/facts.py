"""The facts that timer bolts compute from, read from what the bolts have stored.

Each area numbers its own accts from 0 as they come, and so does each plat and each game; a table for each of an area's
numbers translates. So an area's documents cost what the area is large, not what its game is. What was read is kept, as arrays, until a
change of it is reported: the node, which receives every change, reads an area-day only when it has one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import gevent
import numpy as np

from analytics.bolts import BOLTS
from analytics.bolts.payments import is_payer
from analytics.core.areas import Areas
from analytics.core.numbering import Accts, new_accts, numbers_of
from analytics.core.numbering import numbers as numbers_in
from analytics.core.portions import portions
from analytics.core.segments import Segments
from analytics.core.timer_sources import SOURCES
from analytics.runtime.timers.acct_days import BYTES_A_DAY, AcctDays, size_of
from analytics.runtime.timers.arrays import bits, each_once, packed, paid_next, summed
from analytics.runtime.timers.assigned import Assigned
from analytics.runtime.timers.hourly import HourlyKinds, OnlineFacts, SessionFacts, StepFacts
from analytics.runtime.timers.scopes import Scope, day_of, start_of, stems_of
from analytics.runtime.timers.sized import Sized, sized, sum_of_sizes
from analytics.store import Store
from analytics.store.store import Document
from analytics.timers.facts import (
    COLLECTIONS,
    NO_PAYMENTS,
    NOBODY,
    TIERS,
    Bits,
    Changing,
    Clock,
    Facts,
    Hourly,
    Numbers,
    Payments,
    Span,
    Stored,
    numbered,
    rows_of,
)
from analytics.timers.sessions import GAP_SECONDS, LIMIT_SECONDS

Needs = dict[Stored | Hourly, set[int]]
"""Days, per kind of fact."""

DOCUMENTS_AT_ONCE = 100
HISTORY_AT_ONCE = 50
NEARLY = 8

_payments = BOLTS["paysummary"].measures["payments"]


def _size_of(paid: Payments) -> int:
    """Return about how much memory a day's payments take."""
    return paid.accts.nbytes + paid.cents.nbytes + 2 * BYTES_A_DAY


class FactsReader:
    """Reads facts and keeps them.

    Args:
        tiers: by game, the bounds of its payers; see :class:`~analytics.timers.facts.Facts`.
        session_rule, steps: see ``SessionFacts`` and ``StepFacts`` in :mod:`analytics.runtime.timers.hourly`.

    Attributes:
        bytes: about how much memory they take.
    """

    def __init__(
        self,
        store: Store,
        areas: Areas,
        segments: Segments | None = None,
        tiers: Mapping[str, tuple[int, int]] | None = None,
        session_rule: tuple[int, int] = (GAP_SECONDS, LIMIT_SECONDS),
        steps: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._tiers = tiers or {}
        self._values = Assigned(store, areas, segments or {}, self._number, self._translate)
        self._hourly = HourlyKinds(
            OnlineFacts(store, areas),
            SessionFacts(store, areas, self._number, self._translate, session_rule),
            StepFacts(store, areas, self._number, self._translate, steps),
        )
        self._areas = areas
        self._pools = {area.id: stems_of(area) for area in areas.values()}
        self.clear()

    def clear(self) -> None:
        self._clear_days()
        self._numbers: dict[str, Accts] = defaultdict(new_accts)
        self._translated: dict[tuple[str, str], Numbers] = defaultdict(lambda: NOBODY)
        self._values.clear()

    def doubt(self) -> None:
        """Take it that anything may have changed: read all days again, and of segments what has another version."""
        if not self._values.bytes:
            self.clear()
            return
        self._clear_days()
        self._values.doubt()

    def _clear_days(self) -> None:
        self._accts: dict[Literal["login", "signup"], AcctDays] = {
            "login": AcctDays(self._translate),
            "signup": AcctDays(self._translate),
        }
        self._pay: dict[str, Sized[int, Payments]] = sized(_size_of)
        self._paid_next: dict[str, dict[int, set[int]]] = {}
        self._whole: set[str] = set()
        self._changed: dict[str, set[int]] = defaultdict(set)
        self._spans: dict[str, Sized[Span, Bits]] = sized(size_of)
        for hourly in self._hourly:
            hourly.clear()

    @property
    def bytes(self) -> int:
        """Return about how much memory the facts take."""
        days = sum(kind.nbytes for kind in self._accts.values())
        days += sum_of_sizes(self._pay.values()) + sum_of_sizes(self._spans.values())
        names = sum(accts.nbytes for accts in self._numbers.values())
        translated = sum(table.nbytes for table in self._translated.values())
        others = sum(hourly.bytes for hourly in self._hourly)
        return days + names + translated + others + self._values.bytes

    def forget(self, kind: Changing, area: str, day: int) -> None:
        """Take it that an area's day has changed."""
        if kind == "segment":
            self._values.forget(area, day)
            return
        if kind == "online" or kind == "session" or kind == "step":
            self._hourly.of(kind).forget(area, day)
            return
        stems = self._pools[area]
        if kind == "pay":
            for stem in stems:
                self._pay[stem].pop(day, None)
                self._paid_next.pop(stem, None)
                self._changed[stem].add(day)
            return
        self._accts[kind].forget(area, stems[1:], day)
        for spans in (self._spans[stem] for stem in stems) if kind == "login" else ():
            for span in [span for span in spans if span[0] <= day <= span[1]]:
                del spans[span]

    def trim(self, needs: Needs) -> None:
        """Forget the facts of all other days, except payments."""
        for hourly in self._hourly:
            hourly.trim(needs.get(hourly.kind, set()))
        for kind, known in self._accts.items():
            known.trim(needs.get(kind, set()))

    def load(self, needs: Iterable[tuple[Scope, Needs]]) -> None:
        """Read what of ``needs`` is not known yet."""
        listed = list(needs)
        self.load_areas(listed)
        for scope, days in listed:
            if scope.is_total:
                if not days.keys().isdisjoint(("session", "step")):
                    # All accts of sessions and steps have numbers in the whole before any is looked at.
                    for area in scope.areas:
                        self._translate(area, scope.pool, NOBODY)
                for kind in COLLECTIONS:
                    of_kind = days.get(kind, set())
                    for day in sorted(self._missing(kind, scope.pool, of_kind)):
                        self._unite(kind, scope, day)
                        gevent.sleep(0)

    def load_areas(self, needs: Iterable[tuple[Scope, Needs]]) -> None:
        """Read what of ``needs`` is not known yet of the scopes' areas."""
        missing: dict[Stored, dict[tuple[str, int], None]] = {kind: {} for kind in COLLECTIONS}
        looked_at: dict[tuple[str, ...], Needs] = {}
        for scope, days in needs:
            if looked_at.get(scope.areas) == days:
                continue  # a plat that has all of its game's areas
            looked_at[scope.areas] = days
            kinds = [(kind, days[kind]) for kind in COLLECTIONS if days.get(kind)]
            hourly = [(hourly, days[hourly.kind]) for hourly in self._hourly if days.get(hourly.kind)]
            for area in scope.areas:
                for kind, of_kind in kinds:
                    if missed := self._missing(kind, area, of_kind):
                        missing[kind].update(((area, day), None) for day in sorted(missed))
                for one, of_kind in hourly:
                    one.load(area, of_kind)
        for kind, pairs in missing.items():
            self._read(kind, list(pairs))

    def days_of_anybody(self, scope: Scope, days: Needs) -> Needs:
        """Return those of ``days`` on which anybody signed up, or paid, in the scope. Load its areas, and all payments, before."""
        found: Needs = defaultdict(set)
        for area in scope.areas:
            signups, pay = self._accts["signup"][area], self._pay[area]
            found["signup"].update(day for day in days["signup"] if len(signups[day]))
            found["pay"].update(day for day in days["pay"] if len(pay.get(day, NO_PAYMENTS).accts))
        return found

    def load_spans(self, wanted: Iterable[tuple[Scope, set[Span]]]) -> None:
        """Work out who logged in in these spans, as far as it is not known yet: load the days that are needed anyway before."""
        for scope, spans in wanted:
            for area in scope.areas:
                self._unite_days(area, spans - self._spans[area].keys())
            if scope.is_total:
                for span in spans - self._spans[scope.pool].keys():
                    groups = [
                        self._translate(area, scope.pool, numbered(self._spans[area][span]))
                        for area in scope.areas
                    ]
                    self._spans[scope.pool][span] = bits(groups, len(self._numbers[scope.pool]))
                    gevent.sleep(0)

    def _unite_days(self, area: str, spans: set[Span]) -> None:
        """Work out spans of an area. Days that are read for it alone are not kept."""
        known = self._accts["login"][area]
        days = {day for first, last in spans for day in range(first, last + 1)}
        logins = {day: known[day] for day in days & known.keys()}
        unknown = sorted(days - known.keys())
        zone, collection = self._areas[area].zone, COLLECTIONS["login"]
        for some in portions(unknown, DOCUMENTS_AT_ONCE):
            asked = {f"{area}:{start_of(zone, day)}": day for day in some}
            for id_, document in self._store.load(collection, list(asked)).items():
                logins[asked[id_]] = self._users(collection, area, document)
            gevent.sleep(0)
        for first, last in spans:
            groups = [logins[day] for day in range(first, last + 1) if day in logins]
            rows = rows_of(groups, len(self._numbers[area]))
            self._spans[area][first, last] = np.bitwise_or.reduce(rows, axis=0).view(np.uint8)

    def load_history(self, scope: Scope) -> None:
        """Read all payments of the scope that are not known yet, from the very first on."""
        for area in scope.areas:
            if area not in self._whole:
                self._read_history(area)
            elif self._changed[area]:
                self._read("pay", self._changed_payments(scope.game))
        if not scope.is_total:
            return
        days = {day for area in scope.areas for day in self._pay[area]}
        unknown = self._changed[scope.pool] | (days - self._pay[scope.pool].keys())
        for day in sorted(unknown):
            self._unite("pay", scope, day)
            gevent.sleep(0)
        self._whole.add(scope.pool)

    def _changed_payments(self, game: str) -> list[tuple[str, int]]:
        """Return the area-days of a game to read again: all at once, as each of them is looked at soon."""
        return [
            (area, day)
            for area in self._changed.keys() & self._whole & self._areas.keys()
            if self._areas[area].game == game
            for day in self._changed[area]
        ]

    def load_values(self, scope: Scope) -> None:
        """Read which values of its segment the scope's accts have, where it is not known yet."""
        self._values.load(scope)

    def facts(self, scope: Scope, clock: Clock, start: int | None, start_day: int | None) -> Facts:
        """Return what is known of the scope: load what is needed before."""
        stem, accts = scope.pool, len(self._numbers[scope.pool])
        return Facts(
            accts,
            clock,
            self._accts["login"][stem],
            self._accts["signup"][stem],
            self._pay[stem],
            start,
            start_day,
            self._values.split(scope, accts) if scope.segment else None,
            self._tiers.get(scope.game, TIERS),
            self._spans[stem],
            partial(self._hourly.online.of, scope),
            partial(self._hourly.session.of, scope, clock),
            partial(self._hourly.step.of, scope, self._pay),
        )

    def days_paid_next(self, scope: Scope, day: int) -> set[int]:
        """Return the days on which those who paid on ``day`` paid next. The scope's history must be loaded."""
        if scope.pool not in self._paid_next:
            self._paid_next[scope.pool] = paid_next(self._pay[scope.pool], len(self._numbers[scope.pool]))
        return self._paid_next[scope.pool].get(day, set())

    def days_stored(self, area: str, last: int) -> tuple[int, int] | None:
        """Return the first day of which anything is stored, and one soon after the last, at most ``last``; None: nothing is stored."""
        zone = self._areas[area].zone
        found = {name: self._store.first(name, "ts", area=area) for name in SOURCES}
        sources = [name for name, first in found.items() if first]
        days = [day_of(zone, first["ts"]) for first in found.values() if first]
        if not days:
            return None
        low, high, step = min(days), last, NEARLY
        while high - low > NEARLY:
            # An area that is alive is found to be at the first look, one that closed long ago by halving.
            middle = max(low, high - step)
            if self._is_stored_since(sources, area, start_of(zone, middle)):
                low = middle
            else:
                high = middle
            step = (high - low) // 2
        return min(days), high

    def _is_stored_since(self, sources: Iterable[str], area: str, ts: int) -> bool:
        return any(self._store.first(name, "ts", area=area, since=ts) for name in sources)

    def _missing(self, kind: Stored, stem: str, days: set[int]) -> set[int]:
        if kind == "pay" and stem in self._whole:
            return days & self._changed[stem]
        known: Mapping[int, Any] = self._pay[stem] if kind == "pay" else self._accts[kind][stem]
        return {day for day in days if day not in known}

    def _read(self, kind: Stored, pairs: Sequence[tuple[str, int]]) -> None:
        """Read area-days; those of which nothing is stored are known to be empty afterwards."""
        collection = COLLECTIONS[kind]
        for some in portions(pairs, DOCUMENTS_AT_ONCE):
            asked = {f"{area}:{start_of(self._areas[area].zone, day)}": (area, day) for area, day in some}
            found = self._store.load(collection, list(asked))
            for id_, (area, day) in asked.items():
                document = found.pop(id_, None)
                if self._missing(kind, area, {day}):  # else another greenlet has read it meanwhile
                    self._take(kind, area, day, document)
            gevent.sleep(0)

    def _read_history(self, area: str) -> None:
        zone = self._areas[area].zone
        # Later changes will be reported: what is read from here on is at least as new as this.
        self._changed[area].clear()
        for document in self._store.find("paysummary", area=area, batch=HISTORY_AT_ONCE):
            day = day_of(zone, document["ts"])
            if start_of(zone, day) == document["ts"]:  # else it is left over from before the zone was changed
                self._take("pay", area, day, document)
        self._whole.add(area)
        gevent.sleep(0)

    def _take(self, kind: Stored, area: str, day: int, document: Document | None) -> None:
        if kind == "pay":
            self._changed[area].discard(day)
        if document is None:
            self._put(kind, area, day, NO_PAYMENTS if kind == "pay" else NOBODY)
            return
        if kind != "pay":
            self._put(kind, area, day, self._users(COLLECTIONS[kind], area, document))
            return
        whole = self._store.whole(COLLECTIONS[kind], document)
        table = _payments.load("payments", whole)
        paid = {acct: values[1] for acct, (_, *values) in table.items() if is_payer(*values)}
        cents = np.fromiter(paid.values(), np.int64, len(paid))
        self._put(kind, area, day, summed(numbers_in(self._numbers[area], list(paid)), cents))

    def _users(self, collection: str, area: str, document: Document) -> Numbers:
        """Return the numbers of a document's accts, sorted, each once."""
        whole = self._store.whole(collection, document)
        return each_once(numbers_in(self._numbers[area], whole["userlist"]))

    def _put(self, kind: Stored, stem: str, day: int, what: Any) -> None:
        if kind == "pay":
            self._pay[stem][day] = what
            self._paid_next.pop(stem, None)
        else:
            self._accts[kind][stem][day] = packed(what)

    def _unite(self, kind: Stored, scope: Scope, day: int) -> None:
        """Work out a plat's or game's day from its areas'."""
        if kind == "pay":
            paid = [(area, self._pay[area][day]) for area in scope.areas if day in self._pay[area]]
            numbers = [self._translate(area, scope.pool, one.accts) for area, one in paid]
            cents = [one.cents for _, one in paid]
            self._changed[scope.pool].discard(day)
            if paid:
                self._put("pay", scope.pool, day, summed(np.concatenate(numbers), np.concatenate(cents)))
            else:
                self._put("pay", scope.pool, day, NO_PAYMENTS)
            return
        self._accts[kind].unite(scope.pool, scope.areas, day)

    def _number(self, area: str, accts: list[str]) -> Numbers:
        """Return the numbers of accts in an area."""
        return numbers_in(self._numbers[area], accts)

    def _translate(self, area: str, stem: str, accts: Numbers) -> Numbers:
        """Return an area's numbers as those of a plat or game."""
        own, table = self._numbers[area], self._translated[area, stem]
        if len(table) < len(own):
            new = numbers_of(self._numbers[stem], own, len(table))
            table = self._translated[area, stem] = np.concatenate([table, new])
        return table[accts]
