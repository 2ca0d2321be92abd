"""Where documents are kept: the interface, MongoDB, memory, and the embedded server."""

import os

from analytics.config import Config, catalogue
from analytics.config.uris import weakening
from analytics.errors import ConfigError, Unavailable
from analytics.store.dialect import MONGODB, SECANTUS, Dialect
from analytics.store.embedded.choice import known, settled
from analytics.store.embedded.engine import Engine
from analytics.store.memory import CountingStore, MemoryStore
from analytics.store.mongo import MongoStore, indexes_without_ts
from analytics.store.mongo_reading import MongoReader
from analytics.store.reading import Reader
from analytics.store.store import POSITIONS, Document, Store, Write

__all__ = [
    "MONGODB",
    "POSITIONS",
    "SECANTUS",
    "CountingStore",
    "Dialect",
    "Document",
    "MemoryStore",
    "MongoReader",
    "MongoStore",
    "Reader",
    "Store",
    "Write",
    "embedded_uri",
    "open_reader",
    "open_store",
    "store_uri",
]


def open_store(config: Config, timeout: float | None = None) -> Store:
    """Return the store that the configuration names.

    ``mongodb.uri`` (or the variable that ``mongodb.uri_env`` names) is ``mongodb://…``, ``mongodb+srv://…``,
    ``counting:`` to count what would be written, or empty for the embedded server, node ``store``.

    Args:
        timeout: seconds within which a server has to answer, for commands that only read.

    Raises:
        ConfigError: the URI is invalid, the variable is not set, or another engine than the configured one has the embedded
            server's documents.
        Unavailable: the embedded server's folder is another user's.
    """
    uri, without_ts = _uri(config), indexes_without_ts(catalogue(config))
    if not uri:
        engine = known(config) if timeout is not None else settled(config)
        uri = engine.uri() if timeout is None else _looking_uri(engine)
        return MongoStore(
            uri, config.mongodb.database, timeout, dialect=engine.dialect, without_ts=without_ts
        )
    scheme = uri.partition(":")[0]
    if scheme == "counting":
        return CountingStore()
    if scheme in ("mongodb", "mongodb+srv"):
        if config.mongodb.unsafe_uri_options:
            return MongoStore(uri, config.mongodb.database, timeout, obey_uri=True, without_ts=without_ts)
        if reasons := list(weakening(uri)):
            key = "mongodb.uri_env" if config.mongodb.uri_env else "mongodb.uri"
            raise ConfigError("; ".join(f"{key}: {reason}" for reason in reasons))
        return MongoStore(uri, config.mongodb.database, timeout, without_ts=without_ts)
    raise ConfigError(f'mongodb.uri: expected "mongodb://…", "mongodb+srv://…" or "", got {_beginning(uri)}')


def open_reader(config: Config) -> Reader:
    """Return a reader of the configured store. Raise ConfigError if the URI can't be used, or is ``counting:``, which keeps nothing."""
    uri = _uri(config) or settled(config).uri()
    if uri.partition(":")[0] not in ("mongodb", "mongodb+srv"):
        raise ConfigError(
            f'mongodb.uri: expected "mongodb://…", "mongodb+srv://…" or "", got {_beginning(uri)}'
        )
    return MongoReader(uri, config.mongodb.database)


def embedded_uri(config: Config) -> str:
    """Return the URI of the embedded server for any MongoDB client, with user and password.

    Raises:
        ConfigError: another engine than the configured one has the documents.
        Unavailable: the embedded store has never run with this data folder, or its password is another user's.
    """
    return known(config).uri()


def store_uri(config: Config) -> str:
    """Return the URI of the documents' database for any MongoDB client.

    Raises:
        ConfigError: the variable that holds it is not set, or as :func:`embedded_uri`.
        Unavailable: as :func:`embedded_uri`.
    """
    return _uri(config) or embedded_uri(config)


def _looking_uri(engine: Engine) -> str:
    """Return a URI to ask whether the embedded server answers, without a password if it can't be read."""
    try:
        return engine.uri()
    except Unavailable:
        return engine.anonymous_uri()


def _beginning(uri: str) -> str:
    """Return the beginning of a URI for a message, without a possible password."""
    if "@" in uri and "://" not in uri:
        return "one that begins otherwise"
    return f"one that begins with {uri.partition(':')[0] + ':'!r}"


def _uri(config: Config) -> str:
    variable = config.mongodb.uri_env
    if not variable:
        return config.mongodb.uri
    if variable not in os.environ:
        raise ConfigError(
            f"mongodb.uri_env: the environment variable {variable} is not set; set it to the URI"
        )
    return os.environ[variable]
