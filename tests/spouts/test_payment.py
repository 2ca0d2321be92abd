"""The payment spout, from a real HTTP interface through a real broker."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import date

import gevent
import msgspec
import pytest
from forms import THOROUGH
from gamelogs import OVER_TCP
from gevent.pywsgi import WSGIServer
from polling import RunningBroker, Spouts, run_until, step_until

from analytics.broker import receiver
from analytics.broker.clients import Subscriber
from analytics.broker.wire import Message
from analytics.config import Config, Interface
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.forget.states import rename_states
from analytics.simulate.conf import SuiteOptions, configuration
from analytics.simulate.game import SimulatedClock, SimulatedGame
from analytics.simulate.server import serve
from analytics.simulate.world import WorldSettings
from analytics.spouts import payment, poller
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.spouts.payers import Payers
from analytics.spouts.payment import PaymentSpout
from analytics.spouts.rejected import read

SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas([Area("5" * 24, "dl", "2001", SHANGHAI), Area("6" * 24, "wsdx", "1059", SHANGHAI)])
DAY = SHANGHAI.day_of("2015-01-08")
NOON = DAY + 12 * 3600


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(poller, "FIRST_DELAY", 0.01)


@pytest.fixture
def broker(tmp_path):
    running = RunningBroker(tmp_path / "broker")
    yield running
    running.stop()


class Till:
    """A payment interface whose answers a test sets: ``paid[area, date]`` is the body, or what raises."""

    def __init__(self):
        self.paid, self.now, self.asked = {}, NOON, Counter()
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None, error_log=None)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environ, start_response):
        body = {"now": self.now}
        if environ["PATH_INFO"] != "/clock":
            area, day = environ["PATH_INFO"].strip("/").split("/")
            self.asked[area, day] += 1
            body = self.paid.get((area, day), {"users": {}})
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        start_response("200 OK", [("Content-Length", str(len(raw)))])
        return [raw]

    def stop(self):
        self._server.stop(timeout=1)


@pytest.fixture
def till():
    running = Till()
    yield running
    running.stop()


@pytest.fixture
def spout(tmp_path, broker, till):
    """Starts a payment spout that polls the till; it is stopped at the end."""

    def make(**settings):
        interface = Interface(url=till.url + "/{area}/{day}", clock_url=till.url + "/clock", **settings)
        return PaymentSpout(Config(data=tmp_path / "data", broker=broker.section, payment=interface), AREAS)

    made = Spouts(make)
    yield made
    made.close()


def rounds(node, count):
    """Step until ``count`` whole rounds have been asked and taken."""
    wanted = node.state()["rounds"] + count + 1
    step_until(node, lambda: node.state()["rounds"] >= wanted)
    step_until(node, lambda: on_its_way(node) == 0)


def on_its_way(node):
    """Return what ``drain`` waits for."""
    state = node.state()
    return state["journaled"] - state["published"] - state["repeated"]


def users(**amounts):
    return {"users": {acct: {"times": 1, "amount": amount} for acct, amount in amounts.items()}}


DL, WSDX = AREAS


def test_read_payment_not_empty(tmp_path, broker):
    """The simulated game's payments reach a subscriber as tuples of the contract's shape."""
    settings = WorldSettings(date(2026, 3, 2), areas=2, players=500, days=2)
    game = SimulatedGame(settings, tmp_path / "game", speed=1e9)
    game.run()
    server = serve(game)
    areas = Areas(Area(s.id, s.game, s.plat, zone(settings.timezone)) for s in game.servers)
    url = f"http://127.0.0.1:{server.server_port}"
    interface = Interface(
        url=url + "/payment?area={area}&day={day}&page={page}",
        clock_url=url + "/clock",
        since="2026-03-02",
        every_seconds=0.1,
    )
    subscriber = Subscriber(broker.section, ["payment"])
    assert subscriber.recv(60), "a heartbeat: it hears what is published from now on"
    node = PaymentSpout(Config(data=tmp_path / "data", broker=broker.section, payment=interface), areas)
    node.start()
    step_until(node, lambda: node.state()["published"] >= 3)
    rounds(node, 1)
    heard = []
    while (message := subscriber.recv(0.3)) is not None:
        if isinstance(message, Message):
            heard += [json.loads(line) for line in message.body.splitlines()]
    node.stop()
    subscriber.close()
    server.stop(timeout=1)
    expected = game.ledger.documents()["payorderdetail"]
    found = {
        f"{one['area']}:{one['ts']}:{acct}": (
            paid["times"],
            round(paid["amount"] - paid.get("refunded", 0), 2),
        )
        for one in heard
        for acct, paid in one["users"].items()
    }
    assert found and found == {key: (one["pay_count"], one["pay_amout"]) for key, one in expected.items()}
    assert all(list(one) == ["id", "game", "area", "plat", "ts", "day", "at", "users"] for one in heard)
    assert {(one["area"], one["game"], one["plat"]) for one in heard} == {
        (s.id, s.game, s.plat) for s in game.servers
    }
    journal = [line for path in (tmp_path / "data").glob("payment_*.txt") for line in path.open()]
    assert sorted(map(json.loads, journal), key=str) == sorted(heard, key=str)
    game.close()


@pytest.fixture
def narrow(monkeypatch):
    """A broker that takes messages of some hundred KB."""
    monkeypatch.setattr(receiver, "MOST_BYTES", 300_000)
    monkeypatch.setattr(payment, "BATCH_USERS", 2_000)


def test_answers_of_many_accounts_do_not_travel_together(narrow, broker, till, spout):
    """The broker hangs up on a message that is too large, however often it comes."""
    for day in range(1, 9):
        till.paid[DL, f"2015-01-0{day}"] = users(**{f"u{n}": 2.0 for n in range(3_000)})
    node = spout(since="2015-01-01", concurrency=16)
    step_until(node, lambda: till.asked)
    with gevent.Timeout(600):
        while len(till.asked) < 16:
            gevent.sleep(0.05)  # the other answers wait for the next step
    step_until(node, lambda: node.state()["published"] == 8)


def test_an_unchanged_answer_and_an_empty_one_publish_nothing(spout, till, broker):
    till.paid[DL, "2015-01-08"] = users(a=2.0, b=0.1 + 0.2)
    node = spout()
    rounds(node, 5)
    (one,) = broker.tuples("payment")
    assert one["users"] == {"a": {"times": 1, "amount": 2.0}, "b": {"times": 1, "amount": 0.3}}
    assert (one["area"], one["ts"], one["plat"]) == (DL, DAY, "2001")
    till.paid[DL, "2015-01-08"] = users(b=0.3, a=2.0)  # the same in another order
    rounds(node, 3)
    assert len(broker.tuples("payment")) == 1
    till.paid[DL, "2015-01-08"] = users(a=4.0, b=0.3)
    rounds(node, 3)
    first, second = broker.tuples("payment")
    assert second["users"]["a"]["amount"] == 4.0 and second["at"] > first["at"]
    assert node.state()["unchanged"] > 10


def test_whom_a_later_answer_leaves_out_has_paid_nothing(spout, till, broker):
    till.paid[DL, "2015-01-08"] = users(ann=6, bob=15, cho=3)
    node = spout()
    rounds(node, 2)
    till.paid[DL, "2015-01-08"] = {
        "users": {"bob": {"times": 1, "amount": 7.5}, "cho": {"times": 0, "amount": -3}}
    }
    rounds(node, 2)
    spout.stop(node)
    nothing = {"times": 0, "amount": 0}
    assert broker.tuples("payment")[-1]["users"] == {"bob": {"times": 1, "amount": 7.5}, "ann": nothing}
    till.paid[DL, "2015-01-08"] = {"users": {"dan": nothing}}
    node = spout()
    rounds(node, 2)
    assert broker.tuples("payment")[-1]["users"] == {"bob": nothing, "cho": nothing, "dan": nothing}
    till.paid[DL, "2015-01-08"] = {"users": {}}
    rounds(node, 2)
    assert len(broker.tuples("payment")) == 3
    till.paid[DL, "2015-01-08"] = users(ann=6)
    rounds(node, 2)
    assert broker.tuples("payment")[-1]["users"] == {"ann": {"times": 1, "amount": 6}}


def test_orders_are_added_up_and_keep_what_they_first_said(spout, till, broker, tmp_path):
    def order(id_, amount, status="paid", acct="ann"):
        return {"order_id": id_, "acct": acct, "amount": amount, "status": status}

    till.paid[DL, "2015-01-08"] = {
        "orders": [order(1, 6), order(2, 30), order(1, 6), order(3, 1, acct="bob")]
    }
    node = spout()
    bob, both = {"times": 1, "amount": 1}, {"times": 2, "amount": 36}
    step_until(
        node, lambda: [one["users"] for one in broker.tuples("payment")] == [{"ann": both, "bob": bob}]
    )
    till.paid[DL, "2015-01-08"] = {"orders": [order(2, 30, "refunded"), order(1, 7), order(3, 1, acct="bob")]}
    rounds(node, 2)
    spout.stop(node)
    refunded = {"ann": both | {"refunded": 30}, "bob": bob}
    node = spout()
    step_until(node, lambda: len(broker.tuples("payment")) > 1)
    rounds(node, 2)
    assert [one["users"] for one in broker.tuples("payment")][1:] == [refunded]
    (rejected,) = read(tmp_path / "data")
    assert rejected.reason.startswith('$.orders.*.amount: expected 6.0, as before, got 7.0 for order "1"')
    till.paid[DL, "2015-01-08"] = {"orders": [{"no": 17}], "users": {"cho": both}}
    nothing = {"times": 0, "amount": 0}
    sums = {"ann": nothing, "bob": nothing, "cho": both}
    step_until(
        node, lambda: broker.tuples("payment")[-1]["users"] == sums
    )  # rounds may pass before an answer
    assert [one.replayed for one in read(tmp_path / "data")] == [False, True], "it is in no answer any more"


@pytest.mark.parametrize("lost", ["payment.json", "payment.sqlite*", "payment.*"])
def test_after_a_loss_the_journal_says_who_had_paid(spout, till, broker, tmp_path, lost):
    till.paid[DL, "2015-01-08"] = users(ann=6, bob=15)
    node = spout()
    rounds(node, 2)
    spout.stop(node)
    for path in (tmp_path / "data" / "state").glob(lost):
        path.unlink()
    till.paid[DL, "2015-01-08"] = users(bob=15)
    rounds(spout(), 3)
    assert [one["users"] for one in broker.tuples("payment")][1:] == [
        {"bob": {"times": 1, "amount": 15}, "ann": {"times": 0, "amount": 0}}
    ]


def test_after_an_upgrade_what_was_acknowledged_is_read_and_not_sent_again(spout, till, broker, tmp_path):
    for amount in range(1, 5):
        till.paid[DL, "2015-01-08"] = users(ann=6, bob=amount)
        node = spout()
        rounds(node, 2)
        spout.stop(node)
    for path in (tmp_path / "data" / "state").glob("payment.sqlite*"):
        path.unlink()
    till.paid[DL, "2015-01-08"] = users(bob=15)
    node = spout()
    rounds(node, 2)
    assert node.state()["repeated"] == 0 == broker.node.state()["repeated"]
    assert broker.tuples("payment")[-1]["users"] == {
        "bob": {"times": 1, "amount": 15},
        "ann": {"times": 0, "amount": 0},
    }


def test_what_had_arrived_before_a_crash_hides_nothing_from_drain(spout, till, broker, tmp_path):
    till.paid[DL, "2015-01-08"] = users(ann=6)
    node = spout()
    rounds(node, 2)
    spout.stop(node)
    for lost in ("payment.json*", "payment.sqlite*"):
        for path in (tmp_path / "data" / "state").glob(lost):
            path.unlink()
        node = spout()
        rounds(node, 2)
        assert (node.state()["published"], node.state()["repeated"]) == (0, 1)
        spout.stop(node)


def test_a_crash_before_the_journals_were_read_leaves_nobody_unknown(spout, till, broker, tmp_path):
    till.paid[DL, "2015-01-08"] = users(ann=6, bob=15)
    node = spout()
    rounds(node, 2)
    spout.stop(node)
    for path in (tmp_path / "data" / "state").glob("payment.sqlite*"):
        path.unlink()
    Payers(tmp_path / "data" / "state" / "payment.sqlite").close()
    till.paid[DL, "2015-01-08"] = users(bob=15)
    rounds(spout(), 3)
    assert broker.tuples("payment")[-1]["users"] == {
        "bob": {"times": 1, "amount": 15},
        "ann": {"times": 0, "amount": 0},
    }


def test_of_a_settled_day_nothing_is_kept(spout, till, tmp_path):
    till.paid[DL, "2015-01-08"] = users(ann=6)
    node = spout(settle_hours=0)
    rounds(node, 2)
    assert node._payers.of(f"{DL}:{DAY}") == {"ann"}
    till.now = DAY + 2 * 86400
    step_until(node, lambda: not node._payers.of(f"{DL}:{DAY}"))


def test_yesterday_is_asked_until_it_is_settled(spout, till):
    node = spout(settle_hours=6)
    rounds(node, 2)
    assert set(till.asked) == {
        (DL, "2015-01-08"),
        (WSDX, "2015-01-08"),
        (DL, "2015-01-07"),
        (WSDX, "2015-01-07"),
    }
    till.asked.clear()  # noon: the 7th was settled by its first answer
    rounds(node, 2)
    assert {day for _, day in till.asked} == {"2015-01-08"}
    till.now = DAY + 86400 + 5 * 3600
    rounds(node, 2)
    till.asked.clear()
    rounds(node, 2)
    assert {day for _, day in till.asked} == {"2015-01-08", "2015-01-09"}


def test_days_of_a_downtime_are_asked_about_after_it(spout, till, broker):
    node = spout()
    rounds(node, 2)
    spout.stop(node)
    till.paid[WSDX, "2015-01-09"] = users(late=1)
    till.now = DAY + 5 * 86400
    till.asked.clear()
    node = spout()
    rounds(node, 2)
    assert {day for area, day in till.asked if area == WSDX} == {f"2015-01-{day:02}" for day in range(8, 14)}
    assert [one["users"] for one in broker.tuples("payment")] == [{"late": {"times": 1, "amount": 1.0}}]
    rounds(node, 1)  # begun after all was acknowledged
    spout.stop(node)  # what it keeps is in its file then
    saved = json.loads((node._config.data / "state" / "payment.json").read_text())
    assert saved["digests"] == {}, "what is settled needs no memory"


@pytest.mark.parametrize(
    "body", [b"<html>Maintenance</html>", b"", b'{"users": {"a": {"ti', b'{"users": NaN}']
)
def test_a_broken_answer_is_shown_and_mended_by_the_next(spout, till, broker, body):
    till.paid[DL, "2015-01-08"] = body
    till.paid[WSDX, "2015-01-08"] = users(b=1)
    node = spout()
    key = f"{DL}:{DAY}"
    step_until(node, lambda: key in node.state()["errors"])
    assert "expected JSON, got" in node.state()["errors"][key] == node.state()["last_error"]
    rounds(node, 1)
    assert [one["area"] for one in broker.tuples("payment")] == [WSDX]
    till.paid[DL, "2015-01-08"] = users(a=1)
    step_until(node, lambda: not node.state()["errors"])
    rounds(node, 1)
    assert [one["area"] for one in broker.tuples("payment")] == [WSDX, DL] and node.state()["rejected"] == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"users": [1]}, "$.users: expected an object, got [1]"),
        ({"user": {}}, "$.users: expected an object, or an array $.orders, got nothing"),
        ([1, 2], "$: expected an object, got [1,2]"),
        ({"users": {}, "next": {"p": 1}}, '$.next: expected another page or null, got {"p":1}'),
        ({"users": {"a": 5}}, "$.users.*: expected an object, got 5"),
        (
            {"users": {"a": {"times": 1.5, "amount": 1}}},
            "$.users.*.times: expected int, got 1.5",
        ),
        (
            {"users": {"a": {"times": True, "amount": 1}}},
            "$.users.*.times: expected int, got true",
        ),
        ({"users": {"a": {"times": 1}}}, "$.users.*.amount: expected number, got nothing"),
        (
            {"users": {"a": {"times": 1, "amount": -1}}},
            "$.users.*.amount: expected number from 0 to 1000000000000, got -1",
        ),
        (
            {"users": {"": {"times": 1, "amount": 1}}},
            '$.users: expected accounts\' names of 1 to 200 characters, got ""',
        ),
    ],
)
def test_an_answer_of_another_shape_is_put_aside_once(spout, till, broker, tmp_path, body, reason):
    till.paid[DL, "2015-01-08"] = body
    node = spout()
    step_until(node, lambda: node.state()["errors"])
    rounds(node, 4)
    if "*" in reason or "names" in reason:
        reason += f" for account {json.dumps(next(iter(body['users'])))}"
    assert node.state()["last_error"] == reason
    (one,) = read(tmp_path / "data")
    assert one.reason == f"{reason} (area {DL}, 2015-01-08)" and one.spout == "payment" and one.raw
    assert broker.tuples("payment") == [] and node.state()["rejected"] == 1


def test_one_bad_account_does_not_keep_the_others_back(spout, till, broker, tmp_path):
    till.paid[DL, "2015-01-08"] = users(good=1, bad="much")
    node = spout()
    rounds(node, 3)
    (one,) = broker.tuples("payment")
    assert one["users"] == {"good": {"times": 1, "amount": 1.0}}
    (rejected,) = read(tmp_path / "data")
    aside = json.loads(rejected.raw)
    assert (
        aside["users"] == {"bad": {"times": 1, "amount": "much"}}
        and aside["area"] == DL
        and aside["ts"] == DAY
    )


@pytest.mark.parametrize("levels", [860, 940, 975])
def test_what_has_as_many_levels_as_can_be_read_is_rejected(spout, till, broker, tmp_path, levels):
    """What calls deeper can't write as many again: an account's payments, or an order, ended the spout."""
    nested = b"[" * levels + b"]" * levels
    till.paid[DL, "2015-01-08"] = b'{"users": {"bad": %b, "good": {"times": 1, "amount": 1}}}' % nested
    good = b'{"order_id": 1, "acct": "a", "amount": 1, "status": "paid"}'
    till.paid[WSDX, "2015-01-08"] = b'{"orders": [%b, %b]}' % (nested, good)
    node = spout(retries=0)
    step_until(node, lambda: len(node.state()["errors"]) == 2)
    step_until(node, lambda: on_its_way(node) == 0)
    if levels == 860:
        found = {one["area"]: [*one["users"]] for one in broker.tuples("payment")}
        assert found == {DL: ["good"], WSDX: ["a"]} and len(list(read(tmp_path / "data"))) == 2


def test_while_the_broker_is_away_answers_wait_and_none_is_lost(spout, till, broker, tmp_path):
    node = spout()
    rounds(node, 1)
    broker.stop()
    amounts = itertools.count(1)

    def full() -> bool:
        till.paid[DL, "2015-01-08"] = users(a=next(amounts))
        return node._outbox.full

    step_until(node, full)
    for _ in range(3):
        node.step()
    state = node.state()
    assert state["published"] == 0 and 4 < state["journaled"] <= 8
    spout.stop(node)  # what was journaled and never acknowledged is for the next process
    broker.__init__(tmp_path / "broker", broker.section)
    node = spout()
    rounds(node, 3)
    assert [one["users"]["a"]["amount"] for one in broker.tuples("payment")][-1] == next(amounts) - 1
    till.paid[DL, "2015-01-08"] = users(a=100)
    rounds(node, 3)
    found = broker.tuples("payment")
    assert found[-1]["users"]["a"]["amount"] == 100
    assert [int(one["id"].rpartition(":")[2]) for one in found] == list(range(1, len(found) + 1))
    journal = [json.loads(line) for path in (tmp_path / "data").glob("payment_*.txt") for line in path.open()]
    assert sorted(journal, key=str) == sorted(found, key=str)
    assert [one["at"] for one in found] == sorted({one["at"] for one in found})


def test_answers_after_a_crash_are_newer_though_the_clock_was_put_back(
    spout, till, broker, tmp_path, monkeypatch
):
    """What was journaled before it has not arrived yet, so no state tells of its time."""
    broker.stop()
    till.paid[DL, "2015-01-08"] = users(a=1)
    node = spout()
    step_until(node, lambda: node.state()["journaled"] == 1)
    node._outbox._publisher.close(0)
    spout.stop(node)
    broker.__init__(tmp_path / "broker", broker.section)
    till.paid[DL, "2015-01-08"] = users(a=2)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)
    node = spout()
    rounds(node, 2)
    step_until(node, lambda: len(broker.tuples("payment")) == 2)
    assert latest(broker.tuples("payment")) == {f"{DL}:{DAY}:a": (1, 2.0)}


def test_a_lost_state_loses_no_record_and_brings_none_twice(spout, till, broker, tmp_path):
    till.paid[DL, "2015-01-08"] = users(a=1)
    node = spout()
    rounds(node, 2)
    spout.stop(node)
    (before,) = broker.tuples("payment")
    (tmp_path / "data" / "state" / "payment.json").unlink()
    (journal,) = (tmp_path / "data").glob("payment_*.txt")
    journal.write_bytes(b"not a tuple\n" + journal.read_bytes() + b'{"id":"torn')
    node = spout()
    rounds(node, 3)
    first, *more = broker.tuples("payment")
    assert first == before and node.state()["repeated"] == 1
    assert more == [], "what the journal tells was sent is not sent again under another name"
    (rejected,) = read(tmp_path / "data")
    assert rejected.raw == "not a tuple" and rejected.source == "payment/journal"


def test_a_second_one_on_the_same_data_is_refused(spout):
    spout()
    with pytest.raises(AnalyticsError, match="another payment spout"):
        spout()


CHILD = """
from gevent import monkey; monkey.patch_all()
import pathlib, sys
from analytics.config import areas, load
from analytics.spouts.payment import PaymentSpout
config = load(pathlib.Path(sys.argv[1]))
node = PaymentSpout(config, areas(config))
node.start()
while True:
    node.step()
