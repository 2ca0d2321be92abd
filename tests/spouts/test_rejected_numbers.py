"""How many records of each source were rejected, where an engine counts: each once, through restarts, and on all hosts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from waiting import eventually

from analytics.broker.wire import Ack, Batch, BatchHeader
from analytics.config import Config, EngineSection
from analytics.core.intervals import Pair
from analytics.spouts import acknowledging
from analytics.spouts.acknowledging import JournalAcknowledger
from analytics.spouts.ends import durable_ends, rejected_counts
from analytics.spouts.rejected_numbers import FILE


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(acknowledging, "LOOK_SECONDS", 0.02)
    (tmp_path / "data").mkdir()
    return Config(data=tmp_path / "data", engine=EngineSection(kind="local"))


@contextmanager
def acknowledger(config: Config) -> Iterator[JournalAcknowledger]:
    opened = JournalAcknowledger(config)
    yield opened
    opened.close()


def batch(source: str, rejected: list[Pair], ns: Sequence[Pair] = ()) -> Batch:
    return Batch(BatchHeader(source, list(ns), [], rejected), [])


def test_each_counts_once_until_it_is_accepted(config: Config) -> None:
    with acknowledger(config) as one:
        assert one.publish(batch("gamelog/a@1", [], [(1, 5)])).get(timeout=5) == Ack(0, 5, 0)
        assert not (config.data / "state" / FILE).exists(), "where nothing is rejected, it costs nothing"
        one.publish(batch("gamelog/a@1", [(6, 8)], [(9, 9)])).get(timeout=5)
        one.publish(batch("gamelog/a@2", [(1, 1)])).get(timeout=5)
        one.publish(batch("gamelog/b@1", [(4, 4)])).get(timeout=5)
        eventually(lambda: rejected_counts(config.data) == {"gamelog/a": 4, "gamelog/b": 1})
    with acknowledger(config) as one, acknowledger(config) as replay:
        one.publish(batch("gamelog/a@1", [(7, 10)], [(11, 11)])).get(timeout=5)  # 7 and 8 are read again
        replay.publish(batch("gamelog/b@1", [], [(4, 4)])).get(timeout=5)
    assert rejected_counts(config.data) == {"gamelog/a": 6, "gamelog/b": 0}
    assert durable_ends(config.data) == {}


def test_what_was_not_reported_is_reported_after_a_start(config: Config) -> None:
    with acknowledger(config) as one:
        one.publish(batch("gamelog/a@1", [(1, 2)])).get(timeout=5)
    (config.data / "ends" / "rejected.counts").unlink()
    with acknowledger(config):
        eventually(lambda: rejected_counts(config.data) == {"gamelog/a": 2})


def test_nothing_is_acknowledged_before_it_is_noted(config: Config) -> None:
    """The spout's position would move on, and nobody would ever count it."""
    with acknowledger(config) as one:
        one.publish(batch("gamelog/a@1", [(1, 2)])).get(timeout=5)
    file = config.data / "state" / FILE
    good = file.read_bytes()
    file.write_bytes(b"no database" * 500)
    for more in config.data.glob(f"state/{FILE}-*"):
        more.unlink()
    with acknowledger(config) as one:
        waiting = one.publish(batch("gamelog/a@1", [(3, 3)]))
        eventually(lambda: FILE in one.problem)
        assert not waiting.ready()
        file.write_bytes(good)
        assert waiting.get(timeout=10) == Ack(0, 0, 0)
        assert one.problem == ""
    assert rejected_counts(config.data) == {"gamelog/a": 3}


def test_hosts_add_up(config: Config, tmp_path: Path) -> None:
    for host in ("web1", "web2"):
        data = tmp_path / host
        shared = replace(config.engine, shared=str(tmp_path / "shared"))
        (tmp_path / "shared").mkdir(exist_ok=True)
        with acknowledger(replace(config, data=data, engine=shared)) as one:
            one.publish(batch("gamelog/a@1", [(1, 2)] if host == "web1" else [(7, 7)])).get(timeout=5)
    assert rejected_counts(tmp_path / "shared") == {"gamelog/a": 3}
