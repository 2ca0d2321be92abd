"""A bolt in TOML and its twin in Python say the same, and the spout accepts the same records for both."""

import tomllib
from collections import Counter
from random import Random

import msgspec
import pytest
from delivery import deliver
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.config import Config, catalogue
from analytics.core.areas import Area, Areas
from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import Latest, LatestBy
from analytics.core.measures import Count, Distinct, Extreme, Sum, Tally
from analytics.core.periods import zone
from analytics.core.rates import percent
from analytics.core.schema import schemas
from analytics.core.tuples import AcctName, Amount, Gamelog, Grade, Name, NamedGamelog
from analytics.spouts.records import convert
from analytics.spouts.rules import Rules
from analytics.timers.rollup import Rollup

TABLES = """
[pvp]
reads = "pvp_log"
period = "day"
by = ["bracket"]
measures.fights  = "count"
measures.wins    = { count = { where = "result == 'win'" } }
measures.players = { distinct = "acct" }
measures.points  = { sum = "points" }
derived.win_rate = "percent(wins, fights)"

[ranks]
reads = ["pvp_log", "duel_log"]
period = "week"
fields = { "bonus" = "int?", "vip" = "flag?" }
measures.best    = { max = { of = "points", where = "result in ['win', 'draw']", on = "pvp_log" } }
measures.worst   = { min = { of = "points // bonus", where = "vip" } }
measures.bonuses = { sum = { of = "bonus", on = "duel_log" } }
measures.double  = { sum = { of = "2 * bonus + 1", where = "bonus is not None and not bonus < 0" } }
measures.levels  = { distinct = "points // 10" }
derived.rest     = "double - bonuses"
derived.share    = "ratio(bonuses, double) * 2"

[newest]
reads = ["pvp_log", "duel_log"]
by = ["bracket"]
fields = { "bonus" = "int?" }
measures.results = { tally = { of = "result", where = "points > 0" }, values = ["win", "draw"] }
measures.last    = { latest = "result" }
measures.bonus   = { latest = { of = "bonus", where = "points > 10", on = "pvp_log" } }
measures.levels  = { latest = { of = "level", where = "result != 'loss'" }, per = "acct" }
derived.decided  = "percent(win, win + draw)"
"""
BOLTS = catalogue(Config(bolts=msgspec.convert(tomllib.loads(TABLES), type=Config.__annotations__["bolts"])))
PVP_LOG, DUEL_LOG = "gamelog.pvp_log", "gamelog.duel_log"


class Fight(msgspec.Struct, gc=False):
    bracket: Name
    result: Name
    acct: AcctName
    points: Amount


class Duel(msgspec.Struct, gc=False):
    points: Amount
    bonus: Amount | None = None
    vip: bool | None = None


class Ranked(msgspec.Struct, gc=False):
    points: Amount
    result: Name
    bonus: Amount | None = None
    vip: bool | None = None


def worst(row):
    return row.data.points // row.data.bonus


