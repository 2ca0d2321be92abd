"""The acknowledgement of what spouts have journaled and nodes publish: by the broker or, with an engine, at once."""

import logging
from collections.abc import Sequence
from typing import Protocol

import gevent
from gevent.event import AsyncResult

from analytics.broker.clients import Publisher
from analytics.broker.opening import ENGINE_COUNTS, FORGETTING, QUEUE
from analytics.broker.wire import Ack, Batch
from analytics.config import Config
from analytics.core.intervals import Pair
from analytics.errors import AnalyticsError
from analytics.spouts.ends import shared_folder
from analytics.spouts.rejected_numbers import RejectedNumbers

logger = logging.getLogger(__name__)


class AcceptedRecords(Protocol):
    """Knows which records were accepted: the broker's filter, by :class:`Refill`, or with an engine what is counted."""

    def state(self) -> object:
        """Raise Unavailable if it does not answer."""

    def unknown(self, source: str, ns: Sequence[Pair]) -> list[Pair]:
        """Return which of a source's record numbers were never accepted."""

    def close(self) -> None:
        """Disconnect."""


RELEASED = "engine_released"
"""A file of the shared folder: its journals are counted by no engine any more."""

LOOK_SECONDS = 1.0


def why_held_back(config: Config) -> str:
    """Return why no engine counts what spouts of this host journal, "" if one does or will.

    What they acknowledged then would count nowhere: a handover takes it that the other one has counted it.
    """
    if (shared_folder(config) / FORGETTING).exists():
        return "accts were being forgotten, and that did not end: call `bin/analytics forget` again"
    if (shared_folder(config) / RELEASED).exists():
        return "broker and workers count since `bin/analytics engine release`: remove engine.kind from the configuration"
    if (config.data / QUEUE).exists() and not (config.data / ENGINE_COUNTS).exists():
        return "broker and workers have counted records of this data folder: `bin/analytics engine adopt` hands over to the engine"
    return ""


class Silent(Publisher):
    """Acknowledges every batch at once, and sends none."""

    def __init__(self) -> None:
        """Connect to nothing."""

    def publish(self, batch: Batch) -> "AsyncResult[Ack]":
        """Return the acknowledgement of all records of a batch."""
        result: AsyncResult[Ack] = AsyncResult()
        result.set(_all_of(batch))
        return result

    @property
    def problem(self) -> str:
        return ""

    def close(self, timeout: float = 5.0) -> bool:
        return True


class JournalAcknowledger(Silent):
    """Acknowledges batches where an engine reads the journals.

    A record is accepted once its line is durable there, and lines are journaled before they are published. The engine finds repeats.
    Nobody reads tuples of timer bolts there. Before a handover to the engine, and after one from it, acknowledgements wait.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._waiting: list[tuple[AsyncResult[Ack], Batch]] = []
        self._rejected = RejectedNumbers(config)
        self._error = ""
        self._looking = gevent.spawn(self._look)

    def publish(self, batch: Batch) -> "AsyncResult[Ack]":
        result: AsyncResult[Ack] = AsyncResult()
        self._waiting.append((result, batch))
        self._acknowledge()
        return result

    @property
    def problem(self) -> str:
        """Why batches wait, "" if none does. Raises what ended the greenlet that looks whether they still have to."""
        if self._looking.ready():
            self._looking.get()
        return (why_held_back(self._config) or self._error) if self._waiting else ""

    def close(self, timeout: float = 5.0) -> bool:
        self._looking.kill()
        self._report()
        self._rejected.close()
        return not self._waiting

    def _acknowledge(self) -> None:
        if not self._waiting or why_held_back(self._config):
            return
        waiting, self._waiting = self._waiting, []
        for place, (result, batch) in enumerate(waiting):
            try:
                self._rejected.note(batch.header)
            except AnalyticsError as error:
                if not self._error:
                    logger.error("%s; waiting", error)
                self._error = str(error)
                self._waiting = waiting[place:] + self._waiting
                return
            result.set(_all_of(batch))
        self._error = ""

    def _report(self) -> None:
        try:
            self._rejected.report()
        except AnalyticsError as error:
            logger.warning("how many records were rejected can't be reported: %s", error)

    def _look(self) -> None:
        while True:
            self._acknowledge()
            self._report()
            gevent.sleep(LOOK_SECONDS)


def _all_of(batch: Batch) -> Ack:
    return Ack(0, sum(last - first + 1 for first, last in batch.header.ns), 0)


def publisher(config: Config, name: str, window: int = 8) -> Publisher:
    """Return what acknowledges the batches of the process ``name``; see :class:`Publisher`."""
    return JournalAcknowledger(config) if config.engine.kind else Publisher(config.broker, name, window)
