"""Coins, dungeons, quests, shop and roles equal what plain Python makes of the same records."""

import itertools
from collections import Counter, defaultdict
from random import Random

import msgspec
import pytest
from delivery import deliver
from generated import (
    AREA,
    AREAS,
    BEGIN,
    NAMES,
    OTHER,
    accts,
    check,
    day_of,
    grouped,
    hour_of,
    instant,
    law,
    logs,
    next_day,
    seeds,
)

from analytics.bolts import BOLTS
from analytics.core.fold import Folder


def coins(rows):
    spent = [-row["amount"] for row in rows if row["amount"] < 0]
    gained = [row["amount"] for row in rows if row["amount"] > 0]
    return {
        "count": len(spent),
        "amount": sum(spent),
        "users": len({row["acct"] for row in rows if row["amount"] < 0}),
        "gain_count": len(gained),
        "gain_amount": sum(gained),
    }


def coin_logs(random):
    return logs(
        "yuanbao_logchange",
        random,
        lambda: {"amount": random.randint(-3, 3), "reason": random.choice(NAMES)},
    )


@law
@seeds
def test_coins(seed):
    random = Random(seed)
    records = coin_logs(random)
    for bolt, groups in {
        "coinhour": grouped(records, start=hour_of),
        "coinday": grouped(records),
        "cointype": grouped(records, "reason"),
    }.items():
        check(bolt, records, {key: coins(rows) for key, rows in groups.items()}, random)


@law
@seeds
def test_dungeons(seed):
    random = Random(seed)
    results = ["enter", "pass", "fail"]
    records = logs(
        "fuben_logchange",
        random,
        lambda: {"fuben": random.choice(["1", "2", "x:y"]), "result": random.choice(results)},
    )
    expected = {}
    for key, rows in grouped(records, "fuben").items():
        counts = Counter(row["result"] for row in rows)
        expected[key] = {word: counts[word] for word in results} | {"users": accts(rows)}
    check("gamecopy", records, expected, random)


@law
@seeds
def test_quests(seed):
    random = Random(seed)
    taken, ended = (
        logs(f"trunk_task_{what}", random, lambda: {"task": random.randint(-1, 1)}, 30)
        for what in ("accept", "finish")
    )
    accepted, finished = grouped(taken, "task"), grouped(ended, "task")
    expected = {}
    for key in accepted.keys() | finished.keys():
        began, done = accepted.get(key, []), finished.get(key, [])
        expected[key] = {
            "accept": len(began),
            "finish": len(done),
            "accept_users": accts(began),
            "finish_users": accts(done),
            "finish_rate": round(100 * accts(done) / accts(began), 2) if began else 0,
        }
    check("mainline", taken + ended, expected, random)


@law
@seeds
def test_shop(seed):
    random = Random(seed)
    records = logs(
        "shop_logbuy",
        random,
        lambda: {"item": random.choice(NAMES), "num": random.randint(1, 9), "price": random.randint(0, 99)},
    )
    expected = {
        key: {
            "count": len(rows),
            "num": sum(row["num"] for row in rows),
            "amount": sum(row["price"] for row in rows),
            "users": accts(rows),
        }
        for key, rows in grouped(records, "item").items()
    }
    check("shop", records, expected, random)


def role_tuples(random):
    """Return syncuser records; many of one role have the same ``ts``, so that their names decide."""
    numbers = random.sample(range(1, 100), random.randint(0, 25))
    return [
        (
            "syncuser",
            {
                "id": f"syncuser/{random.choice('xy')}@1:{n}",
                "area": random.choice([AREA, OTHER]),
                "ts": random.choice([instant(random), BEGIN, BEGIN + 86_400]),
                "uid": random.choice(["1", "2", "3:4"]),
                "acctid": random.choice(NAMES[:2]),
                "name": f"hero{n}",
                "grade": random.choice([1, 2, 9, 10]),
                "rest_yuanbao": random.randint(0, 100),
                "birthday": BEGIN,
                "score": n,
                "login_time": BEGIN + n,
            },
        )
        for n in numbers
    ]


def newest_of(records, key):
    """Return by ``key`` the tuple of the greatest ``ts``, and of those of the highest number."""
    newest = {}
    for _, one in sorted(records, key=lambda record: (record[1]["ts"], int(record[1]["id"].split(":")[1]))):
        newest[key(one)] = one
    return newest