TWINS = {
    "pvp": Bolt(
        name="pvp",
        reads={PVP_LOG: Reads(Gamelog[Fight])},
        by={"bracket": "data.bracket"},
        measures={
            "fights": Count(),
            "wins": Count(where=lambda row: row.data.result == "win"),
            "players": Distinct("data.acct", list_field="_players"),
            "points": Sum("data.points"),
        },
        finish=lambda shown: {"win_rate": percent(shown["wins"], shown["fights"])},
    ),
    "ranks": Bolt(
        name="ranks",
        reads={PVP_LOG: Reads(Gamelog[Ranked]), DUEL_LOG: Reads(Gamelog[Duel])},
        period="week",
        measures={
            "best": Extreme(
                "data.points", max, on=PVP_LOG, where=lambda row: row.data.result in ("win", "draw")
            ),
            "worst": Extreme(worst, min, where=lambda row: row.data.vip and row.data.bonus),
            "bonuses": Sum(lambda row: row.data.bonus or 0, on=DUEL_LOG),
            "double": Sum(
                lambda row: 2 * row.data.bonus + 1, where=lambda row: (row.data.bonus or -1) >= 0 or row.data.bonus == 0
            ),
            "levels": Distinct(lambda row: str(row.data.points // 10), list_field="_levels"),
        },
        finish=lambda shown: {
            "rest": shown["double"] - shown["bonuses"],
            "share": 2 * (round(shown["bonuses"] / shown["double"], 4) if shown["double"] else 0),
        },
    ),
}  # fmt: skip


class Graded(msgspec.Struct, gc=False):
    bracket: Name
    result: Name
    points: Amount
    acct: AcctName
    level: Grade
    bonus: Amount | None = None


def _levels(table):
    counts = Counter(level for _, level in table.values())
    return {"levels": {str(level): counts[level] for level in sorted(counts)}}


TWINS["newest"] = Bolt(
    name="newest",
    reads={PVP_LOG: Reads(NamedGamelog[Graded]), DUEL_LOG: Reads(NamedGamelog[Graded])},
    by={"bracket": "data.bracket"},
    measures={
        "results": Tally("data.result", ["win", "draw"], where=lambda row: row.data.points > 0),
        "last": Latest("data.result", "order", None),
        "bonus": Latest(
            "data.bonus", "order", None, on=PVP_LOG,
            where=lambda row: row.data.points > 10 and row.data.bonus is not None,
        ),
        "levels": LatestBy(
            "data.acct", "order", ["data.level"], "_levels", _levels, where=lambda row: row.data.result != "loss"
        ),
    },
    finish=lambda shown: {"decided": percent(shown["win"], shown["win"] + shown["draw"])},
    totals=True,
)  # fmt: skip

AREA, OTHER = "549140c8dbdb67794fc0fa3b", "5461bb1bec8b9c686a8b4576"
AREAS = Areas(
    [
        Area(AREA, "dl", "2001", zone("Asia/Shanghai")),
        Area(OTHER, "wsdx", "1059", zone("America/New_York")),
    ]
)
BEGIN = 1_710_000_000


def records(random, most=60):
    def one(n):
        bonus = random.choice([None, 0, 2, -3, 7])
        data = {
            "acct": random.choice("abcde"), "bracket": random.choice(["3v3", "2:2", "#"]), "points": random.randint(-9, 99),
            "result": random.choice(["win", "loss", "draw"]), "vip": random.choice([True, False, None]), "bonus": bonus,
            "level": random.randint(0, 4),
        }  # fmt: skip
        late = random.choice([0, 0, 0, -3 * 86_400])
        topic = random.choice([PVP_LOG, DUEL_LOG])
        return topic, {
            "area": random.choice([AREA, OTHER]),
            "ts": BEGIN + random.choice([7, random.randint(0, 9**5)]) + late,
            "id": f"gamelog/x{n % 2}:{n + 1}",
            "data": data,
        }

    return [one(n) for n in range(random.randint(0, most))]


@pytest.mark.parametrize("name", TWINS)
@settings(max_examples=examples(80))
@given(seed=st.integers(0, 2**32))
def test_documents_are_equal_however_records_come(name, seed):
    twin = TWINS[name]
    sent = [one for one in records(Random(seed)) if one[0] in twin.reads]
    found, expected = (
        {
            twin.id_of(tuple(one[field] for field in twin.key_fields)): one
            for one in deliver(bolt, AREAS, sent, Random(seed + n))
        }
        for n, bolt in enumerate((BOLTS[name], twin))
    )
    assert found == expected
    assert bool(found) == bool(sent)


@pytest.mark.parametrize("name", TWINS)
def test_an_empty_document_and_a_total_are_equal(name):
    own, twin = BOLTS[name], TWINS[name]
    nothing = [one.show([measure.empty() for measure in one.measures.values()]) for one in (own, twin)]
    assert nothing[0] == nothing[1]
    assert Rollup(own).fields([5] * len(Rollup(own).numbers), {}) == Rollup(twin).fields(
        [5] * len(Rollup(twin).numbers), {}
    )


def test_a_flag_is_checked_by_decoding():
    rules = Rules(AREAS, {}, schemas=schemas([BOLTS["ranks"]]))
    lines = [LINE % (AREA, f'{{"result":"win","points":3,"vip":{vip}}}') for vip in ("true", "null", '"yes"')]
    (share,) = convert("".join(lines).encode(), "gamelog/x", 1, rules, 1_710_000_000)
    assert [one.reason for one in share.bad] == ["$.data.vip: expected bool | null, got str"]
    assert list(share.ns) == [1, 2]


@pytest.mark.parametrize("bolt", [BOLTS["newest"], TWINS["newest"]])
def test_the_spout_checks_levels_without_decoding(bolt):
    of_topics = schemas([bolt])
    assert all(schema.complete for schema in of_topics.values())
    rules = Rules(AREAS, {}, schemas=of_topics)
    data = '{"acct":"a","bracket":"x","result":"win","points":3,"level":%s}'
    lines = [LINE % (AREA, data % level) for level in (3, 100_001, '"3"')]
    (share,) = convert("".join(lines).encode(), "gamelog/x", 1, rules, 1_710_000_000)
    assert [one.reason for one in share.bad] == [
        "$.data.level: expected int from 0 to 100000, got 100001",
        '$.data.level: expected int, got "3"',
    ]


LINE = '{"op":{"code":"pvp_log"},"area":"%s","ts":1710000000,"data":%s}\n'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"acct":"a","bracket":"x","result":"win","points":3}', ""),
        ('{"acct":7,"bracket":3,"result":"win","points":3}', ""),
        ('{"acct":"a","bracket":"x","result":"win","points":"3"}', '$.data.points: expected int, got "3"'),
        ('{"acct":"a","bracket":"x","result":"win"}', "$.data.points: expected int, got nothing"),
        ('{"acct":"","bracket":"x","result":"win","points":3}', "$.data.acct: expected 1 to 200 characters"),
        (
            '{"acct":"a","bracket":null,"result":"win","points":3}',
            "$.data.bracket: expected string, got null",
        ),
    ],
)
def test_the_spout_checks_what_the_bolt_names(data, reason):
    for bolt in (BOLTS["pvp"], TWINS["pvp"]):
        rules = Rules(AREAS, {}, schemas=schemas([bolt]))
        (share,) = convert((LINE % (AREA, data)).encode(), "gamelog/x", 1, rules, 1_710_000_000)
        assert [one.reason.startswith(reason) for one in share.bad] == ([True] if reason else [])
        assert bool(share.ns) == (not reason)
