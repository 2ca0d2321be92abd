"""For how long a head count of a game server holds. Pure."""

from collections.abc import Sequence
from itertools import pairwise

HOLD_MINUTES = 10
"""So long a head count holds while no other comes, its own minute included."""


def held(minutes: Sequence[int]) -> list[int]:
    """Return for how many minutes each head count holds, given their minutes in order; the last one for its own alone."""
    return [min(later - one, HOLD_MINUTES) for one, later in pairwise(minutes)] + [1]
