"""Messages to people: over webhooks of chat services, as JSON for programs, and by mail."""

import html
import json
import os
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

import requests

from analytics.config.alert_sections import ChannelSection
from analytics.errors import Unavailable

SECONDS = 10.0
OK = 300
BODIES: dict[str, Callable[[str], dict[str, Any]]] = {
    "slack": lambda text: {"text": text},
    "discord": lambda text: {"content": text},
    "feishu": lambda text: {"msg_type": "text", "content": {"text": text}},
    "dingtalk": lambda text: {"msgtype": "text", "text": {"content": text}},
}
"""What each service takes, by its public description of incoming webhooks."""
REFUSALS = ("code", "errcode", "StatusCode")
"""Fields with which services say, with status 200, that they refuse: Feishu and DingTalk."""
PICTURES = frozenset({"discord", "mail"})
"""Channels that take a picture with the message. Slack, Feishu and DingTalk show only those that an address or an upload with another key names."""
PICTURE_NAME = "overview.png"
PICTURE_WIDTH = 600


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a message. ``alt``: what it shows, for those who do not see it; ``table``: its numbers, for readers of text alone."""

    png: bytes
    alt: str
    table: str


def send(channel: ChannelSection, text: str, facts: dict[str, Any], picture: Picture | None = None) -> None:
    """Send a message. Raise Unavailable, which names no secret, if the channel does not take it.

    Args:
        facts: what programs get over the channel ``json``, with ``text`` among it.
        picture: goes with the text over channels of :data:`PICTURES`, and is left out elsewhere.
    """
    if channel.kind == "mail":
        _send_mail(channel, text, picture)
    elif channel.kind == "discord" and picture is not None:
        attached = [{"id": 0, "filename": PICTURE_NAME, "description": picture.alt[:1024]}]
        body = json.dumps(BODIES["discord"](text) | {"attachments": attached})
        _post(
            channel, data={"payload_json": body}, files={"files[0]": (PICTURE_NAME, picture.png, "image/png")}
        )
    else:
        _post(channel, json=facts | {"text": text} if channel.kind == "json" else BODIES[channel.kind](text))


def _post(channel: ChannelSection, **body: Any) -> None:
    url = os.environ.get(channel.url_env, "") if channel.url_env else channel.url
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(url, **body, timeout=SECONDS, allow_redirects=False)
    except (requests.RequestException, ValueError) as error:  # the latter of what can be no address
        raise Unavailable(f"the webhook does not answer: {type(error).__name__}") from error
    if answer.status_code >= OK:
        raise Unavailable(f"the webhook refused the message: status {answer.status_code} {answer.reason}")
    try:
        said = answer.json()
    except requests.JSONDecodeError:
        return
    if isinstance(said, dict) and (code := next((said[name] for name in REFUSALS if said.get(name)), 0)):
        raise Unavailable(f"the webhook refused the message: code {code}")


def mail(channel: ChannelSection, text: str, picture: Picture | None = None) -> EmailMessage:
    """Return a mail: its text alone, or with a picture, the text and the picture's numbers, and the same as HTML with the picture in it."""
    message = EmailMessage()
    message["Subject"] = text.partition("\n")[0][:200]
    message["From"], message["To"] = channel.sender, ", ".join(channel.recipients)
    message.set_content(text if picture is None else f"{text}\n\n{picture.table}\n")
    if picture is not None:
        cid = make_msgid(domain="digest.invalid")  # no host name of this machine
        message.add_alternative(
            f"<p>{'<br>'.join(map(html.escape, text.splitlines()))}</p>\n"
            f'<p><img src="cid:{cid[1:-1]}" width="{PICTURE_WIDTH}" style="max-width: 100%; height: auto" '
            f'alt="{html.escape(picture.alt)}"></p>\n',
            subtype="html",
        )
        *_, shown = message.iter_parts()
        assert isinstance(shown, EmailMessage)
        shown.add_related(picture.png, "image", "png", cid=cid, filename=PICTURE_NAME, disposition="inline")
    return message


def _send_mail(channel: ChannelSection, text: str, picture: Picture | None) -> None:
    message = mail(channel, text, picture)
    host, _, port = channel.server.rpartition(":")
    context = ssl.create_default_context()
    try:
        server = (
            smtplib.SMTP_SSL(host, int(port), timeout=SECONDS, context=context)
            if channel.security == "tls"
            else smtplib.SMTP(host, int(port), timeout=SECONDS)
        )
        with server:
            if channel.security == "starttls":
                server.starttls(context=context)
            if channel.user:
                server.login(channel.user, os.environ.get(channel.password_env, ""))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"the mail server {channel.server}: {error}") from error
