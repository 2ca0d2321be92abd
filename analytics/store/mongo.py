"""Documents in MongoDB, or in any server that speaks its wire protocol, through pymongo."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Unpack

import pymongo
from pymongo import ASCENDING, IndexModel, MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ConfigurationError, ConnectionFailure, InvalidName, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.synchronous import mongo_client

from analytics.bolts import BOLTS
from analytics.config import Catalogue
from analytics.errors import AnalyticsError, ConfigError, Unavailable
from analytics.store import grouping
from analytics.store.clock import MajorityAfter, PrimaryListener
from analytics.store.dialect import MONGODB, Dialect
from analytics.store.encoding import OPTIONS
from analytics.store.mongo_writing import REFUSALS, Bulk, bulks, insert, refused, update
from analytics.store.store import (
    AREAS,
    POSITIONS,
    AreaBounds,
    Bounds,
    Document,
    Search,
    Store,
    Sums,
    Write,
    is_total,
    sorted_by,
)

# The driver resets its clients in every forked child. Under gevent, this takes locks that other greenlets hold: the child would run
# copies of its parent's greenlets before it executes its program, and what they write would be written twice. The suite forks only to
# execute another program, so no child uses a client. The name is not public; tests/store/test_forking.py detects a change.
mongo_client._after_fork_child = lambda clients: None  # type: ignore[attr-defined]

UPSERT_TRIES = 5
"""An upsert without a condition is a duplicate only while another one wins: more in a row are a fault."""
BATCH = 500  # documents in one reply
IDS_AT_ONCE = 10_000  # ids in one reply: about 500 kB
LAST_CHARACTER = "\U0010ffff"
BARRIER = "barrier"
"""The document of the collection ``positions`` that :meth:`MongoStore.barrier` writes."""

READERS_INDEXES = (("area", "ts"), ("game", "ts"), ("ts",))
"""For every collection. The suite never searches by ``ts`` alone: that index is for other readers."""
TOTALS_INDEXES = (("game", "scope", "ts"), ("game", "plat", "ts"), ("game", "ts"), ("ts",))
"""For documents of whole games and plats."""
GAME_INDEXES = (("game", "ts"), ("ts",))
"""For documents of whole games alone."""
Indexes = Mapping[str, Sequence[tuple[str, ...]]]
"""By collection whose documents have no ``ts``, the fields of each index."""


def indexes_without_ts(bolts: Catalogue) -> Indexes:
    """Return the indexes of collections whose documents have no ``ts``, as their bolts declare them."""
    return {bolt.name: bolt.indexes for bolt in bolts.values() if bolt.indexes}


WITHOUT_TS = indexes_without_ts(BOLTS)
"""Those of the built-in bolts."""

DEFAULTS: dict[str, Any] = {
    "appname": "analytics",
    "serverSelectionTimeoutMS": 3000,
    "connectTimeoutMS": 3000,
    "socketTimeoutMS": 30_000,
}
SAFE: dict[str, Any] = {
    "read_preference": ReadPreference.PRIMARY,
    "read_concern": MajorityAfter(),
    "write_concern": WriteConcern(w="majority", j=True),
}
PING_SECONDS = 3.0
"""The time-out of :meth:`MongoStore.ping`, also for a server that accepts requests and hangs."""

_TIMEOUTS_SHOWN = re.compile(r" \(configured timeouts: [^)]*\)")
TIMEOUTS = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")

# MongoDB's codes of temporary errors: elections, shutdowns, time-outs, locks, a full disk. And 1, an internal error, with
# which the embedded server refuses everything after a full disk, until it is restarted.
_TEMPORARY = frozenset(
    [1, 6, 7, 24, 46, 50, 64, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031]
)
_REFUSED = frozenset([13, 18])
_UNKNOWN_ERROR = 8
"""mongod's code for a full disk and other errors, which only the text distinguishes."""


