"""Compares stored documents with derived ones. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.derive import States
from analytics.core.document import dates_of
from analytics.core.latest import Latest
from analytics.core.measures import Distinct, Growing, Measure

NOTHING = object()
"""Stands for a missing field."""

_OWN = frozenset(["_id", "_v", "_at", "updated", "parts"])
_DAMAGE = (TypeError, ValueError, KeyError, IndexError, AttributeError)
"""Errors of reading a document that was changed by hand."""


@dataclass(frozen=True, slots=True)
class ValueChanged:
    """A field's value as it is stored and as it should be; NOTHING where there is none."""

    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class ListChanged:
    """Items of a list that should not be there, and those that are missing."""

    fewer: Sequence[Any]
    more: Sequence[Any]


Differences = dict[str, ValueChanged | ListChanged]


def expected_fields(bolt: Bolt, key: Key, states: States, areas: Areas) -> dict[str, Any]:
    """Return a document's fields without its lists and dates, and without what only writers look at."""
    area = areas[key[0]]
    fields = {"game": area.game, "plat": area.plat} | bolt.fields_of(key)
    return fields | dict(bolt.constants) | bolt.show(states)


def differences(
    bolt: Bolt,
    key: Key,
    states: States,
    areas: Areas,
    document: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]] | None,
    most: States | None = None,
) -> Differences:
    """Return where a stored document differs from one that says ``states``.

    Args:
        parts: the document's parts, None if one is missing.
        most: the most that its lists may hold, if it has part of an incomplete change.
    """
    found: Differences = {}
    fields = expected_fields(bolt, key, states, areas)
    expected = {**fields, **dates_of(fields, areas)}
    lists = set(bolt.list_fields)
    for name in [*expected, *sorted(document.keys() - expected.keys() - lists - _OWN)]:
        old, new = document.get(name, NOTHING), expected.get(name, NOTHING)
        if old is NOTHING or new is NOTHING or not _same(old, new):
            found[name] = ValueChanged(old, new)
    for place, (name, measure) in enumerate(bolt.measures.items()):
        if isinstance(measure, Growing):
            upper = states[place] if most is None else most[place]
            changed = _list_changed(name, measure, states[place], upper, document, parts)
            if changed is not None:
                found[measure.list_field] = changed
    return found


def fits(measure: Measure[Any], low: Any, stored: Any, high: Any) -> bool:
    """Whether a stored state lies between the states ``low`` and ``high`` of a document.

    It is for bolts that read bolts: they take tuples by their meaning, so tuples in flight can't be identified by
    numbers.
    """
    if stored in (low, high):
        return True
    if isinstance(measure, Distinct):
        return bool(low <= stored <= high)
    if isinstance(measure, Latest):
        if None in (stored, high):
            return False
        # An order is the version of the document that said so: the newest says the same again when it is rewritten.
        if stored[1] == high[1] and stored[0] <= high[0]:
            return True
        # While that document moves on, its version may be one that said less than all records do.
        return low not in (None, high) and bool(low[0] <= stored[0] <= high[0])
    return bool(low != high)


def read_list(
    measure: Growing[Any], document: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]
) -> list[Any]:
    name = measure.list_field
    return [item for one in (*parts, document) for item in one.get(name, ())]


def _list_changed(
    name: str,
    measure: Growing[Any],
    state: Any,
    most: Any,
    document: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]] | None,
) -> ListChanged | None:
    items: list[Any] = []
    try:
        items = read_list(measure, document, parts or ())
        if measure.shrinks:
            return _members_changed(items, measure.compact(state), measure.compact(most), parts is not None)
        stored = measure.load(name, {measure.list_field: items})
        complete = parts is not None and (measure.goes_stale or len(items) == len(stored))
        if complete and _between(state, stored, most):
            return None
        old, new = measure.compact(stored), measure.compact(state)
    except _DAMAGE:
        return ListChanged(items, measure.compact(state))
    if isinstance(measure, Distinct):
        twice = [item for item, count in Counter(items).items() if count > 1]
        return ListChanged(sorted([*(stored - state), *twice], key=str), sorted(state - stored))
    olds, news = set(map(repr, old)), set(map(repr, new))
    return ListChanged(
        [one for one in old if repr(one) not in news], [one for one in new if repr(one) not in olds]
    )


def _members_changed(
    items: list[Any], members: list[Any], most: list[Any], complete: bool
) -> ListChanged | None:
    """Compare a list that may shrink. ``most``: what it may hold besides ``members``, where a change is half written."""
    if complete and (sorted(items) == members or (members != most and set(items) <= {*members, *most})):
        return None
    wrong = Counter(items) - Counter(members)
    return ListChanged(sorted(wrong.elements(), key=str), sorted(set(members) - set(items)))


def _between(state: Any, stored: Any, most: Any) -> bool:
    if state is most:
        return bool(stored == state)
    if isinstance(state, set):
        return bool(state <= stored <= most)
    return state.keys() <= stored.keys() and all(
        key in most and entry in (state.get(key, entry), most[key]) for key, entry in stored.items()
    )


def _same(old: Any, new: Any) -> bool:
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def agreed_states(
    bolt: Bolt,
    low: States,
    high: States,
    document: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]] | None,
) -> States:
    """Return, measure by measure, what a stored document says where that :func:`fits`, else what it should say."""
    result = []
    for (name, measure), least, most in zip(bolt.measures.items(), low, high, strict=True):
        try:
            whole = dict(document)
            if isinstance(measure, Growing):
                whole[measure.list_field] = read_list(measure, document, parts or ())
            stored = measure.load(name, whole)
            result.append(stored if fits(measure, least, stored, most) else most)
        except _DAMAGE:
            result.append(most)
    return result
