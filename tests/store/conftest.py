"""Stores to test: memory, a real MongoDB as one server and as three members, and secantusdb as a process of its own."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from databases import MEMBERS, STANDALONE, Servers
from msgspec.structs import replace
from needed import EMBEDDED, need
from pymongo import MongoClient

from analytics.config import Config, MongoDB, StoreSection
from analytics.store import MemoryStore, Store, embedded_uri, open_store
from analytics.store.embedded import PROGRAM, StoreNode
from analytics.testing.ports import free_ports


@pytest.fixture
def node_config(tmp_path: Path) -> Config:
    need(PROGRAM, EMBEDDED)
    return Config(data=tmp_path, store=StoreSection(engine="secantus", port=free_ports(1)[0]))


@pytest.fixture
def node(node_config: Config) -> Iterator[StoreNode]:
    node = StoreNode(node_config)
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """The configuration of an embedded server that runs."""
    need(PROGRAM, EMBEDDED)
    config = Config(
        data=tmp_path_factory.mktemp("embedded"), store=StoreSection(engine="secantus", port=free_ports(1)[0])
    )
    node = StoreNode(config)
    node.start()
    yield config
    node.stop()


@pytest.fixture(params=["memory", STANDALONE, MEMBERS, "secantusdb"])
def connect(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Callable[[], Store]]:
    """Opens one more client to the same, at first empty, database."""
    if request.param == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return
    opened: list[Store] = []

    def open_one(config: Config) -> Store:
        opened.append(open_store(config))
        return opened[-1]

    with ExitStack() as ending:
        if request.param == "secantusdb":
            section = MongoDB(database=f"test_{secrets.token_hex(6)}")
            config = replace(request.getfixturevalue("embedded"), mongodb=section)
            client = ending.enter_context(MongoClient(embedded_uri(config)))
            ending.callback(client.drop_database, section.database)
        else:
            made = ending.enter_context(servers.database(request.param))
            config = Config(mongodb=made.section)
        yield lambda: open_one(config)
        for store in opened:
            store.close()


@pytest.fixture
def store(connect: Callable[[], Store]) -> Store:
    return connect()
