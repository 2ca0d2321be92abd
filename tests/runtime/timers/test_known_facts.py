"""What facts in memory take."""

import tracemalloc
from typing import Any

import msgspec
import pytest
from timer_harness import A, C

from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.runtime.timers.facts import FactsReader
from analytics.runtime.timers.scopes import Scope, area_scope, start_of
from analytics.store import MemoryStore, Write

SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas([Area(A, "dl", "1", SHANGHAI), Area(C, "dl", "2", SHANGHAI)])
GAME = Scope("game", "dl", "", "", SHANGHAI, tuple(AREAS), frozenset([SHANGHAI]))
DAYS = range(735_000, 735_010)
ACCTS = 20_000


class Server(MemoryStore):
    """A store that gives documents as a server does: every name is a string of its own."""

    def load(self, collection: str, ids: Any) -> dict[str, Any]:
        return dict(msgspec.json.decode(msgspec.json.encode(super().load(collection, ids))))


@pytest.mark.parametrize("length", [10, 24])
def test_they_take_about_what_they_say(length: int) -> None:
    store = Server()
    for area in AREAS:
        for n, day in enumerate(DAYS):
            accts = [f"{area[-1]}{acct:0{length - 1}}" for acct in range(n * 1000, n * 1000 + ACCTS)]
            id_ = f"{area}:{start_of(SHANGHAI, day)}"
            store.write("loginday", [Write(id_, {"_id": id_, "area": area, "_v": 1, "userlist": accts}, 0)])
    scopes = [area_scope(area) for area in AREAS.values()]
    tracemalloc.start()
    facts = FactsReader(store, AREAS)
    facts.load([(scope, {"login": set(DAYS)}) for scope in [*scopes, GAME]])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.85 < facts.bytes / taken < 1.15
    facts.clear()
    assert facts.bytes == 0
