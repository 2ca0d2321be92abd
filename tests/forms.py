"""Which form of the longest tests runs. Each has a short one, which breaks the same things, fewer times or on fewer records."""

import os

LONG = bool(os.environ.get("ANALYTICS_TEST_LONG"))
"""Whether the long forms run, as in ``.ci/run``."""