class MongoStore(Store):
    """The server checks conditions, one document at a time: inserting a new document fails if its ``_id`` exists, and an
    update to a new version fails if ``_v`` is not the expected one. This needs neither transactions nor a replica set.

    A write returns when a majority of the replica set has it in its journal. A read on the primary sees only data that a
    majority has: it is never rolled back.
    """

    def __init__(
        self,
        uri: str,
        database: str,
        timeout: float | None = None,
        *,
        obey_uri: bool = False,
        dialect: Dialect = MONGODB,
        without_ts: Indexes = WITHOUT_TS,
    ) -> None:
        """Connect in the background: the first operation waits for the connection, at most 3 s.

        Args:
            timeout: seconds for connecting and for an answer, instead of those of the URI or ``DEFAULTS``.
            obey_uri: take write concern, read concern and read preference from the URI, if it has any.
            dialect: the server's capabilities.
            without_ts: indexes of collections whose documents have no ``ts``.

        Raises:
            ConfigError: the URI or the database's name is invalid.
        """
        self._dialect = dialect
        self._without_ts = without_ts
        self._turn = dialect.turns()
        options = {name: value for name, value in DEFAULTS.items() if name.lower() not in uri.lower()}
        if timeout is not None:
            options |= dict.fromkeys(TIMEOUTS, int(timeout * 1000))
        self._primary = PrimaryListener()
        try:
            self._client: MongoClient[Document] = MongoClient(
                uri, document_class=dict, event_listeners=[self._primary], **options
            )
            self._database = self._client.get_database(
                database, codec_options=OPTIONS, **(_of_uri(self._client) if obey_uri else SAFE)
            )
        except (ConfigurationError, InvalidName, ValueError, TypeError) as error:
            raise ConfigError(
                f'mongodb: expected a uri like "mongodb://host:27017" and a database name, got: {error}'
            ) from error
        self._read_concern: ReadConcern = self._database.read_concern
        if not self._database.write_concern.acknowledged:
            raise ConfigError(
                "mongodb.uri: w=0 leaves writes unacknowledged, and records would be lost; leave w out"
            )

    @property
    def elections(self) -> int:  # type: ignore[override]
        return self._primary.changes

    @property
    def database(self) -> Database[Document]:
        """The database with this store's concerns, for checking the server."""
        return self._database

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = {}
        with translated_errors(collection):
            for asked in self._batches(ids):
                for document in self._readable(collection).find({"_id": {"$in": asked}}):
                    found[document["_id"]] = document
        return found

    def write(self, collection: str, writes: Sequence[Write]) -> set[str]:
        conflicts: set[str] = set()
        for bulk in bulks(collection, writes):
            conflicts |= self._write_bulk(collection, bulk)
        return conflicts

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        with translated_errors(collection):
            for asked in self._batches(ids):
                self._database[collection].delete_many({"_id": {"$in": asked}})

    def remove(self, collection: str, id: str, version: object) -> bool:
        with translated_errors(collection):
            return (
                self._database[collection].delete_one({"_id": id, "_v": {"$eq": version}}).deleted_count == 1
            )

    def find(self, collection: str, **search: Unpack[Search]) -> Iterator[Document]:
        wanted, order = self._wanted(collection, search)
        with (
            translated_errors(collection),
            self._readable(collection).find(
                wanted, sort=order, batch_size=search.get("batch", BATCH)
            ) as cursor,
        ):
            yield from cursor

    def first(self, collection: str, *fields: str, **search: Unpack[Search]) -> Document | None:
        wanted, order = self._wanted(collection, search)
        with translated_errors(collection):
            return self._readable(collection).find_one(wanted, dict.fromkeys(fields, 1) or None, sort=order)

    def _wanted(self, collection: str, search: Search) -> tuple[Document, list[tuple[str, int]]]:
        """Return the filter and the order of a search."""
        # Every document has an area or is a total, and no part is either. This condition still uses the index.
        first = sorted_by(collection)
        wanted: Document = {first: {"$gt": ""}, **_between(search)}
        wanted |= {name: value for name in ("area", "game") if (value := search.get(name)) is not None}
        # Without ts, an index by area alone gives the order.
        return wanted, _keys((first,) if collection in self._without_ts else (first, "ts"))

    def rows(
        self, collection: str, fields: Sequence[str], *, game: str, **search: Unpack[AreaBounds]
    ) -> Iterator[Document]:
        area = search.get("area")
        wanted: Document = {"area": area} if area else {"game": game}  # an index serves one of them
        wanted, shown = wanted | _between(search), {"_id": 0, **dict.fromkeys(fields, 1)}
        found = self._readable(collection).find(wanted, shown, batch_size=IDS_AT_ONCE)
        with translated_errors(collection), found as cursor:
            yield from cursor

    def sums(
        self,
        collection: str,
        keys: Sequence[str],
        fields: Sequence[str],
        *,
        game: str,
        **bounds: Unpack[Bounds],
    ) -> Sums:
        stages = [{"$match": {"game": game, **_between(bounds)}}, grouping.group(keys, fields)]
        with translated_errors(collection), self._readable(collection).aggregate(stages) as found:
            for one in found:
                yield grouping.read(one, keys, fields)

    def starts(self, collection: str, *, game: str) -> Iterator[tuple[Any, int]]:
        return grouping.in_steps(partial(self._starts, collection, game), self._dialect.days_at_once)

    def _starts(
        self, collection: str, game: str, since: int | None, until: int | None
    ) -> list[tuple[Any, int]]:
        bounds = _between({"since": since, "until": until})
        stages = [{"$match": {"game": game, **bounds}}, {"$group": {"_id": "$ts", "count": {"$sum": 1}}}]
        with translated_errors(collection), self._readable(collection).aggregate(stages) as found:
            return [(one["_id"], one["count"]) for one in found]

    def ids(self, collection: str, prefix: str = "") -> Iterator[Any]:
        wanted: Document = {"_id": {"$gte": prefix, "$lt": prefix + LAST_CHARACTER}} if prefix else {}
        found = self._readable(collection).find(
            wanted, {"_id": 1}, sort=_keys(("_id",)), batch_size=IDS_AT_ONCE
        )
        with translated_errors(collection), found as cursor:
            for document in cursor:
                yield document["_id"]

    def collections(self) -> list[str]:
        with translated_errors(self._database.name):
            names = self._database.list_collection_names()
        return sorted(name for name in names if not name.startswith("system."))

    def ensure_indexes(self, collections: Iterable[str]) -> None:
        # By default, an index is complete when every voting member has built it, and one of them may be down.
        quorum: dict[str, Any] = {}
        with translated_errors(self._database.name):
            hello = self._database.command("hello")
        if "setName" in hello or hello.get("msg") == "isdbgrid":
            quorum["commitQuorum"] = "majority"
        for collection in collections:
            with translated_errors(collection):
                models = [IndexModel(_keys(fields)) for fields in indexes(collection, self._without_ts)]
                self._database[collection].create_indexes(models, **quorum)

    def barrier(self) -> None:
        # When a majority has this write, it has everything before it in the primary's log.
        (bulk,) = bulks(POSITIONS, [Write(BARRIER, {"at": datetime.now(UTC)}, None)])
        reply = self._send(POSITIONS, update(POSITIONS, bulk, self._dialect))
        # A server without replicas returns no operation time.
        if "operationTime" in reply and isinstance(self._read_concern, MajorityAfter):
            self._read_concern = MajorityAfter(reply["operationTime"])

    def ping(self) -> None:
        with translated_errors(self._database.name), pymongo.timeout(PING_SECONDS):
            self._database.command("ping")

    def close(self) -> None:
        self._client.close()

    def _batches(self, ids: Sequence[str]) -> Iterator[list[str]]:
        for start in range(0, len(ids), self._dialect.load_batch):
            yield list(ids[start : start + self._dialect.load_batch])

    def _write_bulk(self, collection: str, bulk: Bulk) -> set[str]:
        """Write one bulk and return the ids in conflict."""
        # A document without a condition is usually new, and inserting is cheaper than replacing.
        failed = [
            *self._refused(collection, [one for one in bulk if not one[0].expected], insert),
            *self._update(collection, [one for one in bulk if one[0].expected]),
        ]
        again = [one for one in failed if one[0].expected is None]
        for _ in range(UPSERT_TRIES):
            if not again:
                return {write.id for write, _ in failed if write.expected is not None}
            # It exists, or another upsert of it has just won.
            again = self._update(collection, again)
        raise Unavailable(f"{collection}: {again[0][0].id!r} was refused as a duplicate {UPSERT_TRIES} times")

    def _update(self, collection: str, bulk: Bulk) -> Bulk:
        return self._refused(collection, bulk, partial(update, dialect=self._dialect))

    def _refused(self, collection: str, bulk: Bulk, command: Callable[[str, Bulk], dict[str, Any]]) -> Bulk:
        """Write the documents of a bulk and return those whose condition fails."""
        return refused(bulk, self._send(collection, command(collection, bulk))) if bulk else []

    def _readable(self, collection: str) -> Collection[Document]:
        """Return a collection whose reads see everything up to the latest barrier."""
        return self._database.get_collection(collection, read_concern=self._read_concern)

    def _send(self, collection: str, command: dict[str, Any]) -> Document:
        """Send one write command and return the reply: its only errors are failed conditions."""
        with translated_errors(collection), self._turn:
            reply = self._database.command(command, writeConcern=self._database.write_concern.document)
        if error := failure(collection, reply):
            raise error
        return reply


