"""What a suite under test says it has counted: the broker's books, or the engine's."""

from analytics.broker.clients import Refill
from analytics.broker.wire import totals
from analytics.config import Config
from analytics.runtime.engine_progress import EngineProgress, reported_ends
from analytics.store import open_store
from analytics.testing.comparing import balance_faults
from analytics.testing.feed import Feed

GAMELOG = "gamelog."


class CountedByBroker:
    """Asks the broker. Each method raises Unavailable while it does not answer."""

    def __init__(self, config: Config) -> None:
        self._refill = Refill(config.broker)

    def is_settled(self, good: int) -> bool:
        """Whether so many records of game logs, or more, are accepted and all that is accepted is counted."""
        state = self._refill.state()
        return totals(state.heads, "gamelog") >= good and all(
            state.heads[topic].number == position.number
            for positions in state.bolts.values()
            for topic, position in positions.items()
            if topic in state.heads
        )

    def faults(self, feed: Feed) -> list[str]:
        """Return where the books differ from what was fed."""
        return balance_faults(self._refill.state(), feed)

    def close(self) -> None:
        self._refill.close()


class CountedByEngine:
    """Reads the engine's position. It has the methods of :class:`CountedByBroker`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._store = open_store(config)

    def is_settled(self, good: int) -> bool:
        progress = EngineProgress.load(self._store)
        if progress is None or progress.waiting(reported_ends(self._config)):
            return False
        return _game_logs(progress) >= good

    def faults(self, feed: Feed) -> list[str]:
        progress = EngineProgress.load(self._store)
        counted = _game_logs(progress) if progress else 0
        if counted == feed.good:
            return []
        return [f"balance: records of game logs: expected {feed.good}, got {counted}"]

    def close(self) -> None:
        self._store.close()


def _game_logs(progress: EngineProgress) -> int:
    return sum(count for topic, count in progress.records.items() if topic.startswith(GAMELOG))


def counted_by(config: Config) -> CountedByBroker | CountedByEngine:
    """Return what knows what this suite has counted."""
    return CountedByEngine(config) if config.engine.kind else CountedByBroker(config)
