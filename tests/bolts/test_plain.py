"""The bolts' documents equal what plain Python makes of the same records, in zones with all kinds of clocks.

Nothing here is shared with the core: days and hours are worked out by walking the wall clock.
"""

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.reference import Reference

ONE, OTHER = "549140c8dbdb67794fc0fa3b", "5461bb1bec8b9c686a8b4576"
# A day around which clocks change, where they do.
AROUND = {
    "Asia/Shanghai": "2015-01-08",
    "Asia/Kolkata": "2024-05-01",
    "Asia/Kathmandu": "2024-12-31",
    "America/New_York": "2024-03-10",
    "America/Chicago": "2024-11-03",
    "Australia/Lord_Howe": "2024-04-07",
    "Australia/Melbourne": "2024-10-06",
    "Pacific/Apia": "2011-12-29",
    "America/St_Johns": "2010-11-07",
    "America/Sao_Paulo": "2018-11-04",
    "America/Bahia": "2012-02-26",
    "America/Havana": "2018-11-04",
}


@cache
def beginnings(name):
    """Return, minute by minute over some days, the start of the hour and of the day that the minute lies in."""
    info = ZoneInfo(name)
    first = int(datetime.fromisoformat(AROUND[name]).replace(tzinfo=UTC).timestamp()) - 3 * 86_400
    result = {}
    hour = day = latest = before = None
    for minute in range(first, first + 7 * 86_400, 60):
        wall = datetime.fromtimestamp(minute, info)
        if latest is None or wall.date() > latest:
            latest, day = wall.date(), minute
        this_hour = (wall.date(), wall.hour, wall.utcoffset())
        if this_hour != before:
            before, hour = this_hour, minute
        result[minute] = hour, day
    return result


def period_start(name, ts):
    return beginnings(name)[ts - ts % 60]


def around(name, random):
    middle = int(datetime.fromisoformat(AROUND[name]).replace(tzinfo=UTC).timestamp())
    return middle + random.choice([random.randint(-86_400, 2 * 86_400), random.randint(-90, 90) * 60])


def expected_accts(what, records, zones):
    """Return the documents of ``<what>hour`` and ``<what>day`` for (area, ts, acct)."""
    hours, days = defaultdict(list), defaultdict(set)
    for area, ts, acct in records:
        hour, day = period_start(zones[area], ts)
        hours[area, hour].append((ts, acct))
        days[area, day].add(acct)
    return (
        {
            key: {
                "count": len({a for _, a in some}),
                "userlist": {a for _, a in some},
                "first_ts": min(some)[0],
            }
            for key, some in hours.items()
        },
        {key: {"count": len(accts), "userlist": accts} for key, accts in days.items()},
    )


def expected_payments(snapshots, zones):
    """Return per (area, day) the accts with (times, amount) of the last snapshot that names them."""
    days = defaultdict(dict)
    for area, ts, _, users in sorted(snapshots, key=lambda one: one[2]):
        days[area, period_start(zones[area], ts)[1]].update(users)
    return days


def number(amount):
    return int(amount) if amount.denominator == 1 else float(amount)


def generate(random, zones):
    logs = {what: [] for what in ("login", "signup", "createrole")}
    for some in logs.values():
        for _ in range(random.randint(0, 40)):
            area = random.choice(list(zones))
            some.append((area, around(zones[area], random), f"a{random.randint(0, 9)}"))
    snapshots = []
    for at in range(random.randint(0, 8)):
        area = random.choice(list(zones))
        day = period_start(zones[area], around(zones[area], random))[1]
        names = random.sample([f"p{i}" for i in range(6)], random.randint(0, 4))
        amounts = [random.choice([0, random.randint(0, 30_000)]) for _ in names]
        users = {
            acct: (random.randint(0, 5), Fraction(amount, 100))
            for acct, amount in zip(names, amounts, strict=True)
        }
        snapshots.append((area, day, at, users))
    return logs, snapshots


