"""Whatever dies whenever: the documents are right in the end, and everybody has heard of each."""

import shutil
from typing import Any

import gevent
import pytest
from forms import LONG, THOROUGH, long_form, thorough
from timer_harness import COLLECTIONS, A, at, failing, log, some_weeks
from waiting import eventually

from analytics.broker.clients import Refill
from analytics.runtime.timers.node import Timers

FIRST, DAYS, EARLIER = ("2015-02-20", 12, "2015-02-16") if LONG else ("2015-03-12", 5, "2015-03-10")
"""When records begin, and on how many days they come; and an earlier day. The suite's time is 2015-03-20."""


def timers_of(suite: Any) -> Any:
    return [node for node in suite._greenlets if node.name == "timers"]


def blocked_at(suite: Any, moment: str, collection: str) -> Any:
    """Return an event that is set once a node waits before or after a write to a collection, for ever."""
    there = gevent.event.Event()

    def block(written: str, writes: Any) -> None:
        if written == collection and any(
            write.id.startswith("timers") or collection != "positions" for write in writes
        ):
            there.set()
            gevent.sleep(3600)

    setattr(suite.store, moment, block)
    return there


def unblock(suite: Any) -> None:
    suite.store.before = suite.store.after = ok


def ok(collection: str, writes: Any) -> None:
    """Let a write be."""


@pytest.mark.parametrize(
    ("moment", "collection"),
    [
        ("before", "kpi"),
        ("after", "positions"),
        pytest.param("after", "kpi", marks=thorough),
        pytest.param("before", "positions", marks=thorough),
        *(pytest.param(moment, "serverstarttime", marks=thorough) for moment in ("before", "after")),
        *(pytest.param(moment, "activeday", marks=long_form) for moment in ("before", "after")),
    ],
)
def test_killed_at_any_step(suite: Any, moment: str, collection: str) -> None:
    some_weeks(suite, FIRST, DAYS, seed=1)
    suite.drain()
    there = blocked_at(suite, moment, collection)
    some_weeks(suite, EARLIER, DAYS + 4, seed=2)
    assert there.wait(600)
    for node in timers_of(suite):
        suite.kill(node)
    unblock(suite)
    suite.start_timers()
    suite.drain()
    assert suite.unpublished() == []
    assert suite.documents() == suite.recomputed()


@pytest.mark.parametrize("collection", [pytest.param("serverstarttime", marks=thorough), "kpi"])
def test_killed_and_the_broker_is_late(suite: Any, collection: str, monkeypatch: Any) -> None:
    """What the run had read that ended half-way is read before the next: else nobody would hear of what it wrote."""
    some_weeks(suite, FIRST, DAYS, seed=1)
    suite.drain()
    there = blocked_at(suite, "after", collection)
    some_weeks(suite, EARLIER, DAYS + 4, seed=2)
    assert there.wait(600)
    for node in timers_of(suite):
        suite.kill(node)
    unblock(suite)
    read = Refill.read

    def read_late(*arguments: Any) -> Any:
        monkeypatch.setattr(Refill, "read", read)
        gevent.sleep(1)  # longer than the quiet after which a run is due
        return read(*arguments)

    monkeypatch.setattr(Refill, "read", read_late)
    suite.start_timers()
    suite.drain()
    assert suite.unpublished() == []
    assert suite.documents() == suite.recomputed()


def test_killed_before_publishing(suite: Any, monkeypatch: Any) -> None:
    """The documents are as they should be, and only the tuples are missing."""
    from analytics.runtime.outlet import Outlet

    there = gevent.event.Event()
    suite.send("gamelog.login_logcount", [log("login", "a", at("2015-03-04"))])
    suite.drain()

    def publish(self: Any, name: str, documents: Any) -> None:
        if list(documents):
            there.set()
            gevent.sleep(3600)

    monkeypatch.setattr(Outlet, "publish", publish)
    suite.send("gamelog.login_logcount", [log("login", "b", at("2015-03-04"))])
    assert there.wait(600)
    for node in timers_of(suite):
        suite.kill(node)
    monkeypatch.undo()
    monkeypatch.setattr("analytics.runtime.timers.node.open_store", lambda config: suite.store)
    assert suite.unpublished()
    suite.start_timers()
    suite.drain()
    assert suite.unpublished() == []
    assert suite.documents() == suite.recomputed()


