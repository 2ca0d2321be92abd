"""What the gamelog spout must know after a crash: ``data/state/gamelog.json``, and old streams beside it."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import gevent

from analytics.spouts.piped import PipedStreams
from analytics.spouts.positions import SpoutState, StateFile, StreamPosition
from analytics.spouts.retired import MOST_ACTIVE
from analytics.spouts.sources.identity import Catalogue

logger = logging.getLogger(__name__)

RETIRING_SECONDS = 60.0
"""How often old streams leave memory; at first, when sources have had the time to find what they read."""


class Memory:
    """The state, and the catalogue of streams that it is part of. Raise AnalyticsError where a file can't be used.

    ``fill``: puts into the state, before it is saved, what others keep.
    """

    def __init__(self, data: Path, fill: Callable[[SpoutState], None]) -> None:
        self._file = StateFile(data / "state" / "gamelog.json")
        self.state = state = self._file.load(SpoutState)
        piped = PipedStreams(data)
        self.journals = piped.journals
        self.catalogue = Catalogue(state.sources, state.sizes, piped.others, piped.alone)
        self._retired = piped.retired
        self._fill = fill
        self._changed = False
        self._retire_due = time.monotonic() + RETIRING_SECONDS

    def looked(self, source: str) -> float:
        """Return until when all files of a configured source were looked at, in Unix seconds."""
        now = time.time()
        first = self.state.first.setdefault(source, now)
        looked = self.state.looked.setdefault(source, now)
        # One that lies ahead was noted by a wrong clock: files that came since may look older than they are.
        return looked if looked <= now else min(first, now)

    def acknowledged(self, source: str, position: StreamPosition) -> None:
        """Note that all before ``position`` is accepted."""
        known = self.state.sources.pop(source, position)
        self.state.sources[source] = position.with_marks(known)
        self._changed = True

    def begun(self, source: str, position: StreamPosition) -> None:
        """Save how ``source`` begins, before records of it leave."""
        known = self.state.sources.get(source) or StreamPosition(position.fingerprint)
        self.state.sources[source] = known.with_marks(position)
        while not self.save(now=True):
            gevent.sleep(1)

    def step(self, changed: bool) -> None:
        """Save what has changed, if the last time is long enough ago."""
        self._changed |= changed
        if self._changed:
            self.save()
        if time.monotonic() >= self._retire_due:
            self._retire_due = time.monotonic() + RETIRING_SECONDS
            self.retire(MOST_ACTIVE)

    def retire(self, most: int) -> None:
        """Leave ``most`` streams in memory, and those that may be read on."""
        names, sources = self.catalogue.idle(most), self.state.sources
        self._retired.put({name: sources[name] for name in names if name in sources})
        self.catalogue.forget(names)
        for name in names:
            sources.pop(name, None)
        self._changed |= bool(names)

    def save(self, now: bool = False) -> bool:
        """Save the state, unless that was just done; return whether it was. A full disk is waited for."""
        self._fill(self.state)
        try:
            if not self._file.save(self.state, now):
                return False
        except OSError as error:
            logger.error("positions can't be saved: %s; waiting", error)
            return False
        self._changed = False
        return True