def messages(random, logs, snapshots):
    """Return the records as messages, in any order and batching."""
    for what, some in logs.items():
        rows = [{"area": area, "ts": ts, "data": {"acct": acct}} for area, ts, acct in some]
        random.shuffle(rows)
        while rows:
            size = random.randint(1, 15)
            yield f"gamelog.{what}_logcount", rows[:size]
            rows = rows[size:]
    shuffled = random.sample(snapshots, len(snapshots))
    for area, ts, at, users in shuffled:
        paid = {acct: {"times": times, "amount": float(amount)} for acct, (times, amount) in users.items()}
        yield "payment", [{"id": f"payment/dl@1:{at}", "at": at, "area": area, "ts": ts, "users": paid}]


def documents(runner, name, *fields):
    found = {}
    for one in runner.documents(name).values():
        key = tuple(one[field] for field in ("area", "ts", *BOLTS[name].by))
        found[key] = {field: set(one[field]) if field == "userlist" else one[field] for field in fields}
        assert "userlist" not in fields or len(one["userlist"]) == len(found[key]["userlist"])
    return found


@settings(max_examples=examples(250))
@given(st.integers(0, 2**32), st.sampled_from(sorted(AROUND)), st.sampled_from(sorted(AROUND)))
def test_documents_equal_plain_python(seed, name, other):
    random = Random(seed)
    zones = {ONE: name, OTHER: other}
    areas = Areas(
        [Area(ONE, "dl", "2001", zone(name)), Area(OTHER, "wsdx", "1059", zone(other))],
    )
    logs, snapshots = generate(random, zones)
    runner = Reference(BOLTS.values(), areas)
    everything = list(messages(random, logs, snapshots))
    random.shuffle(everything)
    for topic, rows in everything:
        runner.put(topic, rows)

    server = defaultdict(lambda: dict.fromkeys(("active", "reg", "create_role", "pay_user", "pay_count"), 0))
    for what, field in (("login", "active"), ("signup", "reg"), ("createrole", "create_role")):
        hours, days = expected_accts(what, logs[what], zones)
        assert documents(runner, f"{what}hour", "count", "userlist", "first_ts") == hours
        assert documents(runner, f"{what}day", "count", "userlist") == days
        for key, one in days.items():
            server[key][field] = one["count"]

    paid = expected_payments(snapshots, zones)
    summary = {
        key: {
            "count": sum(amount > 0 for _, amount in users.values()),
            "userlist": {acct for acct, (_, amount) in users.items() if amount > 0},
            "pay_count": sum(times for times, _ in users.values()),
            "pay_amout": number(sum((amount for _, amount in users.values()), Fraction())),
        }
        for key, users in paid.items()
    }
    assert documents(runner, "paysummary", "count", "userlist", "pay_count", "pay_amout") == summary
    detail = {
        (*key, acct): {"pay_count": times, "pay_amout": number(amount)}
        for key, users in paid.items()
        for acct, (times, amount) in users.items()
    }
    assert documents(runner, "payorderdetail", "pay_count", "pay_amout") == detail

    for key, one in summary.items():
        server[key] |= {
            "pay_user": one["count"],
            "pay_count": one["pay_count"],
            "pay_amout": one["pay_amout"],
        }
    for one in server.values():
        one.setdefault("pay_amout", 0)
    fields = ("active", "reg", "create_role", "pay_user", "pay_count", "pay_amout")
    assert documents(runner, "server", *fields) == dict(server)


@pytest.mark.parametrize("name", AROUND)
def test_the_days_looked_at_are_interesting_or_plain(name):
    """Where clocks change on the chosen day, the walk above has seen it."""
    starts = sorted({day for _, day in beginnings(name).values()})
    lengths = {later - earlier for earlier, later in itertools.pairwise(starts[1:])}
    changes = name not in ("Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia")
    assert (lengths != {86_400}) == changes
    assert timedelta(seconds=max(lengths)) <= timedelta(hours=25)
