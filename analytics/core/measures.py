"""The small algebra that bolts are declared in: what a document says, and how it grows.

A measure's state is a monoid: `gather` makes one from rows, `merge` joins two, in any order and grouping with the same
result. The same state is kept in a stored document, so folding a million records at once or one by one gives equal documents.

Those that say what the newest row says stand in ``analytics.core.latest``.

Rows are whatever a bolt reads (decoded tuples, or what one tuple is taken apart into). Values are named by an attribute path
(``"data.acct"``) or by a function of the row. A measure that reads no more than attribute paths takes Columns as well.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from analytics.core.attribute_paths import getter
from analytics.core.columns import Columns
from analytics.core.compiled import added

S = TypeVar("S")
Getter = Callable[[Any], Any]
Document = Mapping[str, Any]
Rows = Sequence[Any] | Columns

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


class Measure(ABC, Generic[S]):
    """One field of a document.

    Every measure takes two limits: ``on``, the bolt's topics that it looks at (None: all of them), and
    ``where``, what must hold for a row (None: nothing).

    Attributes:
        paths: the attribute paths that are all it reads of a row; None where it needs the row itself.
        named: the attribute paths among ``where`` and what else it is declared with.
    """

    cancels = False
    """Whether merging changes a state although what is shown stays the same, as when a sum adds up to 0."""

    def __init__(
        self,
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
        paths: Iterable[str] | None = None,
        named: Iterable[str | Getter] = (),
    ) -> None:
        self.on = frozenset([on] if isinstance(on, str) else on) if on is not None else None
        self.paths = frozenset(paths) if paths is not None and where is None else None
        self.named = [one for one in (*named, where) if isinstance(one, str)]
        self._where = getter(where) if where is not None else None

    def reads(self, topic: str) -> bool:
        """Whether rows of ``topic`` count."""
        return self.on is None or topic in self.on

    def chosen(self, rows: Any) -> Any:
        """Return the rows for which ``where`` holds."""
        return rows if self._where is None else [row for row in rows if self._where(row)]

    @abstractmethod
    def empty(self) -> S:
        """Return the state of no rows at all."""

    @abstractmethod
    def gather(self, rows: Sequence[Any]) -> S:
        """Return the state of these rows."""

    def delta(self, rows: Sequence[Any]) -> Any:
        """Return what these rows add to a state: their own, or another form of it that is cheaper to make."""
        return self.gather(rows)

    @abstractmethod
    def merge(self, state: S, more: Any) -> S:
        """Return the state of both. May change and return ``state``; never changes ``more``, a state or a delta."""

    @abstractmethod
    def save(self, field: str, state: S) -> dict[str, Any]:
        """Return the document's fields that this state shows as, or needs to be loaded again."""

    @abstractmethod
    def load(self, field: str, document: Document) -> S:
        """Return the state that :meth:`save` wrote. Lists in ``document`` are complete."""

    def hidden(self, field: str) -> list[str]:
        """Return the fields that :meth:`save` may add beyond those that it shows of an empty state."""
        return []

    def added(self, field: str) -> list[str]:
        """Return the shown fields that may be added up over documents: what two of them count is never the same thing."""
        return []


class Growing(Measure[S]):
    """A measure whose state is a list that only grows, so that a document can spread it over parts."""

    list_field: str
    goes_stale = False
    """Whether a newer list item can make an older one meaningless."""

    shrinks = False
    """Whether a change can take items away. What is shown in the measure's field is then how many there are."""

    @abstractmethod
    def absorb(self, state: S, more: Any) -> list[Any]:
        """Merge ``more``, a state or a delta, into ``state`` itself and return a new list of the items that this adds to it."""

    @abstractmethod
    def compact(self, state: S) -> list[Any]:
        """Return the shortest list that says ``state``; equal states give equal lists."""


