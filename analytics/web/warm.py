"""Looks at every page once a minute, so that no visitor is the first for whom a game's numbers are added up.

It is in no hurry: what is not there is read in the background, with rests, and the page looked at again. The newest days
come first.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace

import gevent

from analytics.errors import AnalyticsError
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.kept import NotYet
from analytics.web.options import Args
from analytics.web.pages import BY_NAME
from analytics.web.place import ONE_DAY, Place

EVERY_SECONDS = 60.0
AGAIN_SECONDS = 0.2
SPANS = (7, 30, 90)
"""Days up to the newest, as the links above the pages offer them."""

LOOKS: tuple[tuple[str, dict[str, list[str]]], ...] = (
    ("overview", {}),
    ("areas", {}),
    ("payment", {}),
    ("economy", {}),
    ("progress", {}),
    ("retention", {}),
    ("retention", {"of": ["payment"]}),
)
log = logging.getLogger(__name__)


class Warmer:
    """Keeps the numbers of whole games and their plats at hand."""

    def __init__(self, data: Data) -> None:
        self._data = replace(data, kept=data.kept.patient(0))
        self.took: float | None = None
        """Seconds until everything was looked at for the first time; None: not yet."""

    def run(self) -> None:
        """Look at everything, again and again. What goes wrong is logged, and tried again with the next look."""
        began = time.monotonic()
        while True:
            try:
                self.look()
                if self.took is None:
                    self.took = time.monotonic() - began
                    log.info("all pages are warm took=%.1f rows=%d", self.took, self._data.kept.rows())
            except AnalyticsError as error:
                log.info("can't look at all pages now: %s", error)
            gevent.sleep(EVERY_SECONDS)

    def look(self) -> None:
        """Look at everything once; return when it is there."""
        for days in SPANS:
            for page, options in LOOKS:
                for given in self._filters(days):
                    self._until_there(page, {**given, **options})

    def _filters(self, days: int) -> Iterator[Args]:
        """Yield the filters that have everything read: each game, and a plat of it, which brings those of all."""
        for game in sorted({area.game for area in self._data.areas.values()}):
            place = self._place(game)
            span = {"from": [str(place.last - (days - 1) * ONE_DAY)], "to": [str(place.last)]}
            yield {"game": [game], **span}
            yield {"game": [game], "plat": [place.members[0].plat], **span}

    def _place(self, game: str) -> Place:
        while True:
            try:
                return self._data.place(Filters(game))
            except NotYet:
                gevent.sleep(AGAIN_SECONDS)

    def _until_there(self, page: str, given: Args) -> None:
        while True:
            try:
                BY_NAME[page].read(self._data, given)
                gevent.sleep(0)
                return
            except NotYet:
                gevent.sleep(AGAIN_SECONDS)
