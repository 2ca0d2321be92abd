"""Measures that say what the newest or the oldest row says, in the same algebra as those of ``analytics.core.measures``.

``order`` tells which of two rows is newer. It must be comparable, storable, and decide: equal orders mean equal values.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Literal

from analytics.core.attribute_paths import getter
from analytics.core.measures import Document, Getter, Growing, Measure

StoredKind = Literal["text", "integer", "double"]


class Latest(Measure[tuple[Any, Any] | None]):
    """The value of the row with the highest ``order``, which is kept in the field ``_<field>``; ``default`` without rows.

    ``adds``: whether the values of several documents may be added up. ``kind``: what other tools take a value for that is null without rows.
    """

    def __init__(
        self,
        of: str | Getter,
        order: str | Getter,
        default: Any = 0,
        show: Callable[[Any], Any] = lambda value: value,
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
        adds: bool = False,
        kind: StoredKind = "text",
    ) -> None:
        super().__init__(on, where, named=[of, order])
        self._adds = adds
        self.kind = kind
        self.path = of
        self._of = getter(of)
        self._order = getter(order)
        self._default = default
        self._show = show

    def empty(self) -> tuple[Any, Any] | None:
        return None

    def gather(self, rows: Sequence[Any]) -> tuple[Any, Any] | None:
        chosen = self.chosen(rows)
        if not chosen:
            return None
        row = max(chosen, key=self._order)
        return self._order(row), self._of(row)

    def merge(self, state: tuple[Any, Any] | None, more: tuple[Any, Any] | None) -> tuple[Any, Any] | None:
        if state is None or more is None:
            return more if state is None else state
        return more if more[0] > state[0] else state

    def save(self, field: str, state: tuple[Any, Any] | None) -> dict[str, Any]:
        if state is None:
            return {field: self._show(self._default)}
        return {field: self._show(state[1]), f"_{field}": _storable(state)}

    def load(self, field: str, document: Document) -> tuple[Any, Any] | None:
        kept = document.get(f"_{field}")
        return None if kept is None else (_comparable(kept[0]), kept[1])

    def hidden(self, field: str) -> list[str]:
        return [f"_{field}"]

    def added(self, field: str) -> list[str]:
        return [field] if self._adds else []


class LatestRow(Measure[tuple[Any, ...] | None]):
    """Several values of the row with the highest ``order``, each in the field of its name, null without rows.

    ``order`` as for :class:`Latest`; it is kept once for all of them, in the field ``_<field>``.
    """

    def __init__(
        self,
        order: str | Getter,
        values: Sequence[str],
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
    ) -> None:
        super().__init__(on, where, named=[order, *values])
        self._order = getter(order)
        self.names = list(values)
        self._read = _joint_getter([order, *values])

    def empty(self) -> tuple[Any, ...] | None:
        return None

    def gather(self, rows: Sequence[Any]) -> tuple[Any, ...] | None:
        chosen = self.chosen(rows)
        if not chosen:
            return None
        return self._read(chosen[0] if len(chosen) == 1 else max(chosen, key=self._order))

    def merge(self, state: tuple[Any, ...] | None, more: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if state is None or more is None:
            return more if state is None else state
        return more if more[0] > state[0] else state

    def save(self, field: str, state: tuple[Any, ...] | None) -> dict[str, Any]:
        order, *values = _storable(state) if state else [None] * (1 + len(self.names))
        return {**dict(zip(self.names, values, strict=True)), f"_{field}": order}

    def load(self, field: str, document: Document) -> tuple[Any, ...] | None:
        order = _comparable(document.get(f"_{field}"))
        return None if order is None else (order, *(document[name] for name in self.names))


Table = dict[Any, tuple[Any, ...]]


class LatestBy(Growing[Table]):
    """A table: for each ``key`` the values of the row with the highest ``order``.

    The document keeps it as rows ``[key, order, *values]`` in ``list_field``; a newer row of a key makes the
    older one stale. What readers see is ``show(table)``, where the table maps a key to ``(order, *values)``;
    ``adds`` names those of its fields that may be added up over documents.
    """

    goes_stale = True

    def __init__(
        self,
        key: str | Getter,
        order: str | Getter,
        values: Sequence[str | Getter],
        list_field: str,
        show: Callable[[Table], dict[str, Any]],
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
        adds: Sequence[str] = (),
    ) -> None:
        super().__init__(on, where, named=[key, order, *values])
        self._adds = list(adds)
        self.key_path = key
        self._key = getter(key)
        self._read = _joint_getter([order, *values])
        self._show = show
        self.list_field = list_field

    def empty(self) -> Table:
        return {}

    def gather(self, rows: Sequence[Any]) -> Table:
        chosen = self.chosen(rows)
        return self._chosen({}, ((self._key(row), self._read(row)) for row in chosen))

    def merge(self, state: Table, more: Table) -> Table:
        return self._chosen(state, more.items())

    def absorb(self, state: Table, more: Table) -> list[Any]:
        newer = {key: entry for key, entry in more.items() if key not in state or entry[0] > state[key][0]}
        state.update(newer)
        return [[key, *_storable(entry)] for key, entry in newer.items()]

    def compact(self, state: Table) -> list[Any]:
        return [[key, *_storable(entry)] for key, entry in sorted(state.items())]

    def save(self, field: str, state: Table) -> dict[str, Any]:
        return self._show(state)

    def load(self, field: str, document: Document) -> Table:
        rows = document.get(self.list_field, ())
        return self._chosen({}, ((row[0], (_comparable(row[1]), *row[2:])) for row in rows))

    def added(self, field: str) -> list[str]:
        return self._adds

    @staticmethod
    def _chosen(table: Table, entries: Iterable[tuple[str, tuple[Any, ...]]]) -> Table:
        for key, entry in entries:
            kept = table.get(key)
            if kept is None or entry[0] > kept[0]:
                table[key] = entry
        return table


class EarliestBy(LatestBy):
    """A table as :class:`LatestBy` keeps it, but of the row with the lowest ``order`` for each ``key``."""

    def absorb(self, state: Table, more: Table) -> list[Any]:
        older = {key: entry for key, entry in more.items() if key not in state or entry[0] < state[key][0]}
        state.update(older)
        return [[key, *_storable(entry)] for key, entry in older.items()]

    @staticmethod
    def _chosen(table: Table, entries: Iterable[tuple[str, tuple[Any, ...]]]) -> Table:
        for key, entry in entries:
            kept = table.get(key)
            if kept is None or entry[0] < kept[0]:
                table[key] = entry
        return table


class Members(LatestBy):
    """The keys whose newest row has something: how many there are, and the list of them, ``list_field``.

    A key leaves when a newer row of it lacks that. The table itself is kept by a :class:`LatestBy` of the same bolt.

    Args:
        table: that measure's list, of the same key, order and values.
        has: takes the values of a row.
    """

    shrinks = True

    def __init__(
        self,
        key: str | Getter,
        order: str | Getter,
        values: Sequence[str | Getter],
        list_field: str,
        table: str,
        has: Callable[..., bool],
        on: str | Iterable[str] | None = None,
    ) -> None:
        super().__init__(key, order, values, list_field, lambda table: {}, on)
        self._table_field = table
        self._has = has

    def absorb(self, state: Table, more: Table) -> list[Any]:
        newer = {key: entry for key, entry in more.items() if key not in state or entry[0] > state[key][0]}
        there = {key for key in newer if key in state and self._has(*state[key][1:])}
        state.update(newer)
        return [key for key, entry in newer.items() if key not in there and self._has(*entry[1:])]

    def compact(self, state: Table) -> list[Any]:
        return sorted(key for key, entry in state.items() if self._has(*entry[1:]))

    def save(self, field: str, state: Table) -> dict[str, Any]:
        return {field: sum(self._has(*entry[1:]) for entry in state.values())}

    def load(self, field: str, document: Document) -> Table:
        rows = document.get(self._table_field, ())
        return self._chosen({}, ((row[0], (_comparable(row[1]), *row[2:])) for row in rows))


def _storable(entry: tuple[Any, ...]) -> list[Any]:
    """Databases hand tuples back as lists; write lists from the start so that both compare equal."""
    return [list(entry[0]) if isinstance(entry[0], tuple) else entry[0], *entry[1:]]


def _comparable(order: Any) -> Any:
    return tuple(order) if isinstance(order, list) else order


def _joint_getter(of: Sequence[str | Getter]) -> Callable[[Any], tuple[Any, ...]]:
    """Return the function that reads several values, at least two, from a row at once."""
    paths = [one for one in of if isinstance(one, str)]
    if len(paths) == len(of) > 1:
        return attrgetter(*paths)
    getters = [getter(one) for one in of]
    return lambda row: tuple([get(row) for get in getters])