def _of_uri(client: MongoClient[Document]) -> dict[str, Any]:
    """Return ``SAFE`` with the values that the client's URI has."""
    named = {
        "read_preference": client.read_preference,
        "read_concern": client.read_concern if client.read_concern.document else SAFE["read_concern"],
        "write_concern": client.write_concern if client.write_concern.document else SAFE["write_concern"],
    }
    return SAFE | named


def indexes(collection: str, without_ts: Indexes = WITHOUT_TS) -> Sequence[tuple[str, ...]]:
    """Return the fields of each index of a collection, except the one on ``_id``."""
    if is_total(collection):
        return GAME_INDEXES if collection == AREAS else TOTALS_INDEXES
    return without_ts.get(collection, READERS_INDEXES)


def _between(wanted: Bounds) -> Document:
    span = {"$gte": wanted.get("since"), "$lt": wanted.get("until")}
    bounds = {name: bound for name, bound in span.items() if bound is not None}
    return {"ts": bounds} if bounds else {}


def _keys(fields: Iterable[str]) -> list[tuple[str, int]]:
    return [(field, ASCENDING) for field in fields]


@contextmanager
def translated_errors(where: str) -> Iterator[None]:
    """Turn pymongo's errors into the suite's, with what to do next."""
    try:
        yield
    except ConnectionFailure as error:
        raise Unavailable(
            f"MongoDB does not answer ({where}): {_brief(error)}. Check that it runs and mongodb.uri is right"
        ) from error
    except OperationFailure as error:
        message = (error.details or {}).get("errmsg", error)
        raise _of_code(where, error.code or 0, str(message)[:500], error.timeout) from error
    except PyMongoError as error:
        raise AnalyticsError(f"MongoDB ({where}): {str(error)[:500]}") from error


