"""Games that are computed elsewhere, since their facts are more than the node ``timers`` keeps: asked for and answered in the store.

    timer_games    {"_id": "timers", "request": <msgpack>, "answer": <msgpack>, "updated": …, "_v": 7}

There is one request at a time. The node writes it; the driver of an engine computes the game and adds the answer, on condition that
the request is still the same. One that is computed twice, or by a process that was taken for dead, does no harm: each
computation first takes the saved position, see :mod:`.game_run`.
"""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import gevent
import msgspec

from analytics.config import Config
from analytics.core.areas import Areas
from analytics.errors import Unavailable
from analytics.runtime.timers.dirty import Dirty
from analytics.runtime.timers.position import Overtaken
from analytics.store import Store, Write
from analytics.timers.facts import Changing

COLLECTION = "timer_games"
_ID = "timers"

LOOK_SECONDS = 0.2
"""Between looks for an answer: a game that is too large here takes minutes."""

MOST_BYTES = 8 << 20
"""Of a request: a document has 16 MB at most. A longer one asks for everything of its game."""


log = logging.getLogger(__name__)


class GameRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run has to bring up to date of a game.

    Attributes:
        run, version: the run under way, and the version of the saved position when this was asked for.
        again: whether to write every document that it touches: see :class:`analytics.runtime.timers.run.Run`.
        before, now: the times that documents were computed for so far, and are now.
        everything, days: of :class:`analytics.runtime.timers.dirty.Dirty`; of each day kind, area, day and tuples.
        moved: areas that started on another day than was known.
        others, merged, ruled: whether segments, or united areas, are others than before; timer bolts that count by other rules.
        rules: what tells the configuration that this was asked for by from others.
    """

    game: str
    run: str
    version: int
    again: bool
    before: int
    now: int
    rules: str
    everything: bool = False
    days: list[tuple[Changing, str, int, int]] = []
    moved: list[str] = []
    others: bool = False
    merged: bool = False
    ruled: list[str] = []

    def dirty(self) -> Dirty:
        """Return what has changed."""
        found = Dirty(everything=self.everything)
        for kind, area, day, tuples in self.days:
            found.days[kind, area, day] = tuples
        return found


class GameAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a request.

    Attributes:
        version: of the saved position, which the computation has taken.
        days: those of which the figures of areas may have changed.
        computed, changed, removed, facts_bytes: of :class:`analytics.runtime.timers.writing.Done`.
        error: why it could not be answered, "" if it was; ``overtaken``: since another run is under way.
    """

    version: int = 0
    days: list[int] = []
    computed: dict[str, int] = {}
    changed: dict[str, int] = {}
    removed: dict[str, int] = {}
    facts_bytes: int = 0
    error: str = ""
    overtaken: bool = False


class GameRequests:
    """Requests and answers in a store. Every method raises Unavailable where that does not answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ask(self, request: GameRequest, days: list[tuple[Changing, str, int, int]]) -> int:
        """Ask for a game, of which these days have changed, in place of whatever was asked for before; return the request's version."""
        data = msgspec.msgpack.encode(msgspec.structs.replace(request, days=days))
        if len(data) > MOST_BYTES:
            data = msgspec.msgpack.encode(msgspec.structs.replace(request, everything=True))
        while True:
            version = self._found().get("_v", 0)
            if not self._write({"request": data}, version):
                return int(version) + 1

    def answer_to(self, version: int) -> GameAnswer | None:
        """Return the answer to the request of that version, None as long as there is none.

        Raise Unavailable also where another request has taken its place.
        """
        found = self._found()
        if found.get("_v") == version:
            return None
        if found.get("_v") != version + 1 or "answer" not in found:
            raise Unavailable("another process has asked for a game meanwhile")
        return msgspec.msgpack.decode(found["answer"], type=GameAnswer)

    def open(self) -> tuple[int, GameRequest] | None:
        """Return the request that nobody has answered, with its version; None: there is none."""
        found = self._found()
        if not found or "answer" in found:
            return None
        return int(found["_v"]), msgspec.msgpack.decode(found["request"], type=GameRequest)

    def answer(self, version: int, answer: GameAnswer) -> None:
        """Answer the request of that version; do nothing if another one has taken its place."""
        self._write({"answer": msgspec.msgpack.encode(answer)}, version)

    def asked(self) -> int:
        """Return how often games were asked for."""
        return int(self._found().get("_v", 0)) + 1 >> 1

    def _found(self) -> dict[str, Any]:
        return self._store.load(COLLECTION, [_ID]).get(_ID, {})

    def _write(self, fields: Mapping[str, Any], version: int) -> bool:
        """Return whether the document had another version."""
        document = {**fields, "updated": datetime.now(UTC), "_v": version + 1}
        return bool(self._store.write(COLLECTION, [Write(_ID, document, version)]))


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


def fingerprint(config: Config) -> str:
    """Return what tells a configuration by which timer bolts compute from others."""
    counted = [config.timezone, config.games, config.funnels, config.timers, config.documents]
    return sha256(msgspec.json.encode(counted, order="sorted")).hexdigest()[:16]
