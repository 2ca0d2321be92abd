"""Which form of the longest tests runs. The short one breaks the same things, fewer times or on fewer records."""

import os

import pytest

LONG = bool(os.environ.get("ANALYTICS_TEST_LONG"))
"""Whether the long forms run."""

THOROUGH = LONG or bool(os.environ.get("CI"))
"""Whether there is time for more than one test of a promise."""

long_form = pytest.mark.skipif(not LONG, reason="a long form: set ANALYTICS_TEST_LONG=1")
"""Marks what breaks a promise in one more way, at the cost of minutes, where a cheaper test breaks it already."""

thorough = pytest.mark.skipif(
    not THOROUGH, reason="a cheaper test breaks the same promise: set CI or ANALYTICS_TEST_LONG=1"
)
"""Marks what does that at the cost of half a minute of a processor: it runs before a change is taken, and not while one is made."""

SHARE, FEWEST = (4, 20) if THOROUGH else (8, 6)
"""What part of its examples a law is tried on where the long forms do not run, and how many are never too many."""

EXAMPLES = int(os.environ.get("ANALYTICS_TEST_EXAMPLES", "0"))
"""How many examples every law is tried on, to search for long; 0: as each says."""


def examples(count: int, of_many: bool = False) -> int:
    """Return how many examples a law is tried on: ``count`` in the long form, else a quarter of them or less.

    ``of_many``: it is tried on a dozen things or more that have most of what they do in common. Half as many are enough in the shortest form.
    """
    if EXAMPLES:
        return EXAMPLES
    if LONG:
        return count
    found = max(count // SHARE, min(count, FEWEST))
    return found if THOROUGH or not of_many else max(1, found // 2)
