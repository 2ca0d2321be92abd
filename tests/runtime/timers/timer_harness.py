"""A broker, a worker and the node ``timers`` in this process, over a store that outlives them; time as a test sets it."""

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import gevent
import msgspec
from sections import broker_ports, until_free
from waiting import eventually

from analytics.bolts import BOLTS
from analytics.broker.broker import Broker
from analytics.broker.clients import Refill
from analytics.broker.wire import Batch, BatchHeader, Part, tagged
from analytics.config import (
    AreaSection,
    Config,
    Game,
    SegmentSection,
    TimersSection,
    WorkerSection,
)
from analytics.core.document import without_dates
from analytics.core.periods import zone
from analytics.core.segments import PROPERTIES
from analytics.errors import Unavailable
from analytics.runtime import connections
from analytics.runtime.draining import drain
from analytics.runtime.nodes import readers
from analytics.runtime.timers import node as timers_node
from analytics.runtime.timers import schedule
from analytics.runtime.timers.collections import WRITTEN
from analytics.runtime.timers.node import Timers
from analytics.runtime.worker import Worker
from analytics.spouts.acknowledging import publisher
from analytics.store import MemoryStore, Write
from analytics.store.store import is_divided
from analytics.timers import TIMERS

A, B, C = "549140c8dbdb67794fc0fa3b", "5461bb1bec8b9c686a8b4576", "5461bb1bec8b9c686a8b4577"
SHANGHAI = "Asia/Shanghai"
READ = [
    "loginhour",
    "loginday",
    "signuphour",
    "signupday",
    "createrolehour",
    "paysummary",
    "coinhour",
    "cointype",
    "onlinehour",
    "sessionhour",
]
NOT_READ = [name for name in BOLTS if name not in READ]
COMPUTED = [*(TIMERS.keys() - {"funnel"}), "serverstarttime"]
"""The timer bolts that need nothing in the configuration."""

COLLECTIONS = [name for name in WRITTEN if name.removesuffix("_total") in (*READ, *COMPUTED)]
OF_SEGMENTS = [name for name in WRITTEN if is_divided(name) and not name.startswith("funnel")]
PAYERS_AGAIN = ("paytraceday", "paylong", "payweek", "paymonth")
PATIENCE = 600.0


