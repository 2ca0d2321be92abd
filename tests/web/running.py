"""The dashboard as its node serves it, over a MongoDB with a simulated month in it, and a broker beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from flask import Flask
from month import Month, a_month
from msgspec.structs import replace
from pymongo.monitoring import CommandListener

from analytics.broker.broker import Broker
from analytics.config import BrokerSection, Config, DashboardSection, NumberSection, areas
from analytics.config.sections import MongoDB
from analytics.store import MongoReader, Write, open_store
from analytics.store.reading import ReadOnly
from analytics.testing.ports import free_ports
from analytics.web.app import create_app
from analytics.web.dashboard_node import Dashboard, url
from analytics.web.data import Data

BATCH = 1000


@dataclass(frozen=True)
class Suite:
    """A database with documents and a broker that runs; what a dashboard over them is configured with."""

    config: Config
    month: Month

    def app(self, listener: CommandListener, **keys: Any) -> Flask:
        """Return the application over that store; ``listener`` hears what it is asked for."""
        config = replace(self.config, dashboard=DashboardSection(**keys))
        reader = MongoReader(config.mongodb.uri, config.mongodb.database, [listener])
        return create_app(Data(config, ReadOnly(open_store(config)), reader, areas(config)))

    @contextmanager
    def dashboard(self, **keys: Any) -> Iterator[str]:
        """Run a dashboard with these keys of its section; yield its address, without a slash at the end."""
        section = DashboardSection(**{"port": free_ports(1)[0], **keys})
        config = replace(self.config, dashboard=section)
        node = Dashboard(config)
        node.start()
        try:
            yield url(config).rstrip("/")
        finally:
            node.stop()


@contextmanager
def a_suite(folder: Path, mongodb: MongoDB, areas: int = 3, players: int = 40) -> Iterator[Suite]:
    """Write the month's documents to a database, and run a broker."""
    month = a_month(folder, areas, players)
    section = BrokerSection(receiver_port=0, sender_port=0, refill_port=0, fsync=False, min_free_mb=1)
    broker = Broker(section, folder)
    broker.start()
    turning = gevent.spawn(_turn, broker)
    numbers = {"spent": NumberSection("cointype.amount / kpi.dau", "Coins spent a head")}
    config = replace(month.data.config, mongodb=mongodb, broker=broker.bound, numbers=numbers)
    try:
        _fill(config, month)
        yield Suite(config, month)
    finally:
        turning.kill()
        broker.stop()


def _fill(config: Config, month: Month) -> None:
    store = open_store(config)
    for collection, some in month.documents.items():
        writes = [Write(id, {**one, "_id": id}, None) for id, one in some.items()]
        store.ensure_indexes([collection])
        for start in range(0, len(writes), BATCH):
            store.write(collection, writes[start : start + BATCH])
    store.close()


def _turn(broker: Broker) -> None:
    while True:
        broker.step()