def _brief(error: ConnectionFailure) -> str:
    """Return pymongo's error at each address, without time-outs and server descriptions."""
    found = _TIMEOUTS_SHOWN.sub("", str(error)).split(", Timeout: ")[0]
    return found[:300] or type(error).__name__


def failure(where: str, reply: Document) -> AnalyticsError | None:
    """Return the error in the reply to a write command; failed conditions are none."""
    failed = [one for one in reply.get("writeErrors", []) if one["code"] not in REFUSALS]
    if failed:
        found = [
            _of_code(where, one["code"], f"{one.get('errmsg', '')[:500]} ({len(failed)} of the writes)")
            for one in failed
        ]
        return next((one for one in found if not isinstance(one, Unavailable)), found[0])
    if concern := reply.get("writeConcernError"):
        return Unavailable(f"MongoDB did not confirm a write ({where}): {concern.get('errmsg', concern)}")
    return None


def _of_code(where: str, code: int, message: str, timeout: bool = False) -> AnalyticsError:
    if code == _UNKNOWN_ERROR and "No space left on device" in message:
        return Unavailable(
            f"MongoDB's disk is full ({where}): {message}. Free some space; writing resumes automatically"
        )
    if timeout or code in _TEMPORARY:
        return Unavailable(f"MongoDB can't do it now ({where}): {message}")
    if code in _REFUSED:
        return AnalyticsError(
            f"MongoDB refuses access ({where}): {message}. "
            "Give a user that may read and write the database, in mongodb.uri or the variable mongodb.uri_env names"
        )
    return AnalyticsError(f"MongoDB refuses ({where}): {message} (code {code})")
