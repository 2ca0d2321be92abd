"""The HTTP client that spouts and ``check`` share: the configuration decides, and messages hold no secrets."""

import time
from email.utils import formatdate
from types import SimpleNamespace

import gevent
import pytest
import requests
from gamelogs import configured, given, lines
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer
from waiting import eventually

from analytics.cli.check import tries
from analytics.config import Interface, Source
from analytics.config.uris import without_secrets
from analytics.errors import Unavailable
from analytics.spouts.httpclient import LONGEST_WAIT, open_session, reason, retry_after
from analytics.spouts.poller import Client
from analytics.spouts.sources.health import Health
from analytics.spouts.sources.http import HttpSource

SECRET = (
    "http://ann:secret@127.0.0.1:9/pay?token=secret&key=secret{area}&area={area}&secret&page={page}#secret"
)


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """An environment that leads requests elsewhere, with other credentials."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin somebody\npassword elses\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    monkeypatch.delenv("no_proxy", raising=False)


@pytest.fixture
def server():
    """A server that notes what it is sent, and answers an object to those who have the right token."""
    asked = []

    def application(environ, start_response):
        asked.append(environ)
        right = environ.get("HTTP_AUTHORIZATION") == "Bearer right"
        body = b'{"users": {}, "now": 1423213068}'
        start_response("200 OK" if right else "401 No", [("Content-Length", str(len(body)))])
        return [body]

    server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
    server.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.stop(timeout=0)


def source_of(url, taken, **settings):
    source = Source(name="s1", kind="http", url=url, poll_seconds=0.05, timeout_seconds=60, **settings)
    health = Health("s1")
    context = given(lambda chunk: taken.append(chunk.data), health=health, batch_lines=100)
    return HttpSource(source, context), health


def test_the_environment_counts_for_nothing(hostile, server, tmp_path, monkeypatch):
    url, asked = server
    monkeypatch.setenv("TOKEN", "right")
    right = {"Authorization": "Bearer right"}
    log = Source(name="web", kind="http", url=f"{url}/log", headers=right)
    config = configured(tmp_path, log)
    interface = Interface(url=f"{url}/pay?a={{area}}", clock_url=f"{url}/clock", token_env="TOKEN")
    config = type(config)(
        data=config.data, broker=config.broker, gamelog=config.gamelog, games=config.games, payment=interface
    )
    wanted = ("gamelog source web", "payment interface", "payment clock")
    outcomes = {name: action() for name, action in tries(config) if name in wanted}
    assert set(outcomes) == set(wanted)
    source, _ = source_of(f"{url}/log", [], headers=right)
    source.turn()
    source.close()
    assert len(asked) >= 4 and {one["HTTP_AUTHORIZATION"] for one in asked} == {"Bearer right"}


def test_a_configured_proxy_is_asked(server):
    url, asked = server
    with open_session(Source(name="s", kind="http", url="http://x.invalid/", proxy=url)) as session:
        session.get("http://x.invalid/log")
    assert asked[0]["HTTP_HOST"] == "x.invalid"


def test_addresses_are_shown_without_secrets():
    shown = without_secrets(SECRET)
    assert "secret" not in shown and "ann" not in shown
    assert shown == "http://127.0.0.1:9/pay?token=…&key=…&area={area}&…&page={page}"
    with open_session(Source(name="s", kind="http", url=SECRET)) as session:
        for broken in (SECRET, SECRET.replace("http", "ftp"), "http://secret:x/"):
            with pytest.raises((requests.RequestException, ValueError)) as caught:
                session.get(broken)
            assert "secret" not in reason(caught.value)


def test_a_failure_is_told_in_plain_words():
    with open_session(Source(name="s", kind="http")) as session:
        told = []
        for url in ("http://127.0.0.1:9/", "http://name.invalid/"):
            with pytest.raises(requests.RequestException) as caught:
                session.get(url)
            told.append(reason(caught.value))
    assert told[0] == "Connection refused" and told[1].startswith("the name of the host is not found")


@pytest.mark.parametrize("address", [b"http://a..b/", b"http://[::1/", b"http://\xe9.com/", b"//..."])
def test_a_redirect_to_what_is_no_address_is_a_failure_like_any_other(address):
    """It ended the spout, whenever it was started again."""

    def redirect(environ, start_response):
        start_response("302 Found", [("Location", address.decode("latin-1"))])
        return [b""]

    server = WSGIServer(("127.0.0.1", 0), redirect, log=None, error_log=None)
    server.start()
    url = f"http://127.0.0.1:{server.server_port}/game.log"
    try:
        with pytest.raises(Unavailable, match="can't be asked"):
            list(Client(Interface(url=url, retries=0), "payment").pages({}))
        source, health = source_of(url, [])
        reading = gevent.spawn(source.run)
        eventually(lambda: "can't be asked" in health.last_error)
        reading.kill()
        source.close()
    finally:
        server.stop(timeout=0)


@pytest.mark.parametrize("size", ["²", "9" * 5000, "-5", "many"])
@pytest.mark.parametrize("status", [200, 206])
def test_a_size_that_is_no_number_ends_no_source(size, status):
    text = lines(1, 3)
    headers = (
        {"Content-Length": size} if status == 200 else {"Content-Range": f"bytes 0-{len(text) - 1}/{size}"}
    )

    def answer(connection, _):
        connection.recv(1 << 16)
        head = [f"HTTP/1.1 {status} so", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        connection.sendall("\r\n".join(head).encode("latin-1") + text)
        connection.close()

    server = StreamServer(("127.0.0.1", 0), answer)
    server.start()
    source, health = source_of(f"http://127.0.0.1:{server.server_port}/game.log", taken := [])
    reading = gevent.spawn(source.run)
    eventually(lambda: reading.ready() or taken or health.failing_since)
    gevent.sleep(0.1)
    assert not reading.ready()
    assert status == 206 or b"".join(taken) == text
    reading.kill()
    source.close()
    server.stop(timeout=0)


def test_retry_after_is_seconds_or_a_date_and_believed_for_an_hour():
    assert retry_after(429, {"Retry-After": "7"}) == 7
    assert 50 < retry_after(503, {"Retry-After": formatdate(time.time() + 60, usegmt=True)}) <= 60
    assert retry_after(429, {"Retry-After": "999999999"}) == LONGEST_WAIT
    for status, header in ((500, "7"), (429, "soon"), (429, ""), (429, "-3")):
        assert retry_after(status, {"Retry-After": header}) == 0


def test_a_log_server_that_limits_requests_is_left_alone_as_long_as_it_says(web, monkeypatch):
    (web.folder / "game.log").write_bytes(lines(1, 3))
    slept = []
    # In this module alone: a greenlet of another test that sleeps for no time would never let go.
    monkeypatch.setattr("analytics.spouts.sources.http.gevent", SimpleNamespace(sleep=slept.append))
    limited = [("429 Too Many Requests", {"Retry-After": "50"}, b"slow down")]
    web.broken = lambda: limited.pop() if limited else None
    source, health = source_of(web.url("game.log"), taken := [])
    healthy = iter([None, None, gevent.GreenletExit])

    def well(lag=None):
        if next(healthy) is gevent.GreenletExit:
            raise gevent.GreenletExit

    monkeypatch.setattr(health, "well", well)
    with pytest.raises(gevent.GreenletExit):
        source.run()
    assert slept[0] == 50 and b"".join(taken) == lines(1, 3)


def test_a_server_without_ranges_is_asked_less_often_and_only_for_changes(web, monkeypatch):
    """It would send the whole log each second."""
    monkeypatch.setattr("analytics.spouts.sources.log_client._WHOLE_BYTES_PER_SECOND", 1000)
    log = web.folder / "game.log"
    log.write_bytes(lines(1, 30))
    web.ranges, web.etags = False, True
    source, health = source_of(web.url("game.log"), taken := [])
    source.turn()
    assert b"".join(taken) == lines(1, 30)
    assert source._client.whole_at - time.monotonic() > 1
    assert "206" in health.warning and "Range" in health.warning
    sent = web.sent
    assert source.turn() == 0 and web.sent == sent, "nothing has changed, so nothing is sent"
    with log.open("ab") as file:
        file.write(lines(31, 33))
    source.turn()
    assert b"".join(taken) == lines(1, 33)
    web.ranges = True
    with log.open("ab") as file:
        file.write(lines(34, 34))
    source.turn()
    assert b"".join(taken) == lines(1, 34) and not health.warning
    source.close()


def test_a_server_without_ranges_is_told_of_by_check(web, tmp_path):
    (web.folder / "game.log").write_bytes(lines(1, 30))
    web.ranges = False
    config = configured(tmp_path, Source(name="web", kind="http", url=web.url("game.log")))
    action = dict(tries(config))["gamelog source web"]
    assert "answer Range requests" in next(iter(action())).text
