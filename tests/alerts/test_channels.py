"""Channels against real servers: webhooks over HTTP, mail over SMTP."""

import json

import gevent
import pytest
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer

from analytics.alerts.channels import send
from analytics.config.alert_sections import ChannelSection
from analytics.errors import Unavailable


class Hook:
    """A webhook that keeps what it gets."""

    def __init__(self):
        self.got, self.status, self.body = [], "200 OK", b"{}"
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?key=secret"

    def _answer(self, environ, start_response):
        self.got.append(json.loads(environ["wsgi.input"].read()))
        start_response(self.status, [("Content-Type", "application/json")])
        return [self.body]

    def stop(self):
        self._server.stop()


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.stop()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("slack", {"text": "few"}),
        ("discord", {"content": "few"}),
        ("feishu", {"msg_type": "text", "content": {"text": "few"}}),
        ("dingtalk", {"msgtype": "text", "text": {"content": "few"}}),
        ("json", {"value": 1, "text": "few"}),
    ],
)
def test_each_service_gets_what_it_takes(hook, kind, body, monkeypatch):
    send(ChannelSection(kind=kind, url=hook.url), "few", {"value": 1})
    monkeypatch.setenv("HOOK", hook.url)
    send(ChannelSection(kind=kind, url_env="HOOK"), "few", {"value": 1})
    assert hook.got == [body, body]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        ("404 Not Found", b"", "status 404"),
        ("302 Found", b"", "status 302"),
        ("200 OK", b'{"errcode": 310000, "errmsg": "sign not match"}', "code 310000"),
        ("200 OK", b'{"code": 19021, "msg": "sign match fail"}', "code 19021"),
    ],
)
def test_a_refusal_is_an_error_without_the_address(hook, status, body, message):
    hook.status, hook.body = status, body
    with pytest.raises(Unavailable, match=message) as caught:
        send(ChannelSection(kind="feishu", url=hook.url), "few", {})
    assert "secret" not in str(caught.value)


def test_a_webhook_that_is_away_is_an_error(hook):
    hook.stop()
    with pytest.raises(Unavailable, match="does not answer: ConnectionError"):
        send(ChannelSection(kind="slack", url=hook.url), "few", {})


def mail_server(got):
    """Return a server that speaks as much SMTP as one message needs."""

    def serve(socket, address):
        file = socket.makefile("rwb")

        def say(line):
            file.write(line + b"\r\n")
            file.flush()

        say(b"220 here")
        data = False
        for line in file:
            if data:
                got.append(line.rstrip(b"\r\n"))
                if line == b".\r\n":
                    data = False
                    say(b"250 taken")
            elif line.upper().startswith(b"DATA"):
                data = True
                say(b"354 go on")
            elif line.upper().startswith(b"QUIT"):
                say(b"221 bye")
                return
            else:
                got.append(line.rstrip(b"\r\n"))
                say(b"550 no such user" if b"nobody" in line else b"250 fine")

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    return server


def test_mail_goes_to_all_recipients():
    got = []
    server = mail_server(got)
    channel = ChannelSection(
        kind="mail",
        server=f"127.0.0.1:{server.server_port}",
        security="none",
        sender="suite@example.org",
        recipients=["a@example.org", "b@example.org"],
    )
    send(channel, "few, area ä: 80\nmore", {})
    with gevent.Timeout(600):
        while got[-1:] != [b"."]:
            gevent.sleep(0.01)
    assert [line for line in got if line.lower().startswith(b"rcpt")] == [
        b"rcpt TO:<a@example.org>",
        b"rcpt TO:<b@example.org>",
    ]
    assert any(line.startswith(b"Subject: ") for line in got)
    refused = ChannelSection(
        kind="mail",
        server=channel.server,
        security="none",
        sender="suite@example.org",
        recipients=["nobody@example.org"],
    )
    with pytest.raises(Unavailable, match=r"the mail server 127.0.0.1:.*no such user"):
        send(refused, "few", {})
    server.stop()
