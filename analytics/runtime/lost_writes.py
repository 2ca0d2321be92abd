"""Writes that the store had acknowledged and no longer holds: how that is noticed, and what repairs it.

A majority's acknowledged writes survive any failover. They are gone after a database was restored from a backup, after
documents were deleted, or where less than a majority was asked for. Three things show it: a document or a position
that is older than the version a bolt wrote; one that is older than the saved position says; a saved position that is
older than the last report to the broker.

    evidence ──▶ note in the store ──▶ the bolt reads the Queue again, from its oldest message
                                          ├ it reaches back far enough: repaired, the note goes
                                          └ it does not: the note stays until ``bin/analytics rebuild`` has run

Reading again is exact, since every document knows which messages it includes.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from analytics.broker.wire import BrokerState, Head
from analytics.core.writing import LostWrites, Written
from analytics.errors import AnalyticsError
from analytics.runtime.position_notes import PositionNotes
from analytics.store import Document, Store

NOTHING = Head(0, 0, 0)
EXPIRY_SECONDS = 86_400.0
"""A document that was written longer ago may be missing because it was let expire: that is no loss."""

Numbers = dict[str, int]
"""Per topic the number of a message."""


class LossNote(msgspec.Struct):
    """A note of lost writes, kept in the store until they are repaired.

    Attributes:
        what: what was found and what was expected.
        includes: as in :class:`LostWrites`.
        through: per topic the number through which the Queue is read again; empty until that has begun.
        reading: whether that is still to be done.
        rebuild: whether the Queue does not reach back far enough.
    """

    what: str
    includes: Numbers
    through: Numbers = {}
    reading: bool = True
    rebuild: bool = False

    def text(self, bolt: str) -> str:
        """Return what ``status`` says of it."""
        lost = f"{bolt}: the database has lost acknowledged writes ({self.what})"
        if self.rebuild:
            return f"{lost}, and the Queue does not reach back far enough: run `bin/analytics rebuild`, without dates"
        return f"{lost}; reading the Queue again, which repairs it"


def version_of(document: Mapping[str, Any] | None) -> int:
    """Return a stored document's version, 0 where it is not there or has none."""
    version = document.get("_v") if document is not None else None
    return version if isinstance(version, int) else 0


def older_documents(store: Store, bolt: str, written: Written, log: str) -> LostWrites | None:
    """Return what is lost if any of the documents ``written`` is older than that, or missing; else None."""
    if not written:
        return None
    stored = store.load(bolt, list(written))
    expired = time.time() - EXPIRY_SECONDS
    older = [
        id_
        for id_, (version, at) in written.items()
        if version_of(stored.get(id_)) < version and (id_ in stored or at > expired)
    ]
    if not older:
        return None
    first = older[0]
    state = f"at version {version_of(stored[first])}" if first in stored else "missing"
    what = f"document {first!r} is {state}, expected version {written[first][0]} or later"
    more = f" (and {len(older) - 1} more of {len(written)} looked at)" if len(older) > 1 else ""
    return LostWrites(bolt, what + more, _included([stored.get(id_) for id_ in older], log))


def older_position(bolt: str, saved: Mapping[str, Head], state: BrokerState) -> LostWrites | None:
    """Return what is lost if more was reported to the broker than ``saved``, which is a position in its log."""
    for topic, reported in state.bolts.get(bolt, {}).items():
        number = saved.get(topic, NOTHING).number
        if number < reported.number:
            return LostWrites(
                bolt,
                f"its saved position in {topic} is {number}, {reported.number} was reported to the broker",
                {topic: head.number for topic, head in saved.items()},
            )
    return None


def check_queue(bolt: str, saved: Mapping[str, Head], state: BrokerState) -> None:
    """Raise AnalyticsError where ``saved``, a position in the broker's log, lies beyond the end of that log.

    Messages to come would get numbers that documents already include, and so would not count.
    """
    for topic, position in saved.items():
        newest = state.heads.get(topic, NOTHING).number
        if position.number > newest:
            raise AnalyticsError(
                f"{bolt}: the data folder is older than the database: message {position.number} of {topic} is counted, the "
                f"Queue ends at {newest}. Nothing is counted, as new records would be taken for old ones. Restore a backup of "
                "the database that is older than the data folder; see docs/how-to/back-up.md"
            )


def _included(documents: Iterable[Document | None], log: str) -> Numbers:
    """Return per topic the number that each of the documents includes at least."""
    lowest: Numbers = {}
    for document in documents:
        at = (document or {}).get("_at") or {}
        if at.get("log") != log:
            return {}
        for topic, number in at["topics"].items():
            lowest[topic] = min(number, lowest.get(topic, number))
    return lowest


class Losses(PositionNotes[LossNote]):
    """The notes of some bolts."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "lost_writes", LossNote)
