"""The topology behind the URI: a standalone server, a replica set, a sharded cluster."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pymongo import MongoClient, ReadPreference
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError
from pymongo.server_description import ServerDescription

from analytics.store.probe.finding import Finding, Grade, ProbeStopped

LOOK_SECONDS = 3.5
"""Until then, pymongo's monitors have tried each member once: their time-out is 3 s."""

_UP = frozenset(["RSPrimary", "RSSecondary", "RSArbiter"])


def topology(client: MongoClient[dict[str, Any]], hello: dict[str, Any]) -> Iterator[Finding]:
    """Yield findings. Raise ProbeStopped if no primary accepts writes. ``hello``: any server's answer to `hello`."""
    if hello.get("msg") == "isdbgrid":
        yield Finding(
            Grade.WARNING,
            "a sharded cluster, through mongos, which this suite was not tested with; see docs/mongodb.md for the shard key",
        )
    elif "setName" not in hello:
        yield Finding(Grade.OK, "a standalone server: while it is down, results wait in the Queue")
    elif client.topology_description.topology_type_name == "Single":
        yield from _one_member(hello)
    else:
        yield from _replica_set(client, hello)


def _one_member(hello: dict[str, Any]) -> Iterator[Finding]:
    """Yield findings on the member of ``directConnection=true``."""
    name = hello["setName"]
    members = ",".join(hello.get("hosts", []))
    instead = f"write mongodb://{members}/?replicaSet={name} without directConnection"
    if not hello.get("isWritablePrimary"):
        state = "a secondary" if hello.get("secondary") else "neither primary nor secondary"
        raise ProbeStopped(
            f"{hello.get('me', 'the server')} is {state} of the replica set {name}, and directConnection=true keeps "
            f"the suite there; expected the primary, now {hello.get('primary', 'none')}: {instead}"
        )
    yield Finding(
        Grade.WARNING,
        f"{hello['me']} is the primary of the replica set {name} now, but with directConnection=true the suite "
        f"stops after the next election: {instead}",
    )


def _replica_set(client: MongoClient[dict[str, Any]], hello: dict[str, Any]) -> Iterator[Finding]:
    _await_primary(client)
    servers = _looked_at(client)
    up = [_name(one) for one in servers if one.server_type_name in _UP]
    away = [_name(one) for one in servers if one.server_type_name not in _UP]
    voting, needed = _votes(client, len(servers))
    counts = f"of {len(servers)} members {voting} vote and {len(up)} are up; a majority write needs {needed}"
    primary = next((_name(one) for one in servers if one.server_type_name == "RSPrimary"), "")
    if not primary:
        raise ProbeStopped(
            f"the replica set {hello['setName']} has no primary: {counts}. Expected a primary within seconds: "
            f"{f'start {_list(away)}' if away else 'see the logs of its members for why none is elected'}"
        )
    found = f"replica set {hello['setName']}, primary {primary}: {counts}"
    if away:
        yield Finding(Grade.WARNING, f"{found}. Not up: {_list(away)}; start it before another one fails")
    else:
        yield Finding(Grade.OK, found)
    if hello.get("arbiters"):
        yield Finding(
            Grade.WARNING,
            f"{_list(hello['arbiters'])} is an arbiter, which keeps no data: with one other member down there may be "
            "a primary but no majority for its writes, so the suite waits. Replace it by a member with data",
        )


def _await_primary(client: MongoClient[dict[str, Any]]) -> None:
    """Wait for a primary, at most the client's time-out: an election may be in progress."""
    with suppress(ServerSelectionTimeoutError):
        client.admin.command("ping", read_preference=ReadPreference.PRIMARY)


def _looked_at(client: MongoClient[dict[str, Any]]) -> list[ServerDescription]:
    """Return all members, once each was reached or has failed."""
    until = time.monotonic() + LOOK_SECONDS
    while True:
        servers = sorted(
            client.topology_description.server_descriptions().values(), key=lambda one: one.address
        )
        waited_for = [one for one in servers if one.server_type_name == "Unknown" and one.error is None]
        if not waited_for or time.monotonic() > until:
            return servers
        time.sleep(0.05)


def _votes(client: MongoClient[dict[str, Any]], members: int) -> tuple[int, int]:
    """Return how many members vote, and how many have to acknowledge a write.

    Without the right to monitor the cluster, every member counts as voting, up to MongoDB's limit of 7.
    """
    try:
        status = client.admin.command("replSetGetStatus", read_preference=ReadPreference.NEAREST)
        return int(status["votingMembersCount"]), int(status["writeMajorityCount"])
    except (PyMongoError, KeyError):
        voting = min(members, 7)
        return voting, voting // 2 + 1


def _name(server: ServerDescription) -> str:
    return f"{server.address[0]}:{server.address[1]}"


def _list(names: list[str]) -> str:
    return ", ".join(names)
