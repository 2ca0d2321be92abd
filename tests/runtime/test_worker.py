"""A worker on a real broker: numbers are right whatever the store, the broker or another worker does."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import msgspec
import pytest
from gevent.event import Event
from runtime_harness import AREA, NOON, RunningBroker, RunningWorkers, coins, login
from waiting import eventually

from analytics.bolts import BOLTS
from analytics.broker.clients import Refill
from analytics.config import Config
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime import connections, outlet, settler
from analytics.runtime.worker import Worker
from analytics.store import MemoryStore

HOUR = f"{AREA}:1420686000"
DAY = f"{AREA}:1420646400"


class Shared(MemoryStore):
    """A store that outlives its users, and fails on command."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.writes = 0

    def write(self, collection: str, writes: Any) -> set[str]:
        """Write, and then, as often as asked to, say that there was no answer."""
        gevent.sleep(0)
        self.writes += 1
        conflicts = super().write(collection, writes)
        if self.failures:
            self.failures -= 1
            raise Unavailable("no answer, on purpose")
        return conflicts

    def close(self) -> None:
        """Stay."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Shared:
    shared = Shared()
    monkeypatch.setattr(connections, "open_store", lambda config: shared)
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.01)
    return shared


@pytest.fixture
def workers(config: Config, store: Shared) -> Iterator[RunningWorkers]:
    running = RunningWorkers(config)
    yield running
    running.stop()


def shown(store: Shared, collection: str, key: str) -> Callable[[str], Any]:
    document = store.load(collection, [key]).get(key, {})
    return document.get


def test_a_login_reaches_hour_day_and_server(workers: RunningWorkers, store: Shared, send: Any) -> None:
    workers.start()
    send("gamelog.login_logcount", [login("a"), login("b"), login("a")])
    eventually(lambda: shown(store, "server", DAY)("active") == 2)
    assert sorted(shown(store, "loginhour", HOUR)("userlist")) == ["a", "b"]
    assert shown(store, "loginhour", HOUR)("first_ts") == NOON
    assert shown(store, "loginday", DAY)("count") == 2


def test_a_worker_that_comes_late_finds_everything(workers: RunningWorkers, store: Shared, send: Any) -> None:
    for n in range(20):
        send("gamelog.yuanbao_logchange", [coins(-1, f"acct{n}")])
    workers.start()
    eventually(lambda: shown(store, "coinday", DAY)("count") == 20)
    send("gamelog.yuanbao_logchange", [coins(-1)])
    eventually(lambda: shown(store, "coinday", DAY)("amount") == 21)


def test_lost_answers_of_the_store_count_nothing_twice(
    workers: RunningWorkers, store: Shared, send: Any
) -> None:
    workers.start()
    for n in range(10):
        store.failures = 2
        send("gamelog.yuanbao_logchange", [coins(-1)])
        eventually(lambda n=n: shown(store, "coinday", DAY)("count") == n + 1)  # type: ignore[misc]
    eventually(lambda: not store.failures)
    assert shown(store, "coinhour", HOUR)("count") == 10


def test_killed_between_documents_and_position(
    workers: RunningWorkers, store: Shared, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documents have the change, the position does not: it is folded again, and counted once."""
    monkeypatch.setattr(settler.Settler, "save_positions", lambda *_: gevent.sleep(3600))
    first = workers.start()
    send("gamelog.yuanbao_logchange", [coins(-1), coins(-2)])
    eventually(lambda: shown(store, "coinday", DAY)("count") == 2)
    workers.kill(first)
    monkeypatch.undo()
    monkeypatch.setattr(connections, "open_store", lambda config: store)
    assert "coinday" not in store.load("positions", ["coinday"])
    workers.start()
    send("gamelog.yuanbao_logchange", [coins(-4)])
    eventually(lambda: shown(store, "coinday", DAY)("amount") == 7)
    assert shown(store, "coinday", DAY)("count") == 3


def test_killed_before_publishing_the_day_still_gets_the_acct(
    workers: RunningWorkers, store: Shared, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet.Outlet, "send", lambda *_: gevent.sleep(3600))
    first = workers.start()
    send("gamelog.login_logcount", [login("a")])
    eventually(lambda: shown(store, "loginhour", HOUR)("count") == 1)
    workers.kill(first)
    monkeypatch.undo()
    monkeypatch.setattr(connections, "open_store", lambda config: store)
    workers.start()
    eventually(lambda: shown(store, "loginday", DAY)("userlist") == ["a"])


