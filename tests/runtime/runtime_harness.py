"""A broker that a test can stop, and records to send through it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from analytics.bolts import BOLTS
from analytics.broker.broker import Broker
from analytics.config import BrokerSection, Catalogue
from analytics.runtime.nodes import TIMERS

AREA = "549140c8dbdb67794fc0fa3b"
OTHER_AREA = "5461bb1bec8b9c686a8b4576"
NOON = 1420688004


class RunningBroker:
    """A broker that a test can stop and start again, at the same ports."""

    def __init__(self, data: Path, bolts: Catalogue = BOLTS) -> None:
        self.data = data
        self.bolts = bolts
        self.section = BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1)
        self.start()

    def start(self, left_out: str = "") -> None:
        bolts = {name: list(bolt.reads) for name, bolt in self.bolts.items() if name != left_out}
        self._broker = Broker(self.section, self.data, bolts, {*self.bolts, TIMERS})
        self._broker.start()
        self.section = self._broker.bound
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        self._greenlet.kill()
        self._broker.stop()

    def _run(self) -> None:
        while True:
            self._broker.step()


def login(acct: str, ts: int = NOON, area: str = AREA) -> dict[str, Any]:
    return {"op": {"code": "login_logcount", "id": 1003}, "area": area, "ts": ts, "data": {"acct": acct}}


def coins(amount: int, acct: str = "a", ts: int = NOON, area: str = AREA) -> dict[str, Any]:
    data = {"acct": acct, "amount": amount, "reason": "shop"}
    return {"op": {"code": "yuanbao_logchange", "id": 1010}, "area": area, "ts": ts, "data": data}


def eventually(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until ``condition()`` holds; fail if it does not within that time."""
    with gevent.Timeout(seconds, AssertionError(f"not true within {seconds} s: {condition}")):
        while not condition():
            gevent.sleep(0.02)
