"""The in-memory runner: the same bolts over records in plain dictionaries. What every other runner must equal."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.fold import Delta, Folder
from analytics.core.settle import Fields, Known, Position, part_ids, settle, unknown

LOG = "reference"


class Reference:
    """Runs bolts over messages, each settled at once, and what they publish as well.

    ``collections`` maps a bolt's name to its documents by id, parts included, as a store would hold them.
    ``tuples`` maps it to the number of spout tuples that its own tuples account for.
    """

    def __init__(self, bolts: Iterable[Bolt], areas: Areas) -> None:
        self._bolts = {bolt.name: bolt for bolt in bolts}
        self._areas = areas
        self._folder = Folder(self._bolts.values(), areas)
        self._known: dict[str, dict[Key, Known]] = {name: {} for name in self._bolts}
        self._numbers: dict[str, int] = {}
        self._read = {topic for bolt in self._bolts.values() for topic in bolt.reads}
        self.collections: dict[str, dict[str, Fields]] = {name: {} for name in self._bolts}
        self.tuples: dict[str, int] = dict.fromkeys(self._bolts, 0)

    def put(self, topic: str, tuples: Iterable[Mapping[str, Any]]) -> None:
        """Handle one message of ``topic``, and every message that follows from it."""
        waiting = deque([(topic, list(tuples))])
        while waiting:
            topic, tuples = waiting.popleft()
            if topic not in self._read or not tuples:
                continue
            self._numbers[topic] = number = self._numbers.get(topic, 0) + 1
            body = b"\n".join(map(msgspec.json.encode, tuples))
            folded, unusable = self._folder.fold(topic, number, body)
            if unusable:
                raise ValueError(f"{topic}: {unusable[0].reason}: {unusable[0].line!r}")
            for name, deltas in folded.items():
                waiting.append(
                    (name, [self._settle(self._bolts[name], key, delta) for key, delta in deltas.items()])
                )

    def lists(self, collection: str, document: Fields) -> Fields:
        """Return a document with the lists of its parts put together."""
        documents = self.collections[collection]
        whole = dict(document)
        for name in self._bolts[collection].list_fields:
            parts = [documents[part] for part in part_ids(document)]
            whole[name] = [item for part in parts for item in part[name]] + document[name]
        return whole

    def documents(self, collection: str) -> dict[str, Fields]:
        """Return the collection's documents by id, lists complete, without the suite's own fields."""
        return {
            key: {
                name: value for name, value in self.lists(collection, one).items() if not name.startswith("_")
            }
            for key, one in self.collections[collection].items()
            if "part_of" not in one
        }

    def _settle(self, bolt: Bolt, key: Key, delta: Delta) -> Fields:
        known = self._known[bolt.name].setdefault(key, unknown(bolt, key))
        numbers = {topic: self._numbers.get(topic, 0) for topic in bolt.reads}
        settled = settle(known, [delta], Position(LOG, numbers), self._areas)
        documents = self.collections[bolt.name]
        for step in settled.steps:
            for document in [*step.parts, step.document]:
                documents[document["_id"]] = document
            for stale in step.stale:
                del documents[stale]
        self.tuples[bolt.name] += settled.tuple["tuples"]
        return settled.tuple