def test_two_instances_of_all_bolts_at_once(workers: RunningWorkers, store: Shared, send: Any) -> None:
    workers.start()
    workers.start()
    for _ in range(30):
        send("gamelog.yuanbao_logchange", [coins(-1), coins(3)])
    eventually(lambda: shown(store, "coinday", DAY)("gain_amount") == 90)
    gevent.sleep(0.3)
    assert shown(store, "coinday", DAY)("count") == 30
    assert shown(store, "coinday", DAY)("gain_amount") == 90


def test_the_version_condition_is_what_protects(
    workers: RunningWorkers, store: Shared, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the condition two instances overwrite each other: the test above can fail."""
    write, versions = Shared.write, []

    def unguarded(self: Shared, collection: str, writes: Any) -> set[str]:
        versions.extend(one.document["_v"] for one in writes if (collection, one.id) == ("coinday", DAY))
        return write(self, collection, [settler.Write(one.id, one.document, None) for one in writes])

    monkeypatch.setattr(Shared, "write", unguarded)
    both = workers.start(), workers.start()
    eventually(lambda: all(one._consumer for one in both))
    numbers = itertools.count()

    def overwritten() -> bool:
        """Send one more, until two have written the same version, and nobody noticed."""
        send("gamelog.yuanbao_logchange", [coins(-1, f"acct{next(numbers)}")])
        return len(versions) > len(set(versions))

    eventually(overwritten)


def test_one_that_slept_takes_no_position_back(
    workers: RunningWorkers, store: Shared, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes with an old position in its hands, after another instance has gone on; the Queue may have let go since."""
    topic, save, write = "gamelog.yuanbao_logchange", settler.Settler.save_positions, Shared.write
    asleep = Event()
    stored: list[int] = []

    def sleep_first(self: settler.Settler, log: str, heads: Any) -> None:
        if self is first._settler:
            asleep.wait()
        save(self, log, heads)

    def noted(self: Shared, collection: str, writes: Any) -> set[str]:
        conflicts = write(self, collection, writes)
        if collection == "positions" and "coinday" in {one.id for one in writes}:
            topics = store.load("positions", ["coinday"])["coinday"]["topics"]
            stored.append({name: number for name, number, *_ in topics}[topic])
        return conflicts

    monkeypatch.setattr(settler.Settler, "save_positions", sleep_first)
    monkeypatch.setattr(Shared, "write", noted)
    first = workers.start()
    send(topic, [coins(-1)])
    eventually(lambda: shown(store, "coinday", DAY)("count") == 1)
    workers.start()
    for n in range(2, 4):
        send(topic, [coins(-1)])
        eventually(lambda n=n: shown(store, "coinday", DAY)("count") == n)  # type: ignore[misc]
    eventually(lambda: 3 in stored)
    asleep.set()
    before = len(stored)
    eventually(lambda: len(stored) >= before + 2)
    send(topic, [coins(-1)])
    eventually(lambda: 4 in stored)
    assert stored == sorted(stored)


def test_a_position_saved_without_a_version_is_replaced(
    workers: RunningWorkers, store: Shared, send: Any
) -> None:
    position = {"log": "gone", "topics": [["gamelog.yuanbao_logchange", 7, 7, 7]]}
    store.write("positions", [settler.Write("coinday", position, None)])
    workers.start()
    send("gamelog.yuanbao_logchange", [coins(-1)])
    eventually(lambda: shown(store, "coinday", DAY)("count") == 1)
    eventually(lambda: store.load("positions", ["coinday"])["coinday"].get("_v"))
    assert store.load("positions", ["coinday"])["coinday"]["topics"][0][1] == 1


def test_broker_restarts_and_loses_its_log(
    workers: RunningWorkers, store: Shared, send: Any, broker: RunningBroker, config: Config
) -> None:
    """A removed queue folder: another log identity. Documents go on, and nothing is counted twice."""
    workers.start()
    send("gamelog.yuanbao_logchange", [coins(-1)] * 3)
    eventually(lambda: shown(store, "coinday", DAY)("count") == 3)
    eventually(lambda: "coinday" in store.load("positions", ["coinday"]))
    broker.stop()
    shutil.rmtree(config.data / "queue")
    broker.start()
    send("gamelog.yuanbao_logchange", [coins(-1)] * 2)
    eventually(lambda: shown(store, "coinday", DAY)("count") == 5)
    gevent.sleep(0.3)
    assert shown(store, "coinday", DAY)("count") == 5


@pytest.mark.parametrize("running", [True, False])
def test_a_broker_whose_filter_is_another_one_is_refused(
    workers: RunningWorkers, store: Shared, send: Any, broker: RunningBroker, config: Config, running: bool
) -> None:
    """An empty data folder, as one whose disk is not mounted, would take every record of the logs again, and each would count twice."""
    one = workers.start()
    send("gamelog.yuanbao_logchange", [coins(-1)] * 3)
    eventually(lambda: shown(store, "coinday", DAY)("count") == 3)
    eventually(lambda: "coinday" in store.load("positions", ["coinday"]))
    if not running:
        workers.stop()
    broker.stop()
    for name in ("queue", "filter"):
        (config.data / name).rename(config.data / f"{name}.elsewhere")
    broker.start()
    if not running:
        one = Worker(config, list(BOLTS), "again")
        one.start()
    send("gamelog.yuanbao_logchange", [coins(-1)] * 3)
    with pytest.raises(AnalyticsError, match="data folder is another one"), gevent.Timeout(600):
        while True:
            one._tasks.check(0.1)
    if not running:
        one.stop()
    assert shown(store, "coinday", DAY)("count") == 3
    broker.stop()
    for name in ("queue", "filter"):
        shutil.rmtree(config.data / name)
        (config.data / f"{name}.elsewhere").rename(config.data / name)
    broker.start()
    workers.start()
    send("gamelog.yuanbao_logchange", [coins(-1)] * 2)
    eventually(lambda: shown(store, "coinday", DAY)("count") == 5)


def test_unusable_lines_are_put_aside(
    workers: RunningWorkers, store: Shared, send: Any, config: Config
) -> None:
    workers.start()
    send(
        "gamelog.login_logcount",
        [login("a"), {"area": AREA, "ts": NOON, "data": {"acct": 5}}, login("b", area="f" * 24)],
    )
    eventually(lambda: shown(store, "loginhour", HOUR)("count") == 1)
    eventually(lambda: any(config.data.glob("rejected_*.txt")))
    text = "".join(path.read_text() for path in config.data.glob("rejected_*.txt"))
    assert "$.data.acct" in text and "$.area" in text


def test_what_is_too_much_waits(
    workers: RunningWorkers, store: Shared, send: Any, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the store away, a worker folds up to its limit, and everything is there when the store is back."""
    monkeypatch.setattr(type(config.worker), "max_pending_tuples", 50)
    store.failures = 10**9
    one = workers.start()
    for _ in range(30):
        send("gamelog.yuanbao_logchange", [coins(-1)] * 10)
    eventually(lambda: one.state()["pending"] >= 50 and "on purpose" in one.state()["error"])
    assert one.state()["pending"] <= 60
    store.failures = 0
    eventually(lambda: shown(store, "coinday", DAY)("count") == 300)


def test_positions_reach_the_broker(
    workers: RunningWorkers, store: Shared, send: Any, config: Config
) -> None:
    workers.start()
    send("gamelog.login_logcount", [login("a"), login("b")])
    refill = Refill(config.broker, 60)

    def accounted() -> int:
        position = refill.state().bolts.get("loginhour", {}).get("gamelog.login_logcount")
        return position.records if position else 0

    eventually(lambda: accounted() == 2)
    refill.close()


def test_a_bolt_that_was_left_out_for_a_while_says_what_it_missed(
    workers: RunningWorkers, store: Shared, send: Any, config: Config, broker: RunningBroker
) -> None:
    topic = "gamelog.yuanbao_logchange"

    def restarted(left_out: str) -> Worker:
        broker.stop()
        broker.section = msgspec.structs.replace(broker.section, segment_mb=0.001, keep_hours=0)
        broker.start(left_out)
        return workers.start(left_out)

    one = workers.start()
    send(topic, [coins(-1)] * 3)
    eventually(lambda: shown(store, "coinday", DAY)("count") == 3 and not one.state()["pending"])
    workers.stop()
    restarted("coinday")
    for _ in range(20):
        send(topic, [coins(-1)] * 20)
    eventually(lambda: len(list((broker.data / "queue").glob("*.log"))) <= 2)
    workers.stop()
    one = restarted("")
    send(topic, [coins(-1)])
    eventually(lambda: one.state()["skipped"] > 0)
    eventually(lambda: shown(store, "coinday", DAY)("count") == 404 - one.state()["skipped"])
