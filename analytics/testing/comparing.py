"""Whether a store and the broker's books hold what a feed must have led to."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from analytics.bolts import BOLTS
from analytics.broker.wire import BrokerState, totals
from analytics.config import Config
from analytics.core.document import without_dates
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.collections import WRITTEN, collections_of
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import publisher
from analytics.store import Store, Write
from analytics.store.memory import MemoryStore
from analytics.testing.feed import Feed
from analytics.timers import NAMES

Collections = dict[str, dict[str, dict[str, Any]]]
"""Documents per collection and id."""


def differences(store: Store, expected: Collections, most: int = 20) -> list[str]:
    """Return where a store's documents differ from ``expected``, a line a field or document, up to ``most``."""
    return [text for texts in wrong_documents(store, expected).values() for text in texts][:most]


def wrong_documents(store: Store, expected: Collections) -> dict[tuple[str, str], list[str]]:
    """Return the documents that differ from ``expected``, by collection and id, each with a description of the difference."""
    found: dict[tuple[str, str], list[str]] = {}
    for collection, documents in expected.items():
        stored = {one["_id"]: _public(store.whole(collection, one)) for one in store.find(collection)}
        for key in sorted(documents.keys() | stored.keys()):
            if texts := list(_differing(documents.get(key), stored.get(key))):
                found[collection, key] = [f"{collection}: {key}{text}" for text in texts]
    return found


def balance_faults(state: BrokerState, feed: Feed) -> list[str]:
    """Return where the broker's books differ from what was fed: accepted, rejected, and accounted for by each bolt."""
    logs = [one for name, one in state.sources.items() if name.startswith("gamelog/")]
    found = []
    for what, is_, should in (
        ("accepted records", sum(one.accepted for one in logs), feed.good),
        ("rejected records", sum(one.rejected for one in logs), feed.broken),
        ("records in the log", totals(state.heads, "gamelog"), feed.good),
    ):
        if is_ != should:
            found.append(f"balance: {what}: expected {should}, got {is_}")
    for bolt, positions in state.bolts.items():
        for topic, position in positions.items():
            head = state.heads.get(topic)
            if head is not None and head.records != position.records:
                found.append(f"balance: {bolt}: accounts for {position.records} of {head.records} of {topic}")
    missing = BOLTS.keys() - state.bolts.keys()
    return found + [f"balance: {bolt} never reported" for bolt in sorted(missing)]


def timer_documents(config: Config, collections: Collections, found: Store) -> Collections:
    """Return what one run of the timer bolts over the bolts' documents makes of them. Its tuples are published, too.

    A cohort that lost all of its members stays, and says so: of those, what is ``found`` is computed again.
    """
    store = MemoryStore()
    for name, documents in collections.items():
        store.write(name, [Write(id_, document, None) for id_, document in documents.items()])
    for name in [
        name for timer in ("paytraceday", "paylong", "payweek", "paymonth") for name in collections_of(timer)
    ]:
        emptied = [one["_id"] for one in found.find(name) if not one["pay_user"]]
        store.write(name, [Write(id_, {"area": "", "game": "", "_v": 1}, 0) for id_ in emptied])
    with closing(publisher(config, "comparing")) as outgoing:
        by_hand(config, store, outgoing, Wanted(NAMES), time.time)
    return {name: {one["_id"]: one for one in store.find(name)} for name in WRITTEN}


def _differing(expected: dict[str, Any] | None, stored: dict[str, Any] | None) -> Iterator[str]:
    """Yield what differs between an expected document and a stored one without private fields."""
    if stored is None:
        yield " is missing"
    elif expected is None:
        yield " should not be there"
    else:
        should = _public(expected)
        for name in sorted(should.keys() | stored.keys()):
            if should.get(name) != stored.get(name):
                yield f": {name}: expected {should.get(name)!r:.80}, got {stored.get(name)!r:.80}"


def _public(document: dict[str, Any]) -> dict[str, Any]:
    hidden = ("updated", "parts", "_")
    return {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in without_dates(document).items()
        if not name.startswith(hidden)
    }
