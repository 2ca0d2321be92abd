"""Timer bolts touch what changed and what depends on it, all of that and nothing else."""

import time
from collections import Counter, defaultdict
from typing import Any

import gevent
import gevent.event
import msgspec
import pytest
from forms import LONG
from timer_harness import COLLECTIONS, A, C, at, log, paid, some_weeks
from waiting import eventually

from analytics.config import TimersSection
from analytics.runtime.timers import planning, schedule
from analytics.runtime.timers.facts import Needs
from analytics.runtime.timers.node import Timers
from analytics.runtime.timers.run import Run
from analytics.timers import TIMERS
from analytics.timers.timer import first_of

FIRST, DAYS, OLD_DAY, EARLIER = (
    ("2015-02-02", 45, "2015-02-10", "2015-01-20") if LONG else ("2015-03-06", 10, "2015-03-08", "2015-03-02")
)
"""When records begin, and on how many days they come; one of these days, and one before. The suite's time is 2015-03-20."""


def differing(before: dict[Any, Any], after: dict[Any, Any]) -> set[Any]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


OLD_RECORDS: dict[str, list[dict[str, Any]]] = {
    "gamelog.login_logcount": [log("login", "shared0", at(OLD_DAY)), log("login", "new", at(OLD_DAY))],
    "gamelog.signup_logcount": [log("signup", "shared3", at(OLD_DAY)), log("signup", "new", at(OLD_DAY), C)],
    "payment": [paid({"shared0": 5, "c1": 7, "new": 0.5}, at(OLD_DAY, 0), at=9)],
    "gamelog.createrole_logcount": [log("createrole", "x", at(EARLIER))],
}


def test_records_of_an_old_day_change_exactly_what_depends_on_it(suite: Any) -> None:
    some_weeks(suite, FIRST, DAYS, seed=7)
    suite.drain()
    documents, versions = suite.documents(), suite.versions()
    for topic, tuples in OLD_RECORDS.items():
        suite.send(topic, tuples)
        suite.drain()
        now, said = suite.documents(), suite.versions()
        changed = differing(documents, now)
        assert changed, f"the records of {topic} are of no use"
        assert differing(versions, said) == changed, f"nothing else is written for {topic}"
        documents, versions = now, said
    assert suite.unpublished() == []
    assert suite.documents() == suite.recomputed(), "all of them"


def test_what_changes_nothing_writes_nothing(suite: Any) -> None:
    some_weeks(suite, "2015-03-01", 6, seed=3)
    suite.drain()
    versions = suite.versions()
    # The day bolts tell of days in which there is nothing new.
    suite.send("loginday", [{"area": A, "ts": at("2015-03-04", 0), "tuples": 1}])
    suite.send("paysummary", [{"area": A, "ts": at("2015-03-04", 0), "tuples": 1}])
    suite.store.written.clear()
    suite.drain()
    assert {collection for collection, _ in suite.store.written} == {"positions"}
    assert suite.versions() == versions


def test_documents_of_empty_cohorts_are_left_alone() -> None:
    """A payment can change 91 cohorts; few of them have accts in a young area."""
    day = 700_000
    work = planning.of_changes(TIMERS, Counter({("pay", day): 1}), day)
    joined: Needs = defaultdict(set, signup={day - 3}, pay={day - 1, day})
    left = planning.of_cohorts(work, TIMERS, joined)
    assert len(work["ltv"]) == 91
    assert set(left["ltv"]) == set(left["firstpay"]) == {day - 3}
    assert set(left["paytraceday"]) == {day - 1, day}
    assert set(left["payweek"]) == {first_of("week", day), first_of("week", day - 1)}
    assert left["kpi"] == work["kpi"], "it is about no cohort"


def test_without_any_change_there_is_no_run(suite: Any) -> None:
    some_weeks(suite, "2015-03-10", 5, seed=3)
    suite.drain()
    node = next(node for node in suite._greenlets if node.name == "timers")
    eventually(lambda: node.state()["changed_days"] == 0)
    suite.store.written.clear()
    suite.now += 3600
    gevent.sleep(0.5)
    assert suite.store.written == []


def test_a_day_begins_without_any_record(suite: Any) -> None:
    some_weeks(suite, "2015-03-10", 11, seed=5)
    suite.drain()
    key = "loginretention", f"{A}:{at('2015-03-18', 0)}"
    documents, versions = suite.documents(), suite.versions()
    assert list(documents[key]["retention"]) == ["1", "2"]
    suite.now = at("2015-03-21", 0) + 1
    eventually(lambda: list(suite.documents("loginretention")[key]["retention"]) == ["1", "2", "3"])
    eventually(suite.is_saved)
    assert suite.unpublished() == []
    expected = suite.recomputed()
    assert suite.documents() == expected
    assert differing(versions, suite.versions()) == differing(documents, expected)