"""


def test_killed_at_any_instant_each_record_arrives_exactly_once(tmp_path, broker):
    """The spout dies again and again while the game goes on and its interface breaks now and then."""
    players, speed = (600, 4 * 86400 / 8) if THOROUGH else (300, 4 * 86400 / 4)
    settings = WorldSettings(date(2026, 3, 2), areas=4, players=players, days=4)
    game = SimulatedGame(settings, tmp_path / "game", speed=speed)
    game.clock = SimulatedClock(game.clock.start, game.clock.end, speed)
    server = serve(game, faults=0.05)
    playing = gevent.spawn(game.run)
    conf, data = tmp_path / "analytics.toml", tmp_path / "data"
    url = f"http://127.0.0.1:{server.server_port}"
    text = configuration(game.servers, url, settings.timezone, SuiteOptions(data))
    text = text.replace("every_seconds = 1.0", 'every_seconds = 0.1\nsince = "2026-03-02"\nretries = 1', 1)
    conf.write_text(text.replace("[payment]", f"{broker_table(broker.section)}\n[payment]"))
    draw = random.Random(5)
    while not playing.ready():
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(conf)])
        gevent.sleep(0.8 + draw.random())
        assert child.poll() is None, "the spout ended by itself"
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    playing.get()
    expected = {
        f"{key}:{acct}": (paid.times, paid.net / 100)
        for key, one in game.ledger.documents()["paysummary"].items()
        for acct, paid in game.ledger.payments(one["area"], one["ts"]).items()
    }
    run_until(CHILD, conf, lambda: latest(broker.tuples("payment")) == expected)
    tuples = broker.tuples("payment")
    assert expected and latest(tuples) == expected
    names = Counter(one["id"] for one in tuples)
    assert set(names.values()) == {1}
    for source in {name.rpartition(":")[0] for name in names}:
        numbers = sorted(int(name.rpartition(":")[2]) for name in names if name.startswith(source + ":"))
        assert numbers == list(range(1, len(numbers) + 1))
    journaled = {json.loads(line)["id"] for path in data.glob("payment_*.txt") for line in whole_lines(path)}
    assert set(names) <= journaled
    server.stop(timeout=1)
    game.close()


def latest(tuples):
    """Return, per area, day and acct, what its newest snapshot says."""
    found = {}
    for one in sorted(tuples, key=lambda one: one["at"]):
        for acct, paid in one["users"].items():
            net = round(paid["amount"] - paid.get("refunded", 0), 2)
            found[f"{one['area']}:{one['ts']}:{acct}"] = (paid["times"], net)
    return found


def whole_lines(path):
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def broker_table(section):
    ports = {name: value for name, value in msgspec.structs.asdict(section).items() if name.endswith("_port")}
    return "\n".join(["[broker]", OVER_TCP, *(f"{name} = {value}" for name, value in ports.items())])


def test_payments_of_a_forgotten_acct_go_on_as_its_pseudonym(till, broker, spout, tmp_path):
    """Also those of before: the day of whom an answer leaves out ends under the pseudonym."""
    till.paid[DL, "2015-01-08"] = users(ann=2.0, ben=3.0)
    node = spout()
    rounds(node, 1)
    spout.stop(node)
    forgotten = Forgotten.new().with_names({"ann": "xyz", "ben": "qrs"})
    forgotten.save(tmp_path / "data" / FILE)
    assert rename_states(tmp_path / "data", forgotten.of) == 1
    till.paid[DL, "2015-01-08"] = users(ann=7.0, cat=1.0)
    node = spout()
    rounds(node, 2)
    before, after = broker.tuples("payment")
    assert before["users"].keys() == {"ann", "ben"}
    assert {acct: one["amount"] for acct, one in after["users"].items()} == {
        "xyz": 7.0,
        "qrs": 0.0,
        "cat": 1.0,
    }
