"""Rebuilding at the moments at which it could go wrong, one by one."""

import gzip
import os
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import gevent
import msgspec
import near_suite
import pytest
from journaling_suite import ALL, JournalingSuite, Killed, YieldingStore, expected
from raw_months import world

from analytics.bolts import BOLTS
from analytics.broker.clients import Refill
from analytics.config import BrokerSection, Config, TimersSection
from analytics.core import derive, periods, settle
from analytics.core.numberset import NumberSet
from analytics.core.settle import part_ids
from analytics.rebuild import check
from analytics.rebuild import run as rebuild
from analytics.rebuild.gaps import FOR_EVER, gaps
from analytics.rebuild.journals import JournalInfo
from analytics.runtime import outlet
from analytics.runtime.draining import drain
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.collections import WRITTEN
from analytics.runtime.timers.documents import public
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import Silent
from analytics.spouts.rejected import waiting
from analytics.store import MemoryStore
from analytics.store.store import Write
from analytics.timers import NAMES as TIMERS

AREA = f"{1:024x}"
DAY = 1538323200  # 2018-10-01 in Shanghai
NOW = DAY + 14 * 86400
LOGIN = "gamelog.login_logcount"
PART_SIZE = 100
"""Where lists are in parts, so that few records make several."""


def small_world():
    """Return a game of two areas, in one of which everything happens, and one of an area."""
    every = world()
    return replace(
        every,
        areas={id_: area for id_, area in every.areas.items() if area.game in ("dl", "solo")},
        zones={game: zone for game, zone in every.zones.items() if game in ("dl", "solo")},
    )


@pytest.fixture
def small_parts(monkeypatch):
    for module in (settle, derive, check):
        monkeypatch.setattr(module, "PART_SIZE", PART_SIZE)
    monkeypatch.setattr(settle, "STEP_SIZE", 5 * PART_SIZE)


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.setattr(near_suite, "TimersSection", lambda every_seconds: TimersSection(every_seconds=0.5))
    running = JournalingSuite(small_world(), tmp_path / "data", monkeypatch, NOW, YieldingStore())
    running.count = 0
    yield running
    running.stop()


def logins(suite, accts, day=0, source="test", hour=1):
    """Return a login of each acct, and coins that it spends: what is counted twice shows."""
    records = []
    for acct in accts:
        for code, data in (("login_logcount", {}), ("yuanbao_logchange", {"amount": -5, "reason": "shop"})):
            suite.count += 1
            one = {
                "op": {"code": code},
                "area": AREA,
                "ts": DAY + 86400 * day + 3600 * hour,
                "data": {"acct": acct} | data,
            }
            records.append((f"gamelog.{code}", {"id": f"gamelog/{source}:{suite.count}"} | one))
    return records


def date_of(day):
    return date(2018, 10, 1) + timedelta(days=day)


def day_id(day=0):
    return f"{AREA}:{DAY + 86400 * day}"


def total_ids(day=0):
    """Return the ids of that day's totals of the game, the plat and the united area."""
    return [f"{stem}:{DAY + 86400 * day}" for stem in ("game:dl", "plat:dl:2000", f"united:dl:{1:024x}")]


def places(told, collections=(*BOLTS, *WRITTEN)):
    return {(one.collection, one.id) for one in told if one.collection in collections}


def hour_id(day=0):
    return f"{AREA}:{DAY + 86400 * day + 3600}"


def spoil(suite, name, id_, **fields):
    document = suite.store.load(name, [id_])[id_]
    suite.store.write(name, [Write(id_, document | fields, None)])


def after_the_cut(suite, monkeypatch, action):
    """Do something between the moment of the cut and the reading of the journals."""
    listed = rebuild.journals

    def journals(folder):
        monkeypatch.setattr(rebuild, "journals", listed)
        action()
        return listed(folder)

    monkeypatch.setattr(rebuild, "journals", journals)


def test_records_that_come_after_the_cut_count_once(suite, monkeypatch):
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    after_the_cut(suite, monkeypatch, lambda: suite.send(logins(suite, "abcde")))
    assert suite.rebuild()[1] == []
    suite.settled(0)
    assert suite.documents("coinday")[day_id()]["amount"] == 40
    assert suite.rebuild()[1] == []


