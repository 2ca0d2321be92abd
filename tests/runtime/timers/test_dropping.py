"""Documents that are dropped after some days: which, in which steps, and that nothing else changes by it."""

from datetime import UTC, datetime
from random import Random

import pytest

from analytics.config import AreaSection, Config, DocumentsSection, Game, areas, catalogue
from analytics.config.bolt_sections import BoltSection
from analytics.core.fold import Delta
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.core.settle import Position
from analytics.core.writing import Writer
from analytics.errors import Unavailable
from analytics.runtime.horizons import Horizons, KeptPeriods
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.collections import written
from analytics.runtime.timers.documents import public
from analytics.runtime.timers.dropping import Dropping
from analytics.runtime.timers.starts import Starts
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import Silent
from analytics.store import MemoryStore, Write
from analytics.timers import rollup, start

TIMERS = (start.NAME, rollup.NAME, "activeday")
DAY = 86_400
FIRST = zone("Asia/Shanghai").day_of("2026-01-05")
NOW = FIRST + 75 * DAY + 40_000
ZONES = {"one": "Asia/Shanghai", "two": "America/New_York"}
KEEP = {"loginhour": 60, "signuphour": 60, "pvp": 60, "payorderdetail": 70}
MONTHLY = BoltSection(reads="pvp_log", period="month", measures={"fights": "count"})


def configured(keep):
    sections = {area: AreaSection(plat="p", timezone=name) for area, name in ZONES.items()}
    return Config(
        games={"dl": Game(areas=sections)}, documents=DocumentsSection(keep), bolts={"pvp": MONTHLY}
    )


def filled(config):
    """Return a store with some weeks of play and the documents of timer bolts, all written long ago."""
    random, reference = Random(3), Reference(catalogue(config).values(), areas(config))
    for n in range(160):
        area, acct = random.choice([*ZONES]), random.choice("abcdefgh")
        one = {
            "id": f"log:{n}",
            "area": area,
            "ts": FIRST + random.randrange(75 * DAY),
            "data": {"acct": acct},
        }
        code = random.choice(["login_logcount", "login_logcount", "signup_logcount", "pvp_log"])
        reference.put(f"gamelog.{code}", [one])
        if n % 8 == 0:
            day = areas(config)[area].zone.start("day", one["ts"])
            reference.put(
                "payment",
                [{"id": f"pay:{n}", "area": area, "ts": day, "users": {acct: {"times": 1, "amount": 5.0}}}],
            )
    store = MemoryStore()
    for name, documents in reference.collections.items():
        store.write(
            name, [Write(id_, one | {"updated": at(NOW - 9 * DAY)}, None) for id_, one in documents.items()]
        )
    by_hand(config, store, Silent(), Wanted(TIMERS), lambda: NOW)
    return store


def at(ts):
    return datetime.fromtimestamp(ts, UTC)


def run(config, store, now=NOW):
    dropping = Dropping(config, store, lambda: now)
    while dropping.is_due():
        dropping.step()
    return dropping.removed


def snapshot(config, store):
    """Return what readers see of the timer bolts and totals."""
    return {
        (name, one["_id"]): public(one) for name in written(catalogue(config)) for one in store.find(name)
    }


def test_old_periods_go_and_nothing_that_is_kept_changes():
    config = configured(KEEP)
    store = filled(config)
    before, bolts = snapshot(config, store), catalogue(config)
    there = {name: {one["_id"]: one for one in store.find(name)} for name in bolts}
    removed = run(config, store)
    for name, bolt in bolts.items():
        left = {one["_id"] for one in store.find(name)}
        expected = {
            id_
            for id_, one in there[name].items()
            if name not in KEEP
            or areas(config)[one["area"]].zone.next(bolt.period, one["ts"]) > NOW - KEEP[name] * DAY
        }
        assert left == expected
        assert (left != there[name].keys()) == (name in KEEP and name != "pvp"), "its first month ended later"
    assert removed == sum(map(len, there.values())) - sum(len([*store.find(name)]) for name in bolts)
    assert run(configured({}), store) == run(config, store) == 0
    # Everything is computed again, now and after the setting is gone: what was added up before stays.
    for keep in (KEEP, {}):
        done = by_hand(configured(keep), store, Silent(), Wanted(TIMERS), lambda: NOW)
        assert snapshot(config, store) == before
        assert not done.spared and not done.removed.total()


@pytest.mark.parametrize(("hour", "expected"), [(None, FIRST), (9_000, FIRST), (-9_000, FIRST - 9_000)])
def test_a_start_stays_while_its_hours_may_be_gone(hour, expected):
    """Also that of an area of which no hour is left, and which nobody has looked at before."""
    config, store = configured(KEEP), MemoryStore()
    document = {"game": "dl", "area": "one", "plat": "p", "ts": FIRST, "_v": 1}
    store.write(start.NAME, [Write("one", document, None)])
    if hour is not None:
        ts = FIRST + hour
        store.write("loginhour", [Write(f"one:{ts}", document | {"ts": ts, "first_ts": ts}, None)])
    for until in (FIRST, FIRST + 1):
        store.write("positions", [Write("dropped:createrolehour", {"until": until, "_v": 1}, None)])
        known = expected if until > FIRST else (None if hour is None else FIRST + hour)
        assert Starts(store, areas(config)).first("one") == known


