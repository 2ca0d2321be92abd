"""Documents with pseudonyms: in lists and their parts, in fields, in an ``_id``, and in what positions say of documents."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from analytics.core.bolt import Bolt
from analytics.core.document import part_ids
from analytics.core.portions import portions
from analytics.errors import AnalyticsError
from analytics.export.views import PREFIX
from analytics.forget.fields import AcctFields
from analytics.runtime.engine_progress import ENGINE
from analytics.runtime.timers.collections import WRITTEN
from analytics.spouts.mapping.renamed import Rename
from analytics.store import POSITIONS, Document, Store, Write
from analytics.store.store import TOTAL, is_divided, is_total

_AT_ONCE = 100
"""Documents in memory: a part has some 50 kB, few have megabytes."""
_NAME_NO_ACCT = frozenset({POSITIONS, "areas", "games", "api_tokens", "audit_log", "share_links"})
_QUOTED_ID = re.compile(r"'([^']*)'")


class DocumentChange:
    """Puts pseudonyms into documents. Nothing else may write to the store meanwhile.

    ``changed``: by collection, how many documents and parts have any.
    """

    def __init__(self, store: Store, bolts: Mapping[str, Bolt], rename: Rename, write: bool) -> None:
        """``write``: whether documents are written, or just looked at."""
        self._store = store
        self._fields = {name: AcctFields(bolt) for name, bolt in bolts.items()}
        self._fields |= {
            f"{name}{TOTAL}": AcctFields(bolt, totals=True) for name, bolt in bolts.items() if bolt.totals
        }
        self._rename = rename
        self._write = write
        self.changed: Counter[str] = Counter()

    def run(self) -> None:
        """Change the documents of all bolts, then their positions. After an error, call it again.

        Raises:
            Unavailable: the store does not answer.
            AnalyticsError: a document was written by another process meanwhile.
        """
        for name, fields in self._fields.items():
            if fields:
                for documents in documents_of(self._store, name):
                    self._change(name, fields, documents)
        self._positions()

    def _change(self, collection: str, fields: AcctFields, documents: list[Document]) -> None:
        now = datetime.now(UTC)
        parts: list[Write] = []
        writes: list[Write] = []
        gone: list[str] = []
        for one in documents:
            new = fields.renamed(one, self._rename)
            id_ = fields.id(one["_id"], self._rename)
            if "part_of" in one:
                if new is not one and id_ == one["_id"]:
                    parts.append(Write(id_, new, None))
            elif id_ != one["_id"]:
                moved = self._moved_parts(collection, fields, one, id_)
                parts += moved
                gone += [one["_id"], *part_ids(one)]
                new = {**new, "_id": id_, "_v": one["_v"] + 1, "updated": now}
                if moved:
                    ends = {end: fields.id(one["parts"][end], self._rename) for end in ("first", "last")}
                    new["parts"] = one["parts"] | ends
                writes.append(Write(id_, new, None))
            elif new is not one:
                writes.append(Write(id_, {**new, "_v": one["_v"] + 1, "updated": now}, one["_v"]))
        self.changed[collection] += len(parts) + len(writes)
        if self._write:
            self._store.write(collection, parts)
            if refused := self._store.write(collection, writes):
                raise AnalyticsError(
                    f"{collection}: {len(refused)} documents were written by another process meanwhile. Stop what runs, on all "
                    "hosts, then call this again"
                )
            if gone:
                self._store.delete(collection, gone)

    def _moved_parts(self, collection: str, fields: AcctFields, document: Document, id_: str) -> list[Write]:
        """Return the parts of a document that gets another id."""
        found = self._store.load(collection, part_ids(document))
        result = []
        for part in found.values():
            new_id = fields.id(part["_id"], self._rename)
            new = {**fields.renamed(part, self._rename), "_id": new_id, "part_of": id_}
            result.append(Write(new_id, new, None))
        return result

    def _positions(self) -> None:
        """Change the ids that positions name: they show, at a start, whether the store has lost what it acknowledged."""
        in_ids = {name: fields for name, fields in self._fields.items() if fields.in_id}
        for id_, one in self._store.load(
            POSITIONS, [*in_ids, *(f"lost_writes:{name}" for name in in_ids)]
        ).items():
            fields = in_ids[id_.rpartition(":")[2]]
            new = self._position(one, fields)
            if new != one:
                self.changed[POSITIONS] += 1
                if self._write:
                    self._store.write(POSITIONS, [Write(id_, new, None)])
        self._engine_position(in_ids)

    def _engine_position(self, in_ids: Mapping[str, AcctFields]) -> None:
        """Change the ids that an engine has noted, as :meth:`_positions` does. Its position is written on condition of its version."""
        one = self._store.load(POSITIONS, [ENGINE]).get(ENGINE)
        if one is None:
            return
        written = [
            [bolt, in_ids[bolt].id(id_, self._rename) if bolt in in_ids else id_, *rest]
            for bolt, id_, *rest in one["written"]
        ]
        if written == one["written"]:
            return
        self.changed[POSITIONS] += 1
        version = one["_v"]
        new = {**one, "written": written, "_v": version + 1}
        if self._write and self._store.write(POSITIONS, [Write(ENGINE, new, version)]):
            raise AnalyticsError(
                "the engine has gone on meanwhile. Stop it, on all hosts, then call this again"
            )

    def _position(self, one: Document, fields: AcctFields) -> dict[str, Any]:
        new = dict(one)
        if "written" in one:
            new["written"] = [[fields.id(id_, self._rename), *rest] for id_, *rest in one["written"]]
        if isinstance(one.get("what"), str):
            new["what"] = _QUOTED_ID.sub(lambda match: f"'{fields.id(match[1], self._rename)}'", one["what"])
        return new


def documents_of(store: Store, collection: str) -> Iterator[list[Document]]:
    """Yield all documents and parts of a collection, some at a time."""
    ids = (one for one in store.ids(collection) if isinstance(one, str))
    for some in portions(ids, _AT_ONCE):
        yield list(store.load(collection, some).values())


def named_elsewhere(store: Store, bolts: Mapping[str, Bolt], rename: Rename) -> Counter[str]:
    """Return how many documents of collections that no bolt has name an acct: people's notes, and collections of former bolts."""
    found: Counter[str] = Counter()
    for name in store.collections():
        own = name in bolts or name in WRITTEN or name in _NAME_NO_ACCT
        if own or is_total(name) or is_divided(name) or name.startswith((PREFIX, "engine_")):
            continue
        for documents in documents_of(store, name):
            found[name] += sum(any(rename(text) is not None for text in _texts(one)) for one in documents)
    return +found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
