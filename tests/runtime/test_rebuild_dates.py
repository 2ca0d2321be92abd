"""Dates that documents without journals get: none but those of the periods that their numbers are of."""

import pytest

from analytics.bolts import BOLTS
from analytics.config import AreaSection, Config, Game, areas
from analytics.core.document import dates_of
from analytics.core.periods import zone
from analytics.rebuild.dates import add_dates
from analytics.rebuild.gaps import FOR_EVER
from analytics.store import MemoryStore, Write

NOON = 1_420_689_600


@pytest.mark.parametrize(
    ("bolt", "now", "changes"),
    [
        ("loginday", "Asia/Singapore", True),
        ("loginday", "Europe/London", False),
        ("loginhour", "Europe/London", True),
        ("loginhour", "Asia/Kolkata", False),
        ("usercenter", "Europe/London", True),
    ],
)
def test_only_documents_of_a_period_of_the_zone_get_its_dates(bolt, now, changes):
    claimed = {
        name: areas(Config(games={"dl": Game(areas={"one": AreaSection(plat="p", timezone=name)})}))
        for name in ("Asia/Shanghai", now)
    }
    period = BOLTS[bolt].period
    ts = zone("Asia/Shanghai").start(period, NOON) if period else NOON + 7
    before = {"area": "one", "ts": ts, "_v": 3}
    before |= dates_of(before, claimed["Asia/Shanghai"])
    store = MemoryStore()
    store.write(bolt, [Write("one:1", before, None)])
    assert add_dates(store, claimed[now], BOLTS[bolt], "one", None, None, FOR_EVER) == changes
    [after] = store.find(bolt)
    assert after["zone"] == (now if changes else "Asia/Shanghai")
    assert changes or after["day"] == "2015-01-08"