class _OfValue(Measure[S]):
    """A measure of one value of each row."""

    def __init__(
        self,
        of: str | Getter,
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
    ) -> None:
        super().__init__(on, where, [of] if isinstance(of, str) else None, named=[of])
        self._of = getter(of)
        self.path = of

    def values(self, rows: Rows) -> Iterable[Any]:
        """Return the value of each row for which ``where`` holds."""
        if isinstance(rows, Columns):
            return rows.lists[self.path]  # type: ignore[index]
        return map(self._of, rows if self._where is None else self.chosen(rows))


class Count(Measure[int]):
    """How many rows there are."""

    def __init__(self, where: str | Getter | None = None, on: str | Iterable[str] | None = None) -> None:
        super().__init__(on, where, ())

    def empty(self) -> int:
        return 0

    def gather(self, rows: Rows) -> int:
        return len(rows if self._where is None else self.chosen(rows))

    def merge(self, state: int, more: int) -> int:
        return state + more

    def save(self, field: str, state: int) -> dict[str, Any]:
        return {field: state}

    def load(self, field: str, document: Document) -> int:
        return int(document.get(field, 0))

    def added(self, field: str) -> list[str]:
        return [field]


class Sum(_OfValue[int]):
    """The sum of an integer value over the rows.

    A sum past 64 bits, which no store takes, shows as a float; the exact one stands in ``_<field>`` as text.
    """

    cancels = True

    def __init__(
        self, of: str | Getter, where: str | Getter | None = None, on: str | Iterable[str] | None = None
    ) -> None:
        super().__init__(of, on, where)

    def empty(self) -> int:
        return 0

    def gather(self, rows: Rows) -> int:
        return sum(self.values(rows))

    def merge(self, state: int, more: int) -> int:
        return state + more

    def save(self, field: str, state: int) -> dict[str, Any]:
        return _sum(field, state)

    def load(self, field: str, document: Document) -> int:
        return _loaded_sum(field, document)

    def hidden(self, field: str) -> list[str]:
        return [f"_{field}"]

    def added(self, field: str) -> list[str]:
        return [field]


class Tally(_OfValue[dict[Any, int]]):
    """How many rows have each of some values, each in the field of the value's name. Others count nowhere."""

    def __init__(
        self,
        of: str | Getter,
        values: Sequence[str],
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
    ) -> None:
        super().__init__(of, on, where)
        self._counted = list(values)

    def empty(self) -> dict[Any, int]:
        return {}

    def gather(self, rows: Rows) -> dict[Any, int]:
        counts: dict[Any, int] = {}
        for value in self.values(rows):
            counts[value] = counts.get(value, 0) + 1
        return counts

    def merge(self, state: dict[Any, int], more: dict[Any, int]) -> dict[Any, int]:
        for value, count in more.items():
            state[value] = state.get(value, 0) + count
        return state

    def save(self, field: str, state: dict[Any, int]) -> dict[str, Any]:
        return {value: state.get(value, 0) for value in self._counted}

    def load(self, field: str, document: Document) -> dict[Any, int]:
        return {value: int(document.get(value, 0)) for value in self._counted}

    def added(self, field: str) -> list[str]:
        return self._counted


Moves = tuple[int, int, int, int]


class Flow(_OfValue[Moves]):
    """What goes out and what comes in, of an integer that is below 0 or above 0: how often, and how much in all.

    ``out`` and ``into``: the fields of how often and how much; amounts are positive. Past 64 bits they show as :class:`Sum` does.
    """

    def __init__(
        self,
        of: str | Getter,
        out: tuple[str, str],
        into: tuple[str, str],
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
    ) -> None:
        super().__init__(of, on, where)
        self._out, self._into = out, into

    def empty(self) -> Moves:
        return 0, 0, 0, 0

    def gather(self, rows: Rows) -> Moves:
        values = list(self.values(rows))
        out = [value for value in values if value < 0]
        into = [value for value in values if value > 0]
        return len(out), -sum(out), len(into), sum(into)

    def merge(self, state: Moves, more: Moves) -> Moves:
        return state[0] + more[0], state[1] + more[1], state[2] + more[2], state[3] + more[3]

    def save(self, field: str, state: Moves) -> dict[str, Any]:
        out, went, into, came = state
        return {
            self._out[0]: out,
            **_sum(self._out[1], went),
            self._into[0]: into,
            **_sum(self._into[1], came),
        }

    def load(self, field: str, document: Document) -> Moves:
        return (
            int(document.get(self._out[0], 0)),
            _loaded_sum(self._out[1], document),
            int(document.get(self._into[0], 0)),
            _loaded_sum(self._into[1], document),
        )

    def hidden(self, field: str) -> list[str]:
        return [f"_{self._out[1]}", f"_{self._into[1]}"]

    def added(self, field: str) -> list[str]:
        return [*self._out, *self._into]


