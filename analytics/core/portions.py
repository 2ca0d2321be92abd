"""Many things, some at a time."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def portions(
    items: Iterable[T], most: int, size: Callable[[T], int] = lambda item: 0, enough: int = 1
) -> Iterator[list[T]]:
    """Yield ``items`` in lists: of at most ``most``, and none goes on once its items' sizes are ``enough``."""
    portion: list[T] = []
    held = 0
    for item in items:
        portion.append(item)
        held += size(item)
        if len(portion) == most or held >= enough:
            yield portion
            portion, held = [], 0
    if portion:
        yield portion