def test_what_a_bolt_still_has_before_it_counts_once(suite, monkeypatch):
    """A document is mended with records that its bolt has read, but not written."""
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    spoil(suite, "coinday", day_id(), amount=1)

    def more():
        suite.store.shut = True
        suite.send(logins(suite, "cdef"))
        gevent.sleep(0.3)

    after_the_cut(suite, monkeypatch, more)
    assert [
        (one.collection, one.what) for one in suite.rebuild(replace(ALL, bolts=("coinday",), timers=()))[1]
    ] == [("coinday", "changed")]
    assert suite.documents("coinday")[day_id()]["amount"] == 35
    suite.store.shut = False
    suite.settled(0)
    assert suite.documents("coinday")[day_id()]["amount"] == 35
    assert suite.rebuild()[1] == []


def test_what_bolts_have_stored_and_not_published_makes_no_timer_bolt_wrong(suite):
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    suite.store.late = 0.6
    suite.send(logins(suite, "cdef"))
    while suite.documents("coinday")[day_id()]["amount"] == 15:
        gevent.sleep(0.01)
    assert suite.rebuild(replace(ALL, bolts=(), dry=True))[1] == []
    suite.store.late = 0.0


def test_a_document_as_it_was_some_time_ago(suite, monkeypatch):
    """It says itself that it includes little, but its bolt is past that."""
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    old = suite.store.load("coinday", [day_id()])[day_id()]

    def more():
        suite.send(logins(suite, "cdef"))
        suite.settled(0)
        suite.store.write("coinday", [Write(day_id(), old, None)])

    after_the_cut(suite, monkeypatch, more)
    assert [(one.collection, one.what) for one in suite.rebuild()[1]] == [("coinday", "changed")]
    assert suite.documents("coinday")[day_id()]["amount"] == 35
    suite.send(logins(suite, "a"))
    suite.settled(0)
    assert suite.documents("coinday")[day_id()]["amount"] == 40


def heard(suite, topic, after):
    """Return the tuples of a topic's messages after one of them."""
    refill = Refill(suite.config.broker, 60)
    try:
        _, messages = refill.read({topic: after})
    finally:
        refill.close()
    return [msgspec.json.decode(line) for message in messages for line in message.body.split(b"\n")]


def test_who_reads_a_mended_document_hears_of_it(suite):
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    spoil(suite, "loginhour", hour_id(), userlist=["a"], count=1)
    before = suite.heads()["loginhour"]
    suite.rebuild()
    (told,) = heard(suite, "loginhour", before)
    assert (sorted(told["userlist"]), told["count"], told["version"], told["tuples"]) == (
        ["a", "b", "c"],
        3,
        2,
        0,
    )


def test_a_long_list_of_a_repaired_document_travels_in_several_tuples(suite, monkeypatch):
    """As one tuple, the accts of a large day would be more than the broker takes."""
    monkeypatch.setattr(outlet, "ITEMS_A_TUPLE", 2)
    suite.send(logins(suite, "abcde"))
    suite.settled(0)
    spoil(suite, "loginhour", hour_id(), userlist=["a"], count=1)
    before = suite.heads()["loginhour"]
    suite.rebuild()
    published = heard(suite, "loginhour", before)
    assert [len(one["userlist"]) for one in published] == [2, 2, 1]
    assert sorted(acct for one in published for acct in one["userlist"]) == list("abcde")


@pytest.mark.parametrize("published", [False, True])
def test_killed_before_its_tuples_went_out(suite, published):
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    spoil(suite, "loginhour", hour_id(), userlist=["a"], count=1)
    before = suite.heads()["loginhour"]
    suite.kill_after(2, does_the_last=published)
    with pytest.raises(Killed):
        suite.rebuild()
    suite.kill_after(None)
    assert suite.documents("loginhour")[hour_id()]["count"] == 3
    while published and not heard(suite, "loginhour", before):
        gevent.sleep(0.01)
    assert len(heard(suite, "loginhour", before)) == published
    assert suite.rebuild()[1] == []
    assert sorted(heard(suite, "loginhour", before)[-1]["userlist"]) == ["a", "b", "c"]
    said = suite.heads()["loginhour"]
    assert suite.rebuild()[1] == []
    assert suite.heads()["loginhour"] == said