class SharedStore(MemoryStore):
    """Outlives its users, notes what is written, and does on command what stores do at bad moments.

    Attributes:
        written: collections and ids written, in order.
        before: called before each write with the collection and its writes.
        after: called after each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, str]] = []
        self.before: Callable[[str, Any], None] = lambda collection, writes: None
        self.after: Callable[[str, Any], None] = lambda collection, writes: None

    def write(self, collection: str, writes: Any) -> set[str]:
        """Write, with a turn for others as a real store gives it."""
        gevent.sleep(0)
        self.before(collection, writes)
        conflicts = super().write(collection, writes)
        self.written += [(collection, one.id) for one in writes if one.id not in conflicts]
        self.after(collection, writes)
        return conflicts

    def load(self, collection: str, ids: Any) -> dict[str, dict[str, Any]]:
        """Load, with a turn for others."""
        gevent.sleep(0)
        return super().load(collection, ids)

    def close(self) -> None:
        """Stay."""


class Suite:
    """What runs. Times are Unix seconds.

    Attributes:
        now: the time as the timer bolts see it.
    """

    def __init__(self, data: Path, games: dict[str, Game], now: int, monkeypatch: Any) -> None:
        self.data = data
        self.now = now
        self.store = SharedStore()
        self._broker_section = broker_ports()
        self._games = games
        self._greenlets: dict[Any, Any] = {}
        self._sent = 0
        for module in (connections, timers_node):
            monkeypatch.setattr(module, "open_store", lambda config: self.store)
            monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
        monkeypatch.setattr(schedule, "QUIET_SECONDS", 0.1)
        monkeypatch.setattr(schedule, "REST", 0.0)
        monkeypatch.setattr(schedule, "TOTALS_REST", 0.0)
        monkeypatch.setattr(timers_node, "LOOK_SECONDS", 0.02)
        self.start_broker()
        self.publisher = publisher(self.config, "test")

    @property
    def read(self) -> list[str]:
        """The bolts that run."""
        return [*READ, *([PROPERTIES] if self.has_segments else [])]

    @property
    def has_segments(self) -> bool:
        return any(game.segments for game in self._games.values())

    @property
    def collections(self) -> list[str]:
        """The collections that the timer bolts write."""
        return [*COLLECTIONS, *(OF_SEGMENTS if self.has_segments else [])]

    @property
    def config(self) -> Config:
        return Config(
            data=self.data,
            broker=self._broker_section,
            worker=WorkerSection(flush_seconds=0.02, groups={"days": self.read}, left_out=NOT_READ),
            timers=TimersSection(every_seconds=30),
            games=self._games,
        )

    def start_broker(self) -> None:
        self._broker = Broker(self._broker_section, self.data, readers(self.config))
        self._broker.start()
        self._stepping = gevent.spawn(_step_for_ever, self._broker)

    def stop_broker(self) -> None:
        self._stepping.kill()
        self._broker.stop()
        until_free(self._broker_section)

    def start_worker(self) -> Worker:
        return self._start(Worker(self.config, self.read, "worker"))

    def start_timers(self) -> Timers:
        return self._start(Timers(self.config, now=lambda: self.now))

    def kill(self, node: Any) -> None:
        """End a node as if it were killed: nothing is finished or saved."""
        self._greenlets.pop(node).kill()
        node._tasks.stop()
        node.stop()

    def stop(self, node: Any) -> None:
        """Stop a node in order."""
        self._greenlets.pop(node).kill()
        node.stop()

    def close(self) -> None:
        for node in list(self._greenlets):
            self.kill(node)
        self.publisher.close(0)
        self.stop_broker()

    def send(self, topic: str, tuples: Iterable[Mapping[str, Any]]) -> None:
        """Publish tuples of one topic and wait until they are durable."""
        listed = list(tuples)
        for begin in range(0, len(listed), 1000):
            some = listed[begin : begin + 1000]
            numbers = range(self._sent + 1, self._sent + len(some) + 1)
            lines = tagged("gamelog/test", numbers, [msgspec.json.encode(one) for one in some])
            part = Part(topic, len(lines), len(lines))
            header = BatchHeader("gamelog/test", [(numbers[0], numbers[-1])], [part])
            self.publisher.publish(Batch(header, [b"\n".join(lines)])).get(timeout=PATIENCE)
            self._sent = numbers[-1]

    def drain(self) -> None:
        """Wait until everything that was sent is in all documents; fail where a node has died."""
        waiting = gevent.spawn(drain, self.config, PATIENCE)
        while not waiting.ready():
            for greenlet in self._greenlets.values():
                if greenlet.ready():
                    waiting.kill()
                    greenlet.get()
            gevent.wait([waiting], timeout=0.05)
        waiting.get()

    def documents(self, *collections: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the timer bolts' documents as readers see them."""
        return {
            (name, one["_id"]): {
                key: value for key, value in one.items() if key[0] != "_" and key != "updated"
            }
            for name in collections or self.collections
            for one in self.store.find(name)
        }

    def versions(self) -> dict[tuple[str, str], int]:
        return {(name, one["_id"]): one["_v"] for name in self.collections for one in self.store.find(name)}

    def recomputed(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what a node that has never run before makes of the bolts' documents. It publishes them, too."""
        fresh = SharedStore()
        for name in self.read:
            fresh._collections[name] = dict(self.store._collections.get(name, {}))
        # A cohort that lost all of its members stays, and says so.
        for name in [f"{one}{total}" for one in PAYERS_AGAIN for total in ("", "_total")]:
            emptied = [one for one in self.store.find(name) if not one["pay_user"]]
            kept = [
                {field: one[field] for field in ("_id", "area", "game") if field in one} for one in emptied
            ]
            fresh.write(name, [Write(one["_id"], one | {"_v": 1}, 0) for one in kept])
        before, self.store = self.store, fresh
        node = self.start_timers()
        try:
            eventually(self.is_saved)
            return self.documents()
        finally:
            self.kill(node)
            self.store = before

    def is_saved(self) -> bool:
        """Return whether the timer bolts have a saved position, and no run is under way."""
        saved = self.store.load("positions", ["timers"]).get("timers")
        return saved is not None and "run" not in saved and bool(saved["now"])

    def published(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Return, per timer bolt, area or game, and ``ts``, the newest tuple that the Queue holds."""
        refill = Refill(self.config.broker, PATIENCE)
        newest: dict[tuple[Any, ...], dict[str, Any]] = {}
        try:
            after = dict.fromkeys(self.collections, 0)
            more = True
            while more:
                page, messages = refill.read(after)
                more = page.more
                for message in messages:
                    after[message.topic] = message.header.number
                    for line in message.body.split(b"\n"):
                        one = msgspec.json.decode(line)
                        key = (message.topic, *_key(message.topic, one))
                        if key not in newest or newest[key]["version"] <= one["version"]:
                            newest[key] = one
        finally:
            refill.close()
        return newest

    def unpublished(self) -> list[str]:
        """Return which documents nobody heard of as they are."""
        newest = self.published()
        result = []
        for (name, key), document in self.documents().items():
            told = newest.get((name, *_key(name, document)), {})
            shown = without_dates(document)
            if {field: told.get(field) for field in shown} != shown:
                result.append(f"{name} {key}")
        return result

    def _start(self, node: Any) -> Any:
        node.start()
        self._greenlets[node] = gevent.spawn(_step_for_ever, node)
        return node


def _key(name: str, document: Mapping[str, Any]) -> tuple[str, int]:
    """Return of what scope, reason and time a document is."""
    scope = [document.get(one) for one in ("scope", "game", "plat", "area", "reason", "segment", "value")]
    return str(scope), 0 if name == "serverstarttime" else document["ts"]


def _step_for_ever(node: Any) -> None:
    while True:
        node.step()


def games(timezone: str = SHANGHAI, other: str = "America/New_York") -> dict[str, Game]:
    """Return a game of two areas in different zones, and one of one area."""
    return {
        "dl": Game(
            timezone=timezone,
            areas={A: AreaSection(plat="1"), C: AreaSection(plat="2", timezone=other)},
        ),
        "wsdx": Game(areas={B: AreaSection(plat="3")}),
    }


def at(day: str, hour: int = 12, timezone: str = SHANGHAI) -> int:
    """Return the Unix second of an hour of a day there."""
    return zone(timezone).day_of(day) + hour * 3600


def log(code: str, acct: str, ts: int, area: str = A) -> dict[str, Any]:
    """Return a game log record: ``code`` is login, signup or createrole."""
    return {"op": {"code": f"{code}_logcount", "id": 1}, "area": area, "ts": ts, "data": {"acct": acct}}


def coins(acct: str, amount: int, reason: str, ts: int, area: str = A) -> dict[str, Any]:
    """Return a game log record of coins that were spent (below 0) or gained."""
    data = {"acct": acct, "amount": amount, "reason": reason}
    return {"op": {"code": "yuanbao_logchange", "id": 1}, "area": area, "ts": ts, "data": data}


def paid(amounts: Mapping[str, float], ts: int, area: str = A, at: int = 1) -> dict[str, Any]:
    """Return a snapshot of an area's payments of the day that begins at ``ts``."""
    users = {acct: {"times": 1, "amount": amount} for acct, amount in amounts.items()}
    return {"area": area, "ts": ts, "at": at, "users": users}


def channel(values: list[str], other: bool = False) -> dict[str, SegmentSection]:
    """Return a segment of the channel that sign-ups have."""
    return {"channel": SegmentSection(from_="signup_logcount.data.channel", values=values, other=other)}


def some_weeks(suite: Suite, first: str, days: int, seed: int, accts: int = 40) -> None:
    """Send some weeks of records of all areas: some accts are active in several, some pay."""
    rng = random.Random(seed)
    begin = date.fromisoformat(first).toordinal()
    logs: dict[str, list[dict[str, Any]]] = {"login": [], "signup": [], "createrole": []}
    payments, spent, counts, logouts = [], [], [], []
    other = random.Random(seed)
    zones = {A: SHANGHAI, B: SHANGHAI, C: "America/New_York"}
    for area, timezone in zones.items():
        names = [f"{area[-1]}{n}" if n % 3 else f"shared{n}" for n in range(accts)]
        for n in range(days):
            day = date.fromordinal(begin + n).isoformat()
            start = zone(timezone).day_of(day)
            here = rng.sample(names, rng.randrange(accts // 2))
            logs["login"] += [log("login", acct, start + rng.randrange(80_000), area) for acct in here]
            new = [names[k] for k in range(accts) if k % days == n]
            logs["signup"] += [log("signup", acct, start + rng.randrange(80_000), area) for acct in new]
            logs["createrole"] += [
                log("createrole", acct, start + rng.randrange(80_000), area) for acct in new
            ]
            logouts += [log("logout", acct, start + other.randrange(80_000), area) for acct in here[:3]]
            for ts in (start + other.randrange(86_400), start + 86_340):
                counts.append({"area": area, "ts": ts, "data": {"online": other.randrange(9)}})
            spent += [
                coins(
                    acct,
                    rng.randrange(-50, 20),
                    "a:b" if acct < "c" else "shop",
                    start + rng.randrange(80_000),
                    area,
                )
                for acct in here[:3]
            ]
            if payers := rng.sample(names, rng.randrange(4)):
                payments.append(paid({acct: rng.randrange(1, 9999) / 100 for acct in payers}, start, area))
    for code, records in logs.items():
        rng.shuffle(records)
        suite.send(f"gamelog.{code}_logcount", records)
    suite.send("gamelog.logout_logcount", logouts)
    suite.send("gamelog.online_logcount", counts)
    suite.send("payment", payments)
    suite.send("gamelog.yuanbao_logchange", spent)


def failing(name: str, times: int = 1) -> Callable[[str, Any], None]:
    """Return what makes the next writes into a collection fail."""
    left = [times]

    def fail(collection: str, writes: Any) -> None:
        if collection == name and left[0]:
            left[0] -= 1
            raise Unavailable("no answer, on purpose")

    return fail
