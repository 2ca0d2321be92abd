"""Reading the TOML file: every key is checked, and all faults are reported together."""

import json
import os
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from analytics.config.addresses import is_loopback
from analytics.config.bolt_files import read_bolt_files
from analytics.config.catalogue import catalogue_faults
from analytics.config.checks import faults
from analytics.config.currencies import with_rates
from analytics.config.excluded import with_listed
from analytics.config.section import Section, nearest
from analytics.config.sections import BrokerSection, Config
from analytics.errors import ConfigError

VARIABLE = "ANALYTICS_CONFIG"
CHECKOUT = Path(__file__).resolve().parents[2] / "conf" / "analytics.toml"
INSTALLED = Path("/etc/analytics/analytics.toml")
SHOWN = 60  # characters of a value in a message
NOT_KEYS = frozenset({"file", "sockets", "bolt_files"})
RETIRED = (("dashboard", "kept_seconds"),)
"""Tables and keys in them that earlier versions took: a configuration may still have them, and they do nothing."""

MAY_BE_SECRET = frozenset(
    {"uri", "url", "clock_url", "rotated_url", "proxy", "headers", "endpoints", "users"}
)
"""Keys whose values, and those of tables and lists under them, are never shown."""

S = TypeVar("S", bound=Section)


def find(path: Path | None = None) -> Path:
    """Return the file to read: ``path``, ``ANALYTICS_CONFIG``, the checkout's file, or the one in /etc."""
    named = path or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        return named
    return CHECKOUT if CHECKOUT.exists() else INSTALLED


def load(path: Path | None = None) -> Config:
    """Return the configuration of the file that :func:`find` finds.

    Raise ConfigError for no file, no TOML, or invalid keys, each with what was found and expected.
    """
    file = find(path).absolute()
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # some editors write a byte order mark
    except FileNotFoundError as error:
        raise ConfigError(
            f"{file}: no such file. Name one with --config FILE or in {VARIABLE}; "
            "start from conf/analytics.toml of the source"
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: expected a readable TOML file: {error}") from error
    for table, key in RETIRED:
        if isinstance(section := raw.get(table), dict):
            section.pop(key, None)
    found = list(_faults(raw, Config, ""))
    if not found:
        config = _resolved(msgspec.convert(raw, Config, dec_hook=_decode), file)
        found = [*faults(config), *catalogue_faults(config)]
    if found:
        raise ConfigError("\n".join(f"{file}: {fault}" for fault in found))
    return config


def _resolved(config: Config, file: Path) -> Config:
    """Return the configuration with its paths made absolute; they are relative to the file."""
    folder = file.parent

    def absolute(path: str | Path) -> str:
        return os.path.normpath(folder / path)

    def with_absolute(section: S, *keys: str) -> S:
        files = {key: absolute(path) for key in keys if (path := getattr(section, key))}
        return msgspec.structs.replace(section, **files)

    sources = [with_absolute(source, "path", "ca") for source in config.gamelog.sources]
    gamelog = msgspec.structs.replace(config.gamelog, sources=sources)
    broker = _own_sockets(config.broker, Path(absolute(config.data)))
    if config.broker.keys:
        broker = msgspec.structs.replace(broker, keys=absolute(config.broker.keys))
    return msgspec.structs.replace(
        config,
        data=Path(absolute(config.data)),
        gamelog=gamelog,
        payment=with_absolute(config.payment, "ca"),
        syncuser=with_absolute(config.syncuser, "ca"),
        etcd=with_absolute(config.etcd, "ca", "cert", "key"),
        broker=broker,
        engine=with_absolute(config.engine, "shared"),
        dashboard=with_absolute(config.dashboard, "tls_cert", "tls_key"),
        digest=with_absolute(config.digest, "font"),
        file=file,
        bolt_files=read_bolt_files(file),
        games={
            name: with_rates(with_listed(game, name, folder), name, folder)
            for name, game in config.games.items()
        },
    )


def _own_sockets(broker: BrokerSection, data: Path) -> BrokerSection:
    """Return the section with the defaults of a loopback broker: keys and unix sockets in the data folder."""
    if not is_loopback(broker.host):
        return broker
    keys = "" if broker.let_anyone_in else str(data / "keys")
    sockets = "" if broker.reached_at else str(data / "run" / "sockets")
    return msgspec.structs.replace(broker, keys=keys, sockets=sockets)


def _faults(value: Any, kind: Any, key: str) -> Iterator[str]:
    """Yield every fault of ``value``, which should be of type ``kind``, and of its members."""
    origin, arguments = get_origin(kind), get_args(kind)
    tables = [one for one in arguments if isinstance(one, type) and issubclass(one, Section)]
    if origin in (Union, UnionType) and tables and isinstance(value, dict):
        kind = tables[0]  # the others are no tables
    if isinstance(kind, type) and issubclass(kind, Section):
        yield from _faults_of_table(value, kind, key)
    elif origin is dict and isinstance(value, dict):
        for name, item in value.items():
            yield from _faults(item, arguments[1], _join(key, name))
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, arguments[0], f"{key}[{index}]")
    elif origin is Literal:
        if value not in arguments:
            yield f"{key}: expected one of {', '.join(map(_shown, arguments))}, got {_shown(value)}"
    else:
        try:
            msgspec.convert(value, kind, dec_hook=_decode)
        except msgspec.ValidationError as error:
            expected = (
                str(error).split(", got ")[0].split(" - at ")[0].replace("`", "").removesuffix(" | null")
            )
            yield f"{key}: {expected[0].lower()}{expected[1:]}, got {_found(key, value)}"


def _faults_of_table(value: Any, kind: type[Section], key: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{key}: expected a table, got {_found(key, value)}"
        return
    fields = {
        field.encode_name: field for field in msgspec.structs.fields(kind) if field.name not in NOT_KEYS
    }
    for name, item in value.items():
        if name in fields:
            yield from _faults(item, fields[name].type, _join(key, name))
        else:
            hint = kind.elsewhere.get(name) or nearest(name, fields, "known here")
            yield f"{_join(key, name)}: unknown key; {hint}"
    for name, field in fields.items():
        if field.required and name not in value:
            yield f"{_join(key, name)}: expected a value, found none"


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError("Expected a path")


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _found(key: str, value: Any) -> str:
    """Return a value as messages show it; for a possible secret only its type."""
    names = {name.partition("[")[0] for name in key.split(".")}
    hidden = names & MAY_BE_SECRET and isinstance(value, str | list | dict)
    return f"a value of type {type(value).__name__}" if hidden else _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, date):
        return f"{value} without quotes"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