def test_a_document_that_was_gone_is_heard_of_again(suite):
    """Readers take the highest version of a document for the newest."""
    for acct in "abc":
        suite.send(logins(suite, acct))
        suite.settled(0)
    assert suite.documents("server")[day_id()]["active"] == 3
    suite.store.delete("loginday", [day_id()])
    assert [(one.collection, one.what) for one in suite.rebuild()[1]] == [("loginday", "missing")]
    suite.send(logins(suite, "d"))
    suite.settled(0)
    assert suite.documents("server")[day_id()]["active"] == 4
    assert suite.rebuild()[1] == []


def test_lists_in_parts(suite, small_parts):
    accts = [f"acct{n}" for n in range(2 * PART_SIZE + 25)]
    for begin in range(0, len(accts), 75):
        suite.send(logins(suite, accts[begin : begin + 75]))
        suite.settled(0)
    public = suite.public()
    part = suite.documents("loginhour")[hour_id()]["parts"]["first"]
    assert suite.rebuild()[1] == []
    suite.store.delete("loginhour", [part])
    spoil(suite, "loginday", part.replace(hour_id(), day_id()), userlist=["nobody"])
    told = suite.rebuild()[1]
    assert {(one.collection, one.id) for one in told} == {("loginhour", hour_id()), ("loginday", day_id())}
    suite.settled(0)
    assert suite.public() == public
    left = {one["_id"] for one in suite.raw("loginhour").values() if "part_of" in one}
    assert len(left) == suite.documents("loginhour")[hour_id()]["parts"]["count"]
    suite.send(logins(suite, [f"new{n}" for n in range(PART_SIZE)]))
    suite.settled(0)
    assert suite.documents("loginday")[day_id()]["count"] == len(accts) + PART_SIZE
    assert suite.rebuild()[1] == []


def test_a_worker_that_writes_the_same_document_at_the_same_time(suite, small_parts):
    """Its parts do not get among those of the mended document, whichever of both is written."""
    accts = [f"acct{n}" for n in range(PART_SIZE + 10)]
    suite.send(logins(suite, accts))
    suite.settled(0)
    public = suite.public()
    document = suite.store.load("loginhour", [hour_id()])[hour_id()]
    assert len(document["userlist"]) > PART_SIZE
    spoil(suite, "loginhour", hour_id(), count=1)

    def interfere():
        suite.store.write("loginhour", [Write(f"{hour_id()}#1", {"userlist": ["nobody"]}, None)])

    suite.interfere = interfere
    suite.rebuild()
    suite.settled(0)
    assert suite.public() == public


@pytest.mark.parametrize("step", [1, 2])
def test_a_record_makes_a_document_right_that_should_not_be(suite, step):
    """It comes before that is emptied, or just before it is removed."""
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    document = suite.store.load("coinday", [day_id()])[day_id()]
    made_up = document | {"_id": day_id(9), "ts": DAY + 9 * 86400}
    suite.store.write("coinday", [Write(day_id(9), made_up, None)])
    steps = iter(range(1, 100))

    def interfere():
        if next(steps) == step:
            suite.send(logins(suite, "d", day=9))
            drain(suite.config, 60)

    suite.interfere = interfere
    suite.rebuild(replace(ALL, bolts=("coinday",), timers=()))
    suite.settled(0)
    assert suite.documents("coinday")[day_id(9)]["amount"] == 5
    assert suite.documents("coinday")[day_id(9)]["users"] == 1
    assert suite.rebuild()[1] == []


def test_journals_gzipped_repeated_torn_and_never_accepted(suite):
    first = logins(suite, "abc")
    suite.send(first)
    suite.send(first)
    never = logins(suite, "xyz")
    suite.journal(never)
    suite.settled(0)
    files = sorted(suite.config.data.glob("gamelog_*.txt"))
    with gzip.open(f"{files[0]}.gz", "wb") as packed:
        packed.write(files[0].read_bytes())
    files[0].unlink()
    with files[1].open("ab") as file:
        file.write(b'no record\n{"id":"gamelog/test:1","op":{"code":"login_lo')
    outcome, told = suite.rebuild()
    assert told == []
    assert (outcome.files, outcome.nowhere.unreadable, outcome.unaccepted) == (3, 1, 6)
    suite.send(never)
    suite.settled(0)
    assert suite.rebuild()[1] == []


def test_a_journal_that_is_gzipped_while_it_is_read(suite, monkeypatch):
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    listed = rebuild.journals

    def journals(folder):
        found = listed(folder)
        for one in found:
            with gzip.open(f"{one.path}.gz", "wb") as packed:
                packed.write(one.path.read_bytes())
            one.path.unlink()
        return found

    monkeypatch.setattr(rebuild, "journals", journals)
    outcome, told = suite.rebuild()
    assert (told, outcome.gaps) == ([], [])


