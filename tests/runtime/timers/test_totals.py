"""Totals of plats and games equal the sums over their areas, whatever comes late, ends half-way or was changed by hand."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
import pytest
from forms import THOROUGH
from timer_harness import SHANGHAI, A, C, at, coins, failing, games, log, some_weeks
from waiting import eventually

from analytics.bolts import BOLTS
from analytics.config import AreaSection, Config, Game, areas, catalogue
from analytics.config.bolt_sections import BoltSection
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.runtime.timers import schedule
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.scopes import total_scopes
from analytics.runtime.timers.totals import Totals
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import Silent
from analytics.store import MemoryStore, Write
from analytics.timers import NAMES, rollup
from analytics.timers.rollup import rollups

ROLLUPS = rollups(BOLTS.values())
ROLLED = ("loginhour", "signuphour", "createrolehour", "coinhour", "cointype")
OLD_DAY = "2015-02-10"
Sums = dict[tuple[Any, ...], Counter[str]]
"""By collection, scope, start of the period, and reason."""


def added(suite: Any) -> Sums:
    """Return the sums over areas."""
    claimed = {area: (game, one) for game, of in suite.config.games.items() for area, one in of.areas.items()}
    found: Sums = {}
    for name in ROLLED:
        rolled = ROLLUPS[name]
        for one in suite.store.find(name):
            game, area = claimed[one["area"]]
            of_game = zone(suite.config.games[game].timezone or SHANGHAI)
            day = zone(area.timezone or SHANGHAI).local(one["ts"]).date().isoformat()
            ts = of_game.day_of(day) if rolled.bolt.period == "day" else of_game.start("hour", one["ts"])
            for scope in (("game", game, None), ("plat", game, area.plat)):
                key = (name, *scope, ts, one.get("reason"))
                found.setdefault(key, Counter()).update({field: one[field] for field in rolled.numbers})
    return found


def stored(suite: Any) -> Sums:
    """Return what the totals say."""
    result = {}
    for name in ROLLED:
        for one in suite.store.find(f"{name}_total"):
            assert "area" not in one
            key = (name, one["scope"], one["game"], one.get("plat"), one["ts"], one.get("reason"))
            result[key] = Counter({field: one[field] for field in ROLLUPS[name].numbers})
    return result


def timers_of(suite: Any) -> Any:
    return next(node for node in suite._greenlets if node.name == "timers")


def test_after_weeks_and_what_comes_late(suite: Any) -> None:
    some_weeks(suite, "2015-02-08", 10, seed=5)
    suite.drain()
    assert stored(suite) == added(suite)
    before = suite.documents("cointype_total")
    late = [coins("late", -7, "new", at(OLD_DAY)), coins("late", 9, "shop", at(OLD_DAY, 22), C)]
    suite.send("gamelog.yuanbao_logchange", late)
    suite.send("gamelog.login_logcount", [log("login", "late", at(OLD_DAY))])
    suite.drain()
    assert stored(suite) == added(suite)
    changed = {key for key, one in suite.documents("cointype_total").items() if before.get(key) != one}
    assert len(changed) == 4, "of the game and a plat, for each of two reasons"
    assert suite.unpublished() == []


def test_after_runs_that_ended_half_way(suite: Any) -> None:
    some_weeks(suite, "2015-02-20", 5, seed=6)
    suite.drain()
    more = ["loginhour_total"] if THOROUGH else []
    for seed, collection in enumerate(["cointype", "cointype_total", "positions", *more], 7):
        suite.store.before = failing(collection)
        some_weeks(suite, "2015-02-22", 5, seed=seed)
        suite.drain()
        assert stored(suite) == added(suite), collection
        assert suite.unpublished() == [], collection


def test_after_a_kill(suite: Any) -> None:
    some_weeks(suite, "2015-02-20", 5, seed=6)
    eventually(lambda: any(suite.store.find("coinhour_total")))
    suite.kill(timers_of(suite))
    some_weeks(suite, "2015-02-22", 5, seed=7)
    suite.start_timers()
    suite.drain()
    assert stored(suite) == added(suite)
    assert suite.unpublished() == []


def test_final_when_the_day_has_ended_everywhere(suite: Any) -> None:
    suite.now = at("2015-03-04", 1)
    noon = at("2015-03-03")
    late = at("2015-03-03", 1, "America/New_York")
    suite.send("gamelog.yuanbao_logchange", [coins("a", -1, "shop", noon), coins("a", -1, "shop", late, C)])
    suite.drain()

    def final() -> dict[str, bool]:
        found = suite.documents("cointype_total").values()
        return {one["scope"] + one.get("plat", ""): one["final"] for one in found}

    assert final() == {"game": False, "plat1": True, "plat2": False}
    suite.now = at("2015-03-04", 20)
    eventually(lambda: all(final().values()))


def test_what_was_changed_by_hand_comes_right(suite: Any) -> None:
    some_weeks(suite, "2015-02-20", 5, seed=6)
    suite.drain()
    documents, store = suite.documents(), suite.store
    ids = sorted(one["_id"] for one in store.find("cointype_total"))

    def change(id_: str, new: str = "", **fields: Any) -> None:
        document = store.load("cointype_total", [id_])[id_]
        store.write("cointype_total", [Write(new or id_, document | {"_id": new or id_} | fields, None)])

    change(ids[0], amount=999)
    change(ids[1], ts=at("2015-02-21", 0), game="wsdx")
    change(ids[2], _v="x")
    change(ids[3], new="junk")
    change(ids[4], new="plat:dl:9:1424361600:shop")
    store.delete("cointype_total", ids[5:7])
    by_hand(suite.config, store, suite.publisher, Wanted(NAMES), lambda: suite.now)
    assert suite.documents() == documents
    again = by_hand(suite.config, store, suite.publisher, Wanted(NAMES), lambda: suite.now)
    assert not again.changed.total() + again.removed.total()


def test_documents_of_areas_that_were_changed_by_hand_stop_nothing(suite: Any) -> None:
    """They are left out until they are rebuilt; a node that stopped at them would never go on."""
    day = at("2015-02-20")
    suite.send("gamelog.yuanbao_logchange", [coins("ann", -5, reason, day) for reason in ("a", "b", "c")])
    suite.drain()
    ids = sorted(one["_id"] for one in suite.store.find("cointype"))
    for id_, damage in zip(ids, ({"plat": {"x": 1}}, {"amount": "x"}, {"reason": {"x": 1}}), strict=True):
        document = suite.store.load("cointype", [id_])[id_]
        suite.store.write("cointype", [Write(id_, document | damage, None)])
    suite.send("gamelog.yuanbao_logchange", [coins("ann", -7, "d", day)])
    suite.drain()
    found = suite.store.find("cointype_total", game="dl")
    assert {one["reason"]: one["amount"] for one in found if one["scope"] == "game"} == {"b": 0, "d": 7}


def test_no_rest_after_a_run_over_everything(suite: Any, monkeypatch: Any) -> None:
    some_weeks(suite, "2015-02-20", 5, seed=6)
    suite.drain()
    suite.stop(timers_of(suite))
    position = suite.store.load("positions", ["timers"])["timers"]
    del position["layout"]
    suite.store.write("positions", [Write("timers", position, position["_v"])])
    monkeypatch.setattr(schedule, "TOTALS_REST", 600.0)
    monkeypatch.setattr(schedule, "SILENT_SECONDS", 600.0)
    monkeypatch.setattr(schedule, "TOTALS_SHARE", 1e-9)
    suite.start_timers()
    eventually(lambda: bool(suite.store.load("positions", ["timers"])["timers"].get("layout")))
    suite.send("gamelog.yuanbao_logchange", [coins("late", -7, "new", at(OLD_DAY))])
    eventually(lambda: any(one["reason"] == "new" for one in suite.store.find("cointype_total")))


def test_documents_of_whole_games_that_earlier_versions_wrote_go(suite: Any) -> None:
    some_weeks(suite, "2015-02-20", 5, seed=6)
    suite.drain()
    documents, store = suite.documents(), suite.store
    suite.stop(timers_of(suite))
    former = {"game": "dl", "area": "*", "plat": "*", "ts": 1424361600, "_v": 3}
    store.write("kpi", [Write("dl:*:1424361600", former, 0)])
    position = store.load("positions", ["timers"])["timers"]
    del position["layout"]
    store.write("positions", [Write("timers", position, position["_v"])])
    for name in {name for name, _ in documents if name.endswith("_total")}:
        store.delete(name, list(store.ids(name)))
    suite.start_timers()
    eventually(lambda: suite.documents() == documents)


def test_a_sum_past_64_bits(suite: Any) -> None:
    most = 2**63 - 1
    there = at("2015-03-03", 12, "America/New_York")
    gains = [coins("a", most, "gift", at("2015-03-03")), coins("b", most, "gift", there, C)]
    suite.send("gamelog.yuanbao_logchange", gains)
    suite.drain()
    found = {one["scope"] + one.get("plat", ""): one for one in suite.documents("cointype_total").values()}
    assert {name: one["gain_amount"] for name, one in found.items()} == {
        "game": 2.0**64,
        "plat1": most,
        "plat2": most,
    }


def test_hours_of_areas_that_are_all_west_of_their_game(new_suite: Any) -> None:
    west = "America/New_York"
    suite = new_suite({"dl": Game(timezone=SHANGHAI, areas={C: AreaSection(plat="2", timezone=west)})})
    suite.start_worker()
    suite.start_timers()
    eventually(suite.is_saved)
    suite.send("gamelog.login_logcount", [log("login", "a", at("2015-03-03", 20, west), C)])
    suite.drain()
    documents, store = suite.documents(), suite.store
    assert len(suite.documents("loginhour_total")) == 2
    store.delete("loginhour_total", list(store.ids("loginhour_total")))
    by_hand(suite.config, store, suite.publisher, Wanted(NAMES), lambda: suite.now)
    assert suite.documents() == documents


def test_documents_of_impossible_times_stop_nothing(suite: Any) -> None:
    some_weeks(suite, "2015-02-20", 5, seed=6)
    suite.drain()
    documents, store = suite.documents(), suite.store
    odd = {"scope": "game", "game": "dl", "area": A, "plat": "1", "reason": "shop", "ts": 10**15, "_v": 1}
    for name in ("cointype", "cointype_total"):
        store.write(name, [Write("odd", odd, 0)])
    by_hand(suite.config, store, suite.publisher, Wanted(NAMES), lambda: suite.now)
    assert suite.documents() == documents


def test_totals_rest_whatever_runs_meanwhile(suite: Any) -> None:
    def said(name: str, field: str) -> list[Any]:
        return [one[field] for one in suite.store.find(name)]

    def come(acct: str) -> None:
        suite.send("gamelog.login_logcount", [log("login", acct, at("2015-03-20", 1))])
        suite.send("gamelog.yuanbao_logchange", [coins(acct, -1, "shop", at("2015-03-20", 1))])

    come("a")
    suite.drain()
    node = timers_of(suite)
    node._schedule._totals_resting_until = time.monotonic() + 600
    for n in (2, 3, 4):
        come(f"b{n}")
        eventually(lambda n=n: said("kpi_total", "dau") == [n, n])  # type: ignore[misc]
    gevent.sleep(1)
    assert said("cointype_total", "count") == [1, 1]
    node._schedule._totals_resting_until = 0.0
    eventually(lambda: said("cointype_total", "count") == [4, 4])


def test_totals_do_not_rest_once_nothing_comes_any_more(suite: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(schedule, "SILENT_SECONDS", 0.5)
    some_weeks(suite, "2015-02-20", 5, seed=6)
    suite.drain()
    timers_of(suite)._schedule._totals_resting_until = time.monotonic() + 600
    suite.send("gamelog.yuanbao_logchange", [coins("late", -7, "new", at(OLD_DAY))])
    eventually(lambda: any(one["reason"] == "new" for one in suite.store.find("cointype_total")))


@pytest.mark.parametrize(
    ("period", "first", "last"), [("week", "2015-03-02", "2015-03-08"), ("month", "2015-03-01", "2015-03-31")]
)
def test_weeks_and_months_are_final_when_their_last_day_has_ended(
    tmp_path: Path, period: str, first: str, last: str
) -> None:
    """They begin and end in each area's own zone, like days."""
    section = BoltSection(reads="fight", measures={"fights": "count"}, period=period, by=["bracket"])  # type: ignore[arg-type]
    config = Config(data=tmp_path, games=games(), bolts={"fights": section})
    reference = Reference([catalogue(config)["fights"]], areas(config))
    for area, zone_of in ((A, SHANGHAI), (C, "America/New_York")):
        ts = [at("2015-03-03", 9, zone_of), at("2015-03-06", 9, zone_of)]
        data = {"bracket": "2v2"}
        reference.put("gamelog.fight", [{"area": area, "ts": one, "data": data} for one in ts])
    store = MemoryStore()
    found = reference.documents("fights")
    store.write("fights", [Write(id_, {**one, "_v": 1}, 0) for id_, one in found.items()])
    assert {one["fights"] for one in found.values()} == {2}
    for now, final in ((at(last), False), (at(last, 38), True)):
        by_hand(config, store, Silent(), Wanted((rollup.NAME,)), lambda now=now: now)  # type: ignore[misc]
        total = store.load("fights_total", [f"game:dl:{at(first, 0)}:2v2"]).popitem()[1]
        assert (total["fights"], total["final"]) == (4, final)
    rolled = rollups(catalogue(config).values())
    totals = Totals(store, rolled, areas(config), total_scopes(config, areas(config)), None, lambda: 0)  # type: ignore[arg-type]
    ended = totals.of_time("fights", "dl", at(last), at(last, 38))
    assert [span[0] for span in ended.values()] == [at(first, 0)]
    assert (
        totals.of_changes("fights", "dl", [at(first, 0), at(first, 0, "America/New_York")]).keys()
        == ended.keys()
    )
