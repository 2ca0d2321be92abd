"""The interface of a store: documents by id, each write on condition of the version that it replaces.

Counting exactly once relies on two guarantees of every store:

- a write takes effect completely or not at all, and is durable once :meth:`Store.write` has returned;
- of several writes that expect the same version of one document, one takes effect and the others are
  reported as conflicts.

A list too long for one document lives in parts, documents of the same collection that never change::

    {"_id": "a:1", "area": …, "ts": …, "userlist": [newest …], "parts": {"count": 2, "first": "a:1#1", "last": "a:1#2"}}
    {"_id": "a:1#1", "part_of": "a:1", "part": 1, "userlist": [oldest …]}
    {"_id": "a:1#2", "part_of": "a:1", "part": 2, "userlist": […]}

Parts carry neither ``area`` nor ``ts``, so no search for documents finds them. They never change: a list that is
rewritten gets parts with new numbers, and then the old parts are deleted.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from analytics.core.portions import portions
from analytics.core.settle import part_ids
from analytics.core.writing import Write as Write
from analytics.errors import AnalyticsError, Unavailable

Document = dict[str, Any]
Sums = Iterator[tuple[tuple[Any, ...], tuple[float, ...]]]
"""Values of some fields, and the sums of others over the documents that have these."""

POSITIONS = "positions"
"""The collection of the positions of bolts and timer bolts, and of other notes about the store."""

TOTAL = "_total"
"""How the names of collections end that hold documents of whole games, plats and united areas. These have no ``area``."""

AREAS = f"areas{TOTAL}"
"""The collection that has one document for each day of a game, with the figures of each of its areas as columns."""

DIVIDED = "_segment"
"""How the names of collections end that hold the documents of each value of segments. ``TOTAL`` may follow."""

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024  # MongoDB's limit
MOST_VERSIONS = 1 << 62  # leaves room below 64 bits for further versions
PARTS_AT_ONCE = 16
"""Parts in memory while a list is read: about 53 kB each."""
_OF_THE_PART = {"_id", "part_of", "part"}


def is_total(collection: str) -> bool:
    """Whether a collection holds documents of whole games, plats and united areas."""
    return collection.endswith(TOTAL)


def scope_of(united: str) -> str:
    """Return what the totals of a united area have as ``scope``, so that an index finds them."""
    return f"united:{united}"


def is_divided(collection: str) -> bool:
    """Whether a collection holds documents of values of segments."""
    return collection.removesuffix(TOTAL).endswith(DIVIDED)


class Bounds(TypedDict, total=False):
    """Unix seconds, ``since <= ts < until``; None: no bound. Documents without ``ts`` are found only if neither is given."""

    since: int | None
    until: int | None


class AreaBounds(Bounds, total=False):
    """The same of one area; None: of all."""

    area: str | None


class Search(AreaBounds, total=False):
    """The same of one game, None: of all. ``batch``: documents in memory at once, 500 as a rule."""

    game: str | None
    batch: int


def matches(collection: str, document: Mapping[str, Any], search: Search) -> bool:
    """Whether a search finds a document, or a part, of a collection."""
    since, until, ts = search.get("since"), search.get("until"), document.get("ts")
    return (
        sorted_by(collection) in document
        and search.get("area") in (None, document.get("area"))
        and search.get("game") in (None, document.get("game"))
        and (is_within(ts, since, until) if isinstance(ts, int | float) else since is until is None)
    )


def is_within(ts: float, since: int | None, until: int | None) -> bool:
    """Whether a time lies between two bounds; None: no bound."""
    return (since is None or since <= ts) and (until is None or ts < until)


def sorted_by(collection: str) -> str:
    """Return the field that searches sort documents by, before ``ts``: every document has it, and no part."""
    return "game" if is_total(collection) else "area"


def order_in(collection: str) -> Callable[[Mapping[str, Any]], tuple[Any, float]]:
    """Return what gives the place of a document in a search's result."""
    first = sorted_by(collection)
    return lambda document: (document[first], number_in(document, "ts"))


