"""What the driver's process does about errors."""

from pathlib import Path

import pytest

from analytics.config import Config, EngineSection
from analytics.engine import driving
from analytics.engine.blocks import JournalGone
from analytics.engine.driving import Driving
from analytics.store import MemoryStore


def test_a_journal_that_is_gone_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the node would be given up after some starts, and restoring the journal would not be enough."""
    monkeypatch.setattr(driving, "UNCOUNTABLE_SECONDS", 0.0)
    errors = []

    class Driver:
        tries = 0

        def step(self) -> bool:
            self.tries += 1
            if self.tries == 1:
                raise JournalGone("gamelog_201801010000.txt is missing")
            errors.append(process.line().state["error"])
            process.ending.set()
            return False

        def state(self) -> dict[str, object]:
            return {"waiting_bytes": 0}

    config = Config(data=tmp_path, engine=EngineSection(kind="local"))
    process = Driving(config, MemoryStore(), Driver())
    process.run()
    assert errors == ["gamelog_201801010000.txt is missing"]
    assert process.line().state["error"] == ""
