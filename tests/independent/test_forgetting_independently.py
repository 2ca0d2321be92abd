"""Forgetting accts of generated months: documents, journals and Queue are as if the accts had always had other names."""

import gzip
from pathlib import Path
from random import Random

import bson
import near_suite
import pytest
from journaling_suite import JournalingSuite, Killed, YieldingStore, expected
from other_names import ACCTS, DAYS, GHOST, LONE, mortal, renamed
from plain_numbers import DAY, day_start
from raw_months import divided_world, sent

from analytics.broker.broker import Broker
from analytics.config import TimersSection, catalogue
from analytics.errors import LogError
from analytics.forget.known import known_of
from analytics.forget.run import ForgettingReport, forget
from analytics.rebuild.selection import Selection
from analytics.runtime.draining import drain
from analytics.runtime.nodes import readers
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.spouts.known import KnownRoles
from analytics.spouts.knownorders import KnownOrders
from analytics.spouts.orders import Order
from analytics.spouts.payers import Payers
from analytics.spouts.roles import acct_of_state, with_acct
from analytics.store import POSITIONS
from analytics.timers import NAMES as TIMERS

NOW = day_start("UTC", DAYS.last + 3 * DAY)


class World:
    """A suite that has counted, and whatever is started on its data folder and store afterwards."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            near_suite, "TimersSection", lambda every_seconds: TimersSection(every_seconds=0.5)
        )
        self._given = divided_world(), data, monkeypatch, NOW
        self.store = YieldingStore()
        self.records = [one.record for one in sent(5, DAYS)]
        self.suite = self.start()

    def start(self) -> JournalingSuite:
        self.suite = JournalingSuite(*self._given, self.store)
        return self.suite

    def forget(self, *accts: str, dry: bool = False) -> ForgettingReport:
        return forget(self.suite.config, self.store, accts, dry=dry)

    def everything(self) -> dict[str, bytes]:
        """Return all that is on the disk and in the store, by where it is."""
        data = self.suite.config.data
        found = {
            str(path): path.read_bytes()
            for path in data.rglob("*")
            if path.is_file() and path.suffix != ".lock"
        }
        found |= {name: gzip.decompress(text) for name, text in found.items() if name.endswith(".gz")}
        for name in self.store.collections():
            for id_ in self.store.ids(name):
                found[f"{name}/{id_}"] = bson.encode(self.store.load(name, [id_])[id_])
        return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    running = World(tmp_path / "data", monkeypatch)
    yield running
    running.suite.stop()


def remember(data: Path) -> None:
    """Keep what the spouts that poll would remember."""
    roles, payers = KnownRoles(data / "state" / "syncuser.sqlite"), Payers(data / "state" / "payment.sqlite")
    roles.put({"a": {"u": with_acct(bytes(24), GHOST), "v": with_acct(bytes(24), "other"), "w": bytes(16)}})
    payers.put({"a:1": frozenset([GHOST, "other"])})
    roles.close()
    payers.close()
    orders = KnownOrders(data / "state" / "orders.sqlite")
    orders.put("a", {"1": Order(1, GHOST, 200, "", 0), "2": Order(1, "other", 200, "", 0)})
    orders.close()


def ordered(data: Path) -> list[str]:
    orders = KnownOrders(data / "state" / "orders.sqlite")
    found = [one.acct for _, one in sorted(orders.of("a", ["1", "2"]).items())]
    orders.close()
    return found


def remembered(data: Path) -> tuple[set[str], set[str]]:
    roles, payers = KnownRoles(data / "state" / "syncuser.sqlite"), Payers(data / "state" / "payment.sqlite")
    found = {acct_of_state(one) for one in roles.digests("a", "uvw").values()}, {*payers.of("a:1")}
    roles.close()
    payers.close()
    return found


def test_all_is_as_if_the_accts_had_had_other_names(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    third = len(world.records) // 3
    for begin in range(0, len(world.records), third):
        world.suite.send(world.records[begin : begin + third])
    world.suite.settled(0)
    data = world.suite.config.data
    first = min(data.glob("gamelog_*.txt"))
    with gzip.open(f"{first}.gz", "wb") as packed:
        packed.write(first.read_bytes())
    first.unlink()
    timers = {key: one for key, one in world.suite.public().items() if key[0] in TIMERS}
    heads = world.suite.heads()
    world.suite.stop()
    remember(data)
    sizes = {path.name: path.stat().st_size for path in data.glob("*.txt")}
    times = {path.name: path.stat().st_mtime_ns for path in data.glob("*_*.txt*")}

    found = [one for acct in ACCTS for one in known_of(world.suite.config, world.store, acct)]
    assert {one.get("collection", one.get("file", "").partition("_")[0]) for one in found} > {
        "gamelog", "payment", "syncuser", "loginday", "paysummary", "usercenter", "sessionhour", "acctsegment",
    }  # fmt: skip
    before = world.everything()
    assert all(any(acct.encode() in text for text in before.values()) for acct in (LONE, GHOST))
    dry = world.forget(*ACCTS, dry=True)
    assert world.everything() == before

    kills = 0
    with monkeypatch.context() as killing:
        mortal(killing, world.store, Random(2))
        while True:
            try:
                report = world.forget(*(() if (data / "forgetting").exists() else ACCTS))
                break
            except Killed:
                kills += 1
                if (data / "forgetting").exists() and kills == 1:
                    broker = Broker(world.suite.config.broker, data, readers(world.suite.config))
                    with pytest.raises(LogError, match="forget"):
                        broker.start()
    assert kills > 3
    forgotten = Forgotten.load(data / FILE)
    assert forgotten is not None
    names = {acct: str(forgotten.of(acct)) for acct in ACCTS}
    assert len({*names.values()} - {*ACCTS}) == len(ACCTS) == len(forgotten) == report.forgotten
    assert dry.places.keys() == {"gamelog", "payment", "syncuser", "queue", "state"}
    assert dry.documents.keys() > {
        "loginday",
        "paysummary",
        "userpay",
        "payorderdetail",
        "usercenter",
        POSITIONS,
    }

    assert {path.name: path.stat().st_size for path in data.glob("*_*.txt") if path.name in sizes} == sizes
    assert {path.name: path.stat().st_mtime_ns for path in data.glob("*_*.txt*")} == times
    assert ordered(data) == [names[GHOST], "other"]
    assert remembered(data) == ({names[GHOST], "other", ""}, {names[GHOST], "other"})
    after = world.everything()
    for acct in (LONE, GHOST):
        assert [where for where, text in after.items() if acct.encode() in text] == []
    assert world.forget(*ACCTS).places == {}

    suite = world.start()
    suite.files = 1000
    assert suite.heads() == heads
    public = suite.public()
    assert {key: one for key, one in public.items() if key[0] in TIMERS} == timers
    records = [renamed(record, names) for record in world.records]
    bolts = {key: one for key, one in public.items() if key[0] in catalogue(suite.config)}
    assert bolts == expected(suite, records)
    every = catalogue(suite.config)
    outcome, differing = suite.rebuild(Selection(tuple(every), TIMERS, every, dry=True))
    assert differing == []
    assert outcome.lines == len(records)
    # What is sent again is a repeat, whatever it says.
    suite.send(world.records[:third])
    drain(suite.config, near_suite.WITHIN_SECONDS)
    assert {key: one for key, one in suite.public().items() if key[0] in every} == bolts
