"""What facts in memory take."""

import tracemalloc
from collections import Counter
from typing import Any

import msgspec
import pytest
from timer_harness import A, C

from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.timer_sources import SOURCES
from analytics.runtime.outlet import Outlet
from analytics.runtime.timers.facts import NEARLY, FactsReader
from analytics.runtime.timers.run import Run
from analytics.runtime.timers.scopes import Scope, area_scope, start_of
from analytics.runtime.timers.starts import Starts
from analytics.spouts.acknowledging import Silent
from analytics.store import MemoryStore, Write
from analytics.timers import TIMERS

SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas([Area(A, "dl", "1", SHANGHAI), Area(C, "dl", "2", SHANGHAI)])
GAME = Scope("game", "dl", "", "", SHANGHAI, tuple(AREAS), frozenset([SHANGHAI]))
DAYS = range(735_000, 735_010)
ACCTS = 20_000


class Server(MemoryStore):
    """A store that gives documents as a server does: every name is a string of its own."""

    def load(self, collection: str, ids: Any) -> dict[str, Any]:
        return dict(msgspec.json.decode(msgspec.json.encode(super().load(collection, ids))))


def filled(store: MemoryStore, length: int) -> MemoryStore:
    """Fill a store with the logins of some days, and return it. ``length``: of accts."""
    for area in AREAS:
        for n, day in enumerate(DAYS):
            accts = [f"{area[-1]}{acct:0{length - 1}}" for acct in range(n * 1000, n * 1000 + ACCTS)]
            id_ = f"{area}:{start_of(SHANGHAI, day)}"
            store.write("loginday", [Write(id_, {"_id": id_, "area": area, "_v": 1, "userlist": accts}, 0)])
    return store


@pytest.mark.parametrize("length", [10, 24])
def test_they_take_about_what_they_say(length: int) -> None:
    store = filled(Server(), length)
    scopes = [area_scope(area) for area in AREAS.values()]
    tracemalloc.start()
    facts = FactsReader(store, AREAS)
    facts.load([(scope, {"login": set(DAYS)}) for scope in [*scopes, GAME]])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.85 < facts.bytes / taken < 1.15
    facts.clear()
    assert facts.bytes == 0


def test_those_of_several_games_do_not_add_up_beyond_the_limit() -> None:
    """And the documents are the same."""
    store, areas = (
        filled(MemoryStore(), 10),
        Areas([Area(A, "dl", "1", SHANGHAI), Area(C, "other", "1", SHANGHAI)]),
    )
    now, peaks, changed = start_of(SHANGHAI, DAYS[-1] + 2), [], []
    for most in (1 << 30, 1):
        run = Run(
            store, Outlet(Silent(), "s"), FactsReader(store, areas), Starts(store, areas), {"kpi": TIMERS["kpi"]},
            run="r", now=lambda: now, check=lambda: None, max_bytes=most,
        )  # fmt: skip
        for area in areas.values():
            run.work({area_scope(area): {"kpi": Counter(dict.fromkeys(DAYS, 0))}})
        peaks.append(run.done.facts_bytes)
        changed.append(run.done.changed.total())
    assert changed == [2 * len(DAYS), 0]
    assert 1.9 < peaks[0] / peaks[1] < 2.1


@pytest.mark.parametrize("latest", SOURCES)
def test_days_of_an_area_reach_to_the_last_one_of_any_bolt(latest: str) -> None:
    store, first, last = MemoryStore(), DAYS[0], DAYS[0] + 700
    for name, day in (("loginday", first), (latest, first + 300)):
        ts = start_of(SHANGHAI, day)
        store.write(name, [Write(f"{A}:{ts}", {"area": A, "ts": ts, "_v": 1}, 0)])
    found = FactsReader(store, AREAS).days_stored(A, last)
    assert found is not None
    assert found[0] == first
    assert first + 300 <= found[1] <= first + 300 + 2 * NEARLY
