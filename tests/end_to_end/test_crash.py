"""Processes killed at random while records flow in: afterwards every number is right. ``analytics crash-test``, short.

``ANALYTICS_CRASH_SECONDS`` lengthens it; from a minute on the suite runs as ``start`` runs it, and its supervisor dies, too.
"""

import os
import random

import pytest
from forms import LONG, THOROUGH, long_form, thorough
from needed import missing

from analytics.store.memory import MemoryStore
from analytics.store.store import Write
from analytics.testing.broken_engine import LOCAL, SPARK
from analytics.testing.broken_store import EMBEDDED, REPLICA_SET
from analytics.testing.comparing import differences
from analytics.testing.crash import CrashTest
from analytics.testing.spark import NoSpark, spark_home

SECONDS = float(os.environ.get("ANALYTICS_CRASH_SECONDS", "20" if LONG else "8" if THOROUGH else "4"))
LEAST_KILLS = 4
RATE = 1_000 if LONG else 300


SPARK_SECONDS, SPARK_PAUSE = 40, 3
"""Executors take some seconds to start: killed too often, they would never do anything."""


def _run(folder, store, service=False, engine=""):
    seed = random.SystemRandom().randrange(2**32)
    said = []
    seconds, pause = SECONDS, 2 if LONG else 1 if THOROUGH else 0.7
    if engine == SPARK:
        seconds, pause = max(SECONDS, SPARK_SECONDS), SPARK_PAUSE
    test = CrashTest(folder, seed, RATE, pause, said.append, store, service, engine)
    result = test.run(seconds, LEAST_KILLS)
    where = f"seed {seed}, folder {folder}; {said[-1]}"
    assert not result.differences, "\n".join([where, *result.differences])
    assert result.lines > 0, where
    return result, where


def test_whatever_dies_every_number_is_right(tmp_path):
    _run(tmp_path, EMBEDDED, service=SECONDS >= 60)


@thorough
def test_whatever_happens_to_a_replica_set_every_number_is_right(tmp_path):
    result, where = _run(tmp_path, REPLICA_SET)
    assert result.events.total() > 0, where


@pytest.mark.parametrize(
    "engine", [pytest.param(LOCAL, marks=long_form), pytest.param(SPARK, marks=thorough)]
)
def test_whatever_dies_while_an_engine_counts_every_number_is_right(tmp_path, engine):
    if engine == SPARK:
        try:
            spark_home()
        except NoSpark as error:
            missing(str(error))
    result, where = _run(tmp_path, EMBEDDED, engine=engine)
    assert bool(result.engine_events) == bool(result.games) == (engine == SPARK), where


def _stored(*documents):
    store = MemoryStore()
    store.write("loginday", [Write(one["_id"], one, 0) for one in documents])
    return store


def test_the_comparison_finds_what_differs():
    def one(key, **fields):
        return {"_id": key, "area": key, "ts": 1, "count": 2, "userlist": ["a", "b"], "_v": 1} | fields

    expected = {"loginday": {key: one(key) for key in ("a:1", "b:1", "c:1")}}
    same = [one("a:1", _v=7), one("b:1", userlist=["b", "a"]), one("c:1", updated=5)]
    assert differences(_stored(*same), expected) == []
    found = differences(
        _stored(one("a:1", count=3), one("b:1", userlist=["a", "a", "b"]), one("d:1")), expected
    )
    changed, doubled, missing, extra = sorted(found)
    assert changed == "loginday: a:1: count: expected 2, found 3"
    assert doubled == "loginday: b:1: userlist: expected [], found ['a']"
    assert missing.startswith("loginday: c:1: expected {") and missing.endswith("…, found none")
    assert extra.startswith("loginday: d:1: expected none, found {'area': 'd:1', ")
