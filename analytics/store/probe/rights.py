"""The rights of the URI's user: tries each action and lists the missing ones."""

from collections.abc import Callable, Iterator
from typing import Any

from pymongo import WriteConcern
from pymongo.errors import OperationFailure

from analytics.store.probe.finding import Finding, Grade, ProbeStopped
from analytics.store.probe.scratch import UNAUTHORIZED, Scratch


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
