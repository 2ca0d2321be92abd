"""The newest records that the broker publishes, for the page of live events: a sample of bounded rate and size.

A filter that a reader looks at has a subscriber to the Sender of its own, for as long as the page asks again. It has no position, so
no segment of the Queue is kept for it, and the Sender drops what a subscriber does not read. Beyond its share of
``MOST_BYTES_A_SECOND`` a subscriber disconnects until the second has ended, which costs the broker nothing; heartbeats say how many
records came in meanwhile.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import gevent

from analytics.broker.selection import TopicSelection
from analytics.broker.wire import Heartbeat, Message
from analytics.cluster.place import located
from analytics.config import BrokerSection, Config
from analytics.errors import AnalyticsError
from analytics.runtime.nodes import require_broker
from analytics.system.tasks import TaskGroup
from analytics.web.live_tuples import LiveRow, read, shown, source_name

MOST_ROWS = 100
MOST_FILTERS = 16
MOST_BYTES_A_SECOND = 2 << 20
"""Of all filters together: several thousand records, which take about a hundredth of a processor."""
TOO_MANY = f"{MOST_FILTERS} other filters are in use: use one of them, or try again in ten seconds"
IDLE_SECONDS = 10.0
"""A filter that nobody has asked for since is forgotten."""
SILENT_SECONDS = 3.0
"""A broker sends a heartbeat every second."""
RECORDS = ("gamelog.*", "payment", "syncuser")
_INSTEAD = "Rejected records are shown; `bin/analytics query` reads all records from the journals"
_BREATH = 500  # records that are examined before other requests have their turn


@dataclass(frozen=True, slots=True)
class LiveFilter:
    """Which records: ``topic`` as ``tail`` takes it, an account, the name of a source. "": any."""

    topic: str = ""
    acct: str = ""
    source: str = ""

    @property
    def selection(self) -> TopicSelection:
        """The topics to subscribe to."""
        return TopicSelection(*([self.topic] if self.topic else RECORDS))


class Arrivals:
    """How many records of some topics the broker has published since this began, read or not.

    Attributes:
        topics: all that the Queue has.
    """

    def __init__(self, matches: Callable[[str], bool]) -> None:
        self._matches = matches
        self._log = ""
        self._has_heads = False
        self._first: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self.topics: list[str] = []

    @property
    def count(self) -> int:
        """See the class."""
        return sum(records - self._first[topic] for topic, records in self._newest.items())

    def take(self, message: Message) -> None:
        """Note a message."""
        header = message.header
        self._be_in(header.log)
        self._first.setdefault(message.topic, header.records - header.count)
        self._newest[message.topic] = header.records

    def follow(self, heartbeat: Heartbeat) -> None:
        """Note how many records the topics have."""
        self._be_in(heartbeat.log)
        for topic, head in heartbeat.heads.items():
            if self._matches(topic):
                # A topic that an earlier heartbeat did not have is new.
                self._first.setdefault(topic, 0 if self._has_heads else head.records)
                self._newest[topic] = max(head.records, self._newest.get(topic, 0))
        self._has_heads = True
        self.topics = sorted(heartbeat.heads)

    def _be_in(self, log: str) -> None:
        """Forget the numbers of another log: the Queue was replaced."""
        if self._log not in ("", log):
            self._first, self._newest, self._has_heads = {}, {}, False
        self._log = log


class Sampler:
    """Follows the Sender for one filter, while it is asked for.

    Attributes:
        since: when it began, in Unix seconds.
        rows: the newest records that match.
        arrivals: of records of the topics; ``examined``: how many of them were read, and ``matched``: how many of those match.
        problem: why nothing comes, "" if the broker publishes.
        connected: whether it has.
    """

    def __init__(self, config: Config, wanted: LiveFilter, most_bytes: Callable[[], float]) -> None:
        self.since = time.time()
        self.rows: deque[LiveRow] = deque(maxlen=MOST_ROWS)
        self.examined = self.matched = 0
        self.problem = ""
        self.connected = False
        self.wanted = wanted
        self._config = config
        self._most_bytes = most_bytes
        self._selection = wanted.selection
        self.arrivals = Arrivals(self._selection.matches)
        self._broker: BrokerSection | None = None
        self._asked = time.monotonic()

    @property
    def is_wanted(self) -> bool:
        """Whether a reader has asked for it lately."""
        return time.monotonic() - self._asked < IDLE_SECONDS

    def ask(self) -> None:
        """Keep it going."""
        self._asked = time.monotonic()

    def run(self) -> None:
        """Follow the Sender until nobody asks any more."""
        while self.is_wanted:
            try:
                require_broker(self._config, "live events", _INSTEAD)
                self._broker = self._broker or located(self._config).broker
                self._sample(self._broker)
            except AnalyticsError as error:
                self.problem = str(error)
                gevent.sleep(1)

    def _sample(self, broker: BrokerSection) -> None:
        """Read until this second's share is used up, the broker is silent, or nobody asks any more."""
        subscriber = self._selection.subscriber(broker)
        second, silent = time.monotonic() + 1, 0.0
        left = self._most_bytes()
        try:
            while left > 0 and self.is_wanted:
                got = subscriber.recv(1.0)
                if time.monotonic() >= second:
                    second, left = time.monotonic() + 1, self._most_bytes()
                # Counted in waits: after a pause of the machine, the broker gets its full time.
                silent = silent + 1 if got is None else 0
                if silent >= SILENT_SECONDS:
                    self._broker = None  # it may have moved
                    self.problem = f"the broker has sent nothing for {SILENT_SECONDS:g} s"
                    return
                if got is not None:
                    self.problem, self.connected = "", True
                    left -= self._take(got)
        finally:
            subscriber.close()
        gevent.sleep(max(0.0, second - time.monotonic()))

    def _take(self, got: Message | Heartbeat) -> int:
        """Count what came; return its bytes."""
        if isinstance(got, Heartbeat):
            self.arrivals.follow(got)
            return 0
        self.arrivals.take(got)
        self.examined += got.header.count
        if self.wanted.source in ("", source_name(got.header.source)):
            self._keep(got)
        return len(got.body)

    def _keep(self, message: Message) -> None:
        lines = self._selection.lines(message)
        if not self.wanted.acct:
            self.matched += len(lines)
            self.rows.extend(shown(message, line) for line in lines[-MOST_ROWS:])
            return
        for at, line in enumerate(lines):
            if at % _BREATH == _BREATH - 1:
                gevent.sleep(0)
            if read(line).concerns(self.wanted.acct):
                self.matched += 1
                self.rows.append(shown(message, line))


