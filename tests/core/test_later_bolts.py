"""The core carries bolts of every kind the suite will have: declared here, checked against plain Python.

Several topics to one document, one tuple that touches many documents, documents without time, tables by key
and what is computed from them: all from the same declarations, over any order and batching.
"""

from collections import Counter, defaultdict
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Count, Distinct, Latest, LatestBy, Sum, money
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.core.tuples import Amount, Gamelog, Payment, cents

AREA = "549140c8dbdb67794fc0fa3b"
AREAS = Areas([Area(AREA, "dl", "2001", zone("Asia/Shanghai"))])
DAY = 1420646400
NAMES = ["a", "b", "c", "d:e", "f#1"]


class Dungeon(msgspec.Struct):
    acct: str
    fuben: str
    result: str


class Quest(msgspec.Struct):
    acct: str
    task: int


class Purchase(msgspec.Struct):
    acct: str
    item: str
    num: Amount
    price: Amount


class Coins(msgspec.Struct):
    acct: str
    amount: Amount


class Role(msgspec.Struct):
    area: str
    ts: int
    uid: str
    acctid: str
    name: str
    grade: int
    rest_yuanbao: int
    id: str

    @property
    def order(self) -> tuple[int, int]:
        return self.ts, int(self.id.rpartition(":")[2])

    @property
    def acct(self) -> str:
        return self.acctid


class PaidDay(msgspec.Struct):
    acct: str
    day: int
    order: tuple[int, int, str]
    times: int
    cents: int


def result(word):
    return lambda row: row.data.result == word


def paid_days(payment):
    return [
        PaidDay(acct, payment.ts, payment.order, paid.times, cents(paid.amount))
        for acct, paid in payment.users.items()
    ]


def spending(change):
    return [SpentRow(change.data.acct, max(-change.data.amount, 0))]


class SpentRow(msgspec.Struct):
    acct: str
    spent: int


gamecopy = Bolt(
    name="gamecopy",
    reads={"gamelog.fuben_logchange": Reads(Gamelog[Dungeon])},
    by={"fuben": "data.fuben"},
    measures={
        "enter": Count(result("enter")),
        "pass": Count(result("pass")),
        "fail": Count(result("fail")),
        "users": Distinct("data.acct", list_field="_users"),
    },
)

ACCEPT, FINISH = "gamelog.trunk_task_accept", "gamelog.trunk_task_finish"


def finish_rate(shown):
    accepted, finished = shown["accept_users"], shown["finish_users"]
    return {"finish_rate": round(100 * finished / accepted, 2) if accepted else 0}


mainline = Bolt(
    name="mainline",
    reads={ACCEPT: Reads(Gamelog[Quest]), FINISH: Reads(Gamelog[Quest])},
    by={"task": "data.task"},
    measures={
        "accept": Count(on=ACCEPT),
        "finish": Count(on=FINISH),
        "accept_users": Distinct("data.acct", list_field="_accept_users", on=ACCEPT),
        "finish_users": Distinct("data.acct", list_field="_finish_users", on=FINISH),
    },
    finish=finish_rate,
)

shop = Bolt(
    name="shop",
    reads={"gamelog.shop_logbuy": Reads(Gamelog[Purchase])},
    by={"item": "data.item"},
    measures={
        "count": Count(),
        "num": Sum("data.num"),
        "amount": Sum("data.price"),
        "users": Distinct("data.acct", list_field="_users"),
    },
)

usercenter = Bolt(
    name="usercenter",
    reads={"syncuser": Reads(Role)},
    period=None,
    by={"uid": "uid"},
    measures={
        field: Latest(field, "order", default=None)
        for field in ("ts", "name", "grade", "rest_yuanbao", "acctid")
    },
)


def levels(table):
    return {
        "levels": {str(grade): n for grade, n in sorted(Counter(one[1] for one in table.values()).items())},
        "users": len(table),
    }


userlevel = Bolt(
    name="userlevel",
    reads={"syncuser": Reads(Role)},
    measures={"roles": LatestBy("uid", "order", ["grade"], list_field="_roles", show=levels)},
)


def paid(days):
    if not days:
        return {"pay_count": 0, "pay_amout": 0, "pay_days": 0}
    return {
        "pay_count": sum(times for _, times, _ in days.values()),
        "pay_amout": money(sum(some for _, _, some in days.values())),
        "pay_days": len(days),
        "first_pay": min(days),
        "last_pay": max(days),
    }


