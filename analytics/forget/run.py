"""Forgetting, step by step. Each step may be repeated, so a call that was interrupted is simply repeated."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from analytics.broker.opening import FORGETTING, QUEUE
from analytics.broker.stored import lock, open_stored
from analytics.config import Config, catalogue
from analytics.config.excluded import exclusions
from analytics.core.tuples import LONGEST_NAME
from analytics.errors import AnalyticsError
from analytics.forget import files, queue
from analytics.forget.choosing import choose
from analytics.forget.documents import DocumentChange, named_elsewhere
from analytics.forget.engine import EngineAtRest
from analytics.forget.states import rename_states
from analytics.rebuild.notes import Unfinished
from analytics.runtime.nodes import readers
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.spouts.gamelog import rules_of
from analytics.spouts.mapping.renamed import Rename
from analytics.spouts.outbox import alone
from analytics.spouts.piped import nothing_is_put_in
from analytics.spouts.positions import StateFile
from analytics.spouts.renaming import Renaming
from analytics.store import POSITIONS, Store, Write
from analytics.system.files import write as write_file

NOTE = "forgotten:accts"
"""The document of the collection ``positions`` that says which pseudonyms the documents have."""
_SPOUTS = ("gamelog", "payment", "syncuser")
_SHORT = 6
"""Accts up to this length are all remembered while everything is looked at: many names of their form may be taken."""
_TRIES = 20


class ForgettingReport(msgspec.Struct):
    """What one call found and replaced; no acct is in it.

    ``at``: when it ended, in Unix seconds. ``accts``: how many it was called with and had not forgotten before; ``not_found``:
    how many of these are nowhere; ``forgotten``: all so far. ``files``, ``places``: by kind, of how many files in how many places;
    ``documents``: by collection. ``left``: what still names an acct and has to be looked at.
    """

    at: float = 0.0
    seconds: float = 0.0
    accts: int = 0
    not_found: int = 0
    forgotten: int = 0
    files: dict[str, int] = {}
    places: dict[str, int] = {}
    documents: dict[str, int] = {}
    left: list[str] = []


@dataclass(slots=True)
class _Look:
    """What has to be replaced."""

    files: list[Path] = field(default_factory=list)
    segments: list[Path] = field(default_factory=list)
    places: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    found: set[str] = field(default_factory=set)
    """Those of the accts that are anywhere."""


def forget(
    config: Config,
    store: Store,
    accts: Sequence[str],
    say: Callable[[str], None] = lambda text: None,
    dry: bool = False,
) -> ForgettingReport:
    """Replace accts, and all that were forgotten before, by their pseudonyms wherever a data folder and the store have them.

    No node may run, on any host: the caller has checked that.

    Args:
        say: called with each step.
        dry: change nothing, and return what there is to replace.

    Raises:
        AnalyticsError: the message says what to do. If something was changed, call this again.
    """
    began = time.monotonic()
    _check(config, accts)
    at_rest = EngineAtRest(config, store)
    with _nothing_runs(config):
        at_rest.expect(dry, say)
        known = _known(config, store)
        wanted = [acct for acct in dict.fromkeys(accts) if known.of(acct) is None]
        for number, acct in enumerate(accts, 1):
            if known.of(acct) is None and acct in known.pseudonyms:
                raise AnalyticsError(
                    f"acct {number} of {len(accts)} is the pseudonym of an acct that was forgotten already: leave it out"
                )
        if not accts and not len(known):
            at_rest.free()
            raise AnalyticsError(
                "expected accts to forget, got none, and none were forgotten before: name them, or a --file"
            )
        work = _Forgetting(config, store)
        say("looking at all journals and documents")
        names, look = work.look(known, wanted)
        report = ForgettingReport(at=time.time(), accts=len(wanted), forgotten=len(known) + len(wanted))
        report.not_found = len({*wanted} - look.found)
        report.files = dict(Counter(_kind(path) for path in (*look.files, *look.segments)))
        report.places, report.documents, report.left = dict(look.places), dict(look.documents), look.left
        if not dry:
            at_rest.hold()
            forgotten = known.with_names(names)
            # From here on an interrupted call is continued without the accts themselves.
            forgotten.save(config.data / FORGETTING)
            forgotten.save(config.data / FILE)
            _note(store, forgotten)
            at_rest.clean()
            work.replace(look, forgotten.of, say)
            at_rest.free()
            (config.data / FORGETTING).unlink(missing_ok=True)
        report.seconds = round(time.monotonic() - began, 1)
        if not dry:
            name = f"forgotten_{time.strftime('%Y%m%d%H%M%S', time.gmtime(report.at))}.json"
            write_file(config.data / name, msgspec.json.format(msgspec.json.encode(report)) + b"\n", 0o640)
        return report


class _Forgetting:
    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._bolts = catalogue(config)
        self._mappings = rules_of(config).mappings

    def look(self, known: Forgotten, accts: Sequence[str]) -> tuple[dict[str, str], _Look]:
        """Return a pseudonym for each acct that nobody has, and what there is to replace, by reading all of it."""
        names: dict[str, str] = {}
        taken = {*known.pseudonyms, *accts}

        def is_taken(name: str) -> bool:
            # A name that was forgotten would be replaced, too.
            return name in taken or known.of(name) is not None

        for _ in range(_TRIES):
            waiting = [acct for acct in accts if acct not in names]
            names.update(choose(waiting, is_taken, list(exclusions(self._config).values())))
            taken.update(names.values())
            found, used = self._look_for(known, names)
            if used.isdisjoint(names.values()):
                return names, found
            names = {acct: name for acct, name in names.items() if name not in used}
            taken.update(used)
        raise AnalyticsError(
            "pseudonyms of the accts' form are nearly all taken, as the accts are short. Nothing was changed; leave those out"
        )

    def _look_for(self, known: Forgotten, names: Mapping[str, str]) -> tuple[_Look, set[str]]:
        """Return what there is to replace, and which pseudonyms, and other names as short as an acct, are in use."""
        chosen, used, found = frozenset(names.values()), set[str](), set[str]()
        lengths = {len(acct) for acct in names if len(acct) <= _SHORT}

        def rename(acct: str) -> str | None:
            if len(acct) in lengths or acct in chosen:
                used.add(acct)
            if (name := names.get(acct)) is None:
                return known.of(acct)
            found.add(acct)
            return name

        look = self._look(rename)
        look.found = found
        return look, used

    def replace(self, look: _Look, rename: Rename, say: Callable[[str], None]) -> None:
        # It names documents that the last rebuild had noted before it ended.
        (self._config.data / "state" / "rebuild.json.old").unlink(missing_ok=True)
        renaming = Renaming(rename)
        for path in look.files:
            say(f"replacing in {path.name}")
            files.rewrite(path, files.change_of(path, renaming, self._mappings))
        rename_states(self._config.data, renaming.name)
        change = queue.QueueChange(renaming, self._bolts)
        for path in look.segments:
            say(f"replacing in {QUEUE}/{path.name}")
            queue.rewrite(path, change)
        say("replacing in documents")
        DocumentChange(self._store, self._bolts, renaming.name, write=True).run()

    def _look(self, rename: Rename) -> _Look:
        found = _Look()
        for path in files.record_files(self._config):
            renaming = Renaming(rename)
            if files.would_change(path, files.change_of(path, renaming, self._mappings)):
                found.files.append(path)
            found.places[_kind(path)] += renaming.places
            for source in +renaming.unreadable:
                raise AnalyticsError(
                    f"{path.name}: the mapping of the source {source} would not read the pseudonyms. Nothing was changed; make its pattern "
                    "take any letters and digits as an acct, then call this again"
                )
            found.left += [
                f"{path.name}: {lines} lines of the source {source}, which no mapping reads any more: configure it again"
                for source, lines in renaming.unmapped.items()
            ]
        renaming = Renaming(rename)
        found.places["state"] += rename_states(self._config.data, renaming.name, write=False)
        renaming = Renaming(rename)
        change = queue.QueueChange(renaming, self._bolts)
        for path in queue.segments(self._config.data):
            if queue.would_change(path, change):
                found.segments.append(path)
        found.places[QUEUE] += renaming.places
        documents = DocumentChange(self._store, self._bolts, Renaming(rename).name, write=False)
        documents.run()
        found.documents = +documents.changed
        found.left += [
            f"{collection}: {count} documents have an acct as a text; no bolt of the configuration has this collection"
            for collection, count in named_elsewhere(self._store, self._bolts, Renaming(rename).name).items()
        ]
        found.places = +found.places
        return found


def _check(config: Config, accts: Sequence[str]) -> None:
    """Raise AnalyticsError where something stands in the way."""
    excluded = exclusions(config).values()
    for number, acct in enumerate(accts, 1):
        if not 1 <= len(acct) <= LONGEST_NAME or "\0" in acct or "\n" in acct:
            raise AnalyticsError(
                f"acct {number} of {len(accts)}: expected 1 to {LONGEST_NAME} characters without line breaks, got {len(acct)}"
            )
        if any(acct in one for one in excluded):
            raise AnalyticsError(
                f"acct {number} of {len(accts)} is excluded by games.*.excluded, so its pseudonym would count. Take it out there, "
                "or leave it out here"
            )
    unfinished = StateFile(config.data / "state" / "rebuild.json").load(Unfinished)
    if unfinished.tuples or unfinished.timers:
        raise AnalyticsError(
            "a rebuild was interrupted, whose notes name documents: start the suite and call `bin/analytics rebuild` first"
        )


@contextmanager
def _nothing_runs(config: Config) -> Iterator[None]:
    """Keep broker, spouts and commands that put records in off the data folder, and leave the Queue without an incomplete record at its end."""
    with ExitStack() as stack:
        stack.callback(lock(config.data).close)
        for name in _SPOUTS:
            stack.callback(alone(config, name).close)
        stack.callback(nothing_is_put_in(config.data).close)
        if any((config.data / QUEUE).glob("*.log")):
            read = {topic for topics in readers(config).values() for topic in topics}
            open_stored(config.broker, config.data, read).close()
        yield


def _known(config: Config, store: Store) -> Forgotten:
    """Return who was forgotten so far. Raise AnalyticsError if another host knows more."""
    note = store.load(POSITIONS, [NOTE]).get(NOTE)
    known = Forgotten.load(config.data / FORGETTING) or Forgotten.load(config.data / FILE)
    if note is not None and (known is None or known.key != note["key"] or len(known) < note["accts"]):
        raise AnalyticsError(
            f"{config.data / 'forgotten.json'} is missing or older than the documents, in which {note['accts']} accts have a pseudonym. "
            "Copy the newest one there, from another host or a backup, then call this again"
        )
    return known or Forgotten.new()


def _note(store: Store, forgotten: Forgotten) -> None:
    store.write(POSITIONS, [Write(NOTE, {"key": forgotten.key, "accts": len(forgotten), "_v": 1}, None)])


def _kind(path: Path) -> str:
    return QUEUE if path.suffix == ".log" else path.name.partition("_")[0]
