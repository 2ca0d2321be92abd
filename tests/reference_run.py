"""The reference runner after some tuples."""

from collections.abc import Iterable, Mapping
from typing import Any

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt
from analytics.core.reference import Reference


def run(bolts: Iterable[Bolt], areas: Areas, tuples: Iterable[tuple[str, Mapping[str, Any]]]) -> Reference:
    """Return the reference runner after all ``(topic, tuple)`` pairs, one message each."""
    reference = Reference(bolts, areas)
    for topic, one in tuples:
        reference.put(topic, [one])
    return reference
