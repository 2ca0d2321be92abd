"""The page of live events over a broker: it samples what the Sender publishes, while somebody looks, and shows what was rejected."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from flask import Flask
from month import a_month

from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher
from analytics.broker.wire import Batch, BatchHeader, Part, tagged
from analytics.config import BrokerSection, Config
from analytics.spouts.rejected import Reject, Rejected, newest
from analytics.web import live_records
from analytics.web.app import create_app
from analytics.web.data import Data

PATIENCE = 600.0


@dataclass
class Live:
    """A dashboard and the broker beside it."""

    app: Flask
    data: Data
    broker: Broker
    publisher: Publisher
    published: int = 0

    def publish(self, topic: str, *records: dict[str, Any], source: str = "gamelog/s1@f0") -> None:
        ns = range(self.published + 1, self.published + len(records) + 1)
        self.published += len(records)
        body = b"\n".join(tagged(source, ns, [msgspec.json.encode(one) for one in records]))
        header = BatchHeader(
            source, [(ns[0], ns[-1])] if source else [], [Part(topic, len(records), len(records))]
        )
        self.publisher.publish(Batch(header, [body])).get(timeout=PATIENCE)

    def get(self, query: str = "") -> Any:
        return self.app.test_client().get(f"/api/v1/live?{query}").json

    def until(self, true: Callable[[Any], bool], query: str = "") -> Any:
        """Ask as a page does until the answer is as wanted."""
        with gevent.Timeout(PATIENCE):
            while not true(answer := self.get(query)):
                gevent.sleep(0.05)
        return answer

    def look(self, query: str = "") -> None:
        """Begin to look."""
        self.until(lambda answer: answer["connected"], query)


@pytest.fixture(scope="module")
def month_data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return a_month(tmp_path_factory.mktemp("month"), 1, 5).data


@pytest.fixture
def live(month_data: Data, tmp_path: Path) -> Iterator[Live]:
    broker = Broker(
        BrokerSection(receiver_port=0, sender_port=0, refill_port=0, fsync=False, min_free_mb=1), tmp_path
    )
    broker.start()

    def turn() -> None:
        while True:
            broker.step()

    turning = gevent.spawn(turn)
    config = msgspec.structs.replace(month_data.config, data=tmp_path, broker=broker.bound)
    data = replace(month_data, config=config, clock=time.time)
    publisher = Publisher(broker.bound, "test")
    try:
        yield Live(create_app(data), data, broker, publisher)
    finally:
        data.live.close()
        publisher.close()
        turning.kill()
        broker.stop()


def login(acct: str | int) -> dict[str, Any]:
    return {"op": {"code": "login_logcount"}, "area": "a1", "ts": 1_775_000_000, "data": {"acct": acct}}


def role(acct: str) -> dict[str, Any]:
    return {"game": "dl", "area": "a1", "uid": f"role of {acct}", "acctid": acct, "ts": 1_775_000_000}


def test_records_appear_as_they_come_in(live: Live) -> None:
    live.publish("gamelog.login_logcount", login("too early"))
    live.look()
    live.publish("gamelog.login_logcount", login("ann"), login(12))
    live.publish("syncuser", role("bob"), source="syncuser/dl@f1")
    live.publish("loginday", {"id": "x", "area": "a1", "users": 5}, source="")
    answer = live.until(lambda answer: answer["came"] == answer["examined"] == 3)
    assert [(row["topic"], row["source"], row["acct"], row["usable"]) for row in answer["rows"]] == [
        ("syncuser", "dl", "bob", True),
        ("gamelog.login_logcount", "s1", "12", True),
        ("gamelog.login_logcount", "s1", "ann", True),
    ]
    assert answer["rows"][2]["n"] == 2 and answer["rows"][2]["text"].startswith('{"op":{"code":"login')
    page = live.app.test_client().get("/live").text
    assert "3 of 3 shown" in page and "ann" in page


@pytest.mark.parametrize(
    ("query", "accts", "came"),
    [
        ("acct=ann", ["ann"], 4),
        ("acct=role of bob", ["bob"], 4),
        ("acct=cat", [""], 4),
        ("source=s2", ["dan"], 4),
        ("topic=syncuser", ["bob"], 1),
        ("topic=gamelog.login_logcount", ["dan", "ann"], 2),
        ("topic=login*&acct=eve", [""], 1),
        ("topic=gamelog.login_logcount&acct=ann", ["ann"], 2),
    ],
)
def test_a_filter_leaves_what_it_says(live: Live, query: str, accts: list[str], came: int) -> None:
    live.look(query)
    live.publish("gamelog.login_logcount", login("ann"))
    live.publish("syncuser", role("bob"), source="syncuser/dl@f1")
    live.publish("payment", {"area": "a1", "users": {"cat": {"times": 1}}}, source="payment/dl@f1")
    live.publish("gamelog.login_logcount", login("dan"), source="gamelog/s2@f2")
    live.publish("loginday", {"area": "a1", "users": 1, "userlist": ["eve"]}, source="")
    answer = live.until(lambda answer: answer["came"] == answer["examined"] == came, query)
    assert [row["acct"] for row in answer["rows"]] == accts and answer["matched"] == len(accts)


def test_what_is_rejected_is_shown_with_its_reason(live: Live) -> None:
    rejected = Rejected(live.data.config)
    kept = Reject(at=5.0, spout="gamelog", source="gamelog/s1@f0", n=7, reason="$.data.acct: expected str", raw='{"acct":"eve"}')  # fmt: skip
    rejected.put_all([msgspec.structs.replace(kept, n=n, at=float(n)) for n in (1, 2, 3)])
    rejected.put_all([msgspec.structs.replace(kept, n=2, at=4.0, replayed=True), kept])
    rejected.close()
    live.look()
    live.publish("gamelog.login_logcount", login("ann"))
    both = live.until(lambda answer: answer["came"] == answer["examined"] == 1)["rows"]
    assert [(row["usable"], row["n"]) for row in both] == [(True, 1), (False, 7), (False, 3), (False, 1)]
    assert both[1]["reason"] == kept.reason and both[1]["acct"] == "eve" and both[1]["source"] == "s1"
    assert [row["n"] for row in live.get("state=rejected&acct=eve&source=s1")["rows"]] == [7, 3, 1]
    assert live.get("state=rejected&acct=ann")["rows"] == []
    assert [
        row["acct"]
        for row in live.until(lambda answer: answer["rows"], "state=rejected&topic=gamelog")["rows"]
    ]


def test_at_a_high_rate_a_sample_is_shown(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_records, "MOST_BYTES_A_SECOND", 1)
    live.look()
    for n in range(60):
        live.publish("gamelog.login_logcount", login(str(n)))
    answer = live.until(lambda answer: answer["came"] == 60)
    assert 0 < answer["examined"] < 60 and len(answer["rows"]) <= 50
    assert "a sample is looked at" in live.app.test_client().get("/live").text
    assert live.broker.facts().bolts == {}, "it has no position that segments wait for"


def test_nothing_runs_while_nobody_looks(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.look()
    monkeypatch.setattr(live_records, "IDLE_SECONDS", 0.0)
    with gevent.Timeout(PATIENCE):
        while live.data.live._samplers:
            gevent.sleep(0.05)


def test_filters_are_bounded(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_records, "MOST_FILTERS", 2)
    problems = [live.get(f"acct={n}")["problem"] for n in range(3)]
    assert problems[:2] == ["", ""] and "other filters are in use" in problems[2]
    assert live.get("acct=1")["problem"] == ""
    assert live.app.test_client().get(f"/live?topic={'x' * 201}").status_code == 400


def test_without_a_broker_the_page_says_so(month_data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_records, "SILENT_SECONDS", 1.0)
    client = create_app(replace(month_data)).test_client()
    with gevent.Timeout(PATIENCE):
        while not client.get("/api/v1/live").json["problem"]:
            gevent.sleep(0.1)
    assert "No records come from the broker" in client.get("/live").text


def test_the_ends_of_files_have_the_newest_rejected_records(live: Live) -> None:
    def put(config: Config, *rejects: Reject) -> None:
        writer = Rejected(config)
        writer.put_all(rejects)
        writer.close()

    folder, config = live.data.config.data, live.data.config
    assert list(newest(folder)) == []
    many = [Reject(at=float(n), source="s", n=n, reason="r", raw="x" * 1000) for n in range(1, 1001)]
    put(config, *many)
    found = [one.n for one in newest(folder)]
    assert found == list(range(1000, 1000 - len(found), -1)) and 100 < len(found) < 1000
    put(config, Reject(at=2000.0, source="s", n=2000, reason="r", raw="x" * (1 << 20)))
    assert next(newest(folder)).n == 2000
