"""Documents in MongoDB, or in any server that speaks its wire protocol, through pymongo."""

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import pymongo
from pymongo import ASCENDING, IndexModel, MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidName,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

from analytics.errors import AnalyticsError, ConfigError, Unavailable
from analytics.store.clock import MajorityAfter, PrimaryListener
from analytics.store.dialect import MONGODB, Dialect
from analytics.store.encoding import OPTIONS
from analytics.store.forking import forget_clients_in_children
from analytics.store.mongo_writing import REFUSALS, Bulk, bulks, insert, refused, update
from analytics.store.store import POSITIONS, Document, Store, Write

forget_clients_in_children()

UPSERT_TRIES = 5
IDS_AT_ONCE = 10_000
LAST_CHARACTER = "\U0010ffff"
BARRIER = "barrier"
"""The document of the collection ``positions`` that :meth:`MongoStore.barrier` writes."""

READERS_INDEXES = (("area", "ts"), ("game", "ts"), ("ts",))
"""For every collection. The suite itself never searches by ``ts`` alone: that index is a promise to other readers."""
WITHOUT_TS = {"userpay": (("area", "pay_amout"), ("game", "pay_amout"))}
"""Collections whose documents have no ``ts``, and their indexes: for the accts that paid most."""

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
"""Whether a server answers is known after that, even of one that takes requests and hangs."""

_TIMEOUTS_TOLD = re.compile(r" \(configured timeouts: [^)]*\)")
TIMEOUTS = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")

# Codes of MongoDB's that pass by themselves: elections, shutdowns, timeouts, locks, a full disk. And 1, an
# internal error: with it the embedded server refuses everything after a full disk, until it is started again.
_PASSING = frozenset(
    [1, 6, 7, 24, 46, 50, 64, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031]
)
_REFUSED = frozenset([13, 18])
_UNKNOWN_ERROR = 8
"""What mongod answers where its disk is full, and in other cases: the text tells them apart."""


