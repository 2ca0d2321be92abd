"""A record at a bound of what spouts accept reaches every document that it should, in every zone."""

from itertools import pairwise
from typing import Any
from zoneinfo import available_timezones

import bson
import msgspec
import pytest

from analytics.bolts import BOLTS
from analytics.broker.wire import Message, MessageHeader
from analytics.cli.demo_tables import CHAPTERS
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.core.tuples import EARLIEST
from analytics.runtime.timers.dirty import KINDS, Dirty
from analytics.spouts.days import Days
from analytics.spouts.records import convert
from analytics.spouts.rules import Rules

NOW = 1_700_000_000
BOUNDS = [EARLIEST, NOW + 86_400]
ZONES = sorted(available_timezones())
AREAS = Areas([Area(f"{n:024x}", "dl", "2001", zone(name)) for n, name in enumerate(ZONES)])
RULES = Rules(AREAS, {})
INTEGERS = [-(2**63), 2**63 - 1]
NAMES = ["a", "名" * 200]
DATA: dict[str, list[dict[str, Any]]] = {
    "login_logcount": [{}],
    "signup_logcount": [{}],
    "createrole_logcount": [{}],
    "yuanbao_logchange": [{"amount": n, "reason": name} for n in INTEGERS for name in ["", NAMES[1]]],
    "fuben_logchange": [{"fuben": name, "result": "fail"} for name in ["", NAMES[1]]],
    "trunk_task_accept": [{"task": n} for n in INTEGERS],
    "trunk_task_finish": [{"task": n} for n in INTEGERS],
    "shop_logbuy": [{"item": "", "num": n, "price": m} for n in (1, 2**63 - 1) for m in INTEGERS],
}
OWN = {name for chapter in CHAPTERS for name in chapter.collections}
"""The suite's own bolts. Of one that somebody adds nothing is sent here."""
DAY_BOLTS = [name for name, bolt in BOLTS.items() if bolt.period == "day" and name in OWN]


def game_logs(ts: int) -> list[dict[str, Any]]:
    return [
        {"op": {"code": code}, "area": area, "ts": ts, "data": {"acct": acct, **data}}
        for area in AREAS
        for code, some in DATA.items()
        for data in some
        for acct in NAMES
    ]


def polled(area: Area, ts: int, n: int) -> list[dict[str, Any]]:
    """Return the journal's lines of what the interfaces said of an area."""
    own = {"game": area.game, "area": area.id, "plat": area.plat}
    users = {NAMES[0]: {"times": 10**9, "amount": 10**12}, NAMES[1]: {"times": 1, "amount": 0.01}}
    role = {"uid": NAMES[1], "acctid": NAMES[1], "name": "", "grade": 100_000, "rest_yuanbao": -(2**63)}
    day = area.zone.start("day", ts)
    return [
        {"id": f"payment/dl@1:{n}", **own, "ts": day, "at": 0, "users": users},
        {"id": f"syncuser/dl@1:{n}", **own, "ts": ts, "at": 2**62 - 1, **role},
        {"id": f"syncuser/dl@1:{n + 1}", **own, "ts": ts, **role, "uid": "b", "rest_yuanbao": 2**63 - 1},
    ]


def accepted(lines: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return what the spout publishes of these lines, by topic; all of them are good."""
    chunk = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    found: dict[str, list[Any]] = {}
    for share in convert(chunk, "gamelog/a@1", 1, RULES, NOW):
        assert not share.bad, share.bad[0]
        for topic, some in share.topics.items():
            found.setdefault(topic, []).extend(map(msgspec.json.decode, some.body.split(b"\n")))
    return found


@pytest.mark.parametrize("ts", BOUNDS)
def test_what_a_spout_accepts_is_in_every_document(ts: int) -> None:
    runner = Reference(BOLTS.values(), AREAS)
    lines = [line for n, area in enumerate(AREAS.values()) for line in polled(area, ts, 2 * n + 1)]
    for topic, some in [*accepted(game_logs(ts)).items(), *accepted(lines).items()]:
        runner.put(topic, some)
    days = {area.id: area.zone.start("day", ts) for area in AREAS.values()}
    for name in DAY_BOLTS:
        found = runner.documents(name)
        assert {(one["area"], one["ts"]) for one in found.values()} == set(days.items()), name
        for document in runner.collections[name].values():
            bson.encode(document)
    for one in runner.documents("server").values():
        assert (one["active"], one["reg"], one["create_role"], one["pay_user"]) == (2, 2, 2, 2)
        assert (one["pay_count"], one["pay_amout"]) == (10**9 + 1, 10**12 + 0.01)


@pytest.mark.parametrize("ts", BOUNDS)
@pytest.mark.parametrize("topic", KINDS)
def test_timers_see_a_change_of_every_such_day(ts: int, topic: str) -> None:
    dirty = Dirty()
    days = [{"area": one.id, "ts": one.zone.start("day", ts), "tuples": 1} for one in AREAS.values()]
    body = b"\n".join(map(msgspec.json.encode, days))
    header = MessageHeader("log", 1, len(days), len(days), len(days), topic, [(1, len(days))], 0.0)
    dirty.note(Message(topic, header, body), AREAS, ())
    assert {area for _, area, _ in dirty.days} == set(AREAS)


def test_the_first_day_that_payments_can_be_asked_for_makes_tuples_that_bolts_read() -> None:
    days = Days({}, 0.0, "2000-01-01")
    first = {one.area.id: one for one in reversed(list(days.open(AREAS.values(), EARLIEST + 2 * 86_400)))}
    assert first.keys() == set(AREAS)
    lines = [
        {"id": f"payment/dl@1:{n}", "area": one.area.id, "ts": one.ts, "users": {"a": {"times": 1, "amount": 1}}}
        for n, one in enumerate(first.values(), 1)
    ]  # fmt: skip
    runner = Reference([BOLTS["paysummary"], BOLTS["server"]], AREAS)
    for topic, some in accepted(lines).items():
        runner.put(topic, some)
    assert len(runner.documents("server")) == len(AREAS)


def test_bounds_lie_on_different_days_somewhere() -> None:
    assert all(one < other for one, other in pairwise(BOUNDS))
    starts = {one.zone.start("day", EARLIEST) for one in AREAS.values()}
    assert min(starts) < EARLIEST - 43_200 and max(starts) <= EARLIEST
