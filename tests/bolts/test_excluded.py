"""Accts that are excluded: documents are those of the same records without theirs, however lines are read, and what is left out is counted."""

import json
from collections import defaultdict
from random import Random

import pytest

from analytics.bolts import BOLTS
from analytics.bolts.excluded import excluded
from analytics.config import AreaSection, Config, ExcludedSection, Game, areas, catalogue
from analytics.core.bolt import Bolt, Reads
from analytics.core.fold import Folder
from analytics.core.measures import Count
from analytics.core.reference import Reference
from analytics.core.tuples import Period

GAMES = {
    "dl": Game(
        excluded=ExcludedSection(accts=["gm", "7"], patterns=["bot_*", "qa[12]?"]),
        areas={"one": AreaSection(plat="1"), "two": AreaSection(plat="2", timezone="Asia/Kolkata")},
    ),
    "other": Game(areas={"three": AreaSection(plat="1")}),
}
ACCTS = ["a", "b", "gm", "bot_1", "bot_", "qa1x", "qa20", "qa3x", "Bot_2", "xbot_", "7", "bo"]
NOON = 1_420_689_600
CODES = {
    "login_logcount": {},
    "signup_logcount": {},
    "createrole_logcount": {},
    "yuanbao_logchange": {"amount": -5, "reason": "shop"},
    "fuben_logchange": {"fuben": "3", "result": "pass"},
    "trunk_task_accept": {"task": 5},
    "shop_logbuy": {"item": "hat", "num": 2, "price": 30},
}


def is_excluded(area, acct):
    """What the configuration above means, in plain words."""
    name = str(acct)
    return area in ("one", "two") and (
        name in ("gm", "7") or name.startswith("bot_") or (len(name) == 4 and name[:3] in ("qa1", "qa2"))
    )


def messages(random):
    """Yield topics and records, of which those of an excluded acct are to be left out."""
    n = 0
    for _ in range(50):
        topic = random.choice([*(f"gamelog.{code}" for code in CODES), "payment", "syncuser"])
        some, step = [], random.choice([1, 60])  # lines of few hours are read as columns
        for _ in range(random.randint(1, 12)):
            n += 1
            area, ts = random.choice(["one", "two", "three"]), NOON + random.randint(0, 3_000) * step
            acct = random.choice(ACCTS)
            head = {"area": area, "ts": ts, "id": f"log:{n}"}
            if topic == "payment":
                users = {
                    one: {"times": 1, "amount": 2.5} for one in random.sample(ACCTS, random.randint(0, 3))
                }
                some.append(head | {"users": users, "at": n})
            elif topic == "syncuser":
                left = random.choice([None, None, "a", "gm"])
                role = {
                    "uid": f"r{random.randint(0, 9)}",
                    "grade": n,
                    "rest_yuanbao": n,
                    "acctid": acct,
                    "at": n,
                }
                some.append(head | role | ({"left": left} if left and left != acct else {}))
            else:
                code = topic.partition(".")[2]
                some.append({"op": {"code": code}} | head | {"data": CODES[code] | {"acct": acct}})
        yield topic, some


def without(topic, records):
    """Return the records that count, and how many are left out by area and acct."""
    kept, out = [], defaultdict(int)
    for one in records:
        area = one["area"]
        if topic == "payment":
            users = {acct: paid for acct, paid in one["users"].items() if not is_excluded(area, acct)}
            for acct in one["users"].keys() - users.keys():
                out[area, acct] += 1
            if users or not one["users"]:
                kept.append(one | {"users": users})
            continue
        acct = one["acctid"] if topic == "syncuser" else one["data"]["acct"]
        if is_excluded(area, acct):
            out[area, str(acct)] += 1
            continue
        if is_excluded(area, one.get("left", "")):
            one = {name: value for name, value in one.items() if name != "left"}
        kept.append(one)
    return kept, out


def departed(topic, records):
    """Return the roles that went to an excluded acct, as the last state at the acct that they have left, which has none of their coins."""
    return [
        one | {"acctid": one["left"], "rest_yuanbao": 0, "left": one["left"]}
        for one in records
        if topic == "syncuser"
        and is_excluded(one["area"], one["acctid"])
        and not is_excluded(one["area"], one.get("left", "gm"))
        and one.get("left")
    ]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("decodes", [False, True])
