"""Checks of a configuration that types can't express: whether its parts fit together."""

import os
import re
import string
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from analytics.config.addresses import is_any, is_loopback, is_network
from analytics.config.currencies import currency_faults
from analytics.config.excluded import excluded_faults
from analytics.config.funnels import funnel_faults
from analytics.config.mapped import faults_of_mapping
from analytics.config.merged import merged_faults
from analytics.config.section import is_day
from analytics.config.sections import (
    SOURCE_KINDS,
    BrokerSection,
    Config,
    DashboardSection,
    EngineSection,
    EtcdSection,
    OidcSection,
    Polled,
    Source,
)
from analytics.config.segments import segment_faults
from analytics.config.uris import weakening, without_secrets
from analytics.core.periods import zone
from analytics.errors import ConfigError

HASHED = re.compile(r"(scrypt|pbkdf2):[a-z0-9:]+\$[A-Za-z0-9]+\$[0-9a-f]+")
AREA_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
SOURCE_NAME = re.compile(r"[A-Za-z0-9_.-]+")
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
SPARK_MASTER = re.compile(r"(spark|k8s)://.+|yarn$|local(\[.+\])?$")
PLACEHOLDERS = {
    "payment": ("game", "plat", "area", "day", "ts", "page"),
    "syncuser": ("game", "plat", "area", "day", "ts", "page", "since"),
}


def faults(config: Config) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``, but for those of :mod:`analytics.config.catalogue`."""
    yield from _paths(config)
    yield from _ports(config)
    if not config.mongodb.unsafe_uri_options:
        yield from (f"mongodb.uri: {reason}" for reason in weakening(config.mongodb.uri))
    yield from _broker(config.broker)
    yield from _etcd(config.etcd)
    yield from _engine(config.engine)
    yield from _timezones(config)
    yield from _areas(config)
    yield from merged_faults(config)
    yield from _tiers(config)
    yield from segment_faults(config)
    yield from excluded_faults(config)
    yield from funnel_faults(config)
    yield from currency_faults(config)
    yield from _sources(config)
    yield from _interface("payment", config.payment)
    yield from _interface("syncuser", config.syncuser)
    if config.payment.since and not is_day(config.payment.since):
        yield f'payment.since: expected a day as YYYY-MM-DD, from 2000-01-01 on, got "{config.payment.since}"'
    yield from _dashboard(config.dashboard)
    yield from _oidc(config.dashboard.oidc, config.dashboard.users)
    yield from _rights(config)


def unset_variables(config: Config) -> Iterator[str]:
    """Yield a fault for each environment variable that the configuration names and that is unset or invalid.

    This is separate from :func:`faults` since only nodes need the secrets; ``status`` works without them.
    """
    named = {
        "mongodb.uri_env": config.mongodb.uri_env,
        "etcd.password_env": config.etcd.password_env if config.etcd.endpoints else "",
        "dashboard.oidc.client_secret_env": config.dashboard.oidc.client_secret_env,
        "payment.token_env": config.payment.token_env if config.payment.url else "",
        "syncuser.token_env": config.syncuser.token_env if config.syncuser.url else "",
        **{f"channels.{name}.url_env": one.url_env for name, one in config.channels.items()},
        **{f"channels.{name}.password_env": one.password_env for name, one in config.channels.items()},
    }
    for key, variable in named.items():
        if variable and not os.environ.get(variable):
            yield f"{key}: expected a value in the environment variable {variable}, found none; export it"
    if not config.mongodb.unsafe_uri_options:
        uri = os.environ.get(config.mongodb.uri_env, "") if config.mongodb.uri_env else ""
        yield from (f"mongodb.uri_env: {reason}" for reason in weakening(uri))


def endpoints(config: Config) -> dict[str, tuple[str, int]]:
    """Return the addresses that the suite's nodes listen on, by the key of the port."""
    broker, found = config.broker, dict[str, tuple[str, int]]()
    if not config.engine.kind:
        found = {
            "broker.receiver_port": (broker.host, broker.receiver_port),
            "broker.sender_port": (broker.host, broker.sender_port),
            "broker.refill_port": (broker.host, broker.refill_port),
        }
    if not config.mongodb.uri and not config.mongodb.uri_env:
        found["store.port"] = ("127.0.0.1", config.store.port)
    if config.metrics.port:
        found["metrics.port"] = ("127.0.0.1", config.metrics.port)
    if config.dashboard.port:
        found["dashboard.port"] = (config.dashboard.host, config.dashboard.port)
    for index, source in enumerate(config.gamelog.sources):
        if source.kind == "tcp" and source.port:
            found[f"gamelog.sources[{index}].port"] = (source.host, source.port)
    return found


