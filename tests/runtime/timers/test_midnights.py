"""A document of a timer bolt never speaks of an earlier time than it did, whoever computes it, and when they began."""

from typing import Any

import gevent
import pytest
from timer_harness import at, some_weeks
from waiting import eventually

from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.collections import WRITTEN
from analytics.runtime.timers.wanted import Wanted
from analytics.timers import NAMES

BEFORE, AFTER = at("2015-03-19", 24) - 30, at("2015-03-20", 0) + 30


def ran_for(suite: Any, now: int) -> bool:
    saved = suite.store.load("positions", ["timers"])["timers"]
    return bool(saved["now"] == now and "run" not in saved)


@pytest.mark.parametrize("collection", ["loginretention", "kpi"])
def test_a_midnight_passes_between_a_computation_and_its_write(suite: Any, collection: str) -> None:
    """The node computes for the new day meanwhile, so the write is refused, and what was refused is computed again."""
    suite.now = BEFORE
    some_weeks(suite, "2015-03-12", 8, seed=4)
    suite.drain()
    [node] = [one for one in suite._greenlets if one.name == "timers"]
    suite.store.delete(collection, [key for _, key in suite.documents(collection)])
    mine = gevent.getcurrent()
    writing = gevent.event.Event()

    def midnight(written: str, writes: Any) -> None:
        # Groups are settled by greenlets that the caller spawns.
        if written != collection or gevent.getcurrent().spawning_greenlet() is not mine or writing.is_set():
            return
        writing.set()
        suite.now = AFTER
        eventually(lambda: ran_for(suite, AFTER))

    suite.store.before = midnight
    by_hand(suite.config, suite.store, suite.publisher, Wanted([collection]), lambda: suite.now)
    assert writing.is_set()
    assert node.state()["error"] == ""
    assert suite.documents(collection) == {
        key: one for key, one in suite.recomputed().items() if key[0] == collection
    }


def test_a_clock_that_was_ahead_is_forgotten_when_it_is_right(suite: Any) -> None:
    """No day is final then that has not ended, no day has a document that has not begun, though no record comes."""
    some_weeks(suite, "2015-03-12", 9, seed=4)
    suite.drain()
    right = suite.documents()
    suite.now += 3 * 86_400
    eventually(lambda: ran_for(suite, suite.now))
    assert suite.documents() != right
    suite.now -= 3 * 86_400
    eventually(lambda: ran_for(suite, suite.now))
    assert suite.documents() == right


def test_a_host_whose_clock_is_late_takes_nothing_back(suite: Any) -> None:
    suite.now = BEFORE
    some_weeks(suite, "2015-03-12", 8, seed=4)
    suite.drain()
    suite.now = AFTER
    eventually(lambda: ran_for(suite, AFTER))
    documents = suite.documents(*WRITTEN)
    by_hand(suite.config, suite.store, suite.publisher, Wanted(NAMES), lambda: BEFORE)
    assert suite.documents(*WRITTEN) == documents
