"""If a rule of timer bolts changes, all documents that depend on it are computed again, and no others."""

import pytest
from msgspec.structs import replace
from timer_harness import Suite, eventually, some_weeks

from analytics.config import Config, TimersSection


def test_other_days_of_absence_are_computed_once(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    some_weeks(suite, "2015-03-10", 6, seed=3, accts=20)
    suite.drain()
    before = suite.documents()
    restart(suite)
    assert suite.documents() == before
    usual = Suite.config.fget

    def changed(self: Suite) -> Config:
        timers = TimersSection(every_seconds=30, absent_days=3)
        return replace(usual(self), timers=timers)

    monkeypatch.setattr(Suite, "config", property(changed))
    versions = suite.versions()
    restart(suite)
    after = suite.documents()
    # Days without active accts are left with documents that count nobody.
    assert {
        key: one for key, one in after.items() if one.get("active") != 0 or one["before"]
    } == suite.recomputed()
    assert {name for name, _ in before if before[name, _] != after[name, _]} == {
        "lifecycle",
        "lifecycle_total",
    }
    written = {name for name, id_ in versions if suite.versions()[name, id_] != versions[name, id_]}
    assert written == {"lifecycle", "lifecycle_total"}


def restart(suite: Suite) -> None:
    """Start the timers again, and wait for what they have to do."""
    [timers] = [node for node in suite._greenlets if node.name == "timers"]
    suite.stop(timers)
    timers = suite.start_timers()
    eventually(lambda: timers._feed.is_open and not timers._updater.is_due())
    eventually(suite.is_saved)
