"""Which value an acct has, while several groups of documents are computed at once."""

from collections.abc import Iterator
from typing import Any

import gevent
from timer_harness import A, C

from analytics.core.areas import Area, Areas
from analytics.core.bolt import joined
from analytics.core.periods import zone
from analytics.core.segments import PROPERTIES, Segment
from analytics.runtime.timers.facts import FactsReader
from analytics.runtime.timers.scopes import area_scope, divided, start_of
from analytics.store import Document, MemoryStore, Write
from analytics.timers.facts import NEVER, Clock

SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas([Area(A, "dl", "1", SHANGHAI), Area(C, "dl", "2", SHANGHAI)])
CHANNEL = Segment("channel", "signup_logcount", "channel", ("a", "b"))
DEVICE = Segment("device", "signup_logcount", "device", ("a", "b"))
DAY = 735_000


class Slow(MemoryStore):
    """Lets others run before each document, as a server does."""

    def find(self, *args: Any, **more: Any) -> Iterator[Document]:
        for document in super().find(*args, **more):
            gevent.sleep(0.001)
            yield document


def test_no_group_computes_with_what_a_day_has_lost() -> None:
    """A rebuild may take an acct away from a day. While one group reads all days again, another may look at the same area."""
    store = Slow()
    segments = {"dl": (CHANNEL, DEVICE)}

    def put(day: int, *rows: tuple[str, str]) -> None:
        for one in segments["dl"]:
            ts = start_of(SHANGHAI, day)
            id_ = joined((A, ts, one.name, one.source))
            accts = [[acct, [ts, n, "log"], value] for n, (acct, value) in enumerate(rows)]
            document = {
                "_id": id_, "area": A, "ts": ts, "segment": one.name, "from": one.source, "users": len(accts), "_accts": accts, "_v": 1,
            }  # fmt: skip
            store.write(PROPERTIES, [Write(id_, document, None)])

    put(DAY, ("ann", "a"), ("ben", "a"))
    put(DAY + 1, ("ben", "b"))
    facts = FactsReader(store, AREAS, segments)
    scopes = divided([area_scope(AREAS[A])], segments)

    def since(scope: Any) -> list[int]:
        facts.load_values(scope)
        split = facts.facts(scope, Clock(DAY + 9, DAY + 8), None, None).split
        assert split is not None
        return split.since.tolist()

    assert [since(scope) for scope in scopes] == [[DAY, DAY]] * 2
    put(DAY)
    facts.forget("segment", A, DAY)
    found = [gevent.spawn(since, scope) for scope in scopes]
    gevent.joinall(found, raise_error=True)
    assert [one.value for one in found] == [[NEVER, DAY + 1]] * 2
