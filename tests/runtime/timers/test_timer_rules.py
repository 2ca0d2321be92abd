"""If a rule of timer bolts changes, all documents that depend on it are computed again, and no others."""

import pytest
from msgspec.structs import replace
from timer_harness import Suite, eventually, some_weeks

from analytics.config import Config, TimersSection
from analytics.config.sections import FunnelSection
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import Silent
from analytics.store import Write


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
    now = suite.versions()
    written = {name for name, id_ in versions if now[name, id_] != versions[name, id_]}
    assert written == {"lifecycle", "lifecycle_total"}


def test_documents_of_funnels_come_and_go_with_the_configuration(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_weeks(suite, "2015-03-10", 6, seed=3, accts=20)
    suite.drain()
    before, usual = suite.documents(), Suite.config.fget

    def configure(*steps: str) -> None:
        funnels = {"one": FunnelSection(["signup", *steps], "1d")} if steps else {}
        monkeypatch.setattr(Suite, "config", property(lambda self: replace(usual(self), funnels=funnels)))

    def second_steps() -> set[tuple[str, str, bool]]:
        """Return, by collection, the second step, and whether all accts have reached it."""
        return {
            (name, step["step"], step["count"] == one["reg"])
            for (name, _), one in suite.documents("funnel", "funnel_total").items()
            for step in [one["steps"]["one-2"]]
        }

    def by_hand_now() -> None:
        by_hand(suite.config, suite.store, Silent(), Wanted(["funnel"]), lambda: suite.now)

    signups = [*suite.store.find("signupday")]
    for step, seconds in (("signup", 60), ("createrole", 100)):
        for one in signups:
            key = {name: one[name] for name in ("game", "area", "plat", "ts")}
            times = [[acct, one["ts"] + seconds] for acct in one["userlist"]]
            document = key | {"step": step, "_accts": times, "_v": 1}
            suite.store.write("acctstep", [Write(f"{one['area']}:{one['ts']}:{step}", document, 0)])
    configure("createrole")
    restart(suite)
    assert len(suite.documents("funnel")) == len(signups)
    assert second_steps() == {("funnel", "createrole", True), ("funnel_total", "createrole", True)}
    configure("level:2")
    restart(suite)
    of_levels = {("funnel", "level:2", False), ("funnel_total", "level:2", False)}
    assert second_steps() == of_levels
    configure()
    by_hand_now()
    assert not second_steps()
    configure("level:2")
    by_hand_now()
    assert second_steps() == of_levels
    configure()
    restart(suite)
    assert not second_steps() and suite.documents() == before


def restart(suite: Suite) -> None:
    """Start the timers again, and wait for what they have to do."""
    [timers] = [node for node in suite._greenlets if node.name == "timers"]
    suite.stop(timers)
    timers = suite.start_timers()
    eventually(lambda: timers._feed._consumer and not timers._updater.is_due())
    eventually(suite.is_saved)
