"""A real broker in this process, and a way to send records through it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from own_bolts_suite import PVP, Kept, Suite, sections
from runtime_harness import AREA, OTHER_AREA, RunningBroker

from analytics.broker.clients import Publisher
from analytics.broker.wire import Batch, BatchHeader, Part, tagged
from analytics.config import AreaSection, Config, Game, WorkerSection
from analytics.runtime import connections

Send = Callable[[str, Sequence[Mapping[str, Any]]], None]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    running = RunningBroker(tmp_path / "data")
    yield running
    running.stop()


@pytest.fixture
def config(broker: RunningBroker) -> Config:
    return Config(
        data=broker.data,
        broker=broker.section,
        worker=WorkerSection(flush_seconds=0.05),
        games={
            "dl": Game(areas={AREA: AreaSection(plat="2001")}),
            "wsdx": Game(areas={OTHER_AREA: AreaSection(plat="1059")}),
        },
    )


@pytest.fixture
def send(config: Config) -> Iterator[Send]:
    """Publishes tuples of one topic as one batch of the source ``test``, and waits until they are durable."""
    publisher = Publisher(config.broker, "test")
    sent = 0

    def publish(topic: str, tuples: Sequence[Mapping[str, Any]]) -> None:
        nonlocal sent
        numbers = range(sent + 1, sent + len(tuples) + 1)
        lines = tagged("gamelog/test", numbers, [msgspec.json.encode(one) for one in tuples])
        header = BatchHeader(
            "gamelog/test", [(numbers[0], numbers[-1])], [Part(topic, len(lines), len(lines))]
        )
        publisher.publish(Batch(header, [b"\n".join(lines)])).get(timeout=600)
        sent = numbers[-1]

    yield publish
    publisher.close()


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    """A suite with the bolt ``pvp``, whose worker is not started."""
    store = Kept()
    monkeypatch.setattr(connections, "open_store", lambda config: store)
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.01)
    made = Suite(tmp_path / "data", store, sections(pvp=PVP))
    yield made
    made.close()
