"""A real Spark cluster whose executors, workers and master die while it counts: every document equals the reference runner's.

One cluster for the file: it takes half a minute to start on a busy machine.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import gevent
import msgspec
import pytest
from analytics.testing.broken_engine import SPECULATION
from databases import Database
from near_engine import NearEngine, differing
from near_suite import config_of
from needed import missing
from raw_months import AUTUMN, divided_world, sent

from analytics.config import BrokerSection
from analytics.config.sections import EngineSection
from analytics.engine.engines.spark import SparkEngine, spread
from analytics.engine.live import EngineDriver
from analytics.errors import Unavailable
from analytics.store import open_store
from analytics.testing.spark import NoSpark, SparkCluster, spark_home

BATCHES = 3
LEAST_KILLS = 3
PAUSE = 3.0
"""Seconds between two kills, on average."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    try:
        spark_home()
    except NoSpark as error:
        missing(str(error))
    with SparkCluster(tmp_path_factory.mktemp("spark")) as started:
        yield started


def test_whatever_dies_every_document_is_right(
    cluster: SparkCluster, database: Database, tmp_path: Path
) -> None:
    random, broken = Random(1), Random()
    config = config_of(divided_world(), tmp_path, BrokerSection())
    config = msgspec.structs.replace(config, mongodb=database.section)
    near = NearEngine(config, random)
    near.store = store = open_store(config)
    section = EngineSection(kind="spark", master=cluster.url, conf={**cluster.conf(), **SPECULATION})
    engine = SparkEngine(section)
    driver = EngineDriver(config, store, engine, tmp_path, 1 << 20, 1 << 30)
    kills: list[str] = []
    working = True

    def disturb() -> None:
        while working:
            gevent.sleep(broken.expovariate(1 / PAUSE))
            kills.append(cluster.disturb(broken))

    records = [one.record for one in sent(1, AUTUMN)]
    share = -(-len(records) // BATCHES)
    try:
        for begin in range(0, len(records), share):
            some = records[begin : begin + share]
            near.journal(some + random.sample(records[: begin + share], 200))
            working = True
            breaking = gevent.spawn(disturb)
            while working:
                try:
                    working = driver.step()
                except Unavailable:
                    gevent.sleep(1)
            breaking.get()
            cluster.wait_until_up()
        assert differing(near.expected(), near.documents()) == [], kills
        assert len(kills) >= LEAST_KILLS
        assert sum(driver.state()["records"].values()) == len({one["id"] for _, one in records})
    finally:
        driver.close()
        store.close()


def test_areas_are_spread_by_size() -> None:
    assert spread({"a": 9, "b": 1, "c": 2, "d": 3}, 2) == {"a": 0, "d": 1, "c": 1, "b": 1}
    assert spread({"a": 9}, 6) == {"a": 0}
    assert set(spread(dict.fromkeys("abc", 0), 3).values()) == {0, 1, 2}