class Extreme(_OfValue[int | None]):
    """The least (``pick=min``) or greatest (``pick=max``) value of the rows; the field is absent without rows.

    Past 64 bits, where a product may lie, it shows as :class:`Sum` does.
    """

    def __init__(
        self,
        of: str | Getter,
        pick: Callable[..., int],
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
    ) -> None:
        super().__init__(of, on, where)
        self._pick = pick

    def empty(self) -> int | None:
        return None

    def gather(self, rows: Rows) -> int | None:
        if isinstance(rows, Columns):
            return rows.extreme(self.path, self._pick)  # type: ignore[arg-type, no-any-return]
        return self._pick(self.values(rows), default=None)

    def merge(self, state: int | None, more: int | None) -> int | None:
        if state is None or more is None:
            return more if state is None else state
        return self._pick(state, more)

    def save(self, field: str, state: int | None) -> dict[str, Any]:
        return {} if state is None else _sum(field, state)

    def load(self, field: str, document: Document) -> int | None:
        return None if document.get(field) is None else _loaded_sum(field, document)

    def hidden(self, field: str) -> list[str]:
        return [f"_{field}"]


Values = set[str]
"""Its members are found with fewer accesses to memory than those of a dictionary."""


class Distinct(Growing[Values], _OfValue[Values]):
    """How many different values there are; the values themselves stand in the list ``list_field``.

    Args:
        of: the value of a row, a string; with ``each``, an iterable of them.
        list_field: a name that begins with ``_`` keeps the list out of readers' sight.
    """

    def __init__(
        self,
        of: str | Getter,
        list_field: str,
        each: bool = False,
        on: str | Iterable[str] | None = None,
        where: str | Getter | None = None,
    ) -> None:
        super().__init__(of, on, where)
        self._each = each
        self.list_field = list_field

    def empty(self) -> Values:
        return set()

    def gather(self, rows: Rows) -> Values:
        return set(self.delta(rows))

    def delta(self, rows: Rows) -> Collection[str]:
        values = list(chain.from_iterable(self.values(rows))) if self._each else self.values(rows)
        return values if isinstance(values, list) else dict.fromkeys(values)  # lists have few repeats

    def merge(self, state: Values, more: Collection[str]) -> Values:
        if not isinstance(state, set):  # a delta, with which others are combined
            state = set(state)
        state.update(more)
        return state

    def absorb(self, state: Values, more: Collection[str]) -> list[str]:
        return added(state, more)

    def compact(self, state: Values) -> list[str]:
        return sorted(state)

    def save(self, field: str, state: Values) -> dict[str, Any]:
        return {field: len(state)}

    def load(self, field: str, document: Document) -> Values:
        return set(document.get(self.list_field, ()))


def _sum(field: str, total: int) -> dict[str, Any]:
    if _LOWEST <= total <= _HIGHEST:
        return {field: total}
    return {field: float(total), f"_{field}": str(total)}


def _loaded_sum(field: str, document: Document) -> int:
    return int(document.get(f"_{field}", document.get(field, 0)))


def fitting(total: int) -> int | float:
    """Return a total as stores take it: a float where it is past 64 bits."""
    return total if _LOWEST <= total <= _HIGHEST else float(total)


def money(cents: int) -> int | float:
    """Return an amount in currency units: an integer where it is whole."""
    return cents // 100 if cents % 100 == 0 else cents / 100