def _paths(config: Config) -> Iterator[str]:
    """Yield paths that the locale's encoding can't represent, since they can't be opened."""
    named = {"data": str(config.data)}
    named |= {f"gamelog.sources[{index}].path": one.path for index, one in enumerate(config.gamelog.sources)}
    for key, path in named.items():
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            yield (
                f"{key}: expected a path in the encoding of the locale, {sys.getfilesystemencoding()}, got "
                f"{path!a}; call with LC_ALL=C.UTF-8 or another UTF-8 locale"
            )


def _ports(config: Config) -> Iterator[str]:
    first: dict[int, str] = {}
    for key, (_, port) in endpoints(config).items():
        if port == 0:
            yield f"{key}: expected a port from 1 to 65535, got 0"
        elif port in first:
            yield f"{key}: expected a different port, got {port}, which is also {first[port]}"
        first.setdefault(port, key)


def _broker(section: BrokerSection) -> Iterator[str]:
    if is_any(section.host) and not section.reached_at:
        yield (
            f'broker.reached_at: expected an address of this host, as broker.host = "{section.host}" '
            "is all of them, found none"
        )
    if not is_loopback(section.host) and not section.keys and not section.let_anyone_in:
        yield (
            f'broker.keys: expected a folder of keys, as other hosts reach broker.host = "{section.host}", found none; '
            "name one and call `bin/analytics keys`, or set broker.let_anyone_in = true to allow everyone who reaches the "
            "ports to read and write everything, unencrypted"
        )
    if not KEY_NAME.fullmatch(section.key_name) or section.key_name == "broker":
        yield f'broker.key_name: expected letters, digits, "_", "." and "-", not "broker", got "{section.key_name}"'


def _etcd(section: EtcdSection) -> Iterator[str]:
    for index, address in enumerate(section.endpoints):
        if not _is_address(address):
            yield f'etcd.endpoints[{index}]: expected an address like "http://10.0.0.1:2379", got "{without_secrets(address)}"'
    for key, name in (("prefix", section.prefix), ("host_name", section.host_name)):
        if not KEY_NAME.fullmatch(name) and (name or key == "prefix"):
            yield f'etcd.{key}: expected letters, digits, "_", "." and "-", got "{name}"'
    for given, other in (
        ("user", "password_env"),
        ("password_env", "user"),
        ("cert", "key"),
        ("key", "cert"),
    ):
        if getattr(section, given) and not getattr(section, other):
            yield f"etcd.{other}: expected a value, as etcd.{given} has one, found none"
    if section.beat_seconds > section.ttl_seconds / 2:
        yield (
            f"etcd.beat_seconds: expected at most half of etcd.ttl_seconds = {section.ttl_seconds}, "
            f"got {section.beat_seconds:g}"
        )


def _engine(section: EngineSection) -> Iterator[str]:
    if section.kind == "spark" and not SPARK_MASTER.match(section.master):
        yield (
            'engine.master: expected the address of a master, like "spark://10.0.0.1:7077", "yarn" or '
            f'"k8s://https://10.0.0.1:6443", as engine.kind is "spark", got "{section.master}"'
        )
    for key in ("master", "conf"):
        if section.kind == "local" and getattr(section, key):
            yield f'engine.{key}: expected nothing, as engine.kind is "local" and only "spark" has one, got {getattr(section, key)!r}'
    if section.block_mb > section.batch_mb:
        yield f"engine.block_mb: expected at most engine.batch_mb = {section.batch_mb:g}, got {section.block_mb:g}"


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and "@" not in parts.netloc  # that is `user` and `password_env`
            and parts.port != 0
            and parts.path in ("", "/")
        )
    except ValueError:
        return False


