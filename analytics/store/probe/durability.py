"""A write and a read with the suite's concerns: acknowledged by a majority and journaled."""

import json
from collections.abc import Iterator

from pymongo import ReadPreference, WriteConcern
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from analytics.store.probe.finding import Finding, Grade, ProbeStopped
from analytics.store.probe.scratch import Scratch

WAIT_MS = 2_000
"""How long a majority may take for one small document. The suite itself waits without a limit."""

IMPOSSIBLE = frozenset([2, 79, 100])
"""Codes of a write concern that this deployment never satisfies: more members than there are, or an unknown name."""


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
