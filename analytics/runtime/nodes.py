"""Which nodes there are: by name, and those that a configuration needs."""

import difflib
import importlib
from collections.abc import Iterable, Sequence
from functools import partial

from analytics.bolts import BOLTS
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.runtime.node import Node

ALL_BOLTS = "main"
WORKERS = "workers"
TIMERS = "timers"
METRICS = "metrics"
DASHBOARD = "dashboard"
READ_BY_TIMERS = ("loginday", "signupday", "paysummary", "loginhour", "signuphour", "createrolehour")
"""The topics that tell the node ``timers`` what has changed."""


class UnknownNode(AnalyticsError):
    """A node of that name does not exist; the message names those that do."""


def groups(config: Config) -> dict[str, list[str]]:
    """Return the worker processes and their bolts: those of the configuration, else one, ``main``, for all."""
    return config.worker.groups or {ALL_BOLTS: list(BOLTS)}


def readers(config: Config) -> dict[str, list[str]]:
    """Return who reads the Queue and which topics: every bolt that the configuration groups, and ``timers``."""
    bolts = {bolt: list(BOLTS[bolt].reads) for members in groups(config).values() for bolt in members}
    return {**bolts, TIMERS: list(READ_BY_TIMERS)} if config.timers.every_seconds else bolts


def needed(config: Config) -> list[str]:
    """Return the nodes that count what this configuration names, in the order in which to start them."""
    embedded = not config.mongodb.uri and not config.mongodb.uri_env
    spouts = {
        "gamelog": bool(config.gamelog.sources),
        "payment": bool(config.payment.url),
        "syncuser": bool(config.syncuser.url),
    }
    return [
        *(["store"] if embedded else []),
        "broker",
        *groups(config),
        *([TIMERS] if config.timers.every_seconds else []),
        *(name for name, wanted in spouts.items() if wanted),
        *([METRICS] if config.metrics.port else []),
        *([DASHBOARD] if config.dashboard.port else []),
    ]


def registered(config: Config, names: Sequence[str]) -> list[str]:
    """Return under which names the registry knows the nodes that ``run`` makes of ``names``."""
    result = []
    for name in dict.fromkeys(names):
        if name == WORKERS:
            result += [f"worker-{group}" for group in groups(config)]
        elif name in groups(config):
            result.append(f"worker-{name}")
        elif name not in BOLTS:
            result.append(name)
    bolts = _single_bolts(config, names)
    return [*result, f"worker-{'+'.join(bolts)}"] if bolts else result


def build(names: Sequence[str], config: Config) -> list[Node]:
    """Return the nodes of those names; bolts named one by one share a worker.

    Raises:
        UnknownNode: a name that no node has.
    """
    machines = ["broker", DASHBOARD, "gamelog", METRICS, "payment", "store", "syncuser", TIMERS]
    known = [*machines, WORKERS, *groups(config), *BOLTS]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise UnknownNode(f'node: expected the name of a node, got "{name}"; {hint}')
    bolts = _single_bolts(config, names)
    nodes: list[Node] = []
    for name in dict.fromkeys(names):
        if name == WORKERS:
            nodes += [_worker(config, group, members) for group, members in groups(config).items()]
        elif name in groups(config):
            nodes.append(_worker(config, name, groups(config)[name]))
        elif name not in bolts:
            nodes.append(_machine(name, config))
    return [*nodes, _worker(config, "+".join(bolts), bolts)] if bolts else nodes


def _single_bolts(config: Config, names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name in BOLTS and name not in groups(config)]


def _worker(config: Config, name: str, bolts: Iterable[str]) -> Node:
    """Return a worker, one of which works if several are run."""
    from analytics.runtime.hosted import Hosted
    from analytics.runtime.worker import Worker

    name, bolts = f"worker-{name}", list(bolts)
    return Hosted(config, name, Worker.role, lambda found: Worker(found, bolts, name), alone=True)


def _machine(name: str, config: Config) -> Node:
    """Return a node that is no worker. Only what it needs is imported."""
    if name == "broker":
        from analytics.broker.broker import Broker
        from analytics.runtime.hosted import OfferedBroker

        if config.etcd.endpoints:
            return OfferedBroker(config, readers(config))
        return Broker(config.broker, config.data, readers(config))
    if name == TIMERS:
        from analytics.runtime.hosted import Hosted
        from analytics.runtime.timers.node import Timers

        return Hosted(config, name, Timers.role, Timers, alone=True)
    if name == DASHBOARD:
        dashboard: Node = importlib.import_module("analytics.web.server").Dashboard(config)
        return dashboard
    if name == METRICS:
        # By name, since it lies further out than this module: it shows what everything else does.
        node: Node = importlib.import_module("analytics.web.serving").Metrics(config)
        return node
    if name == "store":
        from analytics.store.embedded import StoreNode

        return StoreNode(config)
    if config.etcd.endpoints:
        from analytics.runtime.hosted import Hosted

        return Hosted(config, name, "spout", partial(_spout, name), alone=False)
    return _spout(name, config)


def _spout(name: str, config: Config) -> Node:
    if name == "gamelog":
        from analytics.spouts.gamelog import Gamelog

        return Gamelog(config)
    from analytics.config import areas

    if name == "payment":
        from analytics.spouts.payment import Payment

        return Payment(config, areas(config))
    from analytics.spouts.syncuser import Syncuser

    return Syncuser(config, areas(config))
