"""Timer bolts after a rebuild: those of their documents are computed again that nobody else would.

Documents of timer bolts are behind what bolts have stored for as long as the node `timers` has not run. So they are
computed without being written, and once more when the bolts have passed what was in the Queue then, and the node what
they published of it: what differed both times, at the same version, is wrong.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import date

import gevent

from analytics.broker.clients import Publisher, Refill
from analytics.config import Config, catalogue
from analytics.core.agree import NOTHING, Differences, ValueChanged
from analytics.core.timer_sources import READ_BY_TIMERS
from analytics.rebuild.check import DifferingDocument
from analytics.rebuild.overlay import Overlay
from analytics.rebuild.queue import Behind, wait_for
from analytics.runtime.nodes import readers
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.collections import written
from analytics.runtime.timers.documents import Now, public
from analytics.runtime.timers.position import NODE
from analytics.runtime.timers.schedule import TOTALS_REST
from analytics.runtime.timers.wanted import Wanted
from analytics.runtime.timers.writing import Done
from analytics.spouts.acknowledging import Silent
from analytics.store import Document, Store
from analytics.store.store import is_version

PATIENCE_SECONDS = 60.0
Found = dict[tuple[str, str], tuple[object, DifferingDocument]]
"""By collection and id, the version of a document that differs, and how."""


def wrong(
    config: Config, store: Store, refill: Refill, wanted: Wanted, now: Now
) -> tuple[list[DifferingDocument], Done]:
    """Return the documents of timer bolts that differ from what they should say, and stay so; and what was left alone."""
    before, done = _differing(config, store, wanted, now)
    if not before:
        return [], done
    bolts = {name: topics for name, topics in readers(config).items() if name != NODE}
    with suppress(Behind):  # what they have stored may not be published yet
        wait_for(refill, bolts, None, PATIENCE_SECONDS)
    with suppress(Behind):  # where the node does not run, nobody else will compute them
        longest = max(config.timers.every_seconds, TOTALS_REST)
        wait_for(refill, {NODE: list(READ_BY_TIMERS)}, None, longest + PATIENCE_SECONDS)
    after, done = _differing(config, store, wanted, now)
    changes = [
        change
        for place, (version, change) in after.items()
        if place in before and before[place][0] == version
    ]
    return changes, done


def repair(
    config: Config,
    store: Store,
    publisher: Publisher,
    wanted: Wanted,
    changes: list[DifferingDocument],
    now: Now,
) -> None:
    """Compute the timer bolts of these documents."""
    names = {written(catalogue(config))[change.collection] for change in changes}
    by_hand(config, store, publisher, replace(wanted, timers=names), now)


def days(since: date | None, until: date | None) -> tuple[int | None, int | None]:
    """Return days as timer bolts count them."""
    return since.toordinal() if since else None, until.toordinal() if until else None


def _differing(config: Config, store: Store, wanted: Wanted, now: Now) -> tuple[Found, Done]:
    overlay = Overlay(store)
    done = by_hand(config, overlay, Silent(), wanted, now)
    found: Found = {}
    for name in written(catalogue(config)):
        documents = overlay.written.get(name, {})
        stored = store.load(name, list(documents)) if documents else {}
        for id_, document in documents.items():
            old = stored.get(id_)
            differing = _differences(old, document)
            if differing or (old is None) != (document is None):
                what = "missing" if old is None else "extra" if document is None else "changed"
                version = old.get("_v") if old else None
                found[name, id_] = version, DifferingDocument(name, str(id_), what, differing)
        gevent.sleep(0)
    return found, done


def _differences(old: Document | None, new: Document | None) -> Differences:
    was, will = public(old or {}), public(new or {})
    damaged: Differences = {}
    if old is not None and not is_version(old):
        damaged = {"_v": ValueChanged(old.get("_v", NOTHING), (new or {}).get("_v", NOTHING))}
    return damaged | {
        name: ValueChanged(was.get(name, NOTHING), will.get(name, NOTHING))
        for name in [*will, *(was.keys() - will.keys())]
        if was.get(name, NOTHING) != will.get(name, NOTHING)
    }
