"""Timer bolts by hand: what is missing or wrong comes back, beside the node that runs."""

from datetime import date
from typing import Any

from timer_harness import A, at, some_weeks

from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.wanted import Wanted
from analytics.store import Write
from analytics.timers import NAMES


def test_documents_come_back(suite: Any) -> None:
    some_weeks(suite, "2015-03-01", 8, seed=4)
    suite.drain()
    expected = suite.documents()
    gone = [key for name, key in expected if name == "kpi"][::2]
    suite.store.delete("kpi", gone)
    [wrong] = suite.store.load("activeday", [f"{A}:{at('2015-03-04', 0)}"]).values()
    suite.store.write(
        "activeday", [Write(wrong["_id"], wrong | {"ac_user": 999, "_v": wrong["_v"] + 1}, wrong["_v"])]
    )
    done = by_hand(suite.config, suite.store, suite.publisher, Wanted(NAMES), lambda: suite.now)
    assert suite.documents() == expected
    assert suite.unpublished() == []
    assert (done.changed["kpi"], done.changed["activeday"], done.changed["ltv"]) == (len(gone), 1, 0)
    again = by_hand(suite.config, suite.store, suite.publisher, Wanted(NAMES), lambda: suite.now)
    assert not any(again.changed.values())
    assert again.computed["ltv"] >= len([1 for name, _ in expected if name == "ltv"])


def test_only_what_is_asked_for(suite: Any) -> None:
    some_weeks(suite, "2015-03-01", 8, seed=4)
    suite.drain()
    first, last = (date(2015, 3, day).toordinal() for day in (2, 4))
    for name in ("kpi", "activeweek"):
        suite.store.delete(name, [key for of, key in suite.documents(name)])
    wanted = Wanted(["kpi", "activeweek"], area=A, since=first, until=last)
    by_hand(suite.config, suite.store, suite.publisher, wanted, lambda: suite.now)
    days = [f"{A}:{at(f'2015-03-0{day}', 0)}" for day in (2, 3, 4)]
    assert sorted(suite.documents("kpi", "activeweek")) == [
        ("activeweek", days[0]),
        *(("kpi", day) for day in days),
    ]
