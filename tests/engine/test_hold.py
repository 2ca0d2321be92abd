"""A hold on batches says when it can't be kept up."""

import pytest

from analytics.engine import hold
from analytics.engine.hold import Hold
from analytics.engine.position import EnginePosition
from analytics.errors import AnalyticsError
from analytics.store import MemoryStore


def test_a_hold_that_can_not_be_renewed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else batches would begin beside a rebuild that still writes."""
    monkeypatch.setattr(hold, "RENEW_SECONDS", 0.01)
    position = EnginePosition(MemoryStore())
    holding = Hold(position)
    holding.begin()
    holding.check()

    def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(position, "hold", fail)
    holding._thread.join(600)
    with pytest.raises(AnalyticsError, match="unforeseen"):
        holding.check()
    holding.end()