def _timezones(config: Config) -> Iterator[str]:
    named = {"timezone": config.timezone}
    for name, game in config.games.items():
        named[f"games.{name}.timezone"] = game.timezone
        for id, area in game.areas.items():
            named[f"games.{name}.areas.{id}.timezone"] = area.timezone
    for key, timezone in named.items():
        if not timezone and key != "timezone":
            continue
        try:
            zone(timezone)
        except ConfigError:
            yield f'{key}: expected an IANA name like "Asia/Shanghai", got "{timezone}"'


def _tiers(config: Config) -> Iterator[str]:
    for name, game in config.games.items():
        if game.tiers.whale <= game.tiers.dolphin:
            yield (
                f"games.{name}.tiers.whale: expected more than games.{name}.tiers.dolphin, {game.tiers.dolphin:g}, "
                f"got {game.tiers.whale:g}"
            )


def _areas(config: Config) -> Iterator[str]:
    game_of: dict[str, str] = {}
    area_of: dict[tuple[str, str], str] = {}
    for name, game in config.games.items():
        for id, area in game.areas.items():
            key = f"games.{name}.areas.{id}"
            if not AREA_ID.fullmatch(id):
                yield f'{key}: expected an area id of 1 to 64 letters, digits, "_" and "-", got "{id}"'
            if id in game_of:
                yield f"{key}: expected an area of one game, got one that is also in games.{game_of[id]}"
            game_of.setdefault(id, name)
            if area.opened and not is_day(area.opened):
                yield f'{key}.opened: expected a day as YYYY-MM-DD, got "{area.opened}"'
            if not area.server_name:
                continue
            server = str(area.corpid), area.server_name
            if server in area_of:
                yield (
                    f"{key}: expected a different corpid and server_name, got those of "
                    f'{area_of[server]}: {server[0]} and "{server[1]}"'
                )
            area_of.setdefault(server, key)


def _sources(config: Config) -> Iterator[str]:
    names = Counter(source.name for source in config.gamelog.sources)
    for index, source in enumerate(config.gamelog.sources):
        key = f"gamelog.sources[{index}]"
        if not SOURCE_NAME.fullmatch(source.name):
            yield f'{key}.name: expected letters, digits, "_", "." and "-", got "{source.name}"'
        if names[source.name] > 1:
            yield f'{key}.name: expected a unique name, got "{source.name}" {names[source.name]} times'
        if source.game and source.game not in config.games:
            yield f'{key}.game: expected one of {sorted(config.games)} or none, got "{source.game}"'
        yield from _kind(source, key)
        claimed = {id for game in config.games.values() for id in game.areas}
        yield from faults_of_mapping(source, key, claimed, source.kind)


def _kind(source: Source, key: str) -> Iterator[str]:
    """Yield faults of the keys that apply to one kind of source only."""
    if source.kind not in SOURCE_KINDS:
        known = ", ".join(f'"{kind}"' for kind in SOURCE_KINDS)
        yield f'{key}.kind: expected one of {known}, got "{source.kind}"'
        return
    allowed = SOURCE_KINDS[source.kind]
    needed = allowed[0]
    if not getattr(source, needed):
        yield f'{key}.{needed}: expected a value, as kind is "{source.kind}", found none'
    for field in msgspec.structs.fields(Source):
        kinds = [kind for kind, keys in SOURCE_KINDS.items() if field.name in keys]
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        changed = bool(kinds) and getattr(source, field.name) != default
        if changed and field.name not in allowed:
            yield f'{key}.{field.name}: expected only where kind is {" or ".join(kinds)}, got kind "{source.kind}"'
    for name in ("url", "rotated_url", "proxy"):
        if getattr(source, name):
            yield from _url(f"{key}.{name}", getattr(source, name))


