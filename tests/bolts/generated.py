"""Generated records, and the check of a bolt over them against plain Python, in any order and batching."""

import json
from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from delivery import deliver
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone

AREA, OTHER = "549140c8dbdb67794fc0fa3b", "5461bb1bec8b9c686a8b4576"
ZONES = {AREA: "Asia/Shanghai", OTHER: "America/New_York"}
AREAS = Areas([Area(AREA, "dl", "2001", zone(ZONES[AREA])), Area(OTHER, "wsdx", "1059", zone(ZONES[OTHER]))])
PLACE = {
    AREA: {"game": "dl", "plat": "2001", "area": AREA},
    OTHER: {"game": "wsdx", "plat": "1059", "area": OTHER},
}
BEGIN = int(datetime(2024, 3, 9, 12, tzinfo=ZoneInfo("America/New_York")).timestamp())
"""Noon before a day of 23 hours in one of the areas."""

NAMES = ["a", "b", "c", "d:e", "f#1"]

law = settings(max_examples=examples(60))
seeds = given(seed=st.integers(0, 2**32))


def day_of(area, ts):
    wall = datetime.fromtimestamp(ts, ZoneInfo(ZONES[area]))
    return int(wall.replace(hour=0, minute=0, second=0, fold=0).timestamp())


def next_day(area, day):
    wall = datetime.fromtimestamp(day, ZoneInfo(ZONES[area])) + timedelta(days=1)
    return int(wall.timestamp())


def hour_of(_area, ts):
    return ts - ts % 3600


def instant(random):
    return BEGIN + random.randint(0, 2 * 86_400)


def logs(code, random, make, most=60):
    """Return game log records of one op code; ``make`` gives the further fields of one."""
    return [
        (
            f"gamelog.{code}",
            {"area": random.choice([AREA, OTHER]), "ts": instant(random)}
            | {"data": {"acct": random.choice(NAMES)} | make()},
        )
        for _ in range(random.randint(0, most))
    ]


def grouped(records, *fields, start=day_of):
    """Return the records' data by area, start of period, and the given fields."""
    groups = defaultdict(list)
    for _, one in records:
        place = one["area"], start(one["area"], one["ts"])
        groups[*place, *(one["data"][field] for field in fields)].append(one["data"])
    return groups


def accts(rows):
    return len({row["acct"] for row in rows})


def check(bolt, records, expected, random):
    """``bolt``: a Bolt, or the name of a built-in one. ``expected``: the fields of each document by its key. No document says more, nor is there another."""
    bolt = BOLTS[bolt] if isinstance(bolt, str) else bolt
    wanted = [PLACE[key[0]] | bolt.fields_of(key) | one for key, one in expected.items()]
    found = deliver(bolt, AREAS, records, random)
    assert sorted(found, key=as_text) == sorted(wanted, key=as_text)


def as_text(document):
    return json.dumps(document, sort_keys=True)
