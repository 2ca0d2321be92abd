"""Which filter a database was counted behind: noted once, and no other is taken."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from runtime_harness import RunningBroker

from analytics.broker.clients import Refill
from analytics.errors import AnalyticsError
from analytics.runtime.known_filter import expect_known_filter, forget_filter
from analytics.store import MemoryStore
from analytics.store.memory import CountingStore


@pytest.fixture
def refill(tmp_path: Path) -> Iterator[Refill]:
    broker = RunningBroker(tmp_path)
    client = Refill(broker.section)
    yield client
    client.close()
    broker.stop()


def test_another_filter_is_refused_until_it_is_forgotten(refill: Refill, tmp_path: Path) -> None:
    store, other = MemoryStore(), RunningBroker(tmp_path / "other")
    another = Refill(other.section)
    try:
        for _ in range(2):
            expect_known_filter(store, refill)
        with pytest.raises(AnalyticsError, match="data folder is another one"):
            expect_known_filter(store, another)
        forget_filter(store)
        expect_known_filter(store, another)
    finally:
        another.close()
        other.stop()


def test_a_store_that_keeps_nothing_is_counted_into(refill: Refill) -> None:
    expect_known_filter(CountingStore(), refill)