def test_the_store_fails_and_answers_are_lost(suite: Any) -> None:
    """In the long form in each collection alone, else in all or some of them."""
    collections = [*(COLLECTIONS if THOROUGH else COLLECTIONS[::5]), "positions"]
    for n, some in enumerate([[one] for one in collections] if LONG else [collections]):
        fail_before = {name: failing(name) for name in some}
        fail_after = {name: failing(name, 2) for name in some}
        suite.store.before = lambda written, writes, fail=fail_before: fail.get(written, ok)(written, writes)
        suite.store.after = lambda written, writes, fail=fail_after: fail.get(written, ok)(written, writes)
        some_weeks(suite, FIRST, DAYS, seed=n, accts=20)
        suite.drain()
    unblock(suite)
    assert suite.unpublished() == []
    assert suite.documents() == suite.recomputed()


@pytest.mark.parametrize(
    "collection",
    [pytest.param("serverstarttime", marks=thorough), "kpi", pytest.param("positions", marks=thorough)],
)
def test_one_that_slept_over_anothers_work_is_refused(suite: Any, collection: str, monkeypatch: Any) -> None:
    some_weeks(suite, FIRST, DAYS, seed=1)
    suite.drain()
    [sleeper] = timers_of(suite)
    wakes = gevent.event.Event()
    sleeps = gevent.event.Event()

    def sleep(written: str, writes: Any) -> None:
        me = gevent.getcurrent()
        # Groups of areas are settled by greenlets that the node's own spawn.
        if written == collection and {me, me.spawning_greenlet()} & {*sleeper._tasks._tasks}:
            sleeps.set()
            wakes.wait()

    suite.store.before = sleep
    some_weeks(suite, EARLIER, 4, seed=2)
    assert sleeps.wait(600)
    # The broker does not hear of a process that sleeps, and lets another one report.
    sleeper._reports.tasks.stop()
    other = suite.start_timers()
    some_weeks(suite, EARLIER, DAYS + 2, seed=3)
    suite.drain()
    eventually(lambda: other.state()["runs"] > 0)
    suite.store.before = lambda collection, writes: None
    runs, begun_again, prepare = sleeper.state()["runs"], [], Timers._prepare

    def prepared(node: Timers) -> Any:
        begun_again.append(node)
        return prepare(node)

    monkeypatch.setattr(Timers, "_prepare", prepared)
    wakes.set()
    eventually(lambda: sleeper in begun_again or sleeper.state()["runs"] > runs)
    suite.kill(sleeper)  # whatever it did last, another one finds the truth
    suite.send("gamelog.login_logcount", [log("login", "z", at("2015-03-04"))])
    suite.drain()
    assert suite.documents() == suite.recomputed()


def test_a_worker_may_die_too(suite: Any) -> None:
    some_weeks(suite, FIRST, DAYS, seed=1)
    for node in list(suite._greenlets):
        suite.kill(node)
    suite.start_timers()
    suite.start_worker()
    suite.drain()
    assert suite.unpublished() == []
    assert suite.documents() == suite.recomputed()


def test_the_queue_is_replaced(suite: Any) -> None:
    """Another log: nobody knows what was missed, so everything is looked at again."""
    some_weeks(suite, FIRST, DAYS, seed=1)
    suite.drain()
    suite.stop_broker()
    shutil.rmtree(suite.data / "queue")
    suite.store.delete("activeday", [f"{A}:{at('2015-02-25', 0)}"])
    suite.start_broker()
    some_weeks(suite, EARLIER, DAYS, seed=2)
    suite.drain()
    eventually(suite.is_saved)
    assert suite.documents() == suite.recomputed()


def test_a_broker_that_comes_back(suite: Any) -> None:
    some_weeks(suite, FIRST, DAYS, seed=1)
    suite.stop_broker()
    gevent.sleep(0.3)
    suite.start_broker()
    some_weeks(suite, EARLIER, DAYS, seed=2)
    suite.drain()
    assert suite.unpublished() == []
    assert suite.documents() == suite.recomputed()


def test_restarted_without_a_change_nothing_is_written(suite: Any) -> None:
    some_weeks(suite, FIRST, DAYS, seed=1)
    suite.drain()
    eventually(suite.is_saved)
    for node in timers_of(suite):
        suite.stop(node)
    suite.store.written.clear()
    node = suite.start_timers()
    gevent.sleep(1)
    assert suite.store.written == []
    suite.send("gamelog.login_logcount", [log("login", "z", at("2015-03-04"))])
    suite.drain()
    assert node.state()["runs"] > 0
    assert suite.documents() == suite.recomputed()
