"""``analytics check``: checks the configuration and everything that it names."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import click
import gevent.pool
import msgspec

from analytics.app import configuration
from analytics.broker.clients import Refill
from analytics.cli.check_sources import SOURCE_CHECKS, TIMEOUT, CheckFailed, Outcome, runs, unused
from analytics.cli.console import Console, console, escape, some
from analytics.cluster import open_keys
from analytics.cluster.place import located
from analytics.config import BrokerSection, Config, areas, catalogue
from analytics.config.catalogue import fingerprints
from analytics.config.checks import unset_variables
from analytics.config.sections import Polled
from analytics.config.unquoted import unquoted
from analytics.config.uris import UNSAFE_KEY, without_secrets
from analytics.core.compiled import COMPILED
from analytics.core.periods import zone
from analytics.core.schema import GAMELOG
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.contradictions import contradictions, summary
from analytics.runtime.declarations import Declarations
from analytics.runtime.horizons import Horizons
from analytics.runtime.nodes import needed
from analytics.runtime.rate_notes import RateNotes
from analytics.runtime.usefulness import unseen_codes
from analytics.spouts.ends import durable_ends, journal_folder, shared_folder
from analytics.spouts.poller import Client
from analytics.store import MongoStore, open_store
from analytics.store.embedded.choice import elsewhere, engine_name, open_engine
from analytics.store.embedded.choice import reason as reason_of_engine
from analytics.store.probe import PROBE_SECONDS, Finding, Grade, probe_mongodb

AT_ONCE = 16  # checks in parallel: most of them wait for a network


Try = tuple[str, Callable[[], Outcome]]

_MARKS = {
    Grade.OK: "[green]ok     [/green]",
    Grade.WARNING: "[yellow]WARNING[/yellow]",
    Grade.ERROR: "[red]ERROR  [/red]",
}


@click.command()
@click.pass_obj
def check(path: Path | None) -> None:
    """Check the configuration and everything that it names: the store, the broker's ports, each source and interface.

    Reports for each whether it works, or what is wrong and what to do. The exit status is 1 if there is an error;
    warnings do not change it.
    """
    config = configuration(path)
    out = console(highlight=False)
    _print(out, f"configuration {config.file}", Finding(Grade.OK, _summary(config)))
    failed = False
    for name, findings in gevent.pool.Pool(AT_ONCE).imap(_attempt, tries(config)):
        for finding in findings:
            _print(out, name, finding)
            failed |= finding.grade is Grade.ERROR
    sys.exit(1 if failed else 0)


def _print(out: Console, name: str, finding: Finding) -> None:
    out.print(f"{_MARKS[finding.grade]} {escape(name)}: {escape(finding.text)}", soft_wrap=True)


def tries(config: Config) -> Iterator[Try]:
    """Yield all checks with their names."""
    yield "environment", partial(_environment, config)
    yield "data folder", partial(_data, config)
    yield "reading of game logs", _reading
    if "store" in needed(config):
        yield "embedded server", partial(_embedded, config)
    yield "store", partial(_store, config)
    yield "areas", partial(_areas, config)
    if config.bolts:
        yield "words in conditions", partial(_conditions, config)
    if fingerprints(config):
        yield "bolts of your own", partial(_own_bolts, config)
        if not config.engine.kind:
            yield "op codes of your own bolts", partial(_op_codes, config)
    if config.engine.kind:
        yield "engine", partial(_shared_folder, config)
        yield "who counts", partial(_handed_over, config)
        if config.engine.kind == "spark":
            yield "Spark", partial(_spark, config)
    else:
        yield "broker", partial(_broker, config)
    for address in config.etcd.endpoints:
        yield f"etcd {address}", partial(_etcd, config, address)
    for source in config.gamelog.sources:
        yield f"gamelog source {source.name}", partial(SOURCE_CHECKS[source.kind], source, config)
    for name, interface in (("payment", config.payment), ("syncuser", config.syncuser)):
        if interface.url:
            yield f"{name} interface", partial(_interface, interface, name, config)
        if interface.clock_url:
            yield f"{name} clock", partial(_clock, interface, name)


def _attempt(one: Try) -> tuple[str, list[Finding]]:
    name, action = one
    try:
        outcome = action()
        return name, [Finding(Grade.OK, outcome)] if isinstance(outcome, str) else list(outcome)
    except AnalyticsError as error:
        return name, [Finding(Grade.ERROR, str(error))]


def _summary(config: Config) -> str:
    count = sum(len(game.areas) for game in config.games.values())
    counts = {"game": len(config.games), "area": count, "source": len(config.gamelog.sources)}
    text = f"{', '.join(some(n, what) for what, n in counts.items())}, nodes {' '.join(needed(config))}"
    return text if count else text + " (without areas every record is rejected; see [games] in the file)"


def _environment(config: Config) -> str:
    unset = list(unset_variables(config))
    if unset:
        raise CheckFailed("; ".join(unset))
    return "every variable that the configuration names is set"


def _reading() -> str:
    if COMPILED:
        return "compiled"
    return "not compiled, so gamelog takes twice the CPU; install a C compiler and Python's headers, then delete .venv, or deploy"


def _data(config: Config) -> str:
    folder = next(path for path in (config.data, *config.data.parents) if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise CheckFailed(
            f"{folder} is not a folder that this user may write to; change `data` or its permissions"
        )
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize / (1 << 20)
    if free < config.broker.min_free_mb:
        raise CheckFailed(
            f"{free:,.0f} MB free, less than broker.min_free_mb = {config.broker.min_free_mb:g}; free some space"
        )
    return f"{config.data}, {free:,.0f} MB free"


def _embedded(config: Config) -> list[Finding]:
    """Return which server the node ``store`` runs and why, with warnings."""
    engine = open_engine(engine_name(config), config)
    chosen = Finding(Grade.OK, f"{engine.describe()}; chosen because {reason_of_engine(config)}")
    warnings = filter(None, (engine.caution(), elsewhere(config)))
    return [chosen, *(Finding(Grade.WARNING, text) for text in warnings)]


def _store(config: Config) -> Outcome:
    embedded = "store" in needed(config)
    if embedded and not runs(config, "store"):
        return f"the embedded server is not running; its port {unused(config.store.port)} is free"
    with closing(open_store(config, PROBE_SECONDS)) as store:
        if isinstance(store, MongoStore):
            return [*_unsafe(config), *probe_mongodb(store.database, embedded)]
        return "counts writes, and saves nothing"


def _areas(config: Config) -> Outcome:
    """Compare the configured areas with their documents."""
    if "store" in needed(config) and not runs(config, "store"):
        return "not compared with their documents, as the embedded server is not running"
    with closing(open_store(config, PROBE_SECONDS)) as store:
        found = contradictions(config, store)
        if lost := list(RateNotes(config, store).lost()):
            raise CheckFailed("; ".join(lost))
        dropped = Horizons.load(store, catalogue(config)).described(zone(config.timezone))
    if found:
        return [Finding(Grade.WARNING, summary(config, found))]
    return f"game, plat and time zone are those of the documents{dropped}"


def _conditions(config: Config) -> Outcome:
    """Look for texts without quotes in the conditions of declared bolts."""
    return [Finding(Grade.WARNING, text) for text in unquoted(config)] or "each is a field"


def _own_bolts(config: Config) -> Outcome:
    """Compare the documents of the bolts that the configuration declares with their declarations and the journals."""
    names = ", ".join(fingerprints(config))
    if "store" in needed(config) and not runs(config, "store"):
        return f"{names}; not compared with their documents, as the embedded server is not running"
    with closing(open_store(config, PROBE_SECONDS)) as store:
        notes = Declarations(config, store)
        waiting, found = ", ".join(notes.unstarted(config)), list(notes.disagreements(config))
    if waiting:
        found.insert(0, f"{waiting}: not counted yet; `bin/analytics restart` begins")
    return [Finding(Grade.WARNING, text) for text in found] or f"{names}: counted as they are declared"


def _op_codes(config: Config) -> Outcome:
    """Look for op codes that the configuration's own bolts read and no record had so far."""
    section = _reachable_broker(config)
    if section is None:
        return "not compared with what came in, as the broker is not running"
    with closing(Refill(section, TIMEOUT)) as refill:
        topics = {topic: head.records for topic, head in refill.state().heads.items()}
    bolts = catalogue(config)
    found = [(name, one) for name in fingerprints(config) for one in unseen_codes(topics, bolts[name].reads)]
    return [
        Finding(
            Grade.WARNING if one.nearest else Grade.OK,
            f"bolt {name}: no record of op code {one.op_code} came in so far"
            + (
                f"; did you mean {one.nearest}, of which there are {topics[GAMELOG + one.nearest]:,}?"
                if one.nearest
                else ""
            ),
        )
        for name, one in found
    ] or "records of each came in"


