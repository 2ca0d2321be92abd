"""What has come in and is not settled yet: the greenlet that folds adds to it, the one that settles takes from it."""

from collections.abc import Iterable, Mapping

from gevent.event import Event

from analytics.broker.wire import Head, Message
from analytics.core.bolt import Key
from analytics.core.fold import Delta
from analytics.runtime.settler import PendingChanges
from analytics.system.tasks import TaskGroup

BYTES_A_TUPLE = 256
"""What a tuple takes as a rule: one with a long list counts as several."""
WAIT_SECONDS = 1.0
"""How often a greenlet that waits looks whether it is to end."""


class Pending:
    """The changes that wait for the store, and how far each bolt is with them.

    Args:
        most: how many tuples may wait.

    Attributes:
        heads: per bolt and topic the last message that is folded.
        work: set when there is something to settle.
    """

    def __init__(self, bolts: Iterable[str], most: int) -> None:
        self.heads: dict[str, dict[str, Head]] = {}
        self.work = Event()
        self._bolts = list(bolts)
        self._most = most
        self._changes = PendingChanges.nothing("", self._bolts)
        self._settling = False
        self._room = Event()

    def begin(self, log: str, heads: dict[str, dict[str, Head]]) -> None:
        """Start in ``log``, where bolts are as far as ``heads`` say."""
        self.heads = heads
        self._changes = PendingChanges.nothing(log, self._bolts)
        self._settling = False

    @property
    def tuples(self) -> int:
        """How many tuples wait."""
        return self._changes.tuples

    def lacking(self, message: Message) -> set[str]:
        """Return the bolts that have not folded a message yet."""
        topic, number = message.topic, message.header.number
        return {bolt for bolt, heads in self.heads.items() if topic in heads and heads[topic].number < number}

    def receive(self, message: Message) -> None:
        """Count a message as waiting. Its changes are to be added before :meth:`take`."""
        self._changes.tuples += message.header.count
        self._changes.bytes += len(message.body)
        self.work.set()

    def add(self, topic: str, head: Head, folded: Mapping[str, Mapping[Key, Delta]]) -> None:
        """Add what messages of a topic change, by bolt. ``head``: of the topic, with them."""
        for bolt, deltas in folded.items():
            self._changes.add(bolt, deltas)
            self.heads[bolt][topic] = head

    def take(self) -> PendingChanges:
        """Return all that waits, to be settled; call :meth:`settled` afterwards."""
        changes, self._changes = self._changes, PendingChanges.nothing(self._changes.log, self._bolts)
        changes.heads = {bolt: dict(heads) for bolt, heads in self.heads.items()}
        self._settling = True
        self._room.set()
        return changes

    def settled(self) -> None:
        """Note that what was taken is in the store."""
        self._settling = False
        self._room.set()

    def wait_for_room(self, tasks: TaskGroup) -> None:
        """Return when more may be added, or ``tasks`` are to end."""
        while not tasks.stopping and (
            self._changes.tuples >= self._most or self._changes.bytes >= self._most * BYTES_A_TUPLE
        ):
            self._wait()

    def wait_until_settled(self, tasks: TaskGroup) -> None:
        """Return when everything is in the store, or ``tasks`` are to end."""
        while not tasks.stopping and (self._changes.tuples or self._settling):
            self._wait()

    def _wait(self) -> None:
        self._room.clear()
        self._room.wait(WAIT_SECONDS)
