"""When the timer bolts run, and when their totals do: a decision of one clock, whatever there is to compute.

A run is due when nothing has come in for a second, at the latest ``every_seconds`` after something has. That second makes ``drain`` quick
without a way to ask for a run, and what comes in together one run. A run that was long is followed by a pause of its length, but of no more than
``every_seconds``, so that a trickle of records does not keep the machine busy.
"""

import time
from collections.abc import Callable

QUIET_SECONDS = 1.0
REST = 1.0
"""Length of the pause after a run, in lengths of the run."""

TOTALS_SHARE = 0.2
"""Of the time, how much may go into totals: today's change all the time, and each look at them reads a day of every area."""

TOTALS_REST = 120.0
"""Seconds after which they are computed in any case: a bolt that is further behind for minutes raises an alert."""

SILENT_SECONDS = 5.0
"""Without a change, after which they are computed at once: the machine has nothing better to do, and ``drain`` waits for them."""


class Schedule:
    """Says when the next run is due.

    Args:
        every_seconds: the longest that changes wait for a run.
        clock: seconds that only ever grow.
    """

    def __init__(self, every_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every_seconds
        self._clock = clock
        self._changed_at = self._waiting_since = self._began = 0.0
        self._resting_until = self._totals_resting_until = 0.0

    def note_change(self) -> None:
        """Something has changed: it waits from now on, if nothing did before."""
        self._changed_at = self._clock()
        self._waiting_since = self._waiting_since or self._changed_at

    def forget(self) -> None:
        """Nothing is left to compute: what comes next waits for quiet again."""
        self._waiting_since = 0.0

    def is_due(self) -> bool:
        """Return whether a run may begin now, given that there is something to compute."""
        moment = self._clock()
        if moment < self._resting_until:
            return False
        overdue = self._waiting_since > 0 and moment >= self._waiting_since + self._every
        return overdue or moment - self._changed_at >= QUIET_SECONDS

    def totals_are_due(self) -> bool:
        """Return whether a run that begins now computes totals, too."""
        return self._clock() >= min(self._totals_resting_until, self._changed_at + SILENT_SECONDS)

    def begin(self) -> None:
        """A run begins; it takes everything that waits."""
        self._began, self._waiting_since = self._clock(), 0.0

    def fail(self) -> None:
        """The run has failed: what it took has waited since it began."""
        self._waiting_since = self._began

    def end(self) -> float:
        """The run has ended; return how many seconds it took."""
        moment = self._clock()
        seconds = moment - self._began
        self._resting_until = moment + min(REST * seconds, self._every)
        return seconds

    def rest_totals(self, seconds: float) -> None:
        """Totals were computed, and that took so many seconds."""
        rest = seconds * (1 / TOTALS_SHARE - 1)
        self._totals_resting_until = self._clock() + min(rest, TOTALS_REST)
