"""Whether running bolts know other games and areas than the configuration's file: they have read it when they were started."""

from collections.abc import Iterable
from contextlib import closing

from analytics.cluster import NodeEntry, open_registry
from analytics.cluster.registry import alive
from analytics.config import Config, fingerprint
from analytics.errors import AnalyticsError

PATIENCE = 3.0
"""Seconds for etcd to answer."""

ROLE = "bolts"


class Outdated(AnalyticsError):
    """Running bolts know other games and areas than the command that was called; the message says what to do."""


def outdated(config: Config, nodes: Iterable[NodeEntry]) -> str:
    """Return, in a sentence, which running workers and timers know other games and areas than ``config``, "" if none does.

    What a node of an older release knows is unknown.
    """
    here = fingerprint(config)
    others = [one for one in nodes if one.role == ROLE and alive(one) and one.games not in ("", here)]
    if not others:
        return ""
    names = ", ".join(f"{one.name} on {one.host}" if one.remote else one.name for one in others)
    return (
        f"{names}: running with other games, areas, time zones or bolts than {config.file} has now; "
        "call `bin/analytics reload` on each host to take the change up"
    )


def find_outdated(config: Config) -> str:
    """Return the same of the nodes that the registry knows."""
    with closing(open_registry(config, PATIENCE)) as registry:
        return outdated(config, registry.list())


def refuse_outdated(config: Config) -> None:
    """Raise Outdated where bolts would count by another configuration than the caller's."""
    if text := find_outdated(config):
        raise Outdated(text)
