"""The core carries bolts that the suite does not have: declared here, checked against plain Python."""

from collections import defaultdict
from random import Random

import msgspec
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_run import run

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import LatestRow
from analytics.core.measures import Count, Distinct
from analytics.core.periods import zone

AREA = "549140c8dbdb67794fc0fa3b"
AREAS = Areas([Area(AREA, "dl", "2001", zone("Asia/Shanghai"))])
DAY = 1420646400
NAMES = ["a", "b", "c", "d:e", "f#1"]


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
    runner = run([BOLTS["loginhour"], BOLTS["loginday"], week], AREAS, records)
    (one,) = runner.documents("loginweek").values()
    assert (one["ts"], one["count"], set(one["userlist"])) == (1420387200, 3, set(NAMES[:3]))


class Fight(msgspec.Struct):
    area: str
    ts: int
    n: int
    winners: list[str]
    losers: list[str]


class Fighter(msgspec.Struct):
    acct: str
    won: bool
    evening: bool
    n: int


def fighters(fight, zone):
    """One tuple speaks of many accts, and says by its area's clock what time of day it was."""
    evening = fight.ts - zone.start("day", fight.ts) >= 18 * 3600
    return [
        Fighter(acct, won, evening, fight.n)
        for won, accts in ((True, fight.winners), (False, fight.losers))
        for acct in accts
    ]


arena = Bolt(
    "arena",
    reads={"fight": Reads(Fight, rows=fighters)},
    period=None,
    by={"acct": "acct", "evening": lambda row: int(row.evening)},
    measures={"fights": Count(), "victories": Count("won"), "last": LatestRow("n", ("n", "won"))},
)


@settings(max_examples=examples(60))
@given(st.integers(0, 2**32))
def test_a_tuple_may_touch_many_documents_by_keys_of_its_own(seed):
    random = Random(seed)
    records, expected = [], defaultdict(list)
    for n in range(random.randint(0, 20)):
        names = random.sample(NAMES, random.randint(0, 5))
        cut, hour = random.randint(0, len(names)), random.randint(0, 47)
        one = {"area": AREA, "ts": DAY + hour * 3600, "n": n, "winners": names[:cut], "losers": names[cut:]}
        records.append(("fight", one))
        for place, acct in enumerate(names):
            expected[acct, int(hour % 24 >= 18)].append((n, place < cut))
    random.shuffle(records)
    found = run([arena], AREAS, records).documents("arena").values()
    assert {
        (one["acct"], one["evening"]): (one["fights"], one["victories"], one["n"], one["won"])
        for one in found
    } == {key: (len(fights), sum(won for _, won in fights), *max(fights)) for key, fights in expected.items()}
