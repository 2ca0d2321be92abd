"""What a probe writes: the rights of the URI's user, and whether a write with the suite's concerns lasts.

A probe has one document, in a collection of its own that it removes.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from analytics.store.probe.finding import Finding, Grade, ProbeStopped

COLLECTION = "check"
"""Not a collection of results, so removing it can't remove any."""

STALE = timedelta(hours=1)
"""Older documents are of killed probes, and removed; no probe takes this long."""

REMOVE_SECONDS = 3.0  # to remove the document from a server that may be away
UNAUTHORIZED = 13
"""MongoDB's code for a missing right."""
WAIT_MS = 2_000
"""How long a majority may take for one small document. The suite itself waits without a limit."""

IMPOSSIBLE = frozenset([2, 79, 100])
"""Codes of a write concern that this deployment never satisfies: more members than there are, or an unknown name."""


class Scratch:
    """One document in the collection ``check``, and its id."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.database = database
        self.id = secrets.token_hex(12)

    @property
    def document(self) -> dict[str, Any]:
        """The document to write."""
        return {"_id": self.id, "at": datetime.now(UTC)}

    def collection(self, concern: WriteConcern) -> Collection[dict[str, Any]]:
        """Return the collection, with this write concern."""
        return self.database.get_collection(COLLECTION, write_concern=concern)

    def remove(self) -> list[Finding]:
        """Remove the document, and the collection unless another probe uses it. Return findings for the operator."""
        try:
            with pymongo.timeout(REMOVE_SECONDS):
                self._remove()
        except OperationFailure as error:
            return [_STAYS] if error.code == UNAUTHORIZED else []
        except PyMongoError:
            # The server is away, which other findings report. A later probe removes the document.
            pass
        return []

    def _remove(self) -> None:
        # Without a majority: if there is none, this should not wait for it.
        collection = self.collection(WriteConcern(w=1))
        collection.delete_one({"_id": self.id})
        collection.delete_many({"at": {"$lt": datetime.now(UTC) - STALE}})
        if COLLECTION in self.database.list_collection_names() and collection.find_one() is None:
            collection.drop()


_STAYS = Finding(
    Grade.WARNING,
    f"the user may not drop the collection `{COLLECTION}`, which this probe wrote to, so it stays, empty; "
    "grant dropCollection on it, as docs/mongodb.md shows",
)


def rights(scratch: Scratch) -> Iterator[Finding]:
    """Yield that everything is permitted. Raise ProbeStopped with the actions that are not."""
    missing, reason = [], ""
    for action, attempt in _attempts(scratch).items():
        try:
            attempt()
        except OperationFailure as error:
            if error.code != UNAUTHORIZED:
                raise ProbeStopped(f"{action} in database {scratch.database.name} failed: {error}") from error
            missing.append(action)
            reason = str((error.details or {}).get("errmsg", error))
    if missing:
        raise ProbeStopped(_refusal(scratch, missing, reason))
    yield Finding(Grade.OK, f"may read, write, delete and index in database {scratch.database.name}")


def _attempts(scratch: Scratch) -> dict[str, Callable[[], object]]:
    """Return an attempt for each action, by the name that MongoDB's roles know it by.

    This checks rights only, so no action waits for a majority.
    """
    collection = scratch.collection(WriteConcern(w=1))
    mine = {"_id": scratch.id}
    return {
        "listCollections": scratch.database.list_collection_names,
        "find": lambda: collection.find_one(mine),
        # While the collection is empty: on a full one, every voting member has to take part.
        "createIndex": lambda: collection.create_index("at"),
        "insert": lambda: collection.insert_one(scratch.document),
        "update": lambda: collection.update_one(mine, {"$set": scratch.document}),
        "remove": lambda: collection.delete_one(mine),
    }


def _refusal(scratch: Scratch, missing: list[str], reason: str) -> str:
    database = scratch.database
    info = database.command("connectionStatus")["authInfo"]
    actions = ", ".join(missing)
    if not info["authenticatedUsers"]:
        return (
            f"the server demands a log-in, and the URI names no user ({reason[:100]}); expected one who may read and write "
            f"database {database.name}: put name and password into the URI, in the variable that mongodb.uri_env names"
        )
    user = info["authenticatedUsers"][0]
    roles = _roles(info["authenticatedUserRoles"])
    return (
        f"user {user['user']} of {user['db']} may not {actions} in database {database.name} (roles: {roles}); expected "
        f"readWrite there: in mongosh, `use {user['db']}` and "
        f'db.grantRolesToUser("{user["user"]}", [{{role: "readWrite", db: "{database.name}"}}]), '
        "or correct mongodb.database"
    )


def _roles(roles: list[dict[str, Any]]) -> str:
    return ", ".join(sorted(f"{one['role']} on {one['db']}" for one in roles)) or "none"


def durability(scratch: Scratch) -> Iterator[Finding]:
    """Yield that a durable write was acknowledged and read back. Raise ProbeStopped if it was not."""
    concern = scratch.database.write_concern.document
    try:
        # A write that times out may still take effect, which is harmless for this document only.
        scratch.collection(WriteConcern(**{**concern, "wtimeout": WAIT_MS})).insert_one(scratch.document)
    except PyMongoError as error:
        if isinstance(error, OperationFailure) and error.code in IMPOSSIBLE:
            raise ProbeStopped(
                f"the server can't keep the write concern {_named(concern)}: {_message(error)}; expected w=majority: "
                "leave w out of the URI"
            ) from error
        raise ProbeStopped(
            f"a write with {_named(concern)} was not acknowledged within {WAIT_MS / 1000:g} s ({_message(error)}); expected "
            "enough members of the replica set that are up and keep up: start those that are down, and see how far behind "
            "the others are (rs.printSecondaryReplicationInfo() in mongosh)"
        ) from error
    _read(scratch)
    yield Finding(Grade.OK, f"acknowledges a write with {_named(concern)}, and a majority reads it back")


def _read(scratch: Scratch) -> None:
    collection = scratch.collection(WriteConcern(w=1)).with_options(
        read_concern=ReadConcern("majority"), read_preference=ReadPreference.PRIMARY
    )
    try:
        found = collection.find_one({"_id": scratch.id})
    except OperationFailure as error:
        raise ProbeStopped(
            f"the server refuses a read with readConcern majority: {_message(error)}; expected it to be enabled: "
            "start mongod without enableMajorityReadConcern: false"
        ) from error
    if found is None and scratch.database.write_concern.document.get("w") == "majority":
        raise ProbeStopped(
            "a document that a majority had acknowledged was not read back; expected it at once: another program "
            "removes documents of the collection `check`, or the server is faulty. Run the check again"
        )


def _named(concern: dict[str, object]) -> str:
    """Return the write concern as MongoDB's documentation writes it, ``w`` first."""
    names = sorted(concern, key=lambda name: (name != "w", name))
    return "{" + ", ".join(f"{name}: {json.dumps(concern[name])}" for name in names) + "}"


def _message(error: PyMongoError) -> str:
    return str((getattr(error, "details", None) or {}).get("errmsg", error)).split(", full error: ")[0][:300]
