"""Where the demo's documents go: the embedded server, or a database of its own on the user's MongoDB."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from rich.console import Console

from analytics.config import Config
from analytics.errors import AnalyticsError, ConfigError
from analytics.store.embedded.choice import engine_name, open_engine, reason

DATABASE = "analytics"
PREFIX = "analytics_demo_"
SECONDS = 5.0
"""A server that does not answer within this is reported."""


@contextmanager
def database(console: Console, uri: str, keep: bool) -> Iterator[str]:
    """Yield the name of the database to use. On a MongoDB of the user's it is new, and dropped at the end.

    Nothing else there is touched.

    Args:
        uri: of that MongoDB; "" for the embedded server.
        keep: leave the database, and print how to drop it.

    Raises:
        ConfigError: the URI is none of MongoDB's.
        AnalyticsError: the server does not answer, or the user may not write there.
    """
    if not uri:
        yield DATABASE
        return
    if urlsplit(uri).scheme not in ("mongodb", "mongodb+srv"):
        raise ConfigError(
            f'--uri: expected "mongodb://…" or "mongodb+srv://…", got one that begins {uri[:12]!r}'
        )
    name = f"{PREFIX}{secrets.token_hex(4)}"
    _make(uri, name)
    end = "stays" if keep else "is dropped at the end; --keep keeps it"
    console.print(f"Documents go to the database {name} of that MongoDB, which {end}.")
    try:
        yield name
    finally:
        if keep:
            console.print(f"The database {name} stays; its `dropDatabase` removes it.")
        else:
            _drop(console, uri, name)


def tell_engine(console: Console, config: Config) -> None:
    """Print which embedded server is going to run, and why that one."""
    engine = open_engine(engine_name(config), config)
    console.print(f"Documents are kept by {engine.describe()}: {reason(config)}", soft_wrap=True)


def _make(uri: str, name: str) -> None:
    """Make the database, to learn at once whether that works."""
    try:
        with MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=SECONDS * 1000) as client:
            client[name].create_collection("demo")
    except (PyMongoError, ValueError) as error:
        raise AnalyticsError(
            f"--uri: making the database {name} there failed: {_brief(error)}. Check that the server runs, and that the "
            f"user may read, write and drop databases whose names begin with {PREFIX}"
        ) from error


def _drop(console: Console, uri: str, name: str) -> None:
    try:
        with MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=SECONDS * 1000) as client:
            client.drop_database(name)
    except PyMongoError as error:
        console.print(f"The database {name} could not be dropped: {_brief(error)}", style="red", markup=False)


def _brief(error: Exception) -> str:
    """Return what pymongo found, without its timeouts and what it knows of the servers."""
    return str(error).split(" (configured timeouts")[0].split(", Timeout: ")[0][:300]
