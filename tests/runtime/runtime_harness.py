"""A broker and workers that a test can stop, records to send through them, and a publisher that keeps what it is given."""

from pathlib import Path
from typing import Any

import gevent
from sections import broker_ports, until_free

from analytics.bolts import BOLTS
from analytics.broker.broker import Broker
from analytics.broker.wire import Batch
from analytics.config import Catalogue, Config
from analytics.runtime.nodes import TIMERS
from analytics.runtime.worker import Worker
from analytics.spouts.acknowledging import Silent

AREA = "549140c8dbdb67794fc0fa3b"
OTHER_AREA = "5461bb1bec8b9c686a8b4576"
NOON = 1420688004


class RunningBroker:
    """A broker that a test can stop and start again, at the same ports."""

    def __init__(self, data: Path, bolts: Catalogue = BOLTS) -> None:
        self.data = data
        self.bolts = bolts
        self.section = broker_ports()
        self.start()

    def start(self, left_out: str = "") -> None:
        bolts = {name: list(bolt.reads) for name, bolt in self.bolts.items() if name != left_out}
        self._broker = Broker(self.section, self.data, bolts, {*self.bolts, TIMERS})
        self._broker.start()
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        self._greenlet.kill()
        self._broker.stop()
        until_free(self.section)

    def _run(self) -> None:
        while True:
            self._broker.step()


class RunningWorkers:
    """Workers in this process, each of which can be stopped as if killed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._workers: list[tuple[Worker, Any]] = []

    def start(self, left_out: str = "") -> Worker:
        bolts = [bolt for bolt in BOLTS if bolt != left_out]
        one = Worker(self._config, bolts, f"worker-{len(self._workers)}")
        one.start()
        self._workers.append((one, gevent.spawn(self._run, one)))
        return one

    def kill(self, one: Worker) -> None:
        """End the worker's greenlets wherever they are: nothing is settled or saved."""
        for each, greenlet in self._workers:
            if each is one:
                greenlet.kill()
                each._tasks.stop()
                each.stop()

    def stop(self) -> None:
        """Stop all of them in order."""
        while self._workers:
            one, greenlet = self._workers.pop()
            greenlet.kill()
            one.stop()

    @staticmethod
    def _run(one: Worker) -> None:
        while True:
            one.step()


class Kept(Silent):
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def publish(self, batch: Batch) -> Any:
        self.batches.append(batch)
        return super().publish(batch)


def login(acct: str, ts: int = NOON, area: str = AREA) -> dict[str, Any]:
    return {"op": {"code": "login_logcount", "id": 1003}, "area": area, "ts": ts, "data": {"acct": acct}}


def coins(amount: int, acct: str = "a", ts: int = NOON, area: str = AREA) -> dict[str, Any]:
    data = {"acct": acct, "amount": amount, "reason": "shop"}
    return {"op": {"code": "yuanbao_logchange", "id": 1010}, "area": area, "ts": ts, "data": data}