def _reachable_broker(config: Config) -> BrokerSection | None:
    """Return where the broker answers; None where it is one of this machine that does not run."""
    section = located(config).broker
    elsewhere = section != config.broker or (config.service.nodes and "broker" not in config.service.nodes)
    return section if elsewhere or runs(config, "broker") else None


def _unsafe(config: Config) -> list[Finding]:
    if not config.mongodb.unsafe_uri_options:
        return []
    text = (
        f"{UNSAFE_KEY} = true obeys options of the URI that may lose counted records in a failover; expected false: "
        "set it so, unless this database may lose records"
    )
    return [Finding(Grade.WARNING, text)]


def _broker(config: Config) -> str:
    if section := _reachable_broker(config):
        with closing(Refill(section, TIMEOUT)) as refill:
            state = refill.state()
        if state.blocked:
            raise CheckFailed(f"accepts nothing: {state.blocked}")
        return f"runs and answers at {section.reached_at or section.host}:{section.refill_port}"
    section = config.broker
    ports = (section.receiver_port, section.sender_port, section.refill_port)
    for port in ports:
        unused(port, section.host)
    return f"not running; ports {', '.join(map(str, ports))} are free"


def _shared_folder(config: Config) -> str:
    """Try the folder that the engine reads journals from."""
    try:
        folder = journal_folder(config)
        folder.mkdir(parents=True, exist_ok=True)
        count = len(durable_ends(shared_folder(config)))
    except OSError as error:
        raise CheckFailed(
            f"engine.shared: {shared_folder(config)}: {error.strerror}; expected a folder on storage that all hosts share, which "
            "this user may write to"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckFailed(f"{folder} is not a folder that this user may write to; change its permissions")
    return f"journals of this host lie in {folder}; spouts report {count:,} journals"


def _handed_over(config: Config) -> str:
    from analytics.engine.adopt import expect_no_broker

    if "store" in needed(config) and not runs(config, "store"):
        return "not known, as the embedded server is not running"
    with closing(open_store(config, PROBE_SECONDS)) as store:
        expect_no_broker(config, store)
    return "the engine, and nobody before it"


def _spark(config: Config) -> Iterator[Finding]:
    from analytics.engine.engines.spark_probe import probe_spark

    return probe_spark(config, store="store" not in needed(config) or runs(config, "store"))


def _etcd(config: Config, address: str) -> str:
    """Write and read as nodes do, at this address only."""
    section = msgspec.structs.replace(config.etcd, endpoints=[address])
    with closing(open_keys(msgspec.structs.replace(config, etcd=section), TIMEOUT)) as keys:
        keys.beat(f"check/{os.getpid()}", b"{}", 2)
        count = len(keys.list("nodes/"))
    return f"answers; {count} nodes of this suite are known there"


def _interface(interface: Polled, name: str, config: Config) -> str:
    area = next(iter(areas(config).values()), None)
    if area is None:
        raise CheckFailed(f"{name}.url is polled for each area, and no game has any; add them under [games]")
    now = int(time.time())
    fields = {
        "game": area.game, "plat": area.plat, "area": area.id, "page": 1, "since": now,
        "ts": area.zone.start("day", now), "day": f"{area.zone.local(now):%Y-%m-%d}",
    }  # fmt: skip
    with _asking(interface, name, "url") as client:
        next(client.pages({key: str(value) for key, value in fields.items()}))
    return f"{without_secrets(interface.url)} answers"


def _clock(interface: Polled, name: str) -> str:
    with _asking(interface, name, "clock_url") as client:
        now = client.now()
    return f"{without_secrets(interface.clock_url)} answers; its clock differs by {now - time.time():+,.0f} s"


@contextmanager
def _asking(interface: Polled, name: str, key: str) -> Iterator[Client]:
    """Yield the spout's client, with one attempt and a short time-out. ``key``: what to look at where nothing answers."""
    timeout = min(interface.timeout_seconds, TIMEOUT)
    client = Client(msgspec.structs.replace(interface, retries=0, timeout_seconds=timeout), name)
    try:
        yield client
    except Unavailable as error:
        raise CheckFailed(f"{error}; is {name}.{key} right, and its server running?") from error
    finally:
        client.close()