def test_days_whose_journals_are_gone_are_left_alone(suite):
    for day in range(6):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    written_in_time(suite)[0].unlink()
    for day in range(6):
        spoil(suite, "coinday", day_id(day), amount=1)
    before = suite.documents("userpay")
    outcome, told = suite.rebuild()
    # The oldest that is left was last written on the second day; a record may be a day ahead of its time.
    assert {one.id for one in told if one.collection == "coinday"} == {day_id(day) for day in (3, 4, 5)}
    assert [suite.documents("coinday")[day_id(day)]["amount"] for day in range(6)] == [1, 1, 1, 15, 15, 15]
    assert [(hole.source, hole.records) for hole in outcome.gaps] == [("gamelog/test", 6)]
    assert outcome.left_out
    assert suite.documents("userpay") == before
    told = suite.rebuild(replace(ALL, complete=date_of(1)))[1]
    assert {one.id for one in told} == {day_id(1), day_id(2)}


def test_documents_without_dates_get_them_with_journals_or_without(suite):
    """Workers and timers write them; those of an earlier version lack them."""
    for day in range(6):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    before = with_dates(suite)
    assert {"loginhour", "kpi", "kpi_total", "coinday_total", "serverstarttime"} <= {
        name for name, _ in before
    }
    for name, id_ in before:
        lacking = {
            field: value for field, value in suite.raw(name)[id_].items() if field not in periods.DATES
        }
        suite.store.write(
            name, [Write(id_, lacking | {"day": 0} if name == "serverstarttime" else lacking, None)]
        )
    written_in_time(suite)[0].unlink()
    outcome = suite.rebuild()[0]
    assert with_dates(suite) == before and outcome.dated
    suite.send(logins(suite, "d"))
    suite.settled(0)
    assert with_dates(suite) == before and suite.rebuild()[0].dated == 0


def with_dates(suite):
    """Return the documents of bolts and timers, each of which says when and where its ``ts`` is."""
    found = set()
    for (name, id_), one in suite.stored().items():
        if "part_of" in one or "ts" not in one:
            continue
        local = datetime.fromtimestamp(one["ts"], ZoneInfo("Asia/Shanghai"))
        assert (one["date"], one["zone"]) == (local, "Asia/Shanghai"), (name, id_)
        midnight = int(local.replace(hour=0, minute=0, second=0).timestamp())
        assert one["day"] == (midnight if name == "serverstarttime" else f"{local:%Y-%m-%d}"), (name, id_)
        found.add((name, id_))
    return found


def test_journals_that_were_moved_away(suite):
    for day in range(6):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    first = written_in_time(suite)[0]
    kept = first.parent / "kept"
    kept.mkdir()
    first.rename(kept / first.name)
    spoil(suite, "coinday", day_id(0), amount=1)
    # Totals say what the areas' documents say.
    assert places(suite.rebuild()[1]) == {("coinday_total", id_) for id_ in total_ids(0)}
    outcome, told = suite.rebuild(replace(ALL, folders=(kept,)))
    assert places(told, BOLTS) == {("coinday", day_id(0))}
    assert (outcome.gaps, outcome.left_out) == ([], {})
    suite.settled(0)
    assert of_timers(suite) == computed_anew(suite)
    assert suite.rebuild(replace(ALL, folders=(kept,), dry=True))[1] == []


def test_another_host_may_have_what_is_missing():
    files = [JournalInfo(Path("/data/gamelog_201801010000.txt"), "gamelog", 1, DAY)]
    accepted = {"gamelog/a@1": NumberSet([(1, 9)]), "gamelog/b@2": NumberSet([(1, 9)])}
    seen = {"gamelog/a@1": NumberSet([(1, 9)])}
    here = Config(data=Path("/data"))
    there = Config(data=Path("/data"), broker=BrokerSection(host="10.0.0.1"))
    assert [one.until for one in gaps(here, accepted, seen, files)] == [DAY + 86_401]
    assert [one.until for one in gaps(there, accepted, seen, files)] == [FOR_EVER]
    assert [one.until for one in gaps(here, accepted, seen, files, ["gamelog/b@2"])] == [FOR_EVER]


