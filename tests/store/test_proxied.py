"""The proxies in front of a replica set's members break what they are asked to break, and nothing else."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import gevent
import pytest
from gevent.server import StreamServer
from pymongo.errors import PyMongoError

from analytics.errors import Unavailable
from analytics.store import MongoStore, Write
from analytics.testing.mongod import Server
from analytics.testing.proxied import ProxiedSet, Proxies
from analytics.testing.proxy import MEMBER_MARK

SOON = 0.3


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    """One proxy whose target sends back what it gets."""
    target = StreamServer(("127.0.0.1", 0), _send_back)
    target.start()
    proxies = Proxies([target.server_port])
    proxies.start()
    yield proxies
    proxies.stop()
    target.stop()


def _send_back(connection: socket.socket, _address: object) -> None:
    with suppress(ConnectionResetError):
        while data := connection.recv(100):
            connection.sendall(data)


def _connect(proxies: Proxies, first: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxies.ports[0]), timeout=10)
    connection.sendall(first)
    return connection


def _exchange(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(100)


def test_a_held_connection_stays_open_and_goes_on(proxies):
    client = _connect(proxies, b"hello")
    assert client.recv(100) == b"hello"
    proxies.command("hold", 0, "clients")
    client.sendall(b"held")
    client.settimeout(SOON)
    with pytest.raises(TimeoutError):
        client.recv(100)
    proxies.command("pass", 0, "clients")
    client.settimeout(10)
    assert client.recv(100) == b"held"


def test_members_are_recognized_and_refused_alone(proxies):
    client, member = _connect(proxies, b"hello"), _connect(proxies, MEMBER_MARK)
    assert client.recv(100) == b"hello" and member.recv(100) == MEMBER_MARK
    proxies.command("refuse", 0, "members")
    with pytest.raises(ConnectionResetError):
        member.recv(100)
    with pytest.raises(ConnectionResetError):
        _connect(proxies, MEMBER_MARK).recv(100)
    assert _exchange(client, b"still") == b"still"


def test_a_dropped_client_may_connect_again(proxies):
    client = _connect(proxies, b"hello")
    assert client.recv(100) == b"hello"
    proxies.command("drop", 0, "clients")
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    assert _connect(proxies, b"again").recv(100) == b"again"


def test_a_write_that_no_majority_has_is_never_read(tmp_path):
    with ProxiedSet(tmp_path, election_ms=8000) as members:
        store = MongoStore(members.uri, "test")
        assert store.write("c", [Write("a", {"_v": 1, "area": "x"}, 0)]) == set()
        primary = members.primary()
        members.isolate(primary, "refuse")
        writing = gevent.spawn(store.write, "c", [Write("a", {"_v": 2, "area": "x"}, 1)])
        while _version_at(primary) != 2:
            gevent.sleep(0.05)
        while not writing.dead:  # the driver tries again once
            members.reset_clients(primary)
            gevent.sleep(SOON)
        assert isinstance(writing.exception, Unavailable)
        assert _version_at(primary) == 2, "the primary has stepped down too soon for this test"
        assert store.load("c", ["a"])["a"]["_v"] == 1

        members.primary(among=[one for one in members.members if one is not primary])
        members.heal()
        members.wait_until_in_sync()
        assert sum(primary.rollbacks()) > 0
        assert store.load("c", ["a"])["a"]["_v"] == 1
        store.close()


def _version_at(server: Server) -> int:
    """Return the version that one server has of the document, whether a majority has it or not."""
    try:
        with server.client() as client:
            return client.test.c.find_one({"_id": "a"})["_v"]
    except PyMongoError:
        return 0
