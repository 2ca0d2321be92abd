"""Documents of timer bolts that nothing speaks of: a computation by hand removes them, and leaves everything else."""

from typing import Any

from timer_harness import READ, A, at, some_weeks

from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.wanted import Wanted
from analytics.runtime.timers.writing import Done
from analytics.store import Write
from analytics.timers import NAMES

UTC = "UTC"
FIRST, DAY = "2015-03-07", at("2015-03-08", 0)


def computed(suite: Any, **wanted: Any) -> Done:
    return by_hand(suite.config, suite.store, suite.publisher, Wanted(NAMES, **wanted), lambda: suite.now)


def copied(suite: Any, name: str, id_: str, **fields: Any) -> None:
    """Put a copy of a document under another id."""
    document = suite.store.load(name, [f"{A}:{DAY}"])[f"{A}:{DAY}"]
    suite.store.write(name, [Write(id_, document | {"_id": id_} | fields, None)])


STRAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "long ago": (f"{A}:{at('2000-01-01', 0)}", {"ts": at("2000-01-01", 0)}),
    "no midnight": (f"{A}:{DAY + 3600}", {"ts": DAY + 3600}),
    "another spelling": (f"{A}:0{DAY}", {}),
    "a part": (f"{A}:{DAY}#1", {}),
    "no time": (f"{A}:soon", {"area": 7, "ts": "soon"}),
    "junk": ("junk", {"area": "nowhere"}),
    "years ahead": (
        f"wsdx:*:{at('2016-01-01', 0)}",
        {"area": "*", "game": "wsdx", "ts": at("2016-01-01", 0)},
    ),
}


def test_documents_under_ids_that_nothing_speaks_of_go(suite: Any) -> None:
    some_weeks(suite, FIRST, 6, seed=4)
    suite.drain()
    documents = suite.documents()
    for id_, fields in STRAYS.values():
        copied(suite, "kpi", id_, **fields)
    done = computed(suite)
    assert [why for why, (id_, _) in STRAYS.items() if suite.store.load("kpi", [id_])] == []
    assert (done.removed.total(), done.changed.total()) == (len(STRAYS), 0)
    assert suite.documents() == documents


def test_whatever_was_changed_by_hand_comes_right(suite: Any) -> None:
    some_weeks(suite, FIRST, 6, seed=4)
    suite.drain()
    documents = suite.documents()
    moved = suite.store.load("activeweek", [f"{A}:{at('2015-03-09', 0)}"]).popitem()[1]
    suite.store.delete("activeweek", [moved["_id"]])
    tuesday = f"{A}:{at('2015-03-10', 0)}"
    suite.store.write("activeweek", [Write(tuesday, moved | {"_id": tuesday}, None)])
    for n, version in enumerate((None, "seven", 7.5, 0)):
        day = f"{A}:{DAY + n * 86_400}"
        document = suite.store.load("activeday", [day])[day] | {"_v": version, "ac_user": 999}
        suite.store.write("activeday", [Write(day, document, None)])
    start = suite.store.load("serverstarttime", [A])[A]
    made_up = Write("made up", start | {"_id": "made up"}, None)
    suite.store.write("serverstarttime", [Write(A, start | {"plat": "9", "game": "x"}, None), made_up])
    done = computed(suite)
    assert +done.removed == {"activeweek": 1, "serverstarttime": 1}
    assert +done.changed == {"activeweek": 1, "activeday": 4, "serverstarttime": 1}
    assert suite.documents() == documents
    again = computed(suite)
    assert not again.removed.total() + again.changed.total()


def test_only_what_is_asked_for_goes(suite: Any) -> None:
    some_weeks(suite, FIRST, 6, seed=4)
    suite.drain()
    for id_ in (f"{A}:{at('2000-01-01', 0)}", "junk"):
        copied(suite, "kpi", id_)
    assert not computed(suite, game="wsdx").removed.total()
    assert not computed(suite, since=735_000).removed.total()
    assert +computed(suite, area=A).removed == {"kpi": 1}
    assert +computed(suite).removed == {"kpi": 1}


def test_many_that_may_be_right_are_left_alone(suite: Any) -> None:
    """It may be the days that are missing."""
    some_weeks(suite, FIRST, 6, seed=4)
    suite.drain()
    documents = suite.documents()
    for name in READ:
        suite.store.delete(name, list(suite.store.ids(name)))
    done = computed(suite)
    assert done.spared["kpi"] == len([1 for name, _ in documents if name == "kpi"])
    assert not done.removed.total()
    assert suite.documents() == documents
    computed(suite, remove_many=True)
    assert suite.documents() == {}