userpay = Bolt(
    name="userpay",
    reads={
        "payment": Reads(Payment, rows=paid_days),
        "syncuser": Reads(Role),
        "gamelog.yuanbao_logchange": Reads(Gamelog[Coins], rows=spending),
    },
    period=None,
    by={"acct": "acct"},
    measures={
        "days": LatestBy("day", "order", ["times", "cents"], list_field="_days", show=paid, on="payment"),
        "roles": LatestBy(
            "uid",
            "order",
            ["rest_yuanbao"],
            list_field="_roles",
            show=lambda roles: {"rest_yuanbao": sum(rest for _, rest in roles.values())},
            on="syncuser",
        ),
        "used_yuanbao": Sum("spent", on="gamelog.yuanbao_logchange"),
    },
)


def run(bolts, records, random):
    """Return the documents after ``records``, in any order and batching."""
    reference = Reference(bolts, AREAS)
    rest = random.sample(records, len(records))
    while rest:
        size = random.randint(1, 8)
        by_topic = defaultdict(list)
        for topic, one in rest[:size]:
            by_topic[topic].append(one)
        for topic, some in by_topic.items():
            reference.put(topic, some)
        rest = rest[size:]
    return reference


def found(reference, bolt, *fields):
    """Return the named fields of all documents by the key's parts; no document shows more than these and its key."""
    name = bolt.name
    key = [*(["ts"] if bolt.period else []), *bolt.by]
    result = {}
    for one in reference.documents(name).values():
        assert one.keys() - set(fields) - set(key) == {"game", "area", "plat"}
        result[tuple(one[part] for part in key)] = {field: one[field] for field in fields if field in one}
    return result


def log(code, random, **data):
    return f"gamelog.{code}", {
        "area": AREA,
        "ts": DAY + random.randint(0, 2 * 86_400),
        "data": {"acct": random.choice(NAMES)} | data,
    }


def day_of(record):
    return DAY + (record["ts"] - DAY) // 86_400 * 86_400


def grouped(records, *fields):
    groups = defaultdict(list)
    for _, one in records:
        groups[day_of(one), *(one["data"][field] for field in fields)].append(one["data"])
    return groups


def accts(rows):
    return len({row["acct"] for row in rows})


seeds = st.integers(0, 2**32)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_coins(seed):
    random = Random(seed)
    records = [
        log("yuanbao_logchange", random, amount=random.randint(-3, 3), reason=random.choice(NAMES))
        for _ in range(random.randint(0, 60))
    ]

    def coins(rows):
        spent = [row for row in rows if row["amount"] < 0]
        gained = [row["amount"] for row in rows if row["amount"] > 0]
        return {
            "count": len(spent),
            "amount": -sum(row["amount"] for row in spent),
            "users": accts(spent),
            "gain_count": len(gained),
            "gain_amount": sum(gained),
        }

    bolts = [BOLTS["coinday"], BOLTS["cointype"]]
    reference = run(bolts, records, random)
    fields = ("count", "amount", "users", "gain_count", "gain_amount")
    assert found(reference, bolts[0], *fields) == {k: coins(v) for k, v in grouped(records).items()}
    assert found(reference, bolts[1], *fields) == {k: coins(v) for k, v in grouped(records, "reason").items()}


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_dungeons(seed):
    random = Random(seed)
    records = [
        log(
            "fuben_logchange",
            random,
            fuben=random.choice("12"),
            result=random.choice(["enter", "pass", "fail"]),
        )
        for _ in range(random.randint(0, 60))
    ]
    expected = {}
    for key, rows in grouped(records, "fuben").items():
        results = Counter(row["result"] for row in rows)
        expected[key] = {word: results[word] for word in ("enter", "pass", "fail")} | {"users": accts(rows)}
    assert found(run([gamecopy], records, random), gamecopy, "enter", "pass", "fail", "users") == expected


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_quests(seed):
    random = Random(seed)
    both = {
        topic: [log(topic[8:], random, task=random.randint(1, 3)) for _ in range(random.randint(0, 30))]
        for topic in (ACCEPT, FINISH)
    }
    accepted, finished = grouped(both[ACCEPT], "task"), grouped(both[FINISH], "task")
    expected = {}
    for key in accepted.keys() | finished.keys():
        began, ended = accepted.get(key, []), finished.get(key, [])
        expected[key] = {
            "accept": len(began),
            "finish": len(ended),
            "accept_users": accts(began),
            "finish_users": accts(ended),
            "finish_rate": round(100 * accts(ended) / accts(began), 2) if began else 0,
        }
    fields = ("accept", "finish", "accept_users", "finish_users", "finish_rate")
    assert found(run([mainline], both[ACCEPT] + both[FINISH], random), mainline, *fields) == expected


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_shop(seed):
    random = Random(seed)
    records = [
        log(
            "shop_logbuy",
            random,
            item=random.choice(NAMES),
            num=random.randint(1, 9),
            price=random.randint(0, 99),
        )
        for _ in range(random.randint(0, 60))
    ]
    assert found(run([shop], records, random), shop, "count", "num", "amount", "users") == {
        key: {
            "count": len(rows),
            "num": sum(row["num"] for row in rows),
            "amount": sum(row["price"] for row in rows),
            "users": accts(rows),
        }
        for key, rows in grouped(records, "item").items()
    }


