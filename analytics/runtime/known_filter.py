"""Which filter has let pass what a database counts. Another one, as that of a data folder that is not mounted, would let all of it pass again."""

from analytics.broker.clients import Refill
from analytics.errors import AnalyticsError
from analytics.store import POSITIONS, Store, Write

_NOTE = "filter"


def expect_known_filter(store: Store, refill: Refill) -> None:
    """Note the broker's filter where none is noted. Before that, the first worker of a database has counted nothing.

    Raises:
        AnalyticsError: the documents were counted behind another filter.
        Unavailable: broker or store do not answer. Call again.
    """
    identity = refill.state().filter
    if not identity:  # a broker of an earlier version, or whose disk is full
        return
    note = store.load(POSITIONS, [_NOTE]).get(_NOTE)
    if note is None:
        if not store.write(POSITIONS, [Write(_NOTE, {"identity": identity, "_v": 1}, 0)]):
            return
        note = store.load(POSITIONS, [_NOTE]).get(_NOTE)  # another worker was first
    if note is not None and note["identity"] != identity:
        raise AnalyticsError(
            "the broker's data folder is another one than the database was counted with, so it does not know which records were "
            "accepted, and each that comes again would count twice. Nothing is counted. Is its disk mounted? If the folder is lost, see "
            "docs/how-to/back-up.md, A lost data folder"
        )


def forget_filter(store: Store) -> None:
    """Let the next filter be any one, as it has received what was accepted."""
    store.delete(POSITIONS, [_NOTE])
