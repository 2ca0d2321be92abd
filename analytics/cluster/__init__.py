"""The registry of nodes on all hosts, and the election of the active one of several instances."""

from analytics.cluster.election import Election
from analytics.cluster.keys import Keys
from analytics.cluster.opening import host_name, open_keys, open_registry
from analytics.cluster.registry import LocalRegistry, NodeEntry

__all__ = ["Election", "Keys", "LocalRegistry", "NodeEntry", "host_name", "open_keys", "open_registry"]