@law
@seeds
def test_roles(seed):
    random = Random(seed)
    records = role_tuples(random)
    expected = {}
    for key, one in newest_of(records, lambda one: (one["area"], one["uid"])).items():
        expected[key] = {name: value for name, value in one.items() if name not in ("id", "area", "uid")}
    check("usercenter", records, expected, random)


@law
@seeds
def test_levels(seed):
    random = Random(seed)
    records = role_tuples(random)
    grades = defaultdict(list)
    for (area, day, _), one in newest_of(
        records, lambda one: (one["area"], day_of(one["area"], one["ts"]), one["uid"])
    ).items():
        grades[area, day].append(one["grade"])
    expected = {
        key: {"levels": {str(grade): some.count(grade) for grade in some}, "users": len(some)}
        for key, some in grades.items()
    }
    check("userlevel", records, expected, random)


def payments(random):
    """Return snapshots: most at the start of their day, some within it, which is the same day's."""
    result = []
    for at in range(random.randint(0, 12)):
        area = random.choice([AREA, OTHER])
        first = day_of(area, BEGIN)
        day = random.choice([first, next_day(area, first), next_day(area, next_day(area, first))])
        users = {
            acct: {
                "times": random.randint(0, 5),
                "amount": random.choice([0, random.randint(1, 10_000) / 100]),
            }
            for acct in random.sample(NAMES, random.randint(0, 3))
        }
        ts = random.choice([day, day, day + random.randint(0, 23 * 3600 - 1)])
        result.append(
            ("payment", {"id": f"payment/dl@1:{at}", "at": at, "area": area, "ts": ts, "users": users})
        )
    return result


@law
@seeds
def test_payers(seed):
    random = Random(seed)
    snapshots, changes, roles = payments(random), coin_logs(random), role_tuples(random)

    expected = defaultdict(
        lambda: (
            {"pay_count": 0, "pay_amout": 0, "pay_days": 0, "first_pay": None, "last_pay": None}
            | {"rest_yuanbao": 0, "used_yuanbao": 0}
        )
    )
    paid = {
        (one["area"], acct, day_of(one["area"], one["ts"])): value
        for _, one in snapshots
        for acct, value in one["users"].items()
    }
    for area, acct in {key[:2] for key in paid}:
        days = {key[2]: one for key, one in paid.items() if key[:2] == (area, acct)}
        paid_on = [day for day, one in days.items() if one["amount"]]
        expected[area, acct] |= {
            "pay_count": sum(one["times"] for one in days.values()),
            "pay_amout": sum(round(one["amount"] * 100) for one in days.values()) / 100,
            "pay_days": len(paid_on),
            "first_pay": min(paid_on, default=None),
            "last_pay": max(paid_on, default=None),
        }
    for one in newest_of(roles, lambda one: (one["area"], one["acctid"], one["uid"])).values():
        expected[one["area"], one["acctid"]]["rest_yuanbao"] += one["rest_yuanbao"]
    for _, one in changes:
        expected[one["area"], one["data"]["acct"]]["used_yuanbao"] += max(-one["data"]["amount"], 0)
    check("userpay", snapshots + changes + roles, expected, random)


@pytest.mark.parametrize("seed", range(5))
def test_a_role_that_moves_takes_its_coins_along(seed):
    """Its states come in any order; the one of an acct that it has left since says so itself."""
    one = {"area": AREA, "ts": BEGIN, "uid": "1", "acctid": "a", "grade": 1, "rest_yuanbao": 50}
    moved = one | {"ts": BEGIN + 5, "acctid": "b", "rest_yuanbao": 40, "left": "a"}
    late = one | {"ts": BEGIN + 1, "acctid": "c", "left": "c"}
    other = one | {"uid": "2", "rest_yuanbao": 7}
    roles = [("syncuser", role) for role in (one, moved, late, other)]
    found = deliver(BOLTS["userpay"], AREAS, roles, Random(seed))
    assert {one["acct"]: one["rest_yuanbao"] for one in found} == {"a": 7, "b": 40, "c": 0}


