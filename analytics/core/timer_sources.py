"""What timer bolts are computed from, and which topics report that it has changed.

The timer bolts themselves need numpy. A broker, and commands such as ``status``, need no more of them than this.
"""

from analytics.core.bolt import CHANGES
from analytics.core.funnels import STEPS
from analytics.core.segments import PROPERTIES

SOURCES = ("loginday", "signupday", "paysummary", "onlinehour", "sessionhour")
"""The collections that facts come from, but the steps of funnels: only some configurations have them, and all accts of them sign up."""

READ_FOR_STARTS = ("loginhour", "signuphour", "createrolehour")
"""The collections whose ``first_ts`` say when an area started."""

READ_BY_TOTALS = (CHANGES, *READ_FOR_STARTS)
READ_BY_TIMERS = (*SOURCES, STEPS, PROPERTIES, *READ_BY_TOTALS)
"""The topics that tell what has changed; totals need only those of ``READ_BY_TOTALS``."""
