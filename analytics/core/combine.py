"""Combining: of what several messages change in a document, what counts under one number becomes one change. Pure."""

from collections.abc import Mapping

from analytics.core.bolt import Bolt, Key
from analytics.core.fold import Delta

Deltas = dict[str, dict[Key, list[Delta]]]
"""Per bolt and key, what changes in the document: of each topic and number one delta."""


def combine(into: Deltas, bolts: Mapping[str, Bolt], folded: Mapping[str, Mapping[Key, Delta]]) -> None:
    """Add what a message changes to ``into``, which takes over its states."""
    for name, deltas in folded.items():
        bolt, kept = bolts[name], into.setdefault(name, {})
        for key, delta in deltas.items():
            if key in kept:
                _join(bolt, kept[key], delta)
            else:
                kept[key] = [delta]


def _join(bolt: Bolt, kept: list[Delta], more: Delta) -> None:
    for place, one in enumerate(kept):
        if (one.topic, one.number) == (more.topic, more.number):
            states = [
                merge(state, other)
                for (_, merge, *_), state, other in zip(
                    bolt.readers[one.topic], one.states, more.states, strict=True
                )
            ]
            kept[place] = Delta(one.topic, one.number, states, one.tuples + more.tuples)
            return
    kept.append(more)