def test_of_one_ts_the_role_asked_for_later_is_right():
    """Also where its name is lower, as after the spout's data folder was lost."""
    one = {"area": AREA, "ts": BEGIN, "uid": "1", "acctid": "a", "grade": 1, "rest_yuanbao": 50}
    roles = [
        one | {"id": "syncuser/dl@old:9", "at": 1},
        one | {"id": "syncuser/dl@new:1", "at": 2, "grade": 5},
    ]
    (found,) = deliver(BOLTS["usercenter"], AREAS, [("syncuser", role) for role in roles], Random(1))
    assert found["grade"] == 5


def test_coins_past_64_bits_still_fit_a_store():
    most = 2**63 - 1
    roles = [
        ("syncuser", {"area": AREA, "ts": BEGIN, "uid": uid, "acctid": "a", "grade": 1, "rest_yuanbao": most})
        for uid in "12"
    ]
    (found,) = deliver(BOLTS["userpay"], AREAS, roles, Random(1))
    assert isinstance(found["rest_yuanbao"], float)
    assert found["rest_yuanbao"] == 2.0**64


GOOD = {
    "gamelog.fuben_logchange": {"fuben": "1", "result": "pass"},
    "gamelog.trunk_task_accept": {"task": 1},
    "gamelog.trunk_task_finish": {"task": 1},
    "gamelog.shop_logbuy": {"item": "sword", "num": 1, "price": 5},
}
BAD = [
    ("gamelog.fuben_logchange", "result", "won"),
    ("gamelog.fuben_logchange", "result", None),
    ("gamelog.fuben_logchange", "fuben", 7),
    ("gamelog.fuben_logchange", "fuben", "x" * 201),
    ("gamelog.trunk_task_accept", "task", "first"),
    ("gamelog.trunk_task_finish", "task", 2**63),
    ("gamelog.shop_logbuy", "num", 0),
    ("gamelog.shop_logbuy", "num", 1.5),
    ("gamelog.shop_logbuy", "num", 2**63),
    ("gamelog.shop_logbuy", "price", "5"),
    ("gamelog.shop_logbuy", "price", -(2**63) - 1),
    ("gamelog.shop_logbuy", "item", None),
]


@pytest.mark.parametrize(("topic", "field", "value"), BAD)
def test_a_bad_field_is_named(topic, field, value):
    good = {"area": AREA, "ts": BEGIN, "data": {"acct": "a"} | GOOD[topic]}
    bad = good | {"data": good["data"] | {field: value}}
    assert reasons(topic, good) == []
    (reason,) = reasons(topic, bad)
    assert f"$.data.{field}" in reason


ROLE = {"area": AREA, "ts": BEGIN, "uid": "1", "acctid": "a", "grade": 1, "rest_yuanbao": 0, "id": "s:1"}
BAD_ROLES = [
    *itertools.product(["uid", "acctid"], [None, 1, "", "x" * 201]),
    *itertools.product(["grade"], [None, "1", 1.5, -1, 100_001]),
    *itertools.product(["rest_yuanbao"], [None, "1", 2**63]),
    *itertools.product(["name"], [5, "x" * 201]),
    *itertools.product(["birthday", "score", "login_time"], ["1", 2**63]),
    ("id", "no number"),
]


@pytest.mark.parametrize(("field", "value"), BAD_ROLES)
def test_a_bad_field_of_a_role_is_named(field, value):
    assert reasons("syncuser", ROLE) == []
    (reason,) = reasons("syncuser", ROLE | {field: value})
    assert f"$.{field}" in reason


@pytest.mark.parametrize("field", ["area", "ts", "uid", "acctid", "grade", "rest_yuanbao"])
def test_a_field_that_a_role_needs_is_named(field):
    (reason,) = reasons("syncuser", {name: value for name, value in ROLE.items() if name != field})
    assert f"`{field}`" in reason


def reasons(topic, record):
    """Return why the bolts that read ``topic`` can't use the record, if they can't."""
    bolts = [bolt for bolt in BOLTS.values() if topic in bolt.reads]
    assert bolts
    folded, unusable = Folder(bolts, AREAS).fold(topic, 1, msgspec.json.encode(record))
    assert all(bool(deltas) != bool(unusable) for deltas in folded.values())
    return [one.reason for one in unusable]