def _interface(name: str, interface: Polled) -> Iterator[str]:
    if interface.url:
        yield from _url(f"{name}.url", interface.url)
        yield from _placeholders(f"{name}.url", interface.url, PLACEHOLDERS[name])
    for key in ("clock_url", "proxy"):
        if getattr(interface, key):
            yield from _url(f"{name}.{key}", getattr(interface, key))


def _dashboard(dashboard: DashboardSection) -> Iterator[str]:
    """Yield settings that would expose the dashboard to strangers, or lock everyone out."""
    for name, hashed in dashboard.users.items():
        if not HASHED.fullmatch(hashed):
            yield (
                f'dashboard.users.{name}: expected a hashed password, as `bin/analytics password` makes it, got "'
                f'{hashed[:4]}…"'
            )
    for given, missing in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        if getattr(dashboard, given) and not getattr(dashboard, missing):
            yield f"dashboard.{missing}: expected a file, as {given} names one, found none"
    for number, proxy in enumerate(dashboard.proxies):
        if not is_network(proxy):
            yield f'dashboard.proxies[{number}]: expected an address or network like "10.0.0.7" or "10.0.0.0/24", got "{proxy}"'
    if not dashboard.port or is_loopback(dashboard.host):
        return
    if not dashboard.known_users:
        yield (
            f'dashboard.users: expected users, as dashboard.host is "{dashboard.host}", which others can reach; found '
            'none. Make one with `bin/analytics password`, or set host to "127.0.0.1"'
        )
    if not dashboard.tls_cert and not dashboard.behind_proxy:
        yield (
            f'dashboard.tls_cert: expected a certificate, as dashboard.host is "{dashboard.host}" and passwords would '
            "be sent unencrypted; found none. Set tls_cert and tls_key, or behind_proxy where a web server in front "
            "speaks TLS"
        )


def _oidc(oidc: OidcSection, users: Mapping[str, str]) -> Iterator[str]:
    """Yield what would keep everyone from logging in through the provider, or let in someone else."""
    if not oidc.issuer:
        return
    parts = urlsplit(oidc.issuer)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        yield f'dashboard.oidc.issuer: expected a URL like "https://login.example.com", got "{oidc.issuer}"'
    if not oidc.client_id:
        yield "dashboard.oidc.client_id: expected the id that the provider gave the dashboard, found none"
    if not oidc.users:
        yield f"dashboard.oidc.users: expected those who may log in, by their {oidc.claim}; found none"
    for name in oidc.users:
        if name in users:
            yield f"dashboard.oidc.users: expected names that no user with a password has, got {name}"


def _rights(config: Config) -> Iterator[str]:
    """Yield rights of users, and to games, that do not exist."""
    for user, rights in config.dashboard.rights.items():
        if user not in config.dashboard.known_users:
            there = ", ".join(sorted(config.dashboard.known_users)) or "none"
            yield f"dashboard.rights.{user}: expected a user of the dashboard, who are: {there}"
        if rights.games == []:
            yield f"dashboard.rights.{user}.games: expected at least one game; leave it out for all of them"
        for game in rights.games or ():
            if game not in config.games:
                there = ", ".join(config.games) or "none"
                yield f'dashboard.rights.{user}.games: expected games of [games], which are: {there}; got "{game}"'


def _url(key: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.netloc)
    except ValueError:
        usable = False
    if not usable:
        yield f'{key}: expected a URL like "http://host/path", got "{without_secrets(url)}"'


def _placeholders(key: str, template: str, known: tuple[str, ...]) -> Iterator[str]:
    listed = ", ".join(f"{{{name}}}" for name in known)
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        yield f'{key}: expected a template with {listed}, got "{without_secrets(template)}": {error}'
        return
    for name in names:
        if name not in known:
            yield f"{key}: expected of {listed}, got {{{name}}}"
