"""What the suite asks of a store: documents by id, each write on condition of the version that it replaces.

Exactly-once counting rests on two guarantees that every store gives:

- a write takes effect completely or not at all, and is durable once :meth:`Store.write` has returned;
- of several writes that expect the same version of one document, one takes effect and the others are
  told of the conflict.

A list too long for one document lives in parts, documents of the same collection that never change::

    {"_id": "a:1", "area": …, "ts": …, "userlist": [newest …], "parts": {"count": 2, "first": "a:1#1", "last": "a:1#2"}}
    {"_id": "a:1#1", "part_of": "a:1", "part": 1, "userlist": [oldest …]}
    {"_id": "a:1#2", "part_of": "a:1", "part": 2, "userlist": […]}

Parts carry neither ``area`` nor ``ts``, so no search for documents finds them. They never change: whoever writes a list
anew gives its parts other numbers, and then deletes the old ones.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from analytics.core.settle import part_ids
from analytics.errors import AnalyticsError, Unavailable

Document = dict[str, Any]

POSITIONS = "positions"
"""The collection that holds how far bolts and timer bolts are, and the suite's other notes about the store."""

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MOST_VERSIONS = 1 << 62
PARTS_AT_ONCE = 16
_OF_THE_PART = {"_id", "part_of", "part"}


def is_version(document: Document) -> bool:
    """Whether a stored document says which version it is: somebody may have changed it by hand."""
    version = document.get("_v")
    return isinstance(version, int) and not isinstance(version, bool) and 0 < version < MOST_VERSIONS


class Write(NamedTuple):
    """Replace the document ``id`` by ``document``, on condition of what is stored now.

    Args:
        document: the whole new document; its ``_id`` may be left out.
        expected: the ``_v`` that the stored document must have. 0: it must not exist. None: no condition,
            for documents that carry no ``_v`` (parts).
    """

    id: str
    document: Document
    expected: int | None


class Store(ABC):
    """Collections of documents. Every method may be called from many greenlets at once.

    Errors: Unavailable where trying again may help (no connection, no primary, a timeout, a restart, a full
    disk), AnalyticsError with advice otherwise. Dates come back aware, in UTC, cut to milliseconds.
    """

    elections: int = 0
    """How often the server that takes writes has changed, or come back. Where it has, see what is still there."""

    @abstractmethod
    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        """Return the newest documents of these ids, by id. An id that is not stored is left out."""

    @abstractmethod
    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        """Carry out ``writes``, each by itself, and return the ids in conflict, which were not written.

        Everything else is durable. The order among the writes is open, so an id may occur only once.
        A document that is gone although a version was expected is written anew.

        Raises:
            Unavailable: any of the writes may have taken effect or not, or may be rolled back. Call
                :meth:`barrier`, then repeat the call with the same writes: one that had taken effect comes back
                as a conflict (or, without a condition, is written again), so load what conflicts and compare.
            AnalyticsError: a document can't be stored, and none of this call's was.
        """

    @abstractmethod
    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Remove the documents of these ids, where they are stored. Repeat the call after Unavailable."""

    @abstractmethod
    def remove(self, collection: str, id: str, version: object) -> bool:
        """Remove a document on condition that its ``_v`` is ``version`` (None: it has none). Return whether it was.

        After Unavailable it may be gone or not: look.
        """

    @abstractmethod
    def find(
        self,
        collection: str,
        *,
        area: str | None = None,
        game: str | None = None,
        since: int | None = None,
        until: int | None = None,
        batch: int = 500,
    ) -> Iterator[Document]:
        """Yield documents, never parts, sorted by area, then ``ts``; of equal ones the order is open.

        Args:
            since, until: Unix seconds, ``since <= ts < until``. Documents without ``ts`` are found only
                where neither is given.
            batch: how many documents are held in memory at once.
        """

    @abstractmethod
    def ids(self, collection: str, prefix: str = "") -> Iterator[Any]:
        """Yield the id of everything that is stored, parts included, in order. No document is read.

        Args:
            prefix: only ids that begin with it. Without one, ids that are no strings come, too: the suite writes none.
        """

    @abstractmethod
    def collections(self) -> list[str]:
        """Return the names of the collections that exist, sorted."""

    @abstractmethod
    def ensure_indexes(self, collections: Iterable[str]) -> None:
        """Make the indexes that are missing: (area, ts), (game, ts) and ts. ``userpay``, which has no ``ts``, has
        (area, pay_amout) and (game, pay_amout) instead."""

    @abstractmethod
    def barrier(self) -> None:
        """Return when every earlier write, of any client, is either durable or gone for good. Later reads see it so.

        After a write whose outcome is unknown, and after a failover, call this before a read that decides. A store
        without replicas has nothing to wait for.

        Raises:
            Unavailable: the store does not confirm it. Call again.
        """

    @abstractmethod
    def ping(self) -> None:
        """Return if the store answers. Raise Unavailable or AnalyticsError, saying what to do, if not."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections. The store can't be used afterwards."""

    def whole(self, collection: str, document: Document) -> Document:
        """Return ``document`` with its lists completed, oldest entries first, and no ``parts`` any more.

        Where a writer has thrown parts away since the document was read, it is the newer document instead.

        Raises:
            AnalyticsError: a part that the document speaks of is not there.
        """
        while "parts" in document:
            lists: dict[str, list[Any]] = {}
            try:
                for part in self._parts(collection, document):
                    for name in part.keys() - _OF_THE_PART:
                        lists.setdefault(name, []).extend(part[name])
            except _Gone:
                document = self._newer(collection, document)
                continue
            for name, entries in lists.items():
                entries.extend(document.get(name, ()))
            return {name: value for name, value in {**document, **lists}.items() if name != "parts"}
        return document

    def items(self, collection: str, document: Document, field: str) -> Iterator[list[Any]]:
        """Yield one of the document's lists piece by piece, oldest entries first; a few parts are in memory at a time.

        All pieces are of one version of the document: the given one or, where a writer has thrown its parts away
        before the first piece was read, the newer.

        Raises:
            Unavailable: a writer threw parts away after that. Load the document and begin anew.
            AnalyticsError: a part that the document speaks of is not there.
        """
        begun = False
        while True:
            try:
                for part in self._parts(collection, document):
                    if entries := part.get(field):
                        begun = True
                        yield entries
            except _Gone as gone:
                document = self._newer(collection, document)
                if begun:
                    raise Unavailable(
                        f"{collection}: the {field} of {document['_id']!r} was written anew while it was read; read it again"
                    ) from gone
                continue
            if entries := document.get(field):
                yield entries
            return

    def _parts(self, collection: str, document: Document) -> Iterator[Document]:
        """Yield the document's parts, oldest first. Raise _Gone where one is not there."""
        ids = part_ids(document)
        for start in range(0, len(ids), PARTS_AT_ONCE):
            asked = ids[start : start + PARTS_AT_ONCE]
            found = self.load(collection, asked)
            if len(found) < len(asked):
                raise _Gone
            yield from map(found.pop, asked)

    def _newer(self, collection: str, document: Document) -> Document:
        """Return what is stored now of a document that lacks a part. Raise AnalyticsError where it is the same."""
        newer = self.load(collection, [document["_id"]]).get(document["_id"])
        if newer is None or newer.get("_v") == document.get("_v"):
            raise AnalyticsError(
                f"{collection}: a part of document {document['_id']!r} is missing; it should have "
                f"{document['parts']}. Restore the collection {collection} and positions from one backup"
            )
        return newer


class _Gone(Exception):
    """A part that a document speaks of is not there."""
