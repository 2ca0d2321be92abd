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


def extend(into: Deltas, more: Deltas) -> None:
    """Add what was combined elsewhere to ``into``: then a document may have several deltas of one number."""
    for bolt, keys in more.items():
        kept = into.setdefault(bolt, {})
        for key, deltas in keys.items():
            kept.setdefault(key, []).extend(deltas)


class Combined(Delta, gc=False):
    """What several deltas change. It holds states of the measures, where a message's delta may hold what is cheaper to make."""


def _join(bolt: Bolt, kept: list[Delta], more: Delta) -> None:
    for place, one in enumerate(kept):
        if (one.topic, one.number) == (more.topic, more.number):
            if not isinstance(one, Combined):
                one = kept[place] = _begun(bolt, one)
            states = zip(bolt.readers[one.topic], one.states, more.states, strict=True)
            one.states = [merge(state, other) for (_, merge, *_), state, other in states]
            one.tuples += more.tuples
            return
    kept.append(more)


def _begun(bolt: Bolt, one: Delta) -> Combined:
    """Return a delta that others can be merged into."""
    measures = list(bolt.measures.values())
    readers = zip(bolt.readers[one.topic], one.states, strict=True)
    states = [merge(measures[place].empty(), state) for (place, merge, *_), state in readers]
    return Combined(one.topic, one.first, one.number, states, one.tuples)
