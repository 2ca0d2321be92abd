"""Which form of the longest tests runs. Each has a short one, which breaks the same things, fewer times or on fewer records."""

import os

LONG = bool(os.environ.get("ANALYTICS_TEST_LONG"))
"""Whether the long forms run, as in ``.ci/run``."""
SHARE, FEWEST = 4, 20


def examples(count: int) -> int:
    """Return how many examples a law is tried on: ``count`` in the long form, a quarter of them in the short one."""
    return count if LONG else max(count // SHARE, min(count, FEWEST))