def test_days_whose_journals_are_missing_in_the_middle_are_all_left_alone(suite):
    for day in range(6):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    files = written_in_time(suite)
    files[1].unlink()
    spoil(suite, "coinday", day_id(5), amount=1)
    outcome, told = suite.rebuild()
    assert places(told) == {("coinday_total", id_) for id_ in total_ids(5)}
    assert outcome.left_out
    assert of_timers(suite) == computed_anew(suite)
    assert suite.rebuild()[1] == []


def written_in_time(suite):
    """Have each journal last written on the day of its records."""
    found = sorted(suite.config.data.glob("gamelog_*.txt"))
    for n, path in enumerate(found):
        os.utime(path, (DAY + n * 86400 + 7200,) * 2)
    return found


def test_only_what_was_asked_for(suite):
    for day in range(4):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    for day in range(4):
        spoil(suite, "coinday", day_id(day), amount=1)
        spoil(suite, "loginday", day_id(day), count=1)
    wanted = replace(ALL, bolts=("coinday",), timers=(), since=date_of(1), until=date_of(2))
    assert {(one.collection, one.id) for one in suite.rebuild(wanted)[1]} == {
        ("coinday", day_id(1)),
        ("coinday", day_id(2)),
    }
    other = replace(ALL, area=f"{2:024x}")
    assert suite.rebuild(other)[1] == []


def test_a_document_that_was_moved_to_another_day(suite):
    for day in range(4):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    public = suite.public()
    spoil(suite, "coinday", day_id(1), ts=DAY + 86400 * 3)
    spoil(suite, "coinday", day_id(2), area="elsewhere")
    # Not of the days that are asked for: it stays.
    some = replace(ALL, bolts=("coinday",), timers=(), since=date_of(3))
    assert suite.rebuild(some)[1] == []
    document = suite.store.load("coinday", [day_id(0)])[day_id(0)]
    suite.store.write("coinday", [Write(day_id(9), document | {"_id": day_id(9)}, None)])
    assert {one.id: one.what for one in suite.rebuild()[1]} == {
        day_id(1): "changed",
        day_id(2): "changed",
        day_id(9): "extra",
    }
    assert suite.public() == public


def computed_anew(suite):
    """Return what timer bolts make of the documents that bolts have now, where they have none of their own."""
    fresh = MemoryStore()
    for name in BOLTS:
        fresh._collections[name] = dict(suite.store._collections.get(name, {}))
    by_hand(suite.config, fresh, Silent(), Wanted(TIMERS), lambda: suite.now)
    return {(name, one["_id"]): public(one) for name in WRITTEN for one in fresh.find(name)}


def of_timers(suite):
    return {(name, one["_id"]): public(one) for name in WRITTEN for one in suite.store.find(name)}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_an_area_moved_to_another_zone_and_plat(suite, zone):
    """What begins no hour or day of the new zone goes, in each collection; what begins there takes its place."""
    records = []
    for day in range(12):
        # In the zones to come, the first hour of a day in Shanghai lies on the day before.
        records += logins(suite, "abc", day, hour=12) + logins(suite, "ae", day, hour=1)
    suite.send(records)
    suite.settled(0)
    suite.with_areas(timezone=zone, plat="77")
    last = logins(suite, "d", day=12)
    suite.send(last)
    suite.settled(0)
    outcome, told = suite.rebuild()
    assert not outcome.spared and not outcome.kept
    assert {one.what for one in told} == {"extra", "missing", "changed"}
    suite.settled(0)
    assert {key: one for key, one in suite.public().items() if key[0] in BOLTS} == expected(
        suite, records + last
    )
    assert of_timers(suite) == computed_anew(suite)
    assert of_timers(suite)["kpi", f"{AREA}:{periods.zone(zone).start('day', DAY + 12 * 3600)}"]["dau"] == 4
    assert suite.rebuild()[1] == []


def test_days_of_the_zone_before_whose_journals_are_gone(suite):
    """Nothing could take their place: they stay, with the timer bolts' documents."""
    for day in range(6):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    written_in_time(suite)[0].unlink()
    suite.with_areas(timezone="UTC")
    outcome, _ = suite.rebuild()
    assert outcome.kept["kpi"] and not outcome.spared
    days = [day_id(day) for day in range(6)]
    assert set(suite.documents("loginday")) & {*days} == {*days[:3]}
    assert set(suite.documents("kpi")) & {*days} == {*days[:3]}


