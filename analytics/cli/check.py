"""``analytics check``: can the configuration be used, and everything in it be reached?"""

import glob
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import click
import gevent.pool
import msgspec
import requests
from rich.console import Console
from rich.markup import escape

from analytics.broker.clients import Refill
from analytics.cluster import LocalRegistry, open_keys
from analytics.cluster.place import located
from analytics.cluster.registry import alive
from analytics.config import Config, Source, areas, load
from analytics.config.checks import unset_variables
from analytics.config.sections import Polled
from analytics.config.uris import UNSAFE_KEY
from analytics.core.compiled import COMPILED
from analytics.errors import AnalyticsError
from analytics.runtime.contradictions import contradictions, summary
from analytics.runtime.nodes import needed
from analytics.store import MongoStore, open_store
from analytics.store.embedded.choice import elsewhere, engine_name, open_engine, reason
from analytics.store.trial import TRIAL_SECONDS, Finding, Grade, try_mongodb

TIMEOUT = 5.0
AT_ONCE = 16


class Wrong(AnalyticsError):
    """A thing that was tried does not work. The message says what to do."""


Outcome = str | Iterable[Finding]
Try = tuple[str, Callable[[], Outcome]]

_MARKS = {
    Grade.OK: "[green]ok     [/green]",
    Grade.WARNING: "[yellow]WARNING[/yellow]",
    Grade.ERROR: "[red]ERROR  [/red]",
}


@click.command()
@click.pass_obj
def check(path: Path | None) -> None:
    """Try the configuration and everything that it names: the store, the broker's ports, each source and interface.

    Says for each whether it works, else what is wrong and what to do. The exit status is 1 if there is an error; a
    warning does not change it.
    """
    config = load(path)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    _print(console, f"configuration {config.file}", Finding(Grade.OK, _summary(config)))
    failed = False
    for name, findings in gevent.pool.Pool(AT_ONCE).imap(_attempt, tries(config)):
        for finding in findings:
            _print(console, name, finding)
            failed |= finding.grade is Grade.ERROR
    sys.exit(1 if failed else 0)


def _print(console: Console, name: str, finding: Finding) -> None:
    console.print(f"{_MARKS[finding.grade]} {escape(name)}: {escape(finding.text)}", soft_wrap=True)


def tries(config: Config) -> Iterator[Try]:
    """Yield everything there is to try, each with its name."""
    yield "environment", partial(_environment, config)
    yield "data folder", partial(_data, config)
    yield "reading of game logs", _reading
    if "store" in needed(config):
        yield "embedded server", partial(_embedded, config)
    yield "store", partial(_store, config)
    yield "areas", partial(_areas, config)
    yield "broker", partial(_broker, config)
    for address in config.etcd.endpoints:
        yield f"etcd {address}", partial(_etcd, config, address)
    for source in config.gamelog.sources:
        yield f"gamelog source {source.name}", partial(_source, source, config)
    for name, interface in (("payment", config.payment), ("syncuser", config.syncuser)):
        if interface.url:
            yield f"{name} interface", partial(_interface, interface, name, config)
        if interface.clock_url:
            yield f"{name} clock", partial(_get, interface.clock_url, interface.headers)


def _attempt(one: Try) -> tuple[str, list[Finding]]:
    name, action = one
    try:
        outcome = action()
        return name, [Finding(Grade.OK, outcome)] if isinstance(outcome, str) else list(outcome)
    except AnalyticsError as error:
        return name, [Finding(Grade.ERROR, str(error))]


def _summary(config: Config) -> str:
    count = sum(len(game.areas) for game in config.games.values())
    text = f"{len(config.games)} games, {count} areas, {len(config.gamelog.sources)} sources, nodes {' '.join(needed(config))}"
    return text if count else text + " (without areas every record is rejected; see [games] in the file)"


def _environment(config: Config) -> str:
    unset = list(unset_variables(config))
    if unset:
        raise Wrong("; ".join(unset))
    return "every variable that the configuration names is set"


def _reading() -> str:
    if COMPILED:
        return "compiled"
    return "not compiled, so gamelog takes twice the CPU; install a C compiler and Python's headers, then make .venv again, or deploy"


