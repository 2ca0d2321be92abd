"""Whether the documents of bolts that a configuration declares say what their declarations say, and all that the journals hold.

Where a bolt first runs, its worker, or the driver of an engine, notes by which declaration, and since when it counts: in the collection ``positions``,
``{"_id": "declared:pvp", "declaration": "24f771e5485b6e48", "since": 1764374400}``. ``since`` is 0 where nothing came before, or all of
it was still in the Queue. A whole rebuild notes the same. So a look at a few documents and at the names of journals is enough.
"""

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta

import msgspec

from analytics.broker.clients import Refill
from analytics.broker.topics import shared_topic
from analytics.config import Catalogue, Config, catalogue
from analytics.config.catalogue import fingerprints
from analytics.core.bolt import Bolt
from analytics.core.periods import zone
from analytics.core.schema import is_of_spout
from analytics.errors import AnalyticsError
from analytics.runtime.engine_progress import EngineProgress
from analytics.runtime.exclusion_notes import SEVERAL, ExclusionNotes
from analytics.runtime.nodes import readers
from analytics.runtime.position_notes import PositionNotes
from analytics.runtime.rate_notes import RateNotes
from analytics.spouts.ends import journal_folders
from analytics.store import Store

_JOURNAL = re.compile(r"(gamelog|payment|syncuser)_(\d{8})\d{4}(-\d+)?\.txt(\.gz)?")
PATIENCE = 3.0
"""Seconds for the broker's answer."""


class Declared(msgspec.Struct, frozen=True):
    """What a bolt's documents are of: the fingerprint of a declaration, and records since a time in Unix seconds."""

    declaration: str
    since: int


class Declarations:
    """The notes of the bolts that a configuration declares: its own, and that of its segments."""

    def __init__(self, config: Config, store: Store) -> None:
        self._own = fingerprints(config)
        self._excluded = ExclusionNotes(config, store)
        self._rates = RateNotes(config, store)
        self._store = store
        self._notes = PositionNotes(store, "declared", Declared)

    def load(self) -> dict[str, Declared]:
        """Return the notes that there are, by bolt. Raise Unavailable where the store does not answer."""
        return self._notes.load(self._own)

    def changed(self, bolts: Collection[str]) -> set[str]:
        """Return those of ``bolts`` whose documents were counted by another declaration, with other accts excluded, or at other rates.

        Raise Unavailable as :meth:`load` does.
        """
        own = {bolt for bolt, noted in self.load().items() if noted.declaration != self._own[bolt]}
        others = self._excluded.changed(bolts).keys() | self._rates.changed_bolts(bolts)
        return own.intersection(bolts) | others

    def note_first_runs(self, bolts: Mapping[str, Bolt], refill: Refill | None) -> None:
        """Note those of ``bolts`` that run for the first time, and a declaration of which there are no documents yet. Where a bolt goes
        on by another declaration than its documents were counted by, note that they are of several: changing it back is no repair.

        ``refill``: to ask what the Queue still holds; None where an engine counts.
        Raise Unavailable if broker or store do not answer. Call again.
        """
        self._excluded.note_first_runs(bolts)
        self._rates.note_first_runs(bolts)
        own = {name: bolt for name, bolt in bolts.items() if name in self._own}
        known = self.load() if own else {}
        for name, bolt in own.items():
            noted = known.get(name)
            if noted is None:
                since = 0 if self._is_complete(bolt, refill) else int(time.time())
                self._notes.save({name: Declared(self._own[name], since)}, expected=0)
            elif noted.declaration != self._own[name]:
                is_first = self._store.first(name) is None
                self._notes.save({name: Declared(self._own[name] if is_first else SEVERAL, noted.since)})

    def note_rebuilt(self, bolts: Collection[str]) -> None:
        """Note that the documents of these bolts say all that the journals hold, by their declarations."""
        self._excluded.note_rebuilt(bolts)
        self._rates.note_rebuilt(bolts)
        self._notes.save({name: Declared(self._own[name], 0) for name in bolts if name in self._own})

    def unstarted(self, config: Config) -> list[str]:
        """Return the bolts that will run here and have counted nothing yet. Raise Unavailable if the store does not answer."""
        known, running = self.load(), readers(config)
        return [name for name in self._own if name in running and name not in known]

    def disagreements(self, config: Config) -> Iterator[str]:
        """Yield, a sentence for each bolt that runs here, what its documents lack or say otherwise, and what to do.

        Raise Unavailable if the store does not answer.
        """
        known, bolts, running = self.load(), catalogue(config), readers(config)
        for name, declaration in self._own.items():
            if name not in running:
                continue
            derive = "engine backfill" if config.engine.kind else "rebuild"
            command = f"`bin/analytics {derive} --bolt {name}`"
            noted = known.get(name)
            if noted is not None and noted.declaration != declaration:
                yield (
                    f"bolt {name}: its documents were counted by another declaration than it has now; {command} derives them again"
                )
                continue
            since = self._since(config, bolts[name]) if noted is None else noted.since
            if days := journal_days(config, _spouts(bolts, name), since):
                yield (
                    f"bolt {name}: it counts what comes in since it first ran, and lacks what came in before, on {len(days)} "
                    f"day{'s' if len(days) > 1 else ''} of which there are journals, {_shown(days)}; {command} counts it"
                )

    def _since(self, config: Config, bolt: Bolt) -> int:
        """Return since when a bolt will count that has not run yet; now where the broker can't be asked."""
        refill = None if config.engine.kind else Refill(config.broker, PATIENCE)
        try:
            return 0 if self._is_complete(bolt, refill) else int(time.time())
        except AnalyticsError:
            return int(time.time())
        finally:
            if refill:
                refill.close()

    def _is_complete(self, bolt: Bolt, refill: Refill | None) -> bool:
        """Return whether all that a bolt reads is still to be counted."""
        if refill:
            return reaches_back(bolt, refill)
        found = EngineProgress.load(self._store)
        return found is None or not found.batch


def reaches_back(bolt: Bolt, refill: Refill) -> bool:
    """Whether the Queue still holds every message of all that a bolt reads. Raise Unavailable where the broker does not answer."""
    oldest = refill.read(dict.fromkeys(bolt.reads, 0), 1)[0].oldest
    heads = refill.state().heads
    # Until a bolt read it, an op code may have been one of the many that share a topic.
    return all(
        oldest.get(topic, 1) <= 1 and (topic in heads or shared_topic(topic) not in heads)
        for topic in bolt.reads
    )


def journal_days(config: Config, spouts: Iterable[str], until: int) -> list[date]:
    """Return the days, in the configuration's zone, on which journals of these spouts were written before ``until``."""
    local, found = zone(config.timezone), set[date]()
    folders = [folder for folder in journal_folders(config) if folder.is_dir()] if until else []
    for path in (path for folder in folders for path in folder.iterdir()):
        match = _JOURNAL.fullmatch(path.name)
        if match is None or match[1] not in spouts:
            continue
        first = datetime.strptime(match[2], "%Y%m%d").date()
        try:
            last = local.local(min(until, int(path.stat().st_mtime))).date()
        except FileNotFoundError:
            continue  # deleted meanwhile
        found.update(first + timedelta(n) for n in range((last - first).days + 1))
    return sorted(found)


def _spouts(bolts: Catalogue, name: str) -> set[str]:
    """Return the spouts that a bolt's numbers come from."""
    return {
        spout
        for topic in bolts[name].reads
        for spout in ([topic.partition(".")[0]] if is_of_spout(topic) else _spouts(bolts, topic))
    }


def _shown(days: list[date]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
