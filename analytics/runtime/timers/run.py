"""One run of the timer bolts: compute the documents that may have changed, write and publish those that did.

    versions stored ──▶ (still mine?) ──▶ facts ──▶ documents ──▶ written, if the version is as read ──▶ published
         ▲                                                          │ refused
         └──────────────────────────────────────────────────────────┘

The versions are read before the facts, or with a look at the saved position in between: so the
writes of a process that was stalled, and has older facts than another one used meanwhile, are refused. The time is read after the versions, too, and for each
computation again: a midnight may pass during a run.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

import gevent

from analytics.errors import AnalyticsError
from analytics.runtime.outlet import Outlet
from analytics.runtime.timers.documents import Now, moment
from analytics.runtime.timers.facts import FactsReader, Needs
from analytics.runtime.timers.planning import Plan, Work, chunks, groups, needs, spans_needed
from analytics.runtime.timers.scopes import Scope
from analytics.runtime.timers.starts import Start, Starts
from analytics.runtime.timers.writing import Changes, Done, TimerWriter, tuple_of
from analytics.store import Store, Write
from analytics.store.store import Document
from analytics.system.tasks import share
from analytics.timers.facts import HOURLY, Facts
from analytics.timers.start import NAME as START
from analytics.timers.timer import Document as Computation
from analytics.timers.timer import Timer

Computed = dict[tuple[str, str, str, frozenset[int]], list[Computation]]
"""Documents by pool and segment of their scopes, timer bolt and first days."""

GROUPS_AT_ONCE = 3
"""One computes, one reads, one writes."""


class GameTooLarge(AnalyticsError):
    """The facts of a game take more memory than this process has for them. What was written of it is right."""


class Run:
    """A run under way.

    Args:
        run: its name, which its documents carry.
        now: the clock.
        again: write and publish every document, since the run before ended half-way: nobody knows which of its
            tuples went out, and its documents may still be in flight from a process that is stalled.
        check: called after versions were read; raises Overtaken. None: facts are read again after the versions.
        max_bytes: facts kept in memory, where fewer would do.
        most_bytes: facts that may be in memory at all; 0: any number.
    """

    def __init__(
        self,
        store: Store,
        outlet: Outlet,
        facts: FactsReader,
        starts: Starts,
        timers: Mapping[str, Timer],
        *,
        run: str,
        now: Now,
        again: bool = False,
        check: Callable[[], None] | None = None,
        max_bytes: int = 1 << 30,
        most_bytes: int = 0,
    ) -> None:
        self._store = store
        self._outlet = outlet
        self._facts = facts
        self._starts = starts
        self._timers = timers
        self._now = now
        self._check = check
        # Facts that are read again after the versions are forgotten before: nobody else may be using them.
        self._groups_at_once = GROUPS_AT_ONCE if check is not None else 1
        self._max_bytes = max_bytes
        self._most_bytes = most_bytes
        self.done = Done()
        self.writer = TimerWriter(store, outlet, run, again, self.done)

    def work(self, plan: Plan) -> None:
        """Bring every document of the plan, which is one game's, up to date.

        Raises:
            Unavailable: the store does not answer.
            Overtaken: another instance is at work.
            GameTooLarge: the facts are more than ``most_bytes``.
        """
        for chunk in chunks(plan):
            self._keep_to(chunk)
            pieces = list(groups(chunk))
            self._settle_all([piece for piece in pieces if not _is_total(piece)])
            # Documents of whole plats and games look at all of their areas' facts, which are in memory by now.
            self._settle_all([piece for piece in pieces if _is_total(piece)])
            self.done.facts_bytes = max(self.done.facts_bytes, self._facts.bytes)
        if self._facts.bytes > self._max_bytes:
            self._facts.clear()

    def write_starts(self, starts: Iterable[Start], tuples: Mapping[str, int]) -> set[str]:
        """Write documents of ``serverstarttime``; return the areas whose start is on another day than before.

        One that another process wrote meanwhile is forgotten, so that the next look finds its document.
        """
        listed = list(starts)
        documents = {
            one.area: self.writer.stamped(one.area, one.document, one.expected + 1, one.now) for one in listed
        }
        writes = [Write(one.area, documents[one.area], one.expected) for one in listed]
        refused = self._store.write(START, writes) if writes else set()
        written = [one for one in listed if one.area not in refused]
        for area in refused:
            self._starts.forget(area)
        for one in written:
            self._starts.written(one.area, documents[one.area])
        self._outlet.publish(
            START, [tuple_of(documents[one.area], tuples.get(one.area, 0)) for one in written]
        )
        self.done.computed[START] += len(listed)
        self.done.changed[START] += len(written)
        return {one.area for one in written if one.moved}

    def _settle_all(self, pieces: Sequence[Plan]) -> None:
        """Settle groups, a few at a time: while one waits for the store, another is computed."""

        def settle(group: Plan) -> None:
            while group:
                group = self._settle(group)
                gevent.sleep(0)

        share(iter(pieces), settle, min(self._groups_at_once, len(pieces)))

    def _settle(self, group: Plan) -> Plan:
        """Compute and write the documents of a group; return what was refused, since another process wrote it."""
        stored = self._stored(group)
        if self._check is not None:
            self._check()
        else:
            self._facts.doubt()
            self._starts.clear()
        now = moment(self._now, (document for some in stored.values() for document in some.values()))
        self._load(group, now)
        changes: dict[str, Changes] = defaultdict(Changes)
        computed: Computed = {}
        for scope, work in group.items():
            self._compare(scope, work, stored, now, changes, computed)
            gevent.sleep(0)
        refused = {name: self.writer.carry_out(name, some) for name, some in changes.items()}
        return _restricted(group, refused) if any(refused.values()) else {}

    def _stored(self, group: Plan) -> dict[str, dict[str, Document]]:
        ids: dict[str, list[str]] = {}
        for scope, work in group.items():
            for name, firsts in work.items():
                of_scope = ids.setdefault(scope.collection(name), [])
                of_scope += chain.from_iterable(map(scope.ids_of, firsts))
        return {name: self._store.load(name, some) for name, some in ids.items()}

    def _load(self, group: Plan, now: int) -> None:
        """Have the facts of a group and the starts of its areas at hand."""
        wanted, spans = [], []
        for scope, work in group.items():
            days, history = needs(work, self._timers, scope.last_day(now))
            if history:
                self._facts.load_history(scope)
            if scope.segment:
                self._facts.load_values(scope)
            wanted.append((scope, days))
            spans.append((scope, spans_needed(work, self._timers, scope.last_day(now))))
        self._facts.load(wanted)
        self._facts.load_spans(spans)
        if any(self._timers[name].uses_start for work in group.values() for name in work):
            self._starts.load(area for scope in group for area in scope.areas)
        if self._most_bytes and self._facts.bytes > self._most_bytes:
            raise GameTooLarge(
                f"facts take {self._facts.bytes >> 20} MB, at most {self._most_bytes >> 20} are allowed"
            )

    def _compare(
        self,
        scope: Scope,
        work: Work,
        stored: Mapping[str, Mapping[str, Document]],
        now: int,
        changes: Mapping[str, Changes],
        shared: Computed,
    ) -> None:
        """Note down which documents of a scope are to be written or removed. ``shared``: what others of its group have computed."""
        facts = self._facts.facts(scope, scope.clock(now), *self._starts.of(scope))
        for name, firsts in work.items():
            timer, collection = self._timers[name], scope.collection(name)
            left = stored[collection].keys() & chain.from_iterable(map(scope.ids_of, firsts))
            for computed in _computed(scope, timer, firsts, facts, shared):
                if timer.period == "day" and not scope.has_day(computed.first):
                    continue
                self.done.computed[collection] += 1
                id_ = scope.id_of(computed.first, computed.part)
                left.discard(id_)
                old = stored[collection].get(id_)
                if old is None and computed.empty:
                    continue
                document = scope.key_fields(computed.first, computed.part) | computed.fields
                self.writer.compare(changes[collection], id_, old, document, now, firsts[computed.first])
            # The day has not begun, say, as a clock was put back: there is nothing that such a document could say.
            changes[collection].removals.update({id_: stored[collection][id_].get("_v") for id_ in left})

    def _keep_to(self, chunk: Plan) -> None:
        """Where memory is short, forget the facts that the chunk does not look at."""
        if self._facts.bytes <= self._max_bytes:
            return
        wanted: Needs = {"login": set(), "signup": set(), **{kind: set() for kind in HOURLY}}
        now = int(self._now())
        for scope, work in chunk.items():
            days, _ = needs(work, self._timers, scope.last_day(now))
            for kind in wanted:
                wanted[kind] |= days.get(kind, set())
        self._facts.trim(wanted)


def _computed(
    scope: Scope, timer: Timer, firsts: Iterable[int], facts: Facts, shared: Computed
) -> Iterable[Computation]:
    """Return a timer bolt's documents of a scope. A plat that has all of its game's areas has its game's numbers."""
    if not scope.is_total:
        return timer.documents(facts, firsts)
    key = *scope.shared_by, timer.name, frozenset(firsts)
    if key not in shared:
        shared[key] = []
        for document in timer.documents(facts, firsts):
            shared[key].append(document)
            gevent.sleep(0)
    return shared[key]


def _is_total(group: Plan) -> bool:
    return any(scope.is_total for scope in group)


def _restricted(group: Plan, refused: Mapping[str, set[str]]) -> Plan:
    """Return the part of a plan whose documents were refused."""
    result: Plan = {}
    for scope, work in group.items():
        for name, firsts in work.items():
            again = refused.get(scope.collection(name), set())
            left = {first: firsts[first] for first in firsts if not again.isdisjoint(scope.ids_of(first))}
            if left:
                result.setdefault(scope, {})[name] = Counter(left)
    return result