def test_what_timer_bolts_did_not_write_is_named_and_removed(suite):
    for day in range(30):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    before = suite.public()
    document = suite.store.load("kpi", [day_id()])[day_id()]
    long_ago = f"{AREA}:946656000"
    for id_ in (long_ago, "junk"):
        suite.store.write("kpi", [Write(id_, document | {"_id": id_, "ts": 946656000}, None)])
    dry = suite.rebuild(replace(ALL, dry=True))[1]
    assert {(one.collection, one.id, one.what) for one in dry} == {
        ("kpi", long_ago, "extra"),
        ("kpi", "junk", "extra"),
    }
    assert [one.id for one in suite.rebuild()[1]] == [one.id for one in dry]
    assert suite.public() == before


def test_records_that_workers_rejected_leave_the_list_when_they_count(suite):
    games = suite.config.games
    suite.with_games({name: of for name, of in games.items() if AREA not in of.areas})
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    assert len(waiting(suite.config.data)) == 6
    outcome, _ = suite.rebuild()
    assert (outcome.resolved, len(waiting(suite.config.data))) == (0, 6), "nobody claims their area"
    suite.with_games(games)
    outcome, _ = suite.rebuild(replace(ALL, dry=True))
    assert (outcome.resolved, len(waiting(suite.config.data))) == (0, 6), "nothing was written"
    outcome, _ = suite.rebuild()
    assert (outcome.resolved, waiting(suite.config.data)) == (6, {})
    suite.settled(0)
    assert suite.documents("loginday")[day_id()]["count"] == 3


def test_parts_that_nobody_speaks_of(suite, small_parts):
    accts = [f"acct{n}" for n in range(2 * PART_SIZE + 25)]
    for begin in range(0, len(accts), 75):
        suite.send(logins(suite, accts[begin : begin + 75]))
        suite.settled(0)
    public = suite.public()
    parts = suite.documents("loginday")[day_id()]["parts"]
    spoil(suite, "loginday", day_id(), parts=parts | {"count": 1})
    left = f"{hour_id()}#0"
    suite.store.write("loginhour", [Write(left, {"part_of": hour_id(), "part": 0, "userlist": ["x"]}, None)])
    told = suite.rebuild()[1]
    assert {(one.id, one.what) for one in told} == {(day_id(), "changed"), (left, "extra")}
    suite.settled(0)
    assert suite.public() == public
    for name, id_ in (("loginday", day_id()), ("loginhour", hour_id())):
        stored = suite.documents(name)[id_]
        assert list(suite.store.ids(name, f"{id_}#")) == part_ids(stored)
    assert suite.rebuild()[1] == []


def test_documents_of_another_data_folder_are_left_alone(suite):
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    public = suite.public()
    document = suite.store.load("coinday", [day_id()])[day_id()]
    others = [day_id(-day) for day in range(1, 40)]
    for n, id_ in enumerate(others, 1):
        suite.store.write("coinday", [Write(id_, document | {"_id": id_, "ts": DAY - n * 86400}, None)])
    outcome, told = suite.rebuild()
    totals = {("coinday_total", id_) for day in range(1, 40) for id_ in total_ids(-day)}
    assert places(told) == totals
    assert outcome.spared == {"coinday": len(others)}
    assert suite.rebuild()[1] == []
    told = suite.rebuild(replace(ALL, remove_many=True))[1]
    assert places(told, BOLTS) == {("coinday", id_) for id_ in others}
    suite.settled(0)
    assert suite.public() == public


def test_versions_and_numbers_that_are_none(suite):
    for day in range(4):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    public = suite.public()
    spoil(suite, "coinday", day_id(0), _v="seven")
    spoil(suite, "coinday", day_id(1), _at=None)
    document = suite.store.load("coinday", [day_id(2)])[day_id(2)]
    spoil(suite, "coinday", day_id(2), _at=document["_at"] | {"topics": {"gamelog.yuanbao_logchange": 999}})
    spoil(suite, "coinday", day_id(3), _users={"no": "list"})
    dry = suite.rebuild(replace(ALL, dry=True))[1]
    told = suite.rebuild()[1]
    assert {one.id for one in told} == {one.id for one in dry} == {day_id(day) for day in range(4)}
    assert suite.public() == public
    assert suite.rebuild()[1] == []
    for day in range(4):
        suite.send(logins(suite, "d", day))
    suite.settled(0)
    assert [suite.documents("coinday")[day_id(day)]["amount"] for day in range(4)] == [20] * 4


