"""Stores to test: memory, the embedded server as a real process, and a MongoDB of yours where one is named."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from needed import EMBEDDED, need
from pymongo import MongoClient

from analytics.config import Config, StoreSection
from analytics.store import MONGODB, SECANTUS, MemoryStore, MongoStore, Store, embedded_uri
from analytics.store.embedded import PROGRAM, StoreNode
from analytics.testing.ports import free_ports

MONGODB_URI = os.environ.get("ANALYTICS_TEST_MONGODB_URI", "")


@pytest.fixture
def node_config(tmp_path: Path) -> Config:
    need(PROGRAM, EMBEDDED)
    return Config(data=tmp_path, store=StoreSection(port=free_ports(1)[0]))


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """The configuration of an embedded server that runs."""
    need(PROGRAM, EMBEDDED)
    config = Config(data=tmp_path_factory.mktemp("embedded"), store=StoreSection(port=free_ports(1)[0]))
    node = StoreNode(config)
    node.start()
    yield config
    node.stop()


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[[], Store]]:
    """Opens one more client to the same, at first empty, database."""
    if request.param == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return
    if request.param == "mongodb" and not MONGODB_URI:
        pytest.skip(
            "there is no MongoDB to install from a package: ANALYTICS_TEST_MONGODB_URI may name one of yours"
        )
    uri = MONGODB_URI if request.param == "mongodb" else embedded_uri(request.getfixturevalue("embedded"))
    dialect = MONGODB if request.param == "mongodb" else SECANTUS
    database = f"test_{secrets.token_hex(6)}"
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(MongoStore(uri, database, dialect=dialect))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()
    with MongoClient(uri) as client:
        client.drop_database(database)


@pytest.fixture
def store(connect: Callable[[], Store]) -> Store:
    return connect()