def _data(config: Config) -> str:
    folder = next(path for path in (config.data, *config.data.parents) if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise Wrong(f"{folder} is not a folder that this user may write to; change `data` or its permissions")
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize / (1 << 20)
    if free < config.broker.min_free_mb:
        raise Wrong(
            f"{free:,.0f} MB free, less than broker.min_free_mb = {config.broker.min_free_mb:g}; make room"
        )
    return f"{config.data}, {free:,.0f} MB free"


def _embedded(config: Config) -> list[Finding]:
    """Find which server the node ``store`` runs and why, and what else there is to know about it."""
    engine = open_engine(engine_name(config), config)
    chosen = Finding(Grade.OK, f"{engine.describe()}; chosen because {reason(config)}")
    warnings = filter(None, (engine.caution(), elsewhere(config)))
    return [chosen, *(Finding(Grade.WARNING, text) for text in warnings)]


def _store(config: Config) -> Outcome:
    embedded = "store" in needed(config)
    if embedded and not _runs(config, "store"):
        return f"the embedded server is not running; its port {_unused(config.store.port)} is free"
    store = open_store(config, TRIAL_SECONDS)
    try:
        if isinstance(store, MongoStore):
            return [*_unsafe(config), *try_mongodb(store.database, embedded)]
        return "counts what would be written, and keeps nothing"
    finally:
        store.close()


def _areas(config: Config) -> Outcome:
    """Compare what the configuration says of areas with what their documents say."""
    if "store" in needed(config) and not _runs(config, "store"):
        return "not compared with their documents, as the embedded server is not running"
    store = open_store(config, TRIAL_SECONDS)
    try:
        found = contradictions(config, store)
    finally:
        store.close()
    if found:
        return [Finding(Grade.WARNING, summary(found))]
    return "game, plat and time zone are those of the documents"


def _unsafe(config: Config) -> list[Finding]:
    if not config.mongodb.unsafe_uri_options:
        return []
    text = (
        f"{UNSAFE_KEY} = true obeys options of the URI that may lose counted records in a failover; expected false: "
        "set it so, unless this database may lose records"
    )
    return [Finding(Grade.WARNING, text)]


def _broker(config: Config) -> str:
    section = located(config).broker
    elsewhere = section != config.broker or (config.service.nodes and "broker" not in config.service.nodes)
    if elsewhere or _runs(config, "broker"):
        refill = Refill(section, TIMEOUT)
        try:
            state = refill.state()
        finally:
            refill.close()
        if state.blocked:
            raise Wrong(f"accepts nothing: {state.blocked}")
        return f"runs and answers at {section.reached_at or section.host}:{section.refill_port}"
    ports = (section.receiver_port, section.sender_port, section.refill_port)
    for port in ports:
        _unused(port, section.host)
    return f"not running; ports {', '.join(map(str, ports))} are free"


def _etcd(config: Config, address: str) -> str:
    """Write and read as nodes do, with this one address."""
    section = msgspec.structs.replace(config.etcd, endpoints=[address])
    keys = open_keys(msgspec.structs.replace(config, etcd=section), TIMEOUT)
    try:
        keys.beat(f"check/{os.getpid()}", b"{}", 2)
        count = len(keys.list("nodes/"))
    finally:
        keys.close()
    return f"answers; {count} nodes of this suite are known there"


def _source(source: Source, config: Config) -> str:
    if source.kind == "http":
        return _get(source.url, source.headers, {"Range": "bytes=0-0"}, source.timeout_seconds)
    if source.kind == "file":
        found = glob.glob(source.path, recursive=True)  # noqa: PTH207 (a pattern from the root on)
        if not found:
            raise Wrong(f"no file matches {source.path}; nothing is read until one does")
        unreadable = [path for path in found if not os.access(path, os.R_OK)]
        if unreadable:
            raise Wrong(f"{unreadable[0]}: this user may not read it; change its permissions")
        return f"{len(found)} files match"
    if _runs(config, "gamelog"):
        return f"the spout runs and listens on {source.host}:{source.port}"
    return f"port {_unused(source.port, source.host)} is free"


def _interface(interface: Polled, name: str, config: Config) -> str:
    area = next(iter(areas(config).values()), None)
    if area is None:
        raise Wrong(f"{name}.url is polled for each area, and no game has any; add them under [games]")
    now = int(time.time())
    fields = {
        "game": area.game, "plat": area.plat, "area": area.id, "page": 1, "since": now,
        "ts": area.zone.start("day", now), "day": f"{area.zone.local(now):%Y-%m-%d}",
    }  # fmt: skip
    token = os.environ.get(interface.token_env, "") if interface.token_env else ""
    extra = {"Authorization": f"Bearer {token}"} if token else {}
    return _get(interface.url.format_map(fields), interface.headers, extra, interface.timeout_seconds)


def _get(
    url: str, headers: dict[str, str], extra: dict[str, str] | None = None, timeout: float = TIMEOUT
) -> str:
    """Ask for ``url`` and return how that went; a log that is still empty (416) will do."""
    try:
        answer = requests.get(
            url, headers={**headers, **(extra or {})}, timeout=min(timeout, TIMEOUT), stream=True
        )
        answer.close()
    except requests.RequestException as error:
        raise Wrong(f"{url}: {_reason(error)}; is the address right, and the server running?") from error
    if answer.status_code not in (200, 206, 416):
        raise Wrong(
            f"{url}: expected status 200, got {answer.status_code} {answer.reason}; is the address right?"
        )
    return f"{url} answers {answer.status_code}"


def _reason(error: requests.RequestException) -> str:
    """Return the cause that lies deepest in what the library says, e.g. ``Connection refused``."""
    causes = re.findall(r"\[Errno -?\d+\] ([^)\"']+)", str(error))
    return str(causes[-1]) if causes else f"{type(error).__name__}: {error}"


def _runs(config: Config, name: str) -> bool:
    return any(node.name == name and alive(node) for node in LocalRegistry(config.data).list())


def _unused(port: int, host: str = "127.0.0.1") -> int:
    """Return ``port`` if it can be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Wrong(
                f"port {port} on {host}: {error.strerror}; another program has it: end that, or choose another port"
            ) from error
    return port
