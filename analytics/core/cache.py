"""The documents that a worker keeps in memory between settlings, and which of them it will need again."""

from collections import OrderedDict
from collections.abc import Collection

from analytics.core.bolt import Bolt, Key
from analytics.core.document import Known

DOCUMENT_ITEMS = 4
"""A document without lists takes as much memory as so many list items."""

_Documents = OrderedDict[tuple[str, Key], tuple[Known, int]]


class Periods:
    """The newest period of which each bolt has changed a document, area by area."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], int] = {}

    def begun(self, bolt: Bolt, keys: Collection[Key]) -> set[Key]:
        """Return which of ``keys`` are of a period newer than all before, in an area that is known. Remember them."""
        if not bolt.period:
            return set()
        newest = self._newest
        begun = {key for key in keys if key[1] > newest.get((bolt.name, key[0]), key[1])}
        for area, ts, *_ in keys:
            newest[bolt.name, area] = max(ts, newest.get((bolt.name, area), ts))
        return begun

    def over(self, one: Known) -> bool:
        """Whether a newer period than the document's has begun in its area."""
        bolt, key = one.bolt, one.key
        return bool(bolt.period) and key[1] < self._newest.get((bolt.name, key[0]), key[1])


class Cache:
    """Documents as last written, up to so many list items in all.

    Documents of closed periods are evicted first: an hour's, while the day's are still needed. Among these, and then among
    the others, the least recently used.
    """

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self._items = 0
        self._over: _Documents = OrderedDict()
        self._current: _Documents = OrderedDict()

    def take(self, bolt: Bolt, key: Key) -> Known | None:
        """Return a cached document, and drop it from the cache: the caller changes it."""
        name = bolt.name, key
        found = self._current.pop(name, None) or self._over.pop(name, None)
        if found is None:
            return None
        one, items = found
        self._items -= items
        return one

    def put(self, one: Known, over: bool) -> int:
        """Keep a document; return how much memory it takes, in list items."""
        items = DOCUMENT_ITEMS + one.size
        (self._over if over else self._current)[one.bolt.name, one.key] = one, items
        self._items += items
        while self._items > self._max_items and len(self._over) + len(self._current) > 1:
            _, (_, dropped) = (self._over or self._current).popitem(last=False)
            self._items -= dropped
        return items
