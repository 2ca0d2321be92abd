"""The documents' store while no node runs: the embedded server is run for as long."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from analytics.config import Config, catalogue
from analytics.store import MongoStore, Store, open_store
from analytics.store.embedded.choice import chosen_at_start, engine_name, open_engine
from analytics.store.embedded.engine import HOST
from analytics.store.embedded.move import running
from analytics.store.embedded.password import make_folder
from analytics.store.embedded.process import take_folder
from analytics.store.mongo import indexes_without_ts
from analytics.system.ports import free_port


@contextmanager
def opened_store(config: Config) -> Iterator[Store]:
    """Open the configured store. Raise AnalyticsError if it can't be used."""
    if config.mongodb.uri or config.mongodb.uri_env:
        with closing(open_store(config)) as store:
            yield store
        return
    folder = config.data.absolute() / "store"
    make_folder(folder)
    with take_folder(folder):
        chosen_at_start(config)
        engine = open_engine(engine_name(config), config, free_port(HOST))
        log = config.data.absolute() / "log" / "store-forget.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        without_ts = indexes_without_ts(catalogue(config))
        with (
            running(engine, log),
            closing(
                MongoStore(
                    engine.uri(), config.mongodb.database, dialect=engine.dialect, without_ts=without_ts
                )
            ) as own,
        ):
            yield own
