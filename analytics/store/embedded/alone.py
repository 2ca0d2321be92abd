"""The embedded server while no node runs: a command runs it for as long as it needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from analytics.config import Config
from analytics.store.embedded.choice import chosen_at_start, engine_name, open_engine
from analytics.store.embedded.engine import HOST, Engine
from analytics.store.embedded.password import make_folder
from analytics.store.embedded.process import take_folder
from analytics.store.embedded.server import EmbeddedServer
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