class LiveRecords:
    """The samplers of the filters that are looked at. Nothing runs while nobody looks."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._samplers: dict[LiveFilter, Sampler] = {}
        self._tasks = TaskGroup("live")

    def sampler(self, wanted: LiveFilter) -> Sampler:
        """Return the sampler of a filter, begun now if nobody has asked for it lately; if there are too many, one that follows nothing."""
        found = self._samplers.get(wanted)
        if found is None or not found.is_wanted:
            found = Sampler(self._config, wanted, self._share)
            if len(self._samplers) >= MOST_FILTERS:
                found.problem = TOO_MANY
                return found
            self._samplers[wanted] = found
            self._tasks.spawn(self._run, found, may_end=True)
        found.ask()
        return found

    def check(self, seconds: float) -> None:
        """Raise what a sampler has failed with, or fails with within ``seconds``."""
        self._tasks.check(seconds)

    def close(self) -> None:
        """End all samplers."""
        self._tasks.stop()

    def _share(self) -> float:
        """Return the bytes that one filter may take in a second."""
        return MOST_BYTES_A_SECOND / max(1, len(self._samplers))

    def _run(self, sampler: Sampler) -> None:
        try:
            sampler.run()
        finally:
            if self._samplers.get(sampler.wanted) is sampler:
                del self._samplers[sampler.wanted]
