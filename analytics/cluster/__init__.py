"""Which nodes there are and how they do."""

from analytics.cluster.registry import LocalRegistry, Node, Registry

__all__ = ["LocalRegistry", "Node", "Registry"]
