"""The HTTP server, over real sockets: who is slow, who takes many places, whose host is not ours."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from analytics.config import Config, DashboardSection, MetricsSection
from analytics.testing.ports import free_ports
from analytics.web import access, wsgi
from analytics.web.app import create_app
from analytics.web.data import Data
from analytics.web.metrics_node import Metrics
from analytics.web.wsgi import LimitedServer

PATIENCE = 600.0


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def server() -> Iterator[LimitedServer]:
    made = LimitedServer(("127.0.0.1", 0), application)
    made.start()
    yield made
    made.stop(timeout=0)


def connect(server: LimitedServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE)


def answer(connection: socket.socket) -> bytes:
    found = b""
    while piece := connection.recv(1 << 16):
        found += piece
    return found


@pytest.mark.parametrize(
    "begin", [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", b"G"]
)
def test_who_sends_a_request_byte_by_byte_is_cut_off(
    server: LimitedServer, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    """Each byte comes long before a silent connection would be ended."""
    monkeypatch.setattr(wsgi, "REQUEST_SECONDS", 0.5)
    with connect(server) as slow, gevent.Timeout(PATIENCE), pytest.raises(OSError):
        slow.sendall(begin)
        while True:
            slow.sendall(b"x")
            gevent.sleep(0.05)


def test_a_body_arrives_whole_and_a_connection_is_used_again(server: LimitedServer) -> None:
    with connect(server) as one:
        for body in (b"first", b"second"):
            one.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
            gevent.sleep(0.01)
            one.sendall(body)
            found = b""
            while not found.endswith(body):
                found += one.recv(1000)
            assert found.startswith(b"HTTP/1.1 200")


def test_a_body_that_is_too_large_is_not_waited_for(server: LimitedServer) -> None:
    with connect(server) as one:
        one.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert answer(one).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (b"/login?a=\xeb", b"400"),
        (b"/login?\xff", b"400"),
        (b"/\xc3", b"400"),
        ("/login?a=é".encode(), b"200"),
    ],
)
def test_a_url_that_is_no_utf_8_is_refused(url: bytes, status: bytes) -> None:
    """A query of other bytes was an error of the server, on each page, with a traceback in its log."""
    nothing: Any = None
    server = LimitedServer(("127.0.0.1", 0), create_app(Data(Config(), nothing, nothing, {})))
    server.start()
    with connect(server) as one:
        one.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % url)
        assert answer(one).split()[1] == status
    server.stop(timeout=0)


def test_what_is_no_http_does_not_fill_the_log(
    server: LimitedServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    for _ in range(100):
        with connect(server) as one:
            one.sendall(b"GET / HTTP/9\r\nHost: x\r\n\r\n")
            assert answer(one).startswith(b"HTTP/1.1 400")
    assert len(caplog.records) == 7
    assert "Traceback" not in capsys.readouterr().err


def test_one_address_has_only_so_many_places(server: LimitedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "OF_ONE_ADDRESS", 3)
    held = [connect(server) for _ in range(3)]
    with gevent.Timeout(PATIENCE):
        while sum(server._connections.values()) < 3:
            gevent.sleep(0.01)
    with connect(server) as refused:
        assert answer(refused) == b""
    held.pop().close()
    with gevent.Timeout(PATIENCE):
        while sum(server._connections.values()) > 2:
            gevent.sleep(0.01)
    with connect(server) as taken:
        taken.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer(taken).startswith(b"HTTP/1.1 200")
    for one in held:
        one.close()


def test_metrics_answer_to_this_machines_names_alone() -> None:
    config = Config(metrics=MetricsSection(port=free_ports(1)[0]))
    node = Metrics(config)
    node.start()
    for host, status in ((b"evil.example", b"400"), (b"localhost:1", b"404"), (b"127.0.0.1", b"404")):
        with socket.create_connection(("127.0.0.1", config.metrics.port), timeout=PATIENCE) as one:
            one.sendall(b"GET /nothing HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % host)
            assert answer(one).split()[1] == status, host
    node.stop()


def test_a_health_check_needs_no_host() -> None:
    config = Config(metrics=MetricsSection(port=free_ports(1)[0]))
    node = Metrics(config)
    node.start()
    for path, host, status in (
        (b"/healthz", b"", b"503"),  # nothing runs
        (b"/healthz", b"Host:\r\n", b"400"),
        (b"/healthz", b"Host: evil.example\r\n", b"400"),
        (b"/metrics", b"", b"400"),
    ):
        with socket.create_connection(("127.0.0.1", config.metrics.port), timeout=PATIENCE) as one:
            one.sendall(b"GET %b HTTP/1.0\r\n%b\r\n" % (path, host))
            assert answer(one).split()[1] == status, (path, host)
    node.stop()


HOSTS = ["evil..example", ".", "a b", "exämple", "[::1", "x" * 64 + ".example", "a@b", "", "a:b", "\0", "a/b"]


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_none_is_refused(host: str, inside: bool) -> None:
    section = DashboardSection() if inside else DashboardSection(host="0.0.0.0", behind_proxy=True)
    nothing: Any = None
    client = create_app(Data(Config(dashboard=section), nothing, nothing, {})).test_client()
    for path in ("/", "/login", "/api/v1/overview", "/static/app.js"):
        environ = {"HTTP_HOST": host.encode().decode("latin-1")}
        assert client.get(path, environ_overrides=environ).status_code == 400


def test_a_password_is_compared_while_others_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    from gevent import monkey

    slept = monkey.get_original("time", "sleep")
    monkeypatch.setattr(access, "check_password_hash", lambda *_: slept(0.3) or True)
    nothing: Any = None
    app = create_app(Data(Config(), nothing, nothing, {}))
    turns: list[float] = []

    def others() -> None:
        while True:
            turns.append(time.monotonic())
            gevent.sleep(0.001)

    counting = gevent.spawn(others)
    with app.app_context():
        assert access._is_right("hash", "password")
    counting.kill()
    assert len(turns) > 5
