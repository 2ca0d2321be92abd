"""Checks of ``[alerts]``, ``[channels]`` and ``[digest]``: whether they can work with this configuration."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from analytics.config.addresses import is_loopback
from analytics.config.alert_sections import AlertSection, ChannelSection
from analytics.config.section import nearest
from analytics.config.sections import Config
from analytics.core.bolt import Bolt
from analytics.core.expressions import ExpressionError, parse
from analytics.core.fields import BoltFields

FUNCTIONS = frozenset({"percent"})
OF_STEP = ("count", "rate", "reg")
"""What a rule may look at of a step of a funnel."""

EXAMPLE = 'collection = "kpi", value = "dau"'
AT = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")


def alert_faults(config: Config, bolts: Mapping[str, Bolt]) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``."""
    for name, channel in config.channels.items():
        yield from (f"channels.{name}.{fault}" for fault in _of_channel(channel))
    for name, alert in config.alerts.items():
        yield from (f"alerts.{name}.{fault}" for fault in _of_alert(config, alert, bolts))
    if not AT.fullmatch(config.digest.at):
        yield f'digest.at: expected a time of day as "09:00", got "{config.digest.at}"'
    yield from (f"digest.{fault}" for fault in _of_recipients(config, config.digest.to))
    if config.digest.font and not Path(config.digest.font).is_file():
        yield f'digest.font: expected a font file, as wqy-microhei.ttc, found none at "{config.digest.font}"'


def _of_channel(channel: ChannelSection) -> Iterator[str]:
    if channel.kind == "mail":
        host, _, port = channel.server.rpartition(":")
        if not host or not port.isdecimal():
            yield f'server: expected host and port as "smtp.example.org:587", got "{channel.server}"'
        recipients = [("recipients", address) for address in channel.recipients or [""]]
        for key, address in (("sender", channel.sender), *recipients):
            if not ADDRESS.fullmatch(address):
                yield f'{key}: expected an address as "ops@example.org", got "{address}"'
        if channel.user and channel.security == "none" and not is_loopback(host):
            yield 'security: expected "tls" or "starttls" where a password is sent, got "none"'
    elif not channel.url_env and not channel.url:
        yield "url: expected the webhook's address here, or a variable that holds it in url_env, found none"
    elif channel.url and not _is_safe(channel.url):
        yield "url: expected https://…, or http:// on this machine, got another address"


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _of_alert(config: Config, alert: AlertSection, bolts: Mapping[str, Bolt]) -> Iterator[str]:
    yield from _of_recipients(config, alert.to)
    if not alert.to:
        yield f"to: expected names of [channels], found none; there are: {_listed(config.channels)}"
    if alert.below is alert.above is alert.falls is alert.rises is None:
        yield "below: expected one of below, above, falls and rises, found none"
    for name, bound in (("below", alert.below), ("above", alert.above)):
        if bound is not None and not math.isfinite(bound):
            yield f"{name}: expected a number, got {bound}"
    for game in alert.games:
        if game not in config.games:
            yield f'games: expected one of {_listed(config.games)}, got "{game}"'
    known = {area for game in config.games.values() for area in game.areas}
    for area in alert.areas:
        if area not in known:
            yield f'areas: expected a configured area, got "{area}"'
    if alert.areas and alert.scope != "area":
        yield f'areas: expected scope = "area" with it, got "{alert.scope}"'
    yield from _of_step(config, alert)
    yield from _of_value(alert, bolts)


def _of_step(config: Config, alert: AlertSection) -> Iterator[str]:
    if not alert.funnel and not alert.step:
        return
    if alert.collection != "funnel":
        yield f'funnel: expected collection = "funnel" with it, got "{alert.collection}"'
    elif alert.funnel not in config.funnels:
        yield f'funnel: expected one of [funnels]: {_listed(config.funnels)}, got "{alert.funnel}"'
    elif alert.step not in range(1, (most := len(config.funnels[alert.funnel].steps)) + 1):
        yield f"step: expected a step of {alert.funnel}, from 1 to {most}, got {alert.step}"


def _of_value(alert: AlertSection, bolts: Mapping[str, Bolt]) -> Iterator[str]:
    from analytics.timers import TIMERS  # with it comes numpy, which few commands need

    bolt = bolts.get(alert.collection)
    periods = {name: one.period for name, one in bolts.items()} | {
        name: one.period for name, one in TIMERS.items()
    }
    judged = sorted(name for name, period in periods.items() if period in ("hour", "day"))
    if alert.collection not in judged:
        yield (
            f'collection: expected one with documents by hour or day, got "{alert.collection}"; '
            f"{nearest(alert.collection, judged)}"
        )
        return
    if bolt is not None and alert.scope != "area" and not bolt.totals:
        yield f'scope: expected "area", since {alert.collection} has no totals of games and plats, got "{alert.scope}"'
    try:
        parsed = parse(alert.value, FUNCTIONS)
    except ExpressionError as error:
        yield f"value: column {error.column}: {error}. For example: {EXAMPLE}"
        return
    if not parsed.names:
        yield f'value: expected fields of {alert.collection}, got "{alert.value}". For example: {EXAMPLE}'
    if bolt is None:
        allowed, which = (OF_STEP if alert.funnel else TIMERS[alert.collection].numbers), ""
    else:
        fields = BoltFields(bolt)
        allowed = fields.added if fields.keys or alert.scope != "area" else fields.numbers
        which = " that can be added up"
    for name in parsed.names:
        if name not in allowed:
            yield f'value: expected numbers of {alert.collection}{which}: {_listed(allowed)}, got "{name}"'
    try:
        if (kind := parsed.kind(dict.fromkeys(parsed.names, "number"))) not in ("int", "number"):
            yield f"value: expected a number, got a {kind}. For example: {EXAMPLE}"
    except ExpressionError as error:
        yield f"value: column {error.column}: {error}. For example: {EXAMPLE}"


def _of_recipients(config: Config, to: Iterable[str]) -> Iterator[str]:
    for name in to:
        if name not in config.channels:
            yield f'to: expected one of [channels]: {_listed(config.channels)}, got "{name}"'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