def test_totals_of_a_month_are_computed_as_long_as_its_documents_are_kept():
    config = configured(KEEP)
    store = filled(config)
    run(config, store)
    before = snapshot(config, store)
    for one in list(store.find("pvp_total")):
        store.remove("pvp_total", one["_id"], one["_v"])
    assert snapshot(config, store) != before
    by_hand(config, store, Silent(), Wanted(TIMERS), lambda: NOW)
    assert snapshot(config, store) == before


def test_a_document_with_parts_is_emptied_before_it_is_removed():
    config, id_ = configured({"loginhour": 60}), f"one:{FIRST}"
    store = MemoryStore()
    at_ = {"log": "a", "topics": {"gamelog.login_logcount": 3}}
    parts = {"count": 2, "first": f"{id_}#4", "last": f"{id_}#5"}
    head = {
        "game": "dl",
        "area": "one",
        "plat": "p",
        "ts": FIRST,
        "type": "login",
        "count": 5,
        "first_ts": FIRST,
    }
    whole = head | {"userlist": ["e"], "parts": parts, "_v": 7, "_at": at_, "updated": at(NOW - 9 * DAY)}
    for n in (4, 5):
        part = {"part_of": id_, "part": n, "userlist": [f"a{n}", f"b{n}"]}
        store.write("loginhour", [Write(f"{id_}#{n}", part, None)])
    store.write("loginhour", [Write(id_, whole, None)])
    assert run(config, store) == 0
    assert [*store.ids("loginhour")] == [id_]
    assert store.write("loginhour", [Write(id_, whole | {"_v": 8}, 7)]) == {id_}, (
        "one who has read it is refused"
    )
    # A late record is published, and begins nothing.
    bolt, topic = catalogue(config)["loginhour"], "gamelog.login_logcount"
    writer = writing(config, store)
    assert late(writer, bolt, topic, 4) == (["z"], 9)
    assert store.load("loginhour", [id_])[id_]["_v"] == 8
    assert run(config, store) == 0, "it was written lately"
    assert run(config, store, NOW + 3 * DAY) == 1 and [*store.ids("loginhour")] == []
    # Nor does it when documents are kept for ever again, whatever the writer knows of the hours before.
    for one in (writer, writing(configured({}), store)):
        assert late(one, bolt, topic, 5, FIRST - 3600) == late(one, bolt, topic, 6) == (["z"], 1)
        assert [*store.ids("loginhour")] == [] and one.latest["loginhour"] == {}
        assert late(one, bolt, topic, 7, FIRST + 70 * DAY) == (["z"], 1)
        assert [*store.ids("loginhour")] == [f"one:{FIRST + 70 * DAY}"]
        store.delete("loginhour", [f"one:{FIRST + 70 * DAY}"])


def writing(config, store):
    kept = KeptPeriods(store, areas(config), catalogue(config).keys(), config.documents.keep_days)
    return Writer(store, areas(config), 1_000, lambda: at(NOW), retention=kept)


def late(writer, bolt, topic, number, ts=FIRST):
    """Settle a record of an hour; return what is published of it."""
    delta = Delta(topic, number, number, [{"z"}, ts + 9], 1)
    [tuple_] = writer.settle(bolt, [(("one", ts), [delta])], Position("a", {topic: number}))
    return tuple_["userlist"], tuple_["version"]


def test_documents_that_were_emptied_go_with_parts_that_were_left():
    config, id_ = configured({"loginhour": 60}), f"one:{FIRST}"
    store = MemoryStore()
    store.write("loginhour", [Write(f"{id_}#4", {"part_of": id_, "part": 4, "userlist": []}, None)])
    emptied = {"area": "one", "ts": FIRST, "_v": 8, "_emptied": [f"{id_}#4"], "updated": at(NOW - 3 * DAY)}
    store.write("loginhour", [Write(id_, emptied, None)])
    assert run(config, store) == 1 and [*store.ids("loginhour")] == []


def test_an_error_is_shown_until_the_store_answers(monkeypatch):
    def away(*asked, **bounds):
        raise Unavailable("the store is away")

    config, store = configured({"loginhour": 60}), MemoryStore()
    dropping = Dropping(config, store, lambda: NOW)
    with monkeypatch.context() as broken:
        broken.setattr(store, "find", away)
        dropping.step()
        assert dropping.error == "the store is away" and dropping.is_due()
    dropping.step()
    assert not dropping.error and not dropping.is_due()


@pytest.mark.parametrize("earlier", [None, NOW])
def test_the_note_never_moves_back(earlier):
    store = MemoryStore()
    if earlier:
        store.write("positions", [Write("dropped:loginhour", {"until": earlier, "_v": 1}, None)])
    run(configured({"loginhour": 60}), store)
    [note] = store.load("positions", ["dropped:loginhour"]).values()
    assert note["until"] == max(earlier or 0, NOW - 60 * DAY)
    said = Horizons.load(store, ["loginhour", "shop"]).described(zone("Asia/Shanghai"))
    assert said == f"; no longer kept: loginhour before {'2026-03-21' if earlier else '2026-01-20'}"
