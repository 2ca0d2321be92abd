"""Dictionaries that know how much memory their values take, so that nobody has to go through them to learn it."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Sized(dict[K, V]):
    """A dictionary that keeps the sum of its values' sizes. Change it by single entries only.

    Attributes:
        nbytes: about how much memory the values take.

    Args:
        size: takes a value; returns how much it takes, always the same.
    """

    def __init__(self, size: Callable[[V], int]) -> None:
        super().__init__()
        self._size = size
        self.nbytes = 0

    def __setitem__(self, key: K, value: V) -> None:
        if key in self:
            self.nbytes -= self._size(self[key])
        super().__setitem__(key, value)
        self.nbytes += self._size(value)

    def __delitem__(self, key: K) -> None:
        value = self[key]
        super().__delitem__(key)
        self.nbytes -= self._size(value)

    def pop(self, key: K, default: Any = None) -> Any:
        """Remove an entry and return its value; ``default`` where there is none."""
        if key not in self:
            return default
        value = self[key]
        del self[key]
        return value


def sized(size: Callable[[V], int]) -> "defaultdict[str, Sized[Any, V]]":
    """Return such dictionaries by name, made as they are asked for."""
    return defaultdict(lambda: Sized(size))


def sum_of_sizes(some: Iterable[Sized[Any, Any]]) -> int:
    """Return how much memory the values of several take."""
    return sum(one.nbytes for one in some)