def test_documents_whose_headers_can_not_be_decoded(suite, small_parts):
    """Whatever is wrong with what they say to those that write them, they are derived again; no part of theirs is left."""
    accts = [f"acct{n}" for n in range(PART_SIZE + 25)]
    suite.send(logins(suite, accts))
    for day in range(1, 5):
        suite.send(logins(suite, "abc", day))
    suite.settled(0)
    public = suite.public()
    at = suite.store.load("loginday", [day_id(1)])[day_id(1)]["_at"]
    damaged = {
        day_id(0): {"_at": "lost"},
        day_id(1): {"_v": True},
        day_id(2): {"_at": at | {"topics": {LOGIN: "7"}}},
        day_id(3): {"parts": {"count": 1, "first": "elsewhere"}},
        day_id(4): {"_at": at | {"before": {"log": "x"}}},
    }
    for id_, fields in damaged.items():
        spoil(suite, "loginday", id_, **fields)
    before = suite.stored()
    dry = suite.rebuild(replace(ALL, dry=True))[1]
    assert {(one.id, one.what) for one in dry} == {(id_, "changed") for id_ in damaged}
    assert suite.stored() == before
    told = suite.rebuild()[1]
    assert {(one.id, one.what) for one in told} == {(id_, "changed") for id_ in damaged}
    suite.settled(0)
    assert suite.public() == public
    parts = {one["_id"] for one in suite.raw("loginday").values() if "part_of" in one}
    assert parts == {id_ for one in suite.store.find("loginday") for id_ in part_ids(one)}
    assert suite.rebuild()[1] == []
    for day in range(1, 5):
        suite.send(logins(suite, "xyz", day))
    suite.settled(0)
    assert [suite.documents("loginday")[day_id(day)]["count"] for day in range(1, 5)] == [6] * 4
    assert suite.rebuild()[1] == []


def test_a_journal_and_its_half_written_copy(suite):
    suite.send(logins(suite, "abc"))
    suite.send(logins(suite, "def"))
    suite.settled(0)
    first, second = sorted(suite.config.data.glob("gamelog_*.txt"))
    packed = gzip.compress(first.read_bytes() * 50)
    first.with_name(first.name + ".gz").write_bytes(packed[: len(packed) // 2])
    second.with_name(second.name + ".gz").write_bytes(gzip.compress(second.read_bytes()))
    outcome, told = suite.rebuild()
    assert (told, outcome.gaps, outcome.damaged) == ([], [], [])
    first.unlink()
    outcome, told = suite.rebuild()
    assert told == []
    assert len(outcome.damaged) == 1


def test_records_that_the_queue_lost_are_counted(suite):
    """The Queue was removed before bolts had read it: a later log, and documents that stand in the one before."""
    suite.send(logins(suite, "abc"))
    suite.send(logins(suite, "abc", day=1))
    suite.settled(0)
    suite.without_queue(lambda: suite.send(logins(suite, "cde")))
    suite.send(logins(suite, "ef", day=2))
    suite.settled(0)
    assert suite.documents("coinday")[day_id()]["amount"] == 15
    told = suite.rebuild()[1]
    assert {one.id for one in told if one.collection == "coinday"} == {day_id()}
    suite.settled(0)
    assert suite.documents("loginday")[day_id()]["count"] == 5
    assert suite.rebuild()[1] == []
    suite.send(logins(suite, "af"))
    suite.settled(0)
    assert suite.documents("coinday")[day_id()]["amount"] == 40
    assert suite.documents("server")[day_id()]["active"] == 6
    assert suite.rebuild()[1] == []


def test_the_queue_is_replaced_while_a_rebuild_runs(suite, monkeypatch):
    suite.send(logins(suite, "abc"))
    suite.settled(0)
    spoil(suite, "coinday", day_id(), amount=1)

    def replaced():
        suite.without_queue(lambda: None)
        suite.send(logins(suite, "d", day=2))

    after_the_cut(suite, monkeypatch, replaced)
    assert {(one.collection, one.id) for one in suite.rebuild()[1]} == {("coinday", day_id())}
    suite.settled(0)
    assert suite.documents("coinday")[day_id()]["amount"] == 15
    assert suite.documents("coinday")[day_id(2)]["amount"] == 5
    assert suite.rebuild()[1] == []
