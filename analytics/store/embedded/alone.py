"""The store while no node runs: a command runs the embedded server for as long as it needs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from analytics.config import Config, catalogue
from analytics.store import Store, open_store
from analytics.store.embedded.choice import chosen_at_start, engine_name, open_engine
from analytics.store.embedded.engine import HOST, Engine
from analytics.store.embedded.password import make_folder
from analytics.store.embedded.process import take_folder
from analytics.store.embedded.server import EmbeddedServer
from analytics.store.mongo import MongoStore, indexes_without_ts
from analytics.system.ports import free_port


@contextmanager
def running(engine: Engine, log: Path) -> Iterator[MongoClient[RawBSONDocument]]:
    """Run an engine's server, whose output goes to ``log``, and connect to it."""
    server = EmbeddedServer(engine, log)
    try:
        server.start()
        with MongoClient[RawBSONDocument](
            engine.uri(), document_class=RawBSONDocument, serverSelectionTimeoutMS=10_000
        ) as client:
            yield client
    finally:
        server.stop()


@contextmanager
def running_alone(config: Config, command: str) -> Iterator[tuple[Engine, MongoClient[RawBSONDocument]]]:
    """Run the configured engine's server on a spare port, and connect to it. Its output goes to ``log/store-COMMAND.log``.

    Raise AnalyticsError if another process uses its folder, or it does not start.
    """
    folder = config.data.absolute() / "store"
    make_folder(folder)
    with take_folder(folder):
        chosen_at_start(config)
        engine = open_engine(engine_name(config), config, free_port(HOST))
        log = config.data.absolute() / "log" / f"store-{command}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with running(engine, log) as client:
            yield engine, client


@contextmanager
def opened_store(config: Config, command: str) -> Iterator[Store]:
    """Open the configured store. Raise AnalyticsError if it can't be used."""
    if config.mongodb.uri or config.mongodb.uri_env:
        with closing(open_store(config)) as store:
            yield store
        return
    database, without_ts = config.mongodb.database, indexes_without_ts(catalogue(config))
    with running_alone(config, command) as (engine, _):
        own = MongoStore(engine.uri(), database, dialect=engine.dialect, without_ts=without_ts)
        with closing(own):
            yield own
