"""What plats and games have of a day is what their areas have, however it was worked out; and what it takes is known at any time."""

from typing import Any

import gevent
import numpy as np
import pytest
from forms import examples
from gevent.event import Event
from hypothesis import given, settings
from hypothesis import strategies as st
from timer_harness import A, C

from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.runtime.timers.acct_days import AcctDays
from analytics.runtime.timers.arrays import packed, paid_next
from analytics.runtime.timers.facts import FactsReader
from analytics.runtime.timers.scopes import Scope, area_scope, start_of
from analytics.runtime.timers.sized import Sized
from analytics.store import MemoryStore, Write
from analytics.timers.facts import Payments, numbered

SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas([Area(A, "dl", "1", SHANGHAI), Area(C, "dl", "1", SHANGHAI)])
GAME = Scope("game", "dl", "", "", SHANGHAI, tuple(AREAS), frozenset([SHANGHAI]))
DAY = 735_000
FIRST = {"a": 0, "b": 50, "c": 900}
"""The first acct of each area in the whole: "a" and "b" share some."""

accts = st.sets(st.integers(0, 99), max_size=60)
steps = st.lists(
    st.tuples(st.sampled_from(["change", "change", "read", "unite"]), st.sampled_from(list(FIRST)), accts)
)


def translate(area: str, pool: str, numbers: Any) -> Any:
    return (numbers + FIRST[area]).astype(np.uint32)


def array(numbers: set[int]) -> Any:
    return packed(np.array(sorted(numbers), np.uint32))


@settings(max_examples=examples(200))
@given(begin=st.tuples(accts, accts, accts), steps=steps, grows=st.booleans())
def test_a_whole_has_who_is_in_any_area(begin: Any, steps: Any, grows: bool) -> None:
    days, now = AcctDays(translate), dict(zip(FIRST, begin, strict=True))
    read: dict[str, set[int]] = {}

    def unite() -> None:
        for area in now.keys() - read.keys():
            days[area][DAY] = array(now[area])
            read[area] = now[area]
        if DAY not in days["pool"]:
            days.unite("pool", FIRST, DAY)
        expected = {one + FIRST[area] for area, some in read.items() for one in some}
        assert numbered(days["pool"][DAY]).tolist() == sorted(expected)

    unite()
    for step, area, some in steps:
        if step == "change":
            days.forget(area, ["pool"], DAY)
            read.pop(area, None)
            now[area] = now[area] | some if grows else some
        elif step == "read" and area not in read:
            days[area][DAY] = array(now[area])
            read[area] = now[area]
        elif step == "unite":
            unite()
    unite()
    days.trim(set())
    assert days.nbytes == 0


@given(st.lists(st.tuples(st.sampled_from(["put", "pop", "delete"]), st.integers(0, 3), st.integers(0, 9))))
def test_a_dictionary_knows_what_its_values_take(steps: Any) -> None:
    known: Sized[int, int] = Sized(lambda value: value)
    for step, key, value in steps:
        if step == "put":
            known[key] = value
        elif step == "pop":
            expected = known.get(key, "none")
            assert known.pop(key, "none") == expected
        elif key in known:
            del known[key]
        assert known.nbytes == sum(known.values())


@given(st.dictionaries(st.integers(1, 30), st.sets(st.integers(0, 9))))
def test_the_days_on_which_payers_paid_next(payers: dict[int, set[int]]) -> None:
    pay = {
        day: Payments(np.array(sorted(some), np.uint32), np.ones(len(some), np.int64))
        for day, some in payers.items()
    }
    expected = {
        day: {
            min(later)
            for acct in some
            if (later := [other for other in payers if other > day and acct in payers[other]])
        }
        for day, some in payers.items()
    }
    assert paid_next(pay, 10) == expected


class SlowStore(MemoryStore):
    """Holds a read of an area's logins up, so that another one overtakes it."""

    def __init__(self) -> None:
        super().__init__()
        self.held = Event()
        self.hold = True

    def load(self, collection: str, ids: Any) -> dict[str, Any]:
        if collection == "loginday" and self.hold:
            self.hold = False
            self.held.wait()
        return super().load(collection, ids)


def came(store: MemoryStore, area: str, accts: list[str], version: int) -> None:
    document = {"area": area, "_v": version, "userlist": accts}
    store.write("loginday", [Write(f"{area}:{start_of(SHANGHAI, DAY)}", document, version - 1)])


@pytest.mark.parametrize("area", list(AREAS))
def test_a_change_that_was_read_before_it_was_reported_is_in_every_whole(area: str) -> None:
    store = SlowStore()
    for one in AREAS:
        came(store, one, ["first"], 1)
    facts = FactsReader(store, AREAS)
    late = gevent.spawn(facts.load, [(area_scope(AREAS[area]), {"login": {DAY}})])
    gevent.sleep(0)
    facts.load([(GAME, {"login": {DAY}})])
    came(store, area, ["first", "second"], 2)
    store.held.set()
    late.get()
    facts.forget("login", area, DAY)
    facts.load([(GAME, {"login": {DAY}})])
    start = start_of(SHANGHAI, DAY)
    of_game = facts.facts(GAME, GAME.clock(start), None, None)
    assert len(numbered(of_game.login[DAY])) == 2
