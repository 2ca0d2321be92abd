"""Rebuilding: documents are derived again from the journals, while the suite goes on.

    filter asked what is accepted ─▶ the cut: numbers of the Queue ─▶ journals read up to that moment
        ─▶ records before the cut, by area-day, and messages after it as they come
        ─▶ area by area, some days at a time: derived, compared, repaired ─▶ timer bolts

``docs/architecture.md``, Rebuilding, says why that is exact.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import gevent

from analytics.broker.clients import Publisher, Refill
from analytics.broker.wire import Message
from analytics.config import Catalogue, Config, areas
from analytics.core.areas import Area
from analytics.core.bolt import CHANGES
from analytics.core.journal_lines import by_topic, lines, named
from analytics.core.numberset import NumberSet
from analytics.core.payment_days import moment_of
from analytics.core.periods import PeriodName
from analytics.core.tuples import EARLIEST_START, LATEST
from analytics.errors import AnalyticsError
from analytics.rebuild import timers as rebuild_timers
from analytics.rebuild.check import DifferingDocument
from analytics.rebuild.dates import add_dates
from analytics.rebuild.gaps import FOR_EVER, Gap, complete_from, gaps
from analytics.rebuild.group import Bucket, Group, home_of, spout_topics
from analytics.rebuild.journals import DamagedJournal, Names, ask_unknown, blocks, journals
from analytics.rebuild.notes import Notes, alone
from analytics.rebuild.overlay import Overlay
from analytics.rebuild.queue import Overrun, Tail
from analytics.rebuild.repair import Repairer
from analytics.rebuild.selection import RebuildResult, Selection, configured, kinds_of, span
from analytics.rebuild.spool import Spool
from analytics.rebuild.unusable import CountedNowhere, RejectedRecords
from analytics.rebuild.write import DocumentWriter, marks_of, tuples_of
from analytics.runtime.declarations import Declarations
from analytics.runtime.horizons import Horizons
from analytics.runtime.lost_writes import Losses
from analytics.runtime.outlet import Outlet, new_session
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import Silent
from analytics.spouts.gamelog import rules_of
from analytics.spouts.mapping.lines import plain_journal
from analytics.store import Store
from analytics.store.store import is_within
from analytics.timers import NAMES
from analytics.timers.rollup import NAME as ROLLUP

ANSWER_SECONDS = 30.0
"""A rebuild that starts again costs more than a wait for a busy disk."""

TRIES = 5
GROUP_BYTES = 48 << 20
"""Of records that are derived together."""

FEW_RECORDS = 10_000
"""Journaled records that may be in flight, or wait for a spout to start."""


class Rebuild:
    """One call of ``analytics rebuild``.

    Args:
        report: called with each document that differed.
        say: called with the step that begins.
        now: the clock that timer bolts go by, in Unix seconds.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        publisher: Publisher,
        wanted: Selection,
        report: Callable[[DifferingDocument], None] = lambda change: None,
        say: Callable[[str], None] = lambda text: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._wanted = wanted
        self._report = report
        self._say = say
        self._now = now
        self._store = Overlay(store) if wanted.dry else store
        self._outlet = Outlet(Silent() if wanted.dry else publisher, f"rebuild-{new_session()}")
        self._notes = Notes(None if wanted.dry else config.data / "state" / "rebuild.json")
        self._areas = areas(config)
        self._rejected = RejectedRecords(config)
        self._group: Group | None = None
        chosen = [area for area in self._areas.values() if wanted.area in ("", area.id)]
        self._spans = {area.id: span(wanted, area) for area in chosen}

    def run(self) -> RebuildResult:
        """Rebuild.

        Raises:
            Unavailable: broker or store do not answer. What was repaired stays so; call it again.
            Behind: a bolt does not count what is in the Queue.
        """
        outcome = RebuildResult()
        self._refill = Refill(self._config.broker, ANSWER_SECONDS)
        try:
            self._store.barrier()
            with alone(self._config.data, self._wanted.dry):
                self._publish_unfinished()
                if self._wanted.bolts:
                    self._from_journals(outcome)
                self._timers(outcome)
                self._note_rebuilt(outcome)
        finally:
            self._refill.close()
        return outcome

    def _note_rebuilt(self, outcome: RebuildResult) -> None:
        """Note what is right now in all of the wanted bolts' documents."""
        wanted = self._wanted
        some = wanted.dry or wanted.since or wanted.until or outcome.spared.keys() & {*wanted.bolts}
        if some or outcome.done.restless:
            return
        if not wanted.area:
            Declarations(self._config, self._store).note_rebuilt(wanted.bolts)
        if outcome.left_out:
            return
        if not wanted.area:
            Losses(self._store).remove(wanted.bolts)
        if {*wanted.bolts} == {*configured(self._config)}:
            outcome.resolved = self._rejected.end_counted(self._catalogue, self._areas, wanted.area)

    def _from_journals(self, outcome: RebuildResult) -> None:
        for turn in range(TRIES):
            try:
                self._once(outcome)
                return
            except Overrun as error:
                if turn + 1 == TRIES:
                    raise
                self._say(f"{error}: beginning again")

    def _once(self, outcome: RebuildResult) -> None:
        outcome.files, outcome.lines, outcome.nowhere = 0, 0, CountedNowhere()
        outcome.damaged, outcome.without_mapping = [], {}
        outcome.left_out, outcome.dropped = Counter(), Counter()
        self._spool = Spool(self._config.data, int(self._config.broker.min_free_mb * (1 << 20)))
        try:
            accepted = dict(self._refill.accepted())  # all of them are before the cut
            self._tail = Tail(
                self._refill, spout_topics(self._catalogue, self._wanted.bolts), self._take_later
            )
            outcome.gaps = self._read_journals(outcome, accepted)
            writer = DocumentWriter(
                self._areas, self._store, self._tail, self._outlet, self._notes, self._report, outcome.done
            )
            repairer = Repairer(
                self._areas, self._store, self._refill, self._tail, writer, self._wanted, self._redeclared
            )
            for area in self._spans:
                self._repair(self._areas[area], repairer, outcome)
            self._repair_strays(repairer, outcome)
            outcome.spared = repairer.spared
            if not self._wanted.dry:
                outcome.listed = self._rejected.list_refused()
        finally:
            self._group = None
            self._spool.close()

    def _read_journals(self, outcome: RebuildResult, accepted: dict[str, NumberSet]) -> list[Gap]:
        """Take all records before the cut; return what is missing of them."""
        files = [one for folder in (self._config.data, *self._wanted.folders) for one in journals(folder)]
        there, names, rules = [], Names(self._refill), rules_of(self._config)
        self._say(f"reading {len(files)} journals")
        for file in files:
            try:
                for block in blocks(file):
                    plain = plain_journal(block, rules, int(time.time()))
                    self._take(plain.block, names, outcome)
                    outcome.nowhere.unmapped += names.pass_over(plain.unused)
                    outcome.without_mapping |= plain.unmapped
                    gevent.sleep(0)
            except DamagedJournal as error:
                outcome.damaged.append(str(error))
            except FileNotFoundError:
                continue  # deleted meanwhile
            there.append(file)
        outcome.files = len(there)
        self._check_accepted(names, outcome)
        return gaps(self._config, accepted, names.seen, there, outcome.without_mapping)

    def _check_accepted(self, names: Names, outcome: RebuildResult) -> None:
        """Refuse to go on where the filter does not know what the journals hold: numbers would be too small."""
        outcome.unaccepted = sum(
            last - first + 1
            for source, asked in names.unknown.items()
            for first, last in ask_unknown(self._refill, source, list(asked))
        )
        if outcome.unaccepted > max(FEW_RECORDS, outcome.lines // 20):
            raise AnalyticsError(
                f"the filter has not accepted {outcome.unaccepted:,} of {outcome.lines:,} journaled records: was data/filter "
                "removed, or is it older than the journals? Nothing was changed. See docs/how-to/back-up.md"
            )

    def _take(self, block: bytes, names: Names, outcome: RebuildResult) -> None:
        found = by_topic(block)
        outcome.lines += sum(count for count, _ in found.topics.values()) + found.left_out
        outcome.lines += len(found.unusable)
        outcome.nowhere.unreadable += len(found.unusable)
        unaccepted = names.unaccepted(found.numbers)
        listed = self._rejected.names
        # Having read the Queue after that answer, we know which of the accepted ones came after the cut.
        self._tail.pump()
        if left_out := names.left_out(found.numbers, unaccepted, self._tail.names):
            found = by_topic(block, left_out)
        for topic, (_, body) in found.topics.items():
            for line, text in lines(body) if topic in self._tail.cut else ():
                day = self._day(line.area, moment_of(topic, text, line.ts, self._areas))
                if day is not None:
                    self._spool.add(line.area, day, topic, text)
                    if listed and (name := named(line)[1:]) in listed:
                        self._rejected.derived(name)

    def _take_later(self, message: Message) -> None:
        """Take a message from after the cut."""
        number, mine = message.header.number, []
        for line, text in lines(message.body):
            day = self._day(line.area, moment_of(message.topic, text, line.ts, self._areas))
            if day is None:
                continue
            self._spool.add(line.area, day, message.topic, text, number)
            if self._group is not None and self._group.holds(line.area, day):
                mine.append(text)
        if mine and self._group is not None:
            self._group.fold(message.topic, number, b"\n".join(mine))

    def _day(self, area: str, ts: int) -> int | None:
        """Return the start of the day on which a record counts, None where it is not wanted."""
        bounds = self._spans.get(area)
        if bounds is None or not EARLIEST_START <= ts <= LATEST:
            return None
        day = self._areas[area].zone.start("day", ts)
        return day if is_within(day, *bounds) else None

    def _repair(self, area: Area, repairer: Repairer, outcome: RebuildResult) -> None:
        """Compare and repair an area's documents."""
        for kind, bolts in kinds_of(self._wanted).items():
            lows = {name: self._low(area, name, outcome) for name in bolts}
            some = [name for name in bolts if lows[name] < FOR_EVER]
            outcome.left_out.update(self._described(area, lows))
            bounds = span(self._wanted, area, kind)
            outcome.dated += sum(
                add_dates(self._store, self._areas, self._catalogue[name], area.id, *bounds, low)
                for name, low in lows.items()
                if low
            )
            if not some:
                continue
            kept = {name: self._kept(area, name, low) for name, low in lows.items()}
            outcome.dropped.update(
                self._described(area, {name: kept[name] for name in some if kept[name] > lows[name]})
            )
            for since, until, share in self._cuts(area, kind):
                group = self._group = Group(
                    area, self._areas, some, self._catalogue, since, until, kept.__getitem__, share
                )
                days = [day for day in self._spool.sizes(area.id) if group.holds(area.id, day)]
                for topic, number, body in self._spool.read(area.id, days):
                    group.fold(topic, number, body)
                    self._tail.keep_up()
                repairer.repair(group, some)
                self._group = None
                if not share.k:  # every share is given all records
                    outcome.nowhere.add(area.id, kind, group.unusable)
                    self._rejected.refuse(group.unusable)

    def _repair_strays(self, repairer: Repairer, outcome: RebuildResult) -> None:
        for name, id_ in sorted(repairer.strays):
            home = home_of(self._catalogue[name], id_)
            if home is None or home[0] not in self._spans:
                continue
            area, ts = self._areas[home[0]], home[1]
            low = self._kept(area, name, self._low(area, name, outcome))
            begin, end = span(self._wanted, area)
            if not low if ts is None else is_within(ts, max(low, begin or 0), end):
                group = Group(
                    area, self._areas, [name], self._catalogue, begin, end, lambda name: 0, Bucket()
                )
                repairer.repair_stray(group, name, id_)

    def _low(self, area: Area, name: str, outcome: RebuildResult) -> int:
        """Return from when on a bolt's documents of an area can be derived; 0: all can, FOR_EVER: none."""
        low = complete_from(outcome.gaps, area, spout_topics(self._catalogue, [name]))
        if self._catalogue[name].period is None:
            return FOR_EVER if low else 0
        complete = self._wanted.complete
        return low if complete is None else min(low, area.zone.day_of(complete.isoformat()))

    def _kept(self, area: Area, name: str, low: int) -> int:
        """Return the same for those of the documents that are still kept."""
        return max(low, self._horizons.first(self._catalogue[name], area.zone))

    def _described(self, area: Area, lows: Mapping[str, int]) -> Iterator[str]:
        """Yield which documents begin before ``lows``, by bolt, where some of them are wanted."""
        since = self._wanted.since
        begin = 0 if since is None else area.zone.day_of(since.isoformat())
        for name, low in lows.items():
            if low == FOR_EVER:
                yield name
            elif begin < low:
                yield f"{name}, periods that begin before {area.zone.local(low):%Y-%m-%d %H:%M}"

    def _cuts(self, area: Area, kind: PeriodName | None) -> Iterator[tuple[int | None, int | None, Bucket]]:
        """Yield pieces of an area that are small enough to derive at once: bounds in time, or shares."""
        sizes = self._spool.sizes(area.id)
        if kind is None:
            count = 1 + sum(sizes.values()) // GROUP_BYTES
            yield from ((None, None, Bucket(k, count)) for k in range(count))
            return
        (begin, end), size = span(self._wanted, area, kind), 0
        for day, more in sizes.items():
            if (begin is not None and day < begin) or (end is not None and day >= end):
                continue
            if size + more > GROUP_BYTES and size and area.zone.start(kind, day) == day != begin:
                yield begin, day, Bucket()
                begin, size = day, 0
            size += more
        yield begin, end, Bucket()

    @property
    def _catalogue(self) -> Catalogue:
        return self._wanted.catalogue

    @cached_property
    def _horizons(self) -> Horizons:
        """From when on documents are kept, as of the first look."""
        return Horizons.load(self._store, self._wanted.bolts)

    @cached_property
    def _redeclared(self) -> set[str]:
        """The bolts whose declarations differ from those of their documents, before this rebuild notes that they agree."""
        return Declarations(self._config, self._store).changed(self._wanted.bolts)

    def _publish_unfinished(self) -> None:
        """Publish what a rebuild that died may not have."""
        for name, ids in dict(self._notes.unfinished.tuples).items():
            bolt = self._catalogue.get(name)
            if bolt and bolt.publishes:
                self._outlet.publish(name, tuples_of(bolt, self._areas, self._store, ids), bolt.list_fields)
            if bolt:
                self._outlet.publish(CHANGES, marks_of(bolt, self._areas, ids))
            self._notes.published(name)

    def _timers(self, outcome: RebuildResult) -> None:
        """Compute timer bolts that were asked for, all of them where what they look at has changed."""
        if not self._config.timers.every_seconds:
            return
        changed, wanted = self._notes.unfinished.timers, self._wanted
        # If totals are all that a declaration has more, no document differs.
        totals = any(self._catalogue[name].totals for name in self._redeclared.intersection(wanted.bolts))
        timers = (*wanted.timers, ROLLUP) if totals else wanted.timers
        if not changed and not timers:
            return
        since, until = rebuild_timers.days(wanted.since, wanted.until)
        many = wanted.remove_many
        asked = Wanted(timers, area=wanted.area, since=since, until=until, remove_many=many)
        everything = Wanted(NAMES, remove_many=many)
        self._say("computing timer bolts")
        chosen = everything if changed else asked
        found, left = rebuild_timers.wrong(self._config, self._store, self._refill, chosen, self._now)
        if found and not wanted.dry:
            rebuild_timers.repair(self._config, self._store, self._outlet.publisher, chosen, found, self._now)
        for change in found:
            outcome.done.changed[change.collection, change.what] += 1
            self._report(change)
        outcome.spared.update(left.spared)
        outcome.kept.update(left.kept)
        self._notes.timers_done()
