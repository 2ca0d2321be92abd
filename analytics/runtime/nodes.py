"""Which nodes there are: by name, and those that a configuration needs."""

from collections.abc import Sequence

from analytics.config import Config, catalogue, groups
from analytics.core.timer_sources import READ_BY_TIMERS
from analytics.errors import AnalyticsError

WORKERS = "workers"
TIMERS = "timers"
METRICS = "metrics"
DASHBOARD = "dashboard"
ALERTS = "alerts"
BROKER = "broker"
ENGINE = "engine"
STORE = "store"


def all_readers(config: Config) -> frozenset[str]:
    """Return the readers of the Queue if the configuration left none out."""
    return frozenset({*catalogue(config), TIMERS})


def readers(config: Config) -> dict[str, list[str]]:
    """Return who reads the Queue and which topics: every bolt that runs, and ``timers``."""
    known = catalogue(config)
    bolts = {bolt: list(known[bolt].reads) for members in groups(config).values() for bolt in members}
    if not config.timers.every_seconds:
        return bolts
    return {**bolts, TIMERS: list(READ_BY_TIMERS)}


def require_broker(config: Config, what: str, instead: str) -> None:
    """Raise AnalyticsError where an engine counts, which has no broker.

    Args:
        what: needs one.
        instead: what to do, as a sentence.
    """
    if config.engine.kind:
        raise AnalyticsError(
            f'{what}: expected a broker, but engine.kind is "{config.engine.kind}" in {config.file}, so there is none. {instead}'
        )


def needed(config: Config) -> list[str]:
    """Return the nodes that count what this configuration names, in the order in which to start them."""
    embedded = not config.mongodb.uri and not config.mongodb.uri_env
    spouts = {
        "gamelog": bool(config.gamelog.sources),
        "payment": bool(config.payment.url),
        "syncuser": bool(config.syncuser.url),
    }
    return [
        *([STORE] if embedded else []),
        *([ENGINE] if config.engine.kind else [BROKER, *groups(config)]),
        *([TIMERS] if config.timers.every_seconds else []),
        *(name for name, wanted in spouts.items() if wanted),
        *([METRICS] if config.metrics.port else []),
        *([DASHBOARD] if config.dashboard.port else []),
        *([ALERTS] if config.alerts or config.digest.to else []),
    ]


def registered(config: Config, names: Sequence[str]) -> list[str]:
    """Return under which names the registry knows the nodes that ``run`` makes of ``names``."""
    result = []
    for name in dict.fromkeys(names):
        if name == WORKERS:
            result += [f"worker-{group}" for group in groups(config)]
        elif name in groups(config):
            result.append(f"worker-{name}")
        elif name not in catalogue(config):
            result.append(name)
    bolts = single_bolts(config, names)
    return [*result, f"worker-{'+'.join(bolts)}"] if bolts else result


def single_bolts(config: Config, names: Sequence[str]) -> list[str]:
    """Return the bolts that are named one by one, which share a worker."""
    return [name for name in dict.fromkeys(names) if name in catalogue(config) and name not in groups(config)]
