"""Stores to test: memory, a real MongoDB as one server and as three members, and secantusdb as a process of its own."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from databases import MEMBERS, STANDALONE, Servers
from msgspec.structs import replace
from needed import EMBEDDED, need
from store_nodes import running

from analytics.config import Config, MongoDB, StoreSection
from analytics.store import MemoryStore, MongoStore, Store, open_store
from analytics.store.embedded import PROGRAM, StoreNode
from analytics.testing.ports import free_ports


@pytest.fixture
def node_config(tmp_path: Path) -> Config:
    need(PROGRAM, EMBEDDED)
    return Config(data=tmp_path, store=StoreSection(engine="secantus", port=free_ports(1)[0]))


@pytest.fixture
def node(node_config: Config) -> Iterator[StoreNode]:
    with running(node_config) as node:
        yield node


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """The configuration of an embedded server that runs."""
    need(PROGRAM, EMBEDDED)
    config = Config(
        data=tmp_path_factory.mktemp("embedded"), store=StoreSection(engine="secantus", port=free_ports(1)[0])
    )
    with running(config):
        yield config


class Place:
    """A database that the tests of one file use one after the other, with its clients: users and log-ins cost more than these tests write."""

    def __init__(self, open_one: Callable[[], Store]) -> None:
        self._open_one = open_one
        self._clients: list[Store] = []

    def client(self, number: int) -> Store:
        """Return the client of that number; they are opened one after the other, from 0 on."""
        if number == len(self._clients):
            self._clients.append(self._open_one())
        return self._clients[number]

    def empty(self) -> None:
        """Drop every collection."""
        for client in self._clients[:1]:
            if isinstance(client, MongoStore):
                for name in client.database.list_collection_names():
                    client.database.drop_collection(name)

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            client.close()


@pytest.fixture(scope="module")
def places(servers: Servers) -> Iterator[Callable[[str, Callable[[], Config]], Place]]:
    """Returns the database on a kind of server, given what configures the embedded one."""
    made: dict[str, Place] = {}
    with ExitStack() as ending:

        def of(kind: str, embedded: Callable[[], Config]) -> Place:
            if kind not in made:
                if kind == "secantusdb":
                    section = MongoDB(database=f"test_{secrets.token_hex(6)}")
                    config = replace(embedded(), mongodb=section)
                else:
                    config = Config(mongodb=ending.enter_context(servers.database(kind)).section)
                made[kind] = Place(lambda: open_store(config))
                ending.callback(made[kind].close)
            return made[kind]

        yield of


@pytest.fixture(params=["memory", STANDALONE, MEMBERS, "secantusdb"])
def connect(
    request: pytest.FixtureRequest, places: Callable[[str, Callable[[], Config]], Place]
) -> Iterator[Callable[[], Store]]:
    """Returns one more client of the same, at first empty, database."""
    if request.param == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return
    place = places(request.param, lambda: request.getfixturevalue("embedded"))
    numbers = count()
    yield lambda: place.client(next(numbers))
    place.empty()


@pytest.fixture
def store(connect: Callable[[], Store]) -> Store:
    return connect()
