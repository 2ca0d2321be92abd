"""The composition root: reads the configuration and makes the nodes that it describes. Nothing but the commands imports it."""

import difflib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from analytics.config import Config, catalogue, groups, load
from analytics.errors import AnalyticsError
from analytics.runtime.nodes import (
    ALERTS,
    BROKER,
    DASHBOARD,
    ENGINE,
    METRICS,
    TIMERS,
    WORKERS,
    all_readers,
    readers,
    single_bolts,
)

if TYPE_CHECKING:
    from analytics.runtime.node import Node


class UnknownNode(AnalyticsError):
    """A node of that name does not exist; the message names those that do."""


def configuration(path: Path | None = None) -> Config:
    """Return the configuration, see :func:`analytics.config.load`."""
    return load(path)


def build(names: Sequence[str], config: Config) -> "list[Node]":
    """Return the nodes of those names; bolts named one by one share a worker.

    Raises:
        UnknownNode: a name that no node has.
    """
    machines = [
        ALERTS, BROKER, DASHBOARD, ENGINE, "gamelog", METRICS, "payment", "store", "syncuser", TIMERS,
    ]  # fmt: skip
    known = [*machines, WORKERS, *groups(config), *catalogue(config)]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise UnknownNode(f'node: expected the name of a node, got "{name}"; {hint}')
    _refuse_others(names, config)
    bolts = single_bolts(config, names)
    nodes: list[Node] = []
    for name in dict.fromkeys(names):
        if name == WORKERS:
            nodes += [_worker(config, group, members) for group, members in groups(config).items()]
        elif name in groups(config):
            nodes.append(_worker(config, name, groups(config)[name]))
        elif name not in bolts:
            nodes.append(_machine(name, config))
    return [*nodes, _worker(config, "+".join(bolts), bolts)] if bolts else nodes


def _refuse_others(names: Iterable[str], config: Config) -> None:
    """Raise UnknownNode for a node that counts in another way than the configuration says."""
    counting = {BROKER, WORKERS, *groups(config), *catalogue(config)}
    for name in names:
        if config.engine.kind and name in counting:
            raise UnknownNode(
                f'node {name}: expected none of broker and workers, as engine.kind is "{config.engine.kind}"; run '
                f"{ENGINE}, which counts instead"
            )
        if name == ENGINE and not config.engine.kind:
            raise UnknownNode(
                f'node {ENGINE}: expected engine.kind to be "local" or "spark" in {config.file}, found none; broker and '
                "workers count"
            )


def _worker(config: Config, name: str, bolts: Iterable[str]) -> "Node":
    """Return a worker, one of which works if several are run."""
    from analytics.runtime.hosted import Hosted
    from analytics.runtime.worker import Worker

    name, bolts = f"worker-{name}", list(bolts)
    return Hosted(config, name, Worker.role, lambda found: Worker(found, bolts, name), alone=True)


def _machine(name: str, config: Config) -> "Node":
    """Return a node that is no worker. Only what it needs is imported."""
    if name == BROKER:
        from analytics.broker.broker import Broker
        from analytics.runtime.offered_broker import OfferedBroker

        if config.etcd.endpoints:
            return OfferedBroker(config, readers(config), all_readers(config))
        return Broker(config.broker, config.data, readers(config), all_readers(config))
    if name == ENGINE:
        from analytics.engine.node import EngineNode
        from analytics.runtime.hosted import Hosted

        return Hosted(config, name, EngineNode.role, EngineNode, alone=True)
    if name == TIMERS:
        from analytics.runtime.hosted import Hosted
        from analytics.runtime.timers.node import Timers

        return Hosted(config, name, Timers.role, Timers, alone=True)
    if name == DASHBOARD:
        from analytics.web.dashboard_node import Dashboard

        return Dashboard(config)
    if name == ALERTS:
        from analytics.alerts.node import Alerts
        from analytics.runtime.hosted import Hosted

        return Hosted(config, name, Alerts.role, Alerts, alone=True)
    if name == METRICS:
        from analytics.web.metrics_node import Metrics

        return Metrics(config)
    if name == "store":
        from analytics.store.embedded import StoreNode

        return StoreNode(config)
    if config.etcd.endpoints and not config.engine.kind:
        from analytics.runtime.hosted import Hosted

        return Hosted(config, name, "spout", partial(_spout, name), alone=False)
    return _spout(name, config)


def _spout(name: str, config: Config) -> "Node":
    if name == "gamelog":
        from analytics.spouts.gamelog import GamelogSpout

        return GamelogSpout(config)
    from analytics.config import areas

    if name == "payment":
        from analytics.spouts.payment import PaymentSpout

        return PaymentSpout(config, areas(config))
    from analytics.spouts.syncuser import SyncuserSpout

    return SyncuserSpout(config, areas(config))
