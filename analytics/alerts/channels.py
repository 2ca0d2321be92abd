"""Messages to people: over webhooks of chat services, as JSON for programs, and by mail."""

import os
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
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


def send(channel: ChannelSection, text: str, facts: dict[str, Any]) -> None:
    """Send a message. Raise Unavailable, which names no secret, if the channel does not take it.

    Args:
        facts: what programs get over the channel ``json``, with ``text`` among it.
    """
    if channel.kind == "mail":
        _send_mail(channel, text)
    else:
        body = facts | {"text": text} if channel.kind == "json" else BODIES[channel.kind](text)
        _post(channel, body)


def _post(channel: ChannelSection, body: dict[str, Any]) -> None:
    url = os.environ.get(channel.url_env, "") if channel.url_env else channel.url
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(url, json=body, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise Unavailable(f"the webhook does not answer: {type(error).__name__}") from error
    if answer.status_code >= OK:
        raise Unavailable(f"the webhook refused the message: status {answer.status_code} {answer.reason}")
    try:
        said = answer.json()
    except requests.JSONDecodeError:
        return
    if isinstance(said, dict) and (code := next((said[name] for name in REFUSALS if said.get(name)), 0)):
        raise Unavailable(f"the webhook refused the message: code {code}")


def _send_mail(channel: ChannelSection, text: str) -> None:
    message = EmailMessage()
    message["Subject"] = text.partition("\n")[0][:200]
    message["From"], message["To"] = channel.sender, ", ".join(channel.recipients)
    message.set_content(text)
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
