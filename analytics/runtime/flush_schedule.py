"""When a worker settles what it has folded: soon, but large pieces while much comes in. Pure."""

QUIET_SECONDS = 0.02
"""How long nothing must come after a message from a spout, or from another worker."""
OWN_QUIET_SECONDS = 0.005
"""The same after tuples of this worker's own bolts, which a settlement publishes all at once."""
IDLE_SECONDS = 0.003
"""A worker that waits so long for its next message has nothing else to do."""
GATHER_SECONDS = 0.2
"""How long changes are gathered at least while messages keep coming."""
GATHER_SHARE = 4.0
"""They are gathered for so many times as long as the last settlement took: a slow store gets fewer, larger writes."""
POLL_SECONDS = 0.01
MUCH = 0.5
"""The share of what may be pending that is settled without waiting for more."""


class FlushSchedule:
    """Says how long to wait for more. Times are those of one monotonic clock, in seconds.

    While messages keep coming, changes are gathered until they are much, or for ``flush_seconds``. A worker that has
    nothing else to do settles earlier where the store is fast, so that little is left to do at the end of a flood; one
    that is busy folding does not, since fewer settlements write fewer documents.

    Args:
        flush_seconds: how long changes are gathered at most.
        most: how many tuples may be pending.
    """

    def __init__(self, flush_seconds: float, most: int) -> None:
        self._flush_seconds = flush_seconds
        self._much = most * MUCH
        self._took = 0.0
        self._folded_at = 0.0
        self._quiet_at = 0.0
        self._gathered_at = 0.0
        self._overdue = 0.0

    def folded(self, now: float, *, own: bool) -> None:
        """Note that a message was folded. ``own``: it came from one of the worker's own bolts."""
        self._folded_at = now
        self._quiet_at = max(self._quiet_at, now + (OWN_QUIET_SECONDS if own else QUIET_SECONDS))

    def begin(self, now: float) -> None:
        """Note that something is there to be settled."""
        self._gathered_at = now + max(GATHER_SECONDS, GATHER_SHARE * self._took)
        self._overdue = now + self._flush_seconds

    def wait(self, now: float, pending: int) -> float:
        """Return for how long to wait before asking again, 0 where the ``pending`` tuples are to be settled now."""
        if pending >= self._much:
            return 0.0
        until = min(self._overdue, self._quiet_at)
        if now >= self._gathered_at:
            until = min(until, self._folded_at + IDLE_SECONDS)
        return min(max(0.0, until - now), POLL_SECONDS)

    def settled(self, seconds: float) -> None:
        """Note how long a settlement took."""
        self._took = seconds
