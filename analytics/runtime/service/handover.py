"""Stopping all that counts while the store runs on, so that something else may count."""

from contextlib import closing

from analytics.cluster import open_registry
from analytics.cluster.registry import alive
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.runtime.nodes import STORE
from analytics.runtime.service.control import Say, alone, stop_nodes
from analytics.runtime.service.refusals import STORE_SECONDS
from analytics.runtime.service.supervisor import Supervisor


def stop_counting(config: Config, say: Say) -> None:
    """Stop every node but the store, in order, when all is counted or time is up. See :func:`stop`.

    Raises:
        AnalyticsError: nodes run that `start` has not started, or on other hosts.
    """
    with alone(config, say):
        supervisor = Supervisor(config)
        if supervisor.pid:
            stop_nodes(supervisor, supervisor.started_with, say, but=(STORE,))
        with closing(open_registry(config, STORE_SECONDS)) as registry:
            left = [node for node in registry.list() if node.name != STORE and alive(node)]
        if left:
            listed = ", ".join(f"{node.name} (process {node.pid} on {node.host})" for node in left)
            raise AnalyticsError(
                f"{listed}: running. Stop what `start` has not started, and the suite on other hosts"
            )
