"""Games that the node ``timers`` lacks the memory for: each is a job of the cluster, beside the batches.

    timers ── request, in the store ──▶ driver ── one task ──▶ executor ── documents ──▶ store
           ◀── answer ──────────────────       ◀── what was done ──

The task reads facts from the store and writes documents, as the node would; see :mod:`analytics.runtime.timers.game_run`. A job that
ends half-way, with its executor or its driver, is begun again by the driver that finds its request without an answer.
"""

import logging
import threading
import time

import msgspec

from analytics.config import Config
from analytics.engine.context import TaskProcess
from analytics.engine.engines import BatchEngine, TaskCall
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.timers.game_requests import GameAnswer, GameRequest, GameRequests, fingerprint
from analytics.runtime.timers.game_run import compute_game
from analytics.runtime.timers.position import Overtaken
from analytics.store import Store

LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class GameJobs:
    """Answers requests for games, one after the other.

    Args:
        config: the driver's. A request that follows another one is refused.
        engine: its tasks run beside those of batches.

    Attributes:
        error: why a request waits, "" if none does.
    """

    def __init__(self, config: Config, store: Store, engine: BatchEngine) -> None:
        self._config = config
        self._engine = engine
        self._requests = GameRequests(store)
        self._rules = fingerprint(config)
        self.error = ""

    def run(self, ending: threading.Event) -> None:
        """Answer requests until ``ending`` is set."""
        while not ending.wait(LOOK_SECONDS):
            try:
                self.step()
                self.error = ""
            except AnalyticsError as error:
                text = f"a game of the node timers can't be computed: {error}"
                if text != self.error:
                    log.warning("%s; trying again", text)
                self.error = text

    def step(self) -> bool:
        """Answer a request, if there is one; return whether there was. It stays where Unavailable is raised, by store or cluster."""
        found = self._requests.open()
        if found is None:
            return False
        version, request = found
        self._requests.answer(version, self._answer(request))
        return True

    def _answer(self, request: GameRequest) -> GameAnswer:
        if request.rules != self._rules:
            return GameAnswer(
                error="the node engine has another configuration than the node timers; restart both with the same one"
            )
        config = self._needed()
        call = TaskCall(_compute, (config, msgspec.msgpack.encode(request)), f"the game {request.game}")
        try:
            ((_, data),) = self._engine.each([call])
        except Unavailable:
            raise
        except AnalyticsError as error:
            return GameAnswer(error=str(error))
        return msgspec.msgpack.decode(data, type=GameAnswer)

    def _needed(self) -> Config:
        """Return what timer bolts compute from: no secrets. The task has its store from the batches."""
        config = self._config
        return Config(
            file=config.file, data=config.data, timezone=config.timezone, games=config.games,
            funnels=config.funnels, timers=config.timers, documents=config.documents,
        )  # fmt: skip


def _compute(process: TaskProcess, config: Config, request: bytes) -> bytes:
    try:
        answer = compute_game(
            config, process.store, msgspec.msgpack.decode(request, type=GameRequest), time.time
        )
    except Overtaken as error:
        answer = GameAnswer(error=str(error), overtaken=True)
    return msgspec.msgpack.encode(answer)