def roles(random):
    return [
        (
            "syncuser",
            {
                "id": f"syncuser/dl@1:{n}",
                "area": AREA,
                "ts": DAY + random.choice([random.randint(0, 2 * 86_400), 40_000]),
                "uid": random.choice(["1", "2", "3"]),
                "acctid": random.choice(NAMES[:2]),
                "name": f"name{n}",
                "grade": random.randint(1, 4),
                "rest_yuanbao": random.randint(0, 100),
            },
        )
        for n in range(random.randint(0, 25))
    ]


def newest_of(records, *fields):
    newest = {}
    for _, one in sorted(records, key=lambda record: (record[1]["ts"], int(record[1]["id"].split(":")[1]))):
        newest[tuple(day_of(one) if field == "day" else one[field] for field in fields)] = one
    return newest


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_roles(seed):
    random = Random(seed)
    records = roles(random)
    reference = run([usercenter, userlevel], records, random)
    fields = ("ts", "name", "grade", "rest_yuanbao", "acctid")
    assert found(reference, usercenter, *fields) == {
        key: {field: one[field] for field in fields} for key, one in newest_of(records, "uid").items()
    }
    expected = defaultdict(list)
    for (day, _), one in newest_of(records, "day", "uid").items():
        expected[day,].append(one["grade"])
    assert found(reference, userlevel, "levels", "users") == {
        key: {"levels": {str(k): n for k, n in Counter(grades).items()}, "users": len(grades)}
        for key, grades in expected.items()
    }


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_payers(seed):
    random = Random(seed)
    payments = [
        (
            "payment",
            {
                "id": f"payment/dl@1:{at}",
                "at": at,
                "area": AREA,
                "ts": DAY + random.randint(0, 2) * 86_400,
                "users": {
                    acct: {"times": random.randint(1, 5), "amount": random.randint(1, 10_000) / 100}
                    for acct in random.sample(NAMES, random.randint(0, 3))
                },
            },
        )
        for at in range(random.randint(0, 10))
    ]
    coins = [
        log("yuanbao_logchange", random, amount=random.randint(-9, 9)) for _ in range(random.randint(0, 20))
    ]
    synced = roles(random)

    expected = defaultdict(
        lambda: {"pay_count": 0, "pay_amout": 0, "pay_days": 0, "rest_yuanbao": 0, "used_yuanbao": 0}
    )
    last = {(acct, one["ts"]): paid for _, one in payments for acct, paid in one["users"].items()}
    sums = Counter()
    for (acct, day), one in last.items():
        payer = expected[acct,]
        sums[acct] += round(one["amount"] * 100)
        payer["pay_count"] += one["times"]
        payer["pay_days"] += 1
        payer["first_pay"] = min(day, payer.get("first_pay", day))
        payer["last_pay"] = max(day, payer.get("last_pay", day))
        payer["pay_amout"] = sums[acct] / 100
    for (_, acct), one in newest_of(synced, "uid", "acctid").items():
        expected[acct,]["rest_yuanbao"] += one["rest_yuanbao"]
    for _, one in coins:
        expected[one["data"]["acct"],]["used_yuanbao"] += max(-one["data"]["amount"], 0)

    fields = ("pay_count", "pay_amout", "pay_days", "first_pay", "last_pay", "rest_yuanbao", "used_yuanbao")
    assert found(run([userpay], payments + coins + synced, random), userpay, *fields) == expected


def test_a_bolt_may_read_what_another_publishes():
    """A week's accts from the day's tuples, as the day's come from the hour's."""
    week = Bolt(
        "loginweek",
        reads={"loginday": BOLTS["loginday"].reads["loginhour"]},
        period="week",
        measures={"count": Distinct("userlist", list_field="userlist", each=True)},
    )
    records = [
        ("gamelog.login_logcount", {"area": AREA, "ts": DAY + n * 40_000, "data": {"acct": NAMES[n % 3]}})
        for n in range(8)
    ]
    bolts = [BOLTS["loginhour"], BOLTS["loginday"], week]
    (one,) = run(bolts, records, Random(1)).documents("loginweek").values()
    assert (one["ts"], one["count"], set(one["userlist"])) == (1420387200, 3, set(NAMES[:3]))
