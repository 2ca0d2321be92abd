"""A real MongoDB that demands a log-in, and users of it."""

from collections.abc import Sequence
from typing import Any

from pymongo import MongoClient

from analytics.testing.mongod import Server

PASSWORD = "p@ss/word:0"
QUOTED = "p%40ss%2Fword%3A0"


def add_root(server: Server) -> None:
    """Make the first user, which MongoDB lets anyone on its own machine do as long as there is none."""
    with MongoClient[dict[str, Any]](server.uri) as client:
        client.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])


def as_user(server: Server, user: str, database: str = "admin") -> str:
    """Return the URI with which ``user`` of ``database`` logs in."""
    return f"mongodb://{user}:{QUOTED}@{server.address}/?authSource={database}&directConnection=true"


def add_user(server: Server, user: str, roles: Sequence[dict[str, str]], database: str = "admin") -> str:
    """Make a user in ``database`` with these roles, and return the URI with which it logs in."""
    with MongoClient[dict[str, Any]](as_user(server, "root")) as client:
        client[database].command("createUser", user, pwd=PASSWORD, roles=list(roles))
    return as_user(server, user, database)
