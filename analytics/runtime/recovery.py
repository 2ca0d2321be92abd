"""A worker's way back after the store lost acknowledged writes: it reads again what the Queue still holds."""

import logging
import time
from collections.abc import Iterable, Mapping

from analytics.broker.clients import Refill
from analytics.broker.wire import Head
from analytics.core.writing import LostWrites
from analytics.errors import Unavailable
from analytics.runtime.lost_writes import NOTHING, Losses, LossNote, Numbers, check_queue, older_position
from analytics.store import Store

REFRESH_SECONDS = 5.0
"""Between looks for notes that a rebuild has removed."""


logger = logging.getLogger(__name__)

Heads = Mapping[str, dict[str, Head]]
Saved = Mapping[str, tuple[str, Mapping[str, Head]]]


class Recovery:
    """What is lost of a worker's bolts, and how far repairing it has come.

    Args:
        lost: what was found of the documents.

    Attributes:
        log: the identity of the log that is read again.
    """

    log = ""

    def __init__(self, store: Store, refill: Refill, lost: Iterable[LostWrites]) -> None:
        self._refill = refill
        self._notes = Losses(store)
        self._lost = {one.bolt: one for one in lost}
        self._losses: dict[str, LossNote] = {}
        self._refreshed = time.monotonic()

    @property
    def bolts(self) -> list[str]:
        """The bolts whose documents lack writes."""
        return sorted(self._losses)

    @property
    def error(self) -> str:
        """What is lost and what to do, "" if nothing is."""
        return "; ".join(loss.text(bolt) for bolt, loss in sorted(self._losses.items()))

    def begin(self, saved: Saved, heads: Heads) -> set[str]:
        """Set the ``heads`` of bolts that have lost something to the beginning of the Queue, and note that.

        Args:
            saved: per bolt that has one, the log and the saved position in it.
            heads: per bolt and topic, the last message that its documents are taken to include.

        Returns:
            The topics that are read again.

        Raises:
            Unavailable: broker or store do not answer. Call again.
            AnalyticsError: the Queue is older than the documents.
        """
        losses = self._notes.load(heads)
        state = self._refill.state()
        self.log = state.log
        for bolt in heads:
            log, position = saved.get(bolt, (state.log, {}))
            older = None
            # A position in another log says nothing of this one, which is read from its beginning in any case.
            if log == state.log:
                check_queue(bolt, position, state)
                older = older_position(bolt, position, state)
            if lost := self._lost.get(bolt) or older:
                losses[bolt] = LossNote(lost.what, lost.includes)
        reading = {bolt: loss for bolt, loss in losses.items() if loss.reading}
        oldest = self._oldest({topic for bolt in reading for topic in heads[bolt]})
        for bolt, loss in reading.items():
            loss.through = {topic: state.heads.get(topic, NOTHING).number for topic in heads[bolt]}
            loss.rebuild = not _reaches(loss.includes, loss.through, oldest)
            logger.error(loss.text(bolt))
            for topic, number in loss.through.items():
                heads[bolt][topic] = NOTHING if oldest[topic] <= number else state.heads.get(topic, NOTHING)
        self._notes.save(reading)
        self._losses = losses
        self.end(heads)
        return {topic for bolt in reading for topic in heads[bolt]}

    def abandon(self) -> None:
        """Note that what was to be read again is gone: the broker has another log."""
        reading = {bolt: loss for bolt, loss in self._losses.items() if loss.reading}
        for loss in reading.values():
            loss.reading, loss.rebuild = False, True
        self._notes.save(reading)

    def end(self, heads: Mapping[str, Mapping[str, Head]]) -> None:
        """See whose documents, now complete to ``heads``, include again all that was in the Queue."""
        done = {
            bolt: loss
            for bolt, loss in self._losses.items()
            if loss.reading
            and all(heads[bolt].get(topic, NOTHING).number >= n for topic, n in loss.through.items())
        }
        if not done:
            return
        for loss in done.values():
            loss.reading = False
        repaired = [bolt for bolt, loss in done.items() if not loss.rebuild]
        # The note of a bolt that a rebuild has corrected meanwhile is gone, and stays so.
        there = self._notes.load(done)
        self._notes.save({bolt: loss for bolt, loss in done.items() if loss.rebuild and bolt in there})
        self._notes.remove(repaired)
        for bolt in repaired:
            logger.warning("%s: repaired: its documents include again all that is in the Queue", bolt)
        for bolt in done:
            if bolt in repaired or bolt not in there:
                del self._losses[bolt]

    def refresh(self) -> None:
        """Look now and then whether a rebuild has removed the notes."""
        waiting = [bolt for bolt, loss in self._losses.items() if not loss.reading]
        if not waiting or time.monotonic() < self._refreshed + REFRESH_SECONDS:
            return
        self._refreshed = time.monotonic()
        try:
            there = self._notes.load(waiting)
        except Unavailable:
            return
        for bolt in waiting:
            if bolt not in there:
                del self._losses[bolt]

    def _oldest(self, topics: Iterable[str]) -> Numbers:
        """Return per topic the number of its oldest message in the Queue, the head's + 1 where there is none."""
        after = dict.fromkeys(topics, 0)
        return dict(self._refill.read(after, 1)[0].oldest) if after else {}


def _reaches(includes: Mapping[str, int], through: Mapping[str, int], oldest: Mapping[str, int]) -> bool:
    """Whether the Queue holds all messages after those that are included."""
    return all(oldest[topic] <= includes.get(topic, 0) + 1 for topic in through)