def summed(documents: Iterable[Document], keys: Sequence[str], fields: Sequence[str]) -> Sums:
    """Yield, for each different value of the fields ``keys``, the sums of ``fields`` (0 where one is no number), as a server does."""
    totals: dict[Any, tuple[tuple[Any, ...], list[float]]] = {}
    for document in documents:
        key = tuple(document.get(key) for key in keys)
        # A document may have been changed by hand: a key may be what no dictionary takes.
        place_of = key if all(isinstance(one, Hashable) for one in key) else repr(key)
        _, total = totals.setdefault(place_of, (key, [0] * len(fields)))
        for place, field in enumerate(fields):
            total[place] += number_in(document, field)
    for key, sums in totals.values():
        yield key, tuple(sums)


def number_in(document: Mapping[str, Any], field: str) -> float:
    """Return a field of a document, 0 where it is no number."""
    value = document.get(field, 0)
    return value if isinstance(value, int | float) else 0


def is_version(document: Document) -> bool:
    """Whether a stored document has a valid version; it may have been changed by hand."""
    version = document.get("_v")
    return isinstance(version, int) and not isinstance(version, bool) and 0 < version < MOST_VERSIONS


class Store(ABC):
    """Collections of documents. Every method may be called from many greenlets at once.

    Errors: Unavailable if a retry may help (no connection, no primary, a time-out, a restart, a full disk),
    otherwise AnalyticsError with advice. Dates are returned aware, in UTC, truncated to milliseconds.
    """

    elections: int = 0
    """How often another server became primary, or the same one again. Acknowledged writes may be lost then."""

    @abstractmethod
    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        """Return the newest documents of these ids, by id. An id that is not stored is left out."""

    @abstractmethod
    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        """Execute each of ``writes`` and return the ids in conflict, which were not written.

        All others are durable. The writes have no order, so an id may occur only once.
        If a document is gone although a version was expected, it is written again.

        Raises:
            Unavailable: any of the writes may have taken effect or not, or may be rolled back. Call
                :meth:`barrier`, then repeat the call with the same writes: one that had taken effect is returned
                as a conflict (or, without a condition, written again), so load conflicting documents and compare.
            AnalyticsError: a document can't be stored, and none of this call was.
        """

    @abstractmethod
    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Remove the documents of these ids, if they are stored. Repeat the call after Unavailable."""

    @abstractmethod
    def remove(self, collection: str, id: str, version: object) -> bool:
        """Remove a document on condition that its ``_v`` is ``version`` (None: it has none). Return whether it was.

        After Unavailable, load it to see whether it is gone.
        """

    @abstractmethod
    def find(self, collection: str, **search: Unpack[Search]) -> Iterator[Document]:
        """Yield documents, never parts, sorted by area, then ``ts``.

        Those of a collection of totals, which have no area, are sorted by game instead.
        """

    def first(self, collection: str, *fields: str, **search: Unpack[Search]) -> Document | None:
        """Return the first document that :meth:`find` would yield, or None. ``fields``: what is needed of it; all, if none is named."""
        search["batch"] = 1
        return next(self.find(collection, **search), None)

    def rows(
        self, collection: str, fields: Sequence[str], *, game: str, **search: Unpack[AreaBounds]
    ) -> Iterator[Document]:
        """Yield, in no order, only these fields of a game's documents. ``area``: one of the game's."""
        for document in self.find(collection, game=game, **search):
            yield {name: document[name] for name in fields if name in document}

    def sums(
        self,
        collection: str,
        keys: Sequence[str],
        fields: Sequence[str],
        *,
        game: str,
        **bounds: Unpack[Bounds],
    ) -> Sums:
        """Yield, for each different value of the fields ``keys``, the sums of ``fields`` over a game's documents."""
        return summed(self.rows(collection, [*keys, *fields], game=game, **bounds), keys, fields)

    def starts(self, collection: str, *, game: str) -> Iterator[tuple[Any, int]]:
        """Yield each ``ts`` of a game's documents, and how many documents have it. One may come several times, with a part of them each."""
        for one in self.rows(collection, ["ts"], game=game):
            yield one.get("ts"), 1

    @abstractmethod
    def ids(self, collection: str, prefix: str = "") -> Iterator[Any]:
        """Yield all ids, parts included, in order. No document is read.

        ``prefix``: only ids that begin with it. Without one, foreign ids that are no strings are included.
        """

    @abstractmethod
    def collections(self) -> list[str]:
        """Return the names of the collections that exist, sorted."""

    @abstractmethod
    def ensure_indexes(self, collections: Iterable[str]) -> None:
        """Create missing indexes: (area, ts), (game, ts) and ts, or those that a bolt declares instead. Totals have
        (game, scope, ts), (game, plat, ts), (game, ts) and ts."""

    @abstractmethod
    def barrier(self) -> None:
        """Return when every earlier write, of any client, is either durable or gone for good. Later reads show the result.

        After a write whose outcome is unknown, and after a failover, call this before a read that decides. A store
        without replicas has nothing to wait for. Raise Unavailable if the store does not confirm it. Call again.
        """

    @abstractmethod
    def ping(self) -> None:
        """Return if the store answers; otherwise raise Unavailable or AnalyticsError with advice."""

    @abstractmethod
    def close(self) -> None:
        """Close connections. The store can't be used afterwards."""

    def whole(self, collection: str, document: Document) -> Document:
        """Return ``document`` with its lists completed, oldest entries first, and no ``parts`` any more.

        If a writer has deleted parts since the document was read, the newer document is returned.

        Raise AnalyticsError if a part of the document is missing.
        """
        while "parts" in document:
            lists: dict[str, list[Any]] = {}
            try:
                for part in self._parts(collection, document):
                    for name in part.keys() - _OF_THE_PART:
                        lists.setdefault(name, []).extend(part[name])
            except _PartGone:
                document = self._newer(collection, document)
                continue
            for name, entries in lists.items():
                entries.extend(document.get(name, ()))
            return {name: value for name, value in {**document, **lists}.items() if name != "parts"}
        return document

    def items(self, collection: str, document: Document, field: str) -> Iterator[list[Any]]:
        """Yield one of the document's lists piece by piece, oldest entries first; a few parts are in memory at a time.

        All pieces are of one version of the document: the given one or, if a writer had deleted its parts before the
        first piece was read, a newer one.

        Raises:
            Unavailable: a writer deleted parts after that. Load the document and start over.
            AnalyticsError: a part of the document is missing.
        """
        begun = False
        while True:
            try:
                for part in self._parts(collection, document):
                    if entries := part.get(field):
                        begun = True
                        yield entries
            except _PartGone as gone:
                document = self._newer(collection, document)
                if begun:
                    raise Unavailable(
                        f"{collection}: the {field} of {document['_id']!r} was rewritten while it was read; read it again"
                    ) from gone
                continue
            if entries := document.get(field):
                yield entries
            return

    def _parts(self, collection: str, document: Document) -> Iterator[Document]:
        """Yield the document's parts, oldest first. Raise _PartGone if one is missing."""
        ids = part_ids(document)
        for asked in portions(ids, PARTS_AT_ONCE):
            found = self.load(collection, asked)
            if len(found) < len(asked):
                raise _PartGone
            yield from map(found.pop, asked)

    def _newer(self, collection: str, document: Document) -> Document:
        """Return the stored version of a document that lacks a part. Raise AnalyticsError if it is the same one."""
        newer = self.load(collection, [document["_id"]]).get(document["_id"])
        if newer is None or newer.get("_v") == document.get("_v"):
            raise AnalyticsError(
                f"{collection}: a part of document {document['_id']!r} is missing; it should have "
                f"{document['parts']}. Restore the collection {collection} and positions from one backup"
            )
        return newer


class _PartGone(Exception):
    """A part of a document is missing."""
