"""Whether a store and the broker's books hold what a feed must have led to."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

from analytics.bolts import BOLTS
from analytics.broker.wire import BrokerState, totals
from analytics.config import Config
from analytics.core.document import without_dates
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.collections import WRITTEN, collections_of
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import publisher
from analytics.store import Document, Store, Write
from analytics.store.memory import MemoryStore
from analytics.testing.feed import Feed
from analytics.timers import NAMES

Collections = dict[str, dict[str, dict[str, Any]]]
Expected = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Documents per collection and id."""

OWN_FIELDS = ("updated", "parts")
LONGEST = 60
"""Characters of a value in the text of a difference."""


def differences(store: Store, expected: Collections, most: int = 20) -> list[str]:
    """Return how a store's documents differ from ``expected``, a line a document, up to ``most``."""
    wrong = islice(wrong_documents(store, expected), most)
    return [f"{collection}: {id}: {text}" for collection, id, text in wrong]


def wrong_documents(
    store: Store, expected: Expected, harmless: Callable[[Document], bool] = lambda document: False
) -> Iterator[tuple[str, str, str]]:
    """Yield collection, id and difference of the documents that differ from ``expected``; lists of accts count as sets.

    Args:
        harmless: says which documents may be there though none is expected.
    """
    for collection, documents in expected.items():
        missing = dict(documents)
        for one in store.find(collection):
            found = _public(store.whole(collection, one))
            wanted = missing.pop(one["_id"], None)
            if wanted is not None:
                if texts := list(_differing(_public(wanted), found)):
                    yield collection, one["_id"], "; ".join(texts)
            elif not harmless(found):
                yield collection, one["_id"], f"expected none, found {_short(found)}"
        for id, wanted in missing.items():
            yield collection, id, f"expected {_short(wanted)}, found none"


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


def _differing(expected: Mapping[str, Any], found: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Yield each field in which two documents differ, with both values; of lists what only one of them has."""
    for name in sorted(expected.keys() | found.keys()):
        one, other = expected.get(name, "nothing"), found.get(name, "nothing")
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differing(one, other, f"{within}{name}.")
            continue
        if _is_set(one) and _is_set(other):
            one, other = ([*(Counter(a) - Counter(b)).elements()] for a, b in ((one, other), (other, one)))
        yield f"{within}{name}: expected {_short(one)}, found {_short(other)}"


def _public(document: Mapping[str, Any]) -> Document:
    shown = without_dates(dict(document))
    fields = {name: value for name, value in shown.items() if name[0] != "_" and name not in OWN_FIELDS}
    return {name: sorted(value) if _is_set(value) else value for name, value in fields.items()}


def _is_set(value: object) -> bool:
    """Whether a value is a list whose order means nothing: of accts, not of an area's numbers."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
