"""A store that has lost acknowledged writes: the worker notices, reads the Queue again, or says which rebuild is needed."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from runtime_harness import AREA, RunningBroker, RunningWorkers, coins, login
from waiting import eventually

from analytics.bolts import BOLTS
from analytics.broker.clients import Refill
from analytics.broker.wire import Head
from analytics.config import Config
from analytics.core.writing import LostWrites
from analytics.errors import AnalyticsError
from analytics.runtime import connections, recovery
from analytics.runtime.lost_writes import EXPIRY_SECONDS, Losses, LossNote, older_documents
from analytics.store import POSITIONS, MemoryStore, Write

DAY = f"{AREA}:1420646400"
COINS, LOGIN = "gamelog.yuanbao_logchange", "gamelog.login_logcount"


class Restorable(MemoryStore):
    """A store that outlives its users, and can be set back."""

    def __init__(self) -> None:
        super().__init__()
        self.barriers = 0

    def backup(self) -> dict[str, dict[str, bytes]]:
        """Return what is stored."""
        return {name: dict(documents) for name, documents in self._collections.items()}

    def restore(self, saved: dict[str, dict[str, bytes]], only: Iterable[str] = ()) -> None:
        """Set collections back, all of them where none is named."""
        for name in list(only) or [*self._collections]:
            self._collections[name] = dict(saved.get(name, {}))

    def barrier(self) -> None:
        self.barriers += 1

    def close(self) -> None:
        """Stay."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Restorable:
    one = Restorable()
    monkeypatch.setattr(connections, "open_store", lambda config: one)
    monkeypatch.setattr(recovery, "REFRESH_SECONDS", 0.05)
    return one


@pytest.fixture
def running(config: Config, store: Restorable) -> Iterator[RunningWorkers]:
    one = RunningWorkers(config)
    yield one
    one.stop()


def count(store: Restorable, collection: str) -> Callable[[], int]:
    return lambda: int(store.load(collection, [DAY]).get(DAY, {}).get("count", 0))


def backup_at_three_of_seven(store: Restorable, send: Any) -> dict[str, dict[str, bytes]]:
    """Have seven coins counted, and return what was stored after three of them."""
    send(COINS, [coins(-1)] * 3)
    eventually(lambda: count(store, "coinday")() == 3)
    saved = store.backup()
    send(COINS, [coins(-1)] * 4)
    eventually(lambda: count(store, "coinday")() == 7)
    return saved


def test_a_database_from_an_older_backup_is_brought_up_to_date(
    running: RunningWorkers, store: Restorable, send: Any
) -> None:
    one = running.start()
    send(COINS, [coins(-1)] * 3)
    send(LOGIN, [login("a")])
    eventually(lambda: count(store, "coinday")() == 3 and count(store, "server")() == 0)
    saved = store.backup()
    send(COINS, [coins(-1)] * 4)
    send(LOGIN, [login("b")])
    eventually(lambda: count(store, "coinday")() == 7 and count(store, "loginday")() == 2)
    eventually(lambda: not one.state()["pending"])
    running.stop()
    store.restore(saved)
    assert count(store, "coinday")() == 3
    one = running.start()
    eventually(lambda: count(store, "coinday")() == 7 and count(store, "loginday")() == 2)
    eventually(lambda: one.state()["error"] == "")
    assert not Losses(store).load(BOLTS) and one.state()["skipped"] == 0


def test_documents_that_are_older_than_their_position_are_brought_up_to_date(
    running: RunningWorkers, store: Restorable, send: Any, caplog: pytest.LogCaptureFixture
) -> None:
    one = running.start()
    saved = backup_at_three_of_seven(store, send)
    eventually(lambda: not one.state()["pending"])
    running.stop()
    store.restore(saved, ["coinday"])
    one = running.start()
    eventually(lambda: count(store, "coinday")() == 7)
    eventually(lambda: one.state()["error"] == "")
    assert (
        f"coinday: the database has lost acknowledged writes (document '{DAY}' is at version 1" in caplog.text
    )
    assert "coinday: repaired" in caplog.text and "coinhour: repaired" not in caplog.text


def test_a_document_that_goes_back_while_it_is_counted_is_not_written_over(
    running: RunningWorkers, store: Restorable, send: Any, caplog: pytest.LogCaptureFixture
) -> None:
    one = running.start()
    saved = backup_at_three_of_seven(store, send)
    store.restore(saved, ["coinday"])
    send(COINS, [coins(-1)])
    eventually(lambda: count(store, "coinday")() == 8)
    eventually(lambda: one.state()["error"] == "" and not one.state()["lost_writes"])
    assert "coinday: the database has lost acknowledged writes" in caplog.text


def test_after_a_change_of_primary_what_was_written_last_is_looked_at(
    running: RunningWorkers, store: Restorable, send: Any, caplog: pytest.LogCaptureFixture
) -> None:
    running.start()
    saved = backup_at_three_of_seven(store, send)
    barriers = store.barriers
    store.elections += 1
    send(LOGIN, [login("a")])
    eventually(lambda: count(store, "loginday")() == 1)
    assert store.barriers > barriers and "lost" not in caplog.text
    store.restore(saved, ["coinday"])
    store.elections += 1
    send(LOGIN, [login("b")])  # says nothing of coins
    eventually(lambda: count(store, "coinday")() == 7 and count(store, "loginday")() == 2)
    assert "coinday: the database has lost acknowledged writes" in caplog.text