def test_days_that_began_while_nobody_looked(suite: Any) -> None:
    some_weeks(suite, "2015-03-05", 8, seed=6)
    suite.drain()
    [node] = [node for node in suite._greenlets if node.name == "timers"]
    suite.stop(node)
    suite.now = at("2015-04-09")
    suite.start_timers()
    eventually(lambda: suite.store.load("positions", ["timers"])["timers"]["now"] == suite.now)
    assert suite.documents() == suite.recomputed()


def test_work_is_cut_into_pieces(suite: Any, monkeypatch: Any) -> None:
    """With little memory, documents are computed a few days and areas at a time."""
    monkeypatch.setattr(planning, "DAYS_AT_ONCE", 3)
    monkeypatch.setattr(planning, "DOCUMENTS_AT_ONCE", 5)
    monkeypatch.setattr("analytics.config.TimersSection.max_known_mb", 0.000001)
    some_weeks(suite, "2015-02-20", 25, seed=8)
    suite.drain()
    found = suite.documents()
    monkeypatch.setattr(planning, "DAYS_AT_ONCE", 1000)
    monkeypatch.setattr(planning, "DOCUMENTS_AT_ONCE", 10**6)
    monkeypatch.setattr("analytics.config.TimersSection.max_known_mb", 1000)
    of_later_days = {name for name in COLLECTIONS if name.startswith(("loginlong", "paylong"))}
    assert {name for name, _ in found} == set(COLLECTIONS) - of_later_days
    assert found == suite.recomputed()


def test_while_one_piece_is_written_others_are_computed(suite: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(planning, "DOCUMENTS_AT_ONCE", 5)
    under_way: set[str] = set()
    together = gevent.event.Event()

    def wait_for_another(collection: str, writes: Any) -> None:
        if (
            collection == "kpi"
            and "plat:" not in writes[0].id
            and "game:" not in writes[0].id
            and not together.is_set()
        ):
            under_way.add(writes[0].document["area"])
            if len(under_way) > 1:
                together.set()
            assert together.wait(30), "no other area's documents came to be written"

    suite.store.before = wait_for_another
    some_weeks(suite, "2015-02-20", 3, seed=8)
    suite.drain()
    assert len(under_way) > 1
    assert suite.documents() == suite.recomputed()


@pytest.mark.parametrize("restarted", [False, True])
def test_what_comes_in_while_nothing_runs_waits_for_quiet(
    new_suite: Any, monkeypatch: Any, restarted: bool
) -> None:
    """Else the first tuple of many would begin a run of its own, and the others wait until that is over."""
    suite = new_suite()
    suite.start_worker()
    config = msgspec.structs.replace(suite.config, timers=TimersSection(every_seconds=1.0))
    node = suite._start(Timers(config, now=lambda: suite.now))
    eventually(suite.is_saved)
    if restarted:
        suite.stop(node)
        node = suite._start(Timers(config, now=lambda: suite.now))
        eventually(lambda: node._feed._consumer)
    monkeypatch.setattr(schedule, "QUIET_SECONDS", 3600)
    gevent.sleep(1.1)  # the last run is longer ago than it may take until the next
    sent, runs = time.monotonic(), node.state()["runs"]
    suite.send("gamelog.login_logcount", [log("login", "a", at(OLD_DAY))])
    eventually(lambda: node.state()["runs"] > runs)
    assert time.monotonic() - sent >= 1.0


def test_days_count_as_changed_until_their_documents_are_written(suite: Any, monkeypatch: Any) -> None:
    node = next(node for node in suite._greenlets if node.name == "timers")
    seen: list[int] = []
    work = Run.work

    def looked_at(run: Run, plan: Any) -> None:
        seen.append(node.state()["changed_days"])
        work(run, plan)

    monkeypatch.setattr(Run, "work", looked_at)
    monkeypatch.setattr(schedule, "QUIET_SECONDS", 3600)  # no run before all has been heard of
    suite.send(
        "gamelog.login_logcount", [log("login", "a", at(OLD_DAY)), log("login", "a", at("2015-03-10"))]
    )
    eventually(lambda: node.state()["changed_days"] == 2)
    monkeypatch.setattr(schedule, "QUIET_SECONDS", 0.1)
    suite.drain()
    assert set(seen) == {2}
    eventually(lambda: node.state()["changed_days"] == 0)
