"""Channels against real servers: webhooks over HTTP, mail over SMTP."""

import email.policy
import io
import json

import gevent
import pytest
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer
from PIL import Image

from analytics.alerts.channels import Picture, send
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
        kind, body = environ["CONTENT_TYPE"], environ["wsgi.input"].read()
        if kind.startswith("multipart/"):
            whole = email.message_from_bytes(
                f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=email.policy.HTTP
            )
            self.got.append(
                {part.get_param("name", header="content-disposition"): part for part in whole.iter_parts()}
            )
        else:
            self.got.append(json.loads(body))
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


def png():
    file = io.BytesIO()
    Image.new("RGB", (30, 20), "#2a5fd0").save(file, "PNG")
    return file.getvalue()


PICTURE = Picture(png(), 'Charts of "dl" <new>', "2026-03-09  80")


def test_discord_gets_the_picture_as_an_upload(hook):
    send(ChannelSection(kind="discord", url=hook.url), "few", {}, PICTURE)
    (parts,) = hook.got
    assert json.loads(parts["payload_json"].get_content()) == {
        "content": "few",
        "attachments": [{"id": 0, "filename": "overview.png", "description": PICTURE.alt}],
    }
    assert parts["files[0]"].get_content() == PICTURE.png
    assert (parts["files[0]"].get_content_type(), parts["files[0]"].get_filename()) == (
        "image/png",
        "overview.png",
    )


@pytest.mark.parametrize("kind", ["slack", "feishu", "dingtalk", "json"])
def test_other_webhooks_get_the_same_as_without_a_picture(hook, kind):
    for picture in (PICTURE, None):
        send(ChannelSection(kind=kind, url=hook.url), "few", {"value": 1}, picture)
    assert hook.got[0] == hook.got[1]


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


def mail_channel(server, *recipients):
    return ChannelSection(
        kind="mail",
        server=f"127.0.0.1:{server.server_port}",
        security="none",
        sender="suite@example.org",
        recipients=list(recipients),
    )


def test_mail_goes_to_all_recipients():
    got = []
    server = mail_server(got)
    channel = mail_channel(server, "a@example.org", "b@example.org")
    send(channel, "few, area ä: 80\nmore", {})
    with gevent.Timeout(600):
        while got[-1:] != [b"."]:
            gevent.sleep(0.01)
    assert [line for line in got if line.lower().startswith(b"rcpt")] == [
        b"rcpt TO:<a@example.org>",
        b"rcpt TO:<b@example.org>",
    ]
    assert any(line.startswith(b"Subject: ") for line in got)
    refused = mail_channel(server, "nobody@example.org")
    with pytest.raises(Unavailable, match=r"the mail server 127.0.0.1:.*no such user"):
        send(refused, "few", {})
    server.stop()


def test_a_mail_has_the_picture_in_it_and_its_numbers_as_text():
    got = []
    server = mail_server(got)
    channel = mail_channel(server, "a@example.org")
    send(channel, "dl & ä, 2026-03-09\nrevenue: ¥1", {}, PICTURE)
    with gevent.Timeout(600):
        while got[-1:] != [b"."]:
            gevent.sleep(0.01)
    server.stop()
    first = next(n for n, line in enumerate(got) if line.startswith(b"Subject: "))
    message = email.message_from_bytes(b"\r\n".join(got[first:-1]), policy=email.policy.SMTP)
    assert message.get_content_type() == "multipart/alternative"
    plain, related = message.iter_parts()
    assert plain.get_content_type() == "text/plain"
    lines = plain.get_content().splitlines()
    assert lines == ["dl & ä, 2026-03-09", "revenue: ¥1", "", "2026-03-09  80"], (
        "a reader of text alone loses nothing"
    )
    assert related.get_content_type() == "multipart/related"
    page, picture = related.iter_parts()
    assert (picture.get_content_type(), picture.get_content_disposition()) == ("image/png", "inline")
    assert picture.get_content() == PICTURE.png
    text = page.get_content()
    assert f'src="cid:{picture["Content-ID"][1:-1]}"' in text
    assert "<p>dl &amp; ä, 2026-03-09<br>revenue: ¥1</p>" in text
    assert 'alt="Charts of &quot;dl&quot; &lt;new&gt;"' in text
