"""Games whose facts are more than ``timers.max_known_mb``: with an engine on a cluster, they are computed there."""

import logging
import time

import gevent

from analytics.config import Config
from analytics.core.areas import Areas
from analytics.errors import Unavailable
from analytics.runtime.timers.dirty import Dirty
from analytics.runtime.timers.game_requests import GameAnswer, GameRequest, GameRequests
from analytics.runtime.timers.position import Overtaken
from analytics.store import Store

LOOK_SECONDS = 0.2
"""Between looks for an answer: a game that is too large here takes minutes."""

log = logging.getLogger(__name__)


class LargeGames:
    """Knows which games are too large for this process, and has them computed.

    ``most_bytes``: of facts here; 0: any number, as there is no cluster.
    """

    def __init__(self, config: Config, store: Store) -> None:
        self.most_bytes = int(config.timers.max_known_mb * (1 << 20)) if config.engine.kind == "spark" else 0
        self._requests = GameRequests(store)
        self._names: set[str] = set()
        self._asked = ("", 0.0)

    def has(self, game: str) -> bool:
        """Whether a game was too large since the start of the process."""
        return game in self._names

    def add(self, game: str) -> None:
        """Have a game computed elsewhere from now on."""
        log.info(
            "facts of the game %s take more than timers.max_known_mb: it is computed on the cluster", game
        )
        self._names.add(game)

    def compute(self, request: GameRequest, dirty: Dirty, areas: Areas) -> GameAnswer:
        """Have a game brought up to date, and wait until it is.

        Raises:
            Unavailable: store or cluster do not answer.
            Overtaken: another run is under way.
        """
        days = [
            (kind, area, day, tuples)
            for (kind, area, day), tuples in dirty.days.items()
            if areas[area].game == request.game
        ]
        self._asked = (request.game, time.time())
        try:
            version = self._requests.ask(request, days)
            while (answer := self._requests.answer_to(version)) is None:
                gevent.sleep(LOOK_SECONDS)
        finally:
            self._asked = ("", 0.0)
        if answer.overtaken:
            raise Overtaken(answer.error)
        if answer.error:
            raise Unavailable(f"the game {request.game} can't be computed on the cluster: {answer.error}")
        return answer

    def state(self) -> dict[str, object]:
        """Return what ``status`` shows: the games, the one that is waited for ("" if none), and since when, in Unix seconds."""
        game, since = self._asked
        return {"names": sorted(self._names), "waiting_for": game, "since": since}
