"""The documents' store while no node runs: the embedded server is run for as long."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from analytics.config import Config, catalogue
from analytics.store import MongoStore, Store, open_store
from analytics.store.embedded.alone import running_alone
from analytics.store.mongo import indexes_without_ts


@contextmanager
def opened_store(config: Config) -> Iterator[Store]:
    """Open the configured store. Raise AnalyticsError if it can't be used."""
    if config.mongodb.uri or config.mongodb.uri_env:
        with closing(open_store(config)) as store:
            yield store
        return
    without_ts = indexes_without_ts(catalogue(config))
    with (
        running_alone(config, "forget") as (engine, _),
        closing(
            MongoStore(engine.uri(), config.mongodb.database, dialect=engine.dialect, without_ts=without_ts)
        ) as own,
    ):
        yield own
