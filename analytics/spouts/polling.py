"""What spouts that poll an interface have in common: their steps, their state, the balance, an orderly end.

interface ── poll ─▶ check ─▶ name ─▶ journal (durable) ─▶ Receiver ─▶ on acknowledgement: state
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from analytics.config import Config, Polled
from analytics.core.areas import Areas
from analytics.spouts.outbox import L, Outbox, OutboxState, alone
from analytics.spouts.poller import Answer, Client, Poller, Q, R
from analytics.spouts.positions import StateFile
from analytics.spouts.rejected import Reject, Rejected
from analytics.spouts.renaming import renaming_of

WAIT_SECONDS = 0.5
BATCH_ANSWERS = 64
"""So many answers travel together: one batch for each game that they concern."""


class PollingState(msgspec.Struct):
    """What outlives the process, in the file ``state/<spout>.json``."""

    outbox: OutboxState = msgspec.field(default_factory=OutboxState)
    rejected: int = 0


S = TypeVar("S", bound=PollingState)


class PollingSpout(ABC, Generic[Q, R, S, L]):
    """A spout that asks an interface the questions of a plan. Raise ConfigError where its token is not in the environment.

    Args:
        kind: what it keeps beside the outbox.
        line: how to read a line of its journal.
    """

    name = ""
    role = "spout"

    def __init__(self, config: Config, areas: Areas, settings: Polled, kind: type[S], line: type[L]) -> None:
        self._config = config
        self._areas = areas
        self._kind = kind
        self._line = line
        self._client = Client(settings, self.name, renaming_of(config.data))
        self._poller = Poller(self._client, settings, self._plan, self._ask)
        self._file = StateFile(config.data / "state" / f"{self.name}.json")
        self._errors: dict[str, str] = {}
        self._unchanged = 0
        self._changed = False

    def start(self) -> None:
        """Load the state; polling begins once everything that was left is sent. Raise AnalyticsError where another one has the data folder."""
        self._lock = alone(self._config, self.name)
        self._state = self._file.load(self._kind)
        self._open()
        self._file.save(self._state, now=True)  # before any record is named after it
        self._rejected = Rejected(self._config)
        self._outbox = Outbox(self._config, self.name, self._state.outbox, self._line, self._rejected)
        self._recovered = False

    def step(self) -> None:
        """Take acknowledgements and answers, publish what is new; return within about a second.

        While the broker does not acknowledge, answers wait, and with them the poller.
        """
        if self._outbox.full:
            self._outbox.wait(WAIT_SECONDS)
        elif not self._recovered:
            self._recover()
        else:
            self._work()
        self._changed |= self._outbox.settle()
        if self._changed and self._file.save(self._state):
            self._changed = False

    def stop(self) -> None:
        """Stop polling, wait a little for acknowledgements, and keep the state."""
        self._poller.stop()
        self._outbox.close()
        self._file.save(self._state, now=True)
        self._close()
        self._rejected.close()
        self._client.close()
        self._lock.close()

    def state(self) -> dict[str, Any]:
        """Return the balance, and the present errors by what they concern."""
        journaled = self._outbox.last
        errors = self._errors | self._poller.errors()
        return {
            "read": sum(journaled.values()) + self._state.rejected,
            "journaled": sum(journaled.values()),
            "published": self._outbox.published,
            "repeated": self._state.outbox.repeated,
            "rejected": self._state.rejected,
            "unchanged": self._unchanged,
            "rounds": self._poller.rounds,
            "blocked": self._outbox.unanswered,
            "sources": journaled,
            "errors": errors,
            "last_error": next(reversed(errors.values()), ""),
        }

    @abstractmethod
    def _open(self) -> None:
        """Open what the spout remembers of earlier answers; ``_state`` is loaded."""

    @abstractmethod
    def _close(self) -> None:
        """Close it."""

    @abstractmethod
    def _plan(self, now: float) -> Iterable[Q]:
        """Return the questions of a round, at the interface's time ``now``."""

    @abstractmethod
    def _ask(self, question: Q) -> Iterator[R]:
        """Yield the results of a question. Raise AnalyticsError where the interface fails."""

    @abstractmethod
    def _work(self) -> None:
        """Publish some of what is new."""

    @abstractmethod
    def _resent(self, lines: list[L]) -> Callable[[], None]:
        """Take note of lines that an earlier process journaled and that are published again; return what to do once they are acknowledged."""

    def _recover(self) -> None:
        """Publish what an earlier process journaled, some at a time; then begin to poll."""
        lines = self._outbox.recover()
        if lines is None:
            self._recovered = True
            self._poller.start(self._outbox.at)
        else:
            self._outbox.after(self._resent(lines))

    def _answers(self) -> Iterator[Answer[Q, R]]:
        """Yield what has come in, waiting only for the first."""
        timeout = WAIT_SECONDS
        for _ in range(BATCH_ANSWERS):
            answer = self._poller.get(timeout)
            if answer is None:
                return
            timeout = 0.0
            yield answer

    def _fails(self, key: str, problem: str) -> None:
        """Show a problem as the newest."""
        self._errors.pop(key, None)
        self._errors[key] = problem

    def _reject(self, rejects: list[Reject]) -> None:
        self._rejected.put_all(rejects)
        self._state.rejected += len(rejects)
        self._changed |= bool(rejects)
