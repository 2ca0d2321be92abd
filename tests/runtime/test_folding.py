"""Messages that are folded together: numbers stay the same, even if another instance is half as far."""

from collections.abc import Iterator
from typing import Any

import gevent
import msgspec
import pytest
from runtime_harness import AREA, NOON, RunningWorkers
from waiting import eventually

from analytics.bolts import BOLTS
from analytics.broker.wire import Head, Message, MessageHeader
from analytics.config import Config
from analytics.core.areas import Area, Areas
from analytics.core.fold import Folder
from analytics.core.periods import zone
from analytics.runtime import connections, folding
from analytics.runtime.folding import Folding
from analytics.runtime.pending import Pending
from analytics.runtime.worker import Worker
from analytics.store import MemoryStore

AREAS = Areas([Area(AREA, "dl", "2001", zone("Asia/Shanghai"))])
QUESTS = "gamelog.trunk_task_accept"
COINS = "gamelog.yuanbao_logchange"
BOLT = {QUESTS: "mainline", COINS: "coinday"}


def quest(task: int, acct: str = "a") -> dict[str, Any]:
    data = {"acct": acct, "task": task}
    return {"op": {"code": "trunk_task_accept", "id": 1030}, "area": AREA, "ts": NOON, "data": data}


def coins(amount: int) -> dict[str, Any]:
    data = {"acct": "a", "amount": amount, "reason": "shop"}
    return {"op": {"code": "yuanbao_logchange", "id": 1010}, "area": AREA, "ts": NOON, "data": data}


class Folded:
    """A folding whose bolts have seen nothing, and the numbers of the messages that were folded together."""

    def __init__(self, there: int = 0) -> None:
        self.spans: list[tuple[int, int]] = []
        self.pending = Pending(BOLT.values(), 1000)
        self._folding = Folding(self._folder(), self.pending)
        self.begin(there)
        self.hold_nothing = self._folding.hold_nothing

    def begin(self, there: int = 0) -> None:
        self.pending.begin("log", {bolt: {topic: Head(0, 0, 0)} for topic, bolt in BOLT.items()})
        self._folding.begin(dict.fromkeys(BOLT, Head(there, 0, 0)))

    def take(self, topic: str, number: int, *records: Any) -> None:
        lines = [one if isinstance(one, bytes) else msgspec.json.encode(one) for one in records]
        header = MessageHeader("log", number, len(lines), number, number, f"gamelog/{number}", [], 0.0)
        self._folding.take(Message(topic, header, b"\n".join(lines)), Head(number, number, number))

    def settle(self) -> Any:
        self._folding.fold_held()
        return self.pending.take()

    @property
    def unusable(self) -> list[tuple[str, bytes]]:
        return [(source, one.line) for source, one in self._folding.unusable]

    def _folder(self) -> Folder:
        folder, spans = Folder([BOLTS[name] for name in BOLT.values()], AREAS), self.spans

        class Watched(Folder):
            def __init__(self) -> None:
                pass

            def fold(self, topic: Any, number: Any, body: Any, only: Any = None, first: Any = None) -> Any:
                spans.append((first, number))
                return folder.fold(topic, number, body, only, first)

        return Watched()


def test_messages_that_change_many_documents_are_folded_together() -> None:
    one = Folded()
    for number in range(1, 6):
        one.take(QUESTS, number, quest(number), quest(number + 1))
    assert one.spans == [(1, 1)]
    assert one.pending.tuples == 10
    changes = one.settle()
    assert one.spans == [(1, 1), (2, 5)]
    assert changes.heads["mainline"][QUESTS].number == 5
    counts = {
        key[2]: [delta.states[0] for delta in deltas] for key, deltas in changes.deltas["mainline"].items()
    }
    assert counts == {1: [1], 2: [1, 1], 3: [2], 4: [2], 5: [2], 6: [1]}


def test_messages_that_change_few_documents_are_folded_as_they_come() -> None:
    one = Folded()
    for number in range(1, 4):
        one.take(COINS, number, *[coins(-1)] * 5)
    assert one.spans == [(1, 1), (2, 2), (3, 3)]


def test_what_documents_may_have_in_part_is_folded_one_by_one() -> None:
    one = Folded(there=3)
    for number in range(1, 6):
        one.take(QUESTS, number, quest(1))
    one.settle()
    assert one.spans == [(1, 1), (2, 2), (3, 3), (4, 5)]


def test_nothing_is_held_for_a_while_after_another_instance_got_half_as_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Folded()
    one.hold_nothing()
    for number in range(1, 4):
        one.take(QUESTS, number, quest(1))
    assert one.spans == [(1, 1), (2, 2), (3, 3)]
    monkeypatch.setattr(folding.time, "monotonic", lambda now=folding.time.monotonic() + 61: now)
    for number in range(4, 6):
        one.take(QUESTS, number, quest(1))
    one.settle()
    assert one.spans[3:] == [(4, 5)]


def test_no_more_is_held_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "HELD_BYTES", 500)
    one = Folded()
    for number in range(1, 20):
        one.take(QUESTS, number, quest(1))
    assert len(one.spans) > 3
    assert [last for _, last in one.spans][-1] >= 16


def test_a_line_that_no_bolt_can_use_is_reported_with_its_own_source() -> None:
    one = Folded()
    one.take(QUESTS, 1, quest(1))
    one.take(QUESTS, 2, quest(2), b'{"broken": 2}')
    one.take(QUESTS, 3, quest(3))
    changes = one.settle()
    assert one.unusable == [("gamelog/2", b'{"broken": 2}')]
    assert {key[2] for key in changes.deltas["mainline"]} == {1, 2, 3}


def test_what_comes_again_is_reported_once() -> None:
    """A worker that begins again reads the messages once more that were not settled, with their unusable lines."""
    one = Folded()
    for _ in range(2):
        one.take(QUESTS, 1, b'{"broken": 1}')
        one.begin()
    one.take(QUESTS, 1, b'{"broken": 1}')
    assert one.unusable == [("gamelog/1", b'{"broken": 1}')]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryStore]:
    shared = MemoryStore()
    monkeypatch.setattr(MemoryStore, "close", lambda self: None)
    monkeypatch.setattr(connections, "open_store", lambda config: shared)
    yield shared


def test_another_instance_that_got_half_as_far(
    config: Config,
    store: MemoryStore,
    send: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One holds messages 2 to 4 when its documents turn out to include message 2 already."""
    workers = RunningWorkers(config)

    def wait(self: Worker) -> None:
        while self is first and waiting:
            gevent.sleep(0.01)

    def count() -> int:
        document = store.load("mainline", [f"{AREA}:1420646400:1"]).get(f"{AREA}:1420646400:1", {})
        return int(document.get("accept", 0))

    waiting = True
    monkeypatch.setattr(Worker, "_wait_for_more", wait)
    first = workers.start()
    eventually(lambda: first._consumer is not None and first._consumer.caught_up)
    send(QUESTS, [quest(1)])
    send(QUESTS, [quest(1)])
    eventually(lambda: first.state()["folded"] == 2)
    second = workers.start()
    eventually(lambda: count() == 2)
    workers.kill(second)
    send(QUESTS, [quest(1)])
    send(QUESTS, [quest(1)])
    eventually(lambda: first.state()["folded"] == 4)
    waiting = False
    eventually(lambda: count() == 4)
    gevent.sleep(0.3)
    assert count() == 4
    assert "folded together" in caplog.text
    workers.stop()