def test_where_the_queue_does_not_reach_back_status_names_the_rebuild_until_it_has_run(
    running: RunningWorkers,
    broker: RunningBroker,
    store: Restorable,
    send: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = running.start()
    send(COINS, [coins(-1)] * 3)
    eventually(lambda: count(store, "coinday")() == 3 and not one.state()["pending"])
    # As if the Queue's first segments were deleted: what is read again begins later.
    monkeypatch.setattr(broker._broker._log, "_oldest", lambda topic, after: max(after + 1, 2))
    running.stop()
    store.restore({})
    one = running.start()
    eventually(lambda: "run `bin/analytics rebuild`" in one.state()["error"])
    send(COINS, [coins(-1)])
    eventually(lambda: not any(loss.reading for loss in Losses(store).load(BOLTS).values()))
    assert "coinday" in one.state()["error"] and one.state()["skipped"] == 0
    running.stop()
    one = running.start()
    eventually(lambda: "run `bin/analytics rebuild`" in one.state()["error"])
    Losses(store).remove(BOLTS)
    eventually(lambda: one.state()["error"] == "")


def test_what_a_rebuild_corrects_while_the_queue_is_read_again_needs_no_other(
    broker: RunningBroker,
    config: Config,
    store: Restorable,
    send: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        send(COINS, [coins(-1)])
    monkeypatch.setattr(broker._broker._log, "_oldest", lambda topic, after: max(after + 1, 2))
    refill, bolts = Refill(config.broker), ["coinday", "coinhour"]
    try:
        reading = recovery.Recovery(store, refill, [LostWrites(bolt, "all", {}) for bolt in bolts])
        assert reading.begin({}, {bolt: {COINS: Head(0, 0, 0)} for bolt in bolts}) == {COINS}
    finally:
        refill.close()
    assert reading.bolts == bolts
    Losses(store).remove(["coinday"])
    reading.end({bolt: {COINS: Head(2, 2, 2)} for bolt in bolts})
    assert reading.bolts == ["coinhour"] == list(Losses(store).load(BOLTS))


def test_a_worker_that_dies_while_it_reads_again_begins_again(
    running: RunningWorkers, store: Restorable, send: Any
) -> None:
    running.start()
    saved = backup_at_three_of_seven(store, send)
    running.stop()
    store.restore(saved, ["coinday"])
    # The note of an earlier start, and a position that it has saved since.
    Losses(store).save({"coinday": LossNote("something", {COINS: 1}, {COINS: 2})})
    one = running.start()
    eventually(lambda: count(store, "coinday")() == 7)
    eventually(lambda: one.state()["error"] == "")
    assert not Losses(store).load(BOLTS)


def test_a_position_that_goes_back_is_not_written_over(
    running: RunningWorkers, store: Restorable, send: Any, caplog: pytest.LogCaptureFixture
) -> None:
    one = running.start()
    send(COINS, [coins(-1)])
    eventually(lambda: "coinday" in store.load(POSITIONS, ["coinday"]))
    saved = store.backup()
    version = store.load(POSITIONS, ["coinday"])["coinday"]["_v"]
    send(COINS, [coins(-1)])
    eventually(lambda: store.load(POSITIONS, ["coinday"])["coinday"]["_v"] > version)
    eventually(lambda: not one.state()["pending"])
    gevent.sleep(0.2)  # until all positions are saved
    store.restore(saved, [POSITIONS])
    send(COINS, [coins(-1)])
    eventually(lambda: "position is at version" in caplog.text)
    eventually(lambda: count(store, "coinday")() == 3 and one.state()["error"] == "")


def test_a_queue_that_is_older_than_the_database_is_refused(
    running: RunningWorkers, store: Restorable, broker: RunningBroker, send: Any, tmp_path: Path
) -> None:
    running.start()
    send(COINS, [coins(-1)])
    eventually(lambda: count(store, "coinday")() == 1)
    broker.stop()
    shutil.copytree(broker.data, tmp_path / "backup")
    broker.start()
    send(COINS, [coins(-1)])
    eventually(lambda: count(store, "coinday")() == 2)
    running.stop()
    broker.stop()
    shutil.rmtree(broker.data)
    (tmp_path / "backup").rename(broker.data)
    broker.start()
    one = running.start()
    with pytest.raises(AnalyticsError, match="the data folder is older than the database: message 2 of"):
        while True:
            one.step()


def test_a_document_that_expired_is_not_taken_for_lost() -> None:
    store = MemoryStore()
    store.write("coinday", [Write("there", {"_v": 3}, 0)])
    now = time.time()
    assert (
        older_documents(store, "coinday", {"gone": (2, now - EXPIRY_SECONDS - 1), "there": (3, now)}, "l")
        is None
    )
    assert older_documents(store, "coinday", {"gone": (2, now)}, "l")
    assert older_documents(store, "coinday", {"there": (4, now - EXPIRY_SECONDS - 1)}, "l")


def test_a_broker_keeps_a_position_that_went_back(broker: RunningBroker) -> None:
    positions = broker._broker._positions
    log = broker._broker._log.identity
    positions.report("coinday", log, {COINS: Head(5, 5, 5)})
    positions.report("coinday", log, {COINS: Head(3, 3, 3)})
    assert positions.bolts["coinday"][COINS].number == 5
    positions.report("coinday", log, {COINS: Head(3, 3, 3)}, again=True)
    assert positions.bolts["coinday"][COINS].number == 3