def test_documents_are_those_of_the_others_and_what_is_left_out_is_counted(seed, decodes):
    config = Config(games=GAMES)
    there = Reference(catalogue(config).values(), areas(config))
    if decodes:
        there._folder.decode_only()
    every = areas(Config(games={name: Game(areas=game.areas) for name, game in GAMES.items()}))
    plain, of_coins = Reference(BOLTS.values(), every), Reference([BOLTS["userpay"]], every)
    out, bots = defaultdict(int), defaultdict(set)
    for topic, records in messages(Random(seed)):
        there.put(topic, records)
        kept, more = without(topic, records)
        plain.put(topic, kept)
        if topic in BOLTS["userpay"].reads:
            of_coins.put(topic, kept + departed(topic, records))
        for (area, acct), count in more.items():
            out[area] += count
            bots[area].add(acct)
    for name in BOLTS:
        expected = of_coins if name == "userpay" else plain
        assert there.documents(name) == expected.documents(name), name
    found = there.documents("excluded").values()
    assert {one["area"] for one in found} == {"one", "two"} == {*out}
    for area in out:
        mine = [one for one in found if one["area"] == area]
        assert sum(one["records"] for one in mine) == out[area]
        assert {acct for one in mine for acct in one["userlist"]} == bots[area]
        assert all(one["count"] == len(one["userlist"]) for one in mine)


def role(n, acct, coins, **more):
    return {
        "area": "one", "ts": NOON + n, "id": f"roles:{n}", "uid": "r", "grade": n, "rest_yuanbao": coins, "acctid": acct, **more,
    }  # fmt: skip


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_coins_of_a_role_that_passes_through_an_excluded_acct_count_once(together, backwards):
    config = Config(games=GAMES)
    there = Reference(catalogue(config).values(), areas(config))
    chain = [
        role(1, "a", 100),
        role(2, "gm", 110, left="a"),
        role(3, "gm", 120),
        role(4, "b", 130, left="gm"),
    ]
    chain = chain[::-1] if backwards else chain
    for some in [chain] if together else [[one] for one in chain]:
        there.put("syncuser", some)
    coins = {one["acct"]: one["rest_yuanbao"] for one in there.documents("userpay").values()}
    assert coins == {"a": 0, "b": 130}
    [stored] = there.documents("usercenter").values()
    assert (stored["acctid"], stored["grade"]) == ("b", 4)
    [levels] = there.documents("userlevel").values()
    assert levels["levels"] == {"4": 1}


def test_a_role_at_an_excluded_acct_is_left_as_it_was_last_seen_without_its_coins():
    config = Config(games=GAMES)
    there = Reference(catalogue(config).values(), areas(config))
    there.put("syncuser", [role(1, "a", 100)])
    there.put("syncuser", [role(2, "gm", 110, left="a")])
    assert [one["rest_yuanbao"] for one in there.documents("userpay").values()] == [0]
    assert [(one["acctid"], one["grade"]) for one in there.documents("usercenter").values()] == [("a", 1)]
    assert [one["levels"] for one in there.documents("userlevel").values()] == [{"1": 1}]
    assert [one["records"] for one in there.documents("excluded").values()] == [1]


class Loose(Period):
    """A tuple without an acct, as a bolt of one's own may declare it."""

    count: int = 0
    version: int = 0
    tuples: int = 1


def test_bolts_that_do_not_look_at_accts_leave_them_out_as_well():
    config = Config(games=GAMES)
    own = Bolt("pvp", {"gamelog.pvp": Reads(Loose)}, {"fights": Count()})
    folder = Folder([own, excluded(["gamelog.pvp"])], areas(config))
    lines = [{"area": "one", "ts": NOON, "data": {"acct": acct}} for acct in ("a", 7, "bot_9", None, [1])]
    lines += [{"area": "three", "ts": NOON, "data": {"acct": "gm"}}, {"area": "one", "ts": NOON}]
    broken = b'{"area": "one", "ts": 5, "data": {"acct": "gm"}}'
    body = b"\n".join([*(json.dumps(one).encode() for one in lines), broken])
    folded, unusable = folder.fold("gamelog.pvp", 1, body)
    assert [one.line for one in unusable] == [broken], "it is rejected as it would be of another acct"
    assert sum(delta.states[0] for delta in folded["pvp"].values()) == 5
    [(key, delta)] = folded["excluded"].items()
    assert key[0] == "one" and delta.states[1] == delta.tuples == 2