class MongoStore(Store):
    """Conditions are kept by the server, one document at a time: a new document is inserted, and refused where its
    ``_id`` is there; a new version is written by an update that fails where ``_v`` is not the expected one. No transaction is
    needed, nor a replica set.

    A write returns when a majority of the replica set has it in its journal. A read sees only what a majority has, on the
    primary: what it shows is never rolled back.
    """

    def __init__(
        self,
        uri: str,
        database: str,
        timeout: float | None = None,
        *,
        obey_uri: bool = False,
        dialect: Dialect = MONGODB,
    ) -> None:
        """Connect in the background: the first operation waits for it, for 3 s at most.

        Args:
            timeout: seconds for connecting and for an answer, instead of what the URI or ``DEFAULTS`` says.
            obey_uri: take write concern, read concern and read preference from the URI, where it names any.
            dialect: what the server does best.

        Raises:
            ConfigError: the URI or the database's name can't be used.
        """
        self._dialect = dialect
        self._turn: AbstractContextManager[object] = nullcontext() if dialect.parallel else threading.Lock()
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
        """The database, with the concerns of every operation here: for a trial of the server."""
        return self._database

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = {}
        with told(collection):
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
        with told(collection):
            for asked in self._batches(ids):
                self._database[collection].delete_many({"_id": {"$in": asked}})

    def remove(self, collection: str, id: str, version: object) -> bool:
        with told(collection):
            return (
                self._database[collection].delete_one({"_id": id, "_v": {"$eq": version}}).deleted_count == 1
            )

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
        # Every document has an area and no part has one; asked this way, the index on it still serves.
        wanted: Document = {"area": {"$gt": ""} if area is None else area}
        if game is not None:
            wanted["game"] = game
        span = {"$gte": since, "$lt": until}
        if bounds := {name: bound for name, bound in span.items() if bound is not None}:
            wanted["ts"] = bounds
        # Where there is no ts, an index by area alone gives the order.
        order = _keys(("area",) if collection in WITHOUT_TS else ("area", "ts"))
        with (
            told(collection),
            self._readable(collection).find(wanted, sort=order, batch_size=batch) as cursor,
        ):
            yield from cursor

    def ids(self, collection: str, prefix: str = "") -> Iterator[Any]:
        wanted: Document = {"_id": {"$gte": prefix, "$lt": prefix + LAST_CHARACTER}} if prefix else {}
        found = self._readable(collection).find(
            wanted, {"_id": 1}, sort=_keys(("_id",)), batch_size=IDS_AT_ONCE
        )
        with told(collection), found as cursor:
            for document in cursor:
                yield document["_id"]

    def collections(self) -> list[str]:
        with told(self._database.name):
            return sorted(self._database.list_collection_names())

    def ensure_indexes(self, collections: Iterable[str]) -> None:
        # By default MongoDB finishes an index when every voting member has built it, and one of them may be down.
        quorum: dict[str, Any] = {}
        with told(self._database.name):
            hello = self._database.command("hello")
        if "setName" in hello or hello.get("msg") == "isdbgrid":
            quorum["commitQuorum"] = "majority"
        for collection in collections:
            with told(collection):
                models = [IndexModel(_keys(fields)) for fields in indexes(collection)]
                self._database[collection].create_indexes(models, **quorum)

    def barrier(self) -> None:
        # A majority has it only when a majority has everything before it in the primary's log.
        (bulk,) = bulks(POSITIONS, [Write(BARRIER, {"at": datetime.now(UTC)}, None)])
        reply = self._send(POSITIONS, update(POSITIONS, bulk, self._dialect))
        # A server without replicas has no such time.
        if "operationTime" in reply and isinstance(self._read_concern, MajorityAfter):
            self._read_concern = MajorityAfter(reply["operationTime"])

    def ping(self) -> None:
        with told(self._database.name), pymongo.timeout(PING_SECONDS):
            self._database.command("ping")

    def close(self) -> None:
        self._client.close()

    def _batches(self, ids: Sequence[str]) -> Iterator[list[str]]:
        for start in range(0, len(ids), self._dialect.load_batch):
            yield list(ids[start : start + self._dialect.load_batch])

    def _write_bulk(self, collection: str, bulk: Bulk) -> set[str]:
        """Write one bulk and return the ids in conflict."""
        # What has no condition is new as a rule, and inserting is cheaper than looking what there is to replace.
        failed = [
            *self._insert(collection, [one for one in bulk if not one[0].expected]),
            *self._update(collection, [one for one in bulk if one[0].expected]),
        ]
        again = [one for one in failed if one[0].expected is None]
        for _ in range(UPSERT_TRIES):
            if not again:
                return {write.id for write, _ in failed if write.expected is not None}
            # It is there, or another upsert of it has just won.
            again = self._update(collection, again)
        raise Unavailable(f"{collection}: {again[0][0].id!r} was refused as a duplicate {UPSERT_TRIES} times")

    def _insert(self, collection: str, bulk: Bulk) -> Bulk:
        """Insert the documents of a bulk and return those that are there."""
        if not bulk:
            return []
        return refused(bulk, self._send(collection, insert(collection, bulk)))

    def _update(self, collection: str, bulk: Bulk) -> Bulk:
        """Replace the documents of a bulk and return those whose condition does not hold."""
        if not bulk:
            return []
        return refused(bulk, self._send(collection, update(collection, bulk, self._dialect)))

    def _readable(self, collection: str) -> Collection[Document]:
        """Return a collection for reads that see everything up to the latest barrier."""
        return self._database.get_collection(collection, read_concern=self._read_concern)

    def _send(self, collection: str, command: dict[str, Any]) -> Document:
        """Send one command that writes, and return the reply: its errors are of writes whose conditions do not hold."""
        with told(collection), self._turn:
            reply = self._database.command(command, writeConcern=self._database.write_concern.document)
        if error := failure(collection, reply):
            raise error
        return reply


def _of_uri(client: MongoClient[Document]) -> dict[str, Any]:
    """Return what the client's URI names of ``SAFE``, and the rest as it is there."""
    named = {
        "read_preference": client.read_preference,
        "read_concern": client.read_concern if client.read_concern.document else SAFE["read_concern"],
        "write_concern": client.write_concern if client.write_concern.document else SAFE["write_concern"],
    }
    return SAFE | named


def indexes(collection: str) -> tuple[tuple[str, ...], ...]:
    """Return the fields of each index that a collection has besides the one on ``_id``."""
    return WITHOUT_TS.get(collection, READERS_INDEXES)


def _keys(fields: Iterable[str]) -> list[tuple[str, int]]:
    return [(field, ASCENDING) for field in fields]


@contextmanager
def told(where: str) -> Iterator[None]:
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
    """Return what pymongo found at each address, without its timeouts and what it knows of the servers."""
    found = _TIMEOUTS_TOLD.sub("", str(error)).split(", Timeout: ")[0]
    return found[:300] or type(error).__name__


def failure(where: str, reply: Document) -> AnalyticsError | None:
    """Return what the reply to a command that writes says went wrong, other than conditions that do not hold."""
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
            f"MongoDB's disk is full ({where}): {message}. Make room there; writing goes on by itself"
        )
    if timeout or code in _PASSING:
        return Unavailable(f"MongoDB can't do it now ({where}): {message}")
    if code in _REFUSED:
        return AnalyticsError(
            f"MongoDB refuses access ({where}): {message}. "
            "Give a user that may read and write the database, in mongodb.uri or the variable mongodb.uri_env names"
        )
    return AnalyticsError(f"MongoDB refuses ({where}): {message} (code {code})")
