"""Many things, some at a time."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def portions(
    items: Iterable[T], most: int, size: Callable[[T], int] | None = None, enough: int = 1
) -> Iterator[list[T]]:
    """Yield ``items`` in lists: of at most ``most``, and, given ``size``, none goes on once its items' sizes are ``enough``."""
    left = iter(items)
    # Timer bolts take tens of thousands of area-days: without sizes, nothing is called for each.
    while portion := list(islice(left, most)) if size is None else _limited(left, most, size, enough):
        yield portion


def _limited(items: Iterator[T], most: int, size: Callable[[T], int], enough: int) -> list[T]:
    portion: list[T] = []
    held = 0
    for item in items:
        portion.append(item)
        held += size(item)
        if len(portion) == most or held >= enough:
            break
    return portion
