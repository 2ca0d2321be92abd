"""Among hostile clients the broker lives on, stays small, and takes each record once."""

from pathlib import Path

import pytest
from brokers import running

from analytics.errors import AnalyticsError
from analytics.testing import storm as storms
from analytics.testing.storm import storm


def test_hostile_frames_neither_stop_the_broker_nor_cost_a_record(tmp_path: Path) -> None:
    """``analytics fuzz --frames`` sends more of them."""
    with running(tmp_path / "data") as broker:
        done = storm(broker.section, broker.pid, 60_000, 1)
        assert done.records and done.frames >= 60_000
        assert broker.alive()


def test_records_that_are_missing_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = storms._check

    def one_more(broker: object, done: storms.Storm) -> None:
        done.records += 1
        real(broker, done)

    monkeypatch.setattr(storms, "_check", one_more)
    with running(tmp_path / "data") as broker, pytest.raises(AnalyticsError, match="1 are missing"):
        storm(broker.section, broker.pid, 1, 1)
