"""Bolts in the configuration and in files beside it: what becomes of them, and that each fault says what to write."""

import os
from pathlib import Path
from typing import Any

import pytest

from analytics.bolts import BOLTS
from analytics.config import Config, catalogue, load
from analytics.config import bolt_files as files
from analytics.config.bolt_drafts import TAKEN_NAMES
from analytics.config.catalogue import NODES, fingerprints
from analytics.config.kept import NEVER_DROPPED
from analytics.config.reading import CHECKOUT
from analytics.config.unquoted import unquoted
from analytics.core.measures import Count, Distinct, Extreme, Sum
from analytics.core.segments import PROPERTIES
from analytics.errors import ConfigError
from analytics.runtime.timers.collections import WRITTEN
from analytics.timers import NAMES
from analytics.timers.facts import COLLECTIONS, HOURLY

PVP = """
[bolts.pvp]
reads = "pvp_log"
by = ["bracket"]
measures.fights = "count"
measures.wins = { count = { where = "result == 'win'" } }
measures.players = { distinct = "acct" }
measures.points = { sum = "points" }
derived.win_rate = "percent(wins, fights)"
"""
PETS = """
import msgspec
from analytics.bolts import BOLTS
from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Count
from analytics.core.tuples import Acct, Gamelog

login = BOLTS["loginday"]
pets = Bolt("pets", {"gamelog.pet_hatch": Reads(Gamelog[Acct])}, {"count": Count()}, publishes=True)
"""


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Writes a configuration, and files beside it; returns what loads it."""

    def write(text: str, **python: str) -> Config:
        (tmp_path / "bolts").mkdir(exist_ok=True)
        (tmp_path / "a.toml").write_text(text)
        for name, code in python.items():
            (tmp_path / "bolts" / f"{name}.py").write_text(code)
        return load(tmp_path / "a.toml")

    return write


def test_a_table_becomes_a_bolt(written: Any) -> None:
    found = catalogue(written(PVP))
    assert list(found) == [*BOLTS, "pvp"]
    pvp = found["pvp"]
    assert (pvp.period, dict(pvp.by), pvp.totals, pvp.publishes) == (
        "day",
        {"bracket": "data.bracket"},
        True,
        False,
    )
    assert list(pvp.percents) == ["win_rate"]
    assert {name: type(one) for name, one in pvp.measures.items()} == {
        "fights": Count, "wins": Count, "players": Distinct, "points": Sum,
    }  # fmt: skip
    assert pvp.show([4, 1, {"a": None}, 9]) == {
        "fights": 4,
        "wins": 1,
        "players": 1,
        "points": 9,
        "win_rate": 25.0,
    }
    assert list(pvp.reads) == ["gamelog.pvp_log"]


@pytest.mark.parametrize(
    ("said", "totals"),
    [
        ('measures.best = { max = "points" }\nmeasures.players = { distinct = "acct" }', False),
        ('measures.players = { distinct = "acct" }\ntotals = true', True),
        ('measures.points = { sum = "points" }\nperiod = "week"', True),
        ('measures.fights = "count"\ntotals = false', False),
    ],
)
def test_what_adds_up_has_totals_unless_the_table_says_otherwise(
    written: Any, said: str, totals: bool
) -> None:
    assert catalogue(written(f'[bolts.pvp]\nreads = "pvp_log"\n{said}'))["pvp"].totals is totals


def test_the_example_of_the_shipped_file_is_one(written: Any) -> None:
    lines = CHECKOUT.read_text().split("#   [bolts.pvp]\n")[1].split("# Records")[0].splitlines()
    found = catalogue(written("\n".join(["[bolts.pvp]", *(line.removeprefix("#   ") for line in lines)])))
    assert found["pvp"].show([4, 1, {"a": None}, 9])["win_rate"] == 25.0


def test_a_configuration_without_bolts_of_its_own_has_the_built_in_ones() -> None:
    assert catalogue(Config()) is BOLTS


def test_fields_are_what_other_bolts_say(written: Any) -> None:
    text = """
[bolts.quests]
reads = ["trunk_task_accept", "trunk_task_finish"]
by = ["task"]
measures.best = { max = { of = "stars", on = "trunk_task_finish" } }
measures.accts = { distinct = { of = "acct", where = "task > 3" } }
[bolts.heroes]
reads = "syncuser"
period = "month"
fields.vip = "flag?"
measures.roles = { distinct = { of = "uid", where = "vip and grade >= 10" } }
measures.grades = { distinct = "grade" }
"""
    quests, heroes = map(catalogue(written(text)).get, ("quests", "heroes"))
    assert quests and heroes
    assert isinstance(quests.measures["best"], Extreme)
    assert quests.measures["best"].on == {"gamelog.trunk_task_finish"}
    row = {"area": "x", "ts": 1_700_000_000, "uid": "7", "grade": 10}
    role = heroes.reads["syncuser"].tuple_type(**row, vip=None)
    assert [measure.gather([role]) for measure in heroes.measures.values()] == [set(), {"10"}]


BASE = """
[bolts.b]
reads = "b_log"
measures.n = "count"
"""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[bolts.Pvp]\nreads = "b"\nmeasures.n = "count"', 'bolts.Pvp: expected a name of at most 48 small letters'),
        ('[bolts.shop]\nreads = "b"\nmeasures.n = "count"', "bolts.shop: expected a name that the suite does not use itself, as my_shop"),
        ('[bolts.kpi]\nreads = "b"\nmeasures.n = "count"', "bolts.kpi: expected a name that the suite does not use"),
        ('[bolts.areas]\nreads = "b"\nmeasures.n = "count"', "bolts.areas: expected a name that the suite does not use"),
        ('[bolts.acctsegment]\nreads = "b"\nmeasures.n = "count"', "bolts.acctsegment: expected a name that the suite does not use"),
        ('[bolts.timers]\nreads = "b"\nmeasures.n = "count"', "bolts.timers: expected a name that the suite does not use"),
        ('[bolts.b_total]\nreads = "b"\nmeasures.n = "count"', "bolts.b_total: expected a name that the suite does not use"),
        ('[bolts.b]\nmeasures.n = "count"', "bolts.b.reads: expected a value, found none"),
        ('[bolts.b]\nreads = "b_log"', "bolts.b.measures: expected a value, found none"),
        ('[bolts.b]\nreads = "b_log"\nmeasures = {}', "bolts.b.measures: expected 1 to 32 measures"),
        ('[bolts.b]\nreads = []\nmeasures.n = "count"', 'bolts.b.reads: expected an op code or a list of them, as "pvp_log", got none'),
        ('[bolts.b]\nreads = "payment"\nmeasures.n = "count"', "bolts.b.reads: expected an op code, got payment"),
        ('[bolts.b]\nreads = "loginday"\nmeasures.n = "count"', 'bolts.b.reads: expected an op code, as "pvp_log", got "loginday", which is a bolt'),
        ('[bolts.b]\nreads = ["syncuser", "x"]\nmeasures.n = "count"', "bolts.b.reads: expected op codes alone"),
        ('[bolts.b]\nreads = "a\\tb"\nmeasures.n = "count"', "bolts.b.reads: expected op codes alone"),
        ('[games.dl.opcodes]\nb_log = "login_logcount"\n' + BASE, 'bolts.b.reads: expected an op code that some record has, as "login_logcount", got "b_log"'),
        (BASE + 'period = "year"', 'bolts.b.period: expected one of "hour", "day", "week", "month", got "year"'),
        (BASE + 'by = ["a", "b", "c", "d"]', "bolts.b.by: expected at most 3 different fields"),
        (BASE + 'by = ["level // 10"]', 'bolts.b.by: expected the name of a field of the record, as bracket, got "level // 10"'),
        (BASE + 'by = ["area"]', "bolts.b.by: expected a field of the record's own"),
        (BASE + 'by = ["final"]', "bolts.b.by: expected a field that no document has already, got final"),
        (BASE + 'by = ["x"]\nfields.x = "text?"', 'bolts.b.by: expected a text or an integer that is always there, got x, which is "text?"'),
        (BASE + 'by = ["x"]\nfields.x = "number"', 'bolts.b.by: expected a text or an integer that is always there'),
        (BASE + 'fields.x = "string"', 'bolts.b.fields.x: expected one of "text", "int"'),
        (BASE + 'by = ["y"]\nfields.x = "text"', "bolts.b.fields.x: expected a field that the bolt uses, one of y"),
        (BASE + 'measures.x = "cuont"', 'bolts.b.measures.x: expected "count", or a table as { sum = "points" }, got "cuont"'),
        (BASE + 'measures.x = { avg = "points" }', "bolts.b.measures.x.avg: unknown key; known here: count, sum"),
        (BASE + 'measures.x = { sum = "a", max = "a" }', "bolts.b.measures.x: expected one of count, sum, distinct, min, max, latest, tally, as"),
        (BASE + 'measures.x = { sum = "points", where = "won" }', """bolts.b.measures.x.where: unknown key; put it inside the measure, as { sum = { of = "points", where = "result == 'win'" } }"""),
        (BASE + 'measures._x = "count"', 'bolts.b.measures._x: expected a name of letters, digits and "_", as wins'),
        (BASE + 'measures.ts = "count"', "bolts.b.measures.ts: expected a field that no document has already, as my_ts, got ts"),
        (BASE + 'measures.updated = "count"', "bolts.b.measures.updated: expected a field that no document has already"),
        (BASE + 'measures.part_of = "count"', "bolts.b.measures.part_of: expected a field that no document has already"),
        (BASE + 'measures.v = { distinct = "acct" }', "bolts.b.measures.v: expected a field that no document has already, as my_v, got v"),
        (BASE + 'by = ["n"]', "bolts.b.measures.n: expected another name, as n_2, got one that by has"),
        (BASE + 'measures.ratio = "count"\nderived.r = "n / ratio"', "bolts.b.measures.ratio: expected another name, as my_ratio, got that of the function ratio"),
        (BASE + 'derived.n = "n + 1"', "bolts.b.derived.n: expected another name, as n_2, got one that measures has"),
        (BASE + 'measures.x = { sum = "a.b" }', 'bolts.b.measures.x.sum: expected comparisons, and, or'),
        (BASE + 'measures.x = { count = { where = "r == \'w\' and q(1)" } }', 'got a call, at column 14 of "r == \'w\' and q(1)"; an example is "result == \'win\'"'),
        (BASE + 'measures.x = { count = { where = "r" } }\nfields.r = "text"', 'bolts.b.measures.x.count.where: expected a condition, got text, at column 1'),
        (BASE + 'measures.x = { count = { where = "r > \'w\' + 1" } }', "bolts.b.measures.x.count.where: expected a number, got a text, at column 5"),
        (BASE + 'measures.x = { sum = "a / b" }', "bolts.b.measures.x.sum: expected an integer, as fractions do not add up exactly"),
        (BASE + 'measures.x = { sum = "a" }\nfields.a = "number"', "bolts.b.measures.x.sum: expected an integer"),
        (BASE + 'measures.x = { sum = { of = "a", on = "c_log" } }', "bolts.b.measures.x.sum.on: expected some of gamelog.b_log"),
        (BASE + 'measures.x = { distinct = "a > 1" }', "bolts.b.measures.x.distinct: expected a text or an integer, got flag"),
        (BASE + 'measures.x = { min = "a" }\nfields.a = "text"', "bolts.b.measures.x.min: expected an integer, got text"),
        (BASE + 'measures.x = { latest = "a", per = "b + 1" }', 'bolts.b.measures.x.per: expected the name of a field, as { latest = "level", per = "acct" }, got "b + 1"'),
        (BASE + 'measures.x = { latest = "a * 2" }', 'bolts.b.measures.x.latest: expected the name of a field'),
        (BASE + 'measures.x = { latest = "a", per = "b" }\nfields.a = "text"', "bolts.b.measures.x.latest: expected an integer beside per, as only such values have a table"),
        (BASE + 'measures.x = { latest = "a", per = "b" }\nfields.b = "text?"', "bolts.b.measures.x.per: expected a field that is always there, got b"),
        (BASE + 'measures.x = { latest = "a" }\nfields.a = "flag"', "bolts.b.measures.x.latest: expected a text or a number, got flag"),
        (BASE + 'measures.x = { sum = "a", per = "b" }', "bolts.b.measures.x.per: expected it beside latest alone"),
        (BASE + 'measures.x = { tally = "a" }', 'bolts.b.measures.x.values: expected 1 to 32 values beside tally, and none elsewhere, as { tally = "result", values = ["win", "loss"] }, got 0'),
        (BASE + 'measures.x = { sum = "a", values = ["b"] }', "bolts.b.measures.x.values: expected 1 to 32 values beside tally"),
        (BASE + 'measures.x = { tally = "a", values = ["b c"] }', 'bolts.b.measures.b c: expected a name of letters, digits and "_"'),
        (BASE + 'measures.x = { tally = "a", values = ["n"] }', "bolts.b.measures.n: expected another name, as n_2, got one that measures has"),
        (BASE + 'measures.x = { tally = "a", values = ["n2"] }\nfields.a = "int"', "bolts.b.measures.x.tally: expected a text, got int"),
        (BASE + 'measures.x = { latest = "a" }\nderived.d = "x * 2"', "bolts.b.derived.d: expected one of n, got x"),
        ('[bolts.b]\nreads = "syncuser"\nmeasures.x = { latest = "grade" }', "bolts.b.measures.x.latest: expected it of op codes; usercenter and userlevel have the newest of roles"),
        (BASE + 'derived.d = "percent(n, m)"', 'bolts.b.derived.d: expected one of n, got m, at column 12'),
        (BASE + 'derived.d = "median(n, n)"', "got a call other than percent(a, b) or ratio(a, b)"),
        (BASE + 'derived.d = "n > 3"', "bolts.b.derived.d: expected a number, got flag"),
        (BASE + 'derived.d = "n **"', "bolts.b.derived.d: expected an expression"),
        ('[bolts.b]\nreads = "shop_logbuy"\nmeasures.n = { sum = "item" }', "bolts.b.measures.n.sum: expected an integer, as fractions do not add up exactly: log cents instead, got text"),
        ('[bolts.b]\nreads = "shop_logbuy"\nmeasures.n = { sum = "num" }\nfields.num = "text"', 'bolts.b.fields.num: expected "int", as other bolts read it, got "text"'),
        (BASE + 'measures.x = { sum = "a" }\nfields.a = "int"\n[bolts.c]\nreads = "b_log"\nby = ["a"]\nfields.a = "text"\nmeasures.n = "count"', 'bolts.c.fields.a: expected "int", as bolts.b.fields.a says, got "text"'),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused(written: Any, tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(text)
    assert str(caught.value).startswith(f"{tmp_path / 'a.toml'}: ")
    assert fault in str(caught.value), caught.value


def test_there_are_not_more_than_the_broker_takes(written: Any) -> None:
    many = "".join(f'[bolts.b{n}]\nreads = "b_log"\nmeasures.n = "count"\n' for n in range(101))
    with pytest.raises(ConfigError, match="bolts: expected at most 100 bolts of your own, got 101"):
        written(many)


def test_the_suites_own_names_are_taken() -> None:
    assert {
        *NODES,
        *NAMES,
        *(name for name in WRITTEN if not name.endswith(("_total", "_segment"))),
    } <= TAKEN_NAMES


def test_what_timer_bolts_read_is_never_dropped() -> None:
    assert {*COLLECTIONS.values(), *HOURLY.values(), PROPERTIES} == {*NEVER_DROPPED}


def test_files_beside_the_configuration_declare_bolts(written: Any, tmp_path: Path) -> None:
    (tmp_path / "bolts").mkdir()
    (tmp_path / "bolts" / "_notes.py").write_text("no Python")
    (tmp_path / "bolts" / "read me.txt").write_text("no Python")
    later = PETS.split("pets =")[0] + 'days = Bolt("days", {"pets": Reads(Acct)}, {"count": Count()})'
    found = catalogue(written(PVP, zoo=PETS, animals=later))
    assert list(found) == [*BOLTS, "pets", "days", "pvp"]
    assert not (tmp_path / "bolts" / "__pycache__").exists()


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import os\nx = (", "pets.py, line 2: expected Python, got something else"),
        ("import os\n\nx = 1 / 0", "pets.py, line 3: ZeroDivisionError: division by zero"),
        ("import nothing_of_that_name", "pets.py, line 1: ModuleNotFoundError"),
        ("raise SystemExit(3)", "pets.py, line 1: SystemExit: 3"),
        ("x = 1", "pets.py: expected a bolt, as pets = Bolt(…), found none"),
        (PETS.replace('Bolt("pets"', 'Bolt("shop"'), "bolt shop: expected a name that the suite does not use itself"),
        (PETS.replace('Bolt("pets"', 'Bolt("pvp"'), "bolt pvp: expected a name that no other bolt of yours has, but [bolts.pvp] of the configuration declares"),
        (PETS.replace("gamelog.pet_hatch", "pet_hatch"), 'expected topics that a spout or a bolt publishes, as "gamelog.pvp_log" or "loginday", got "pet_hatch"'),
        (PETS.replace('{"gamelog.pet_hatch"', '{"loginday": Reads(Acct), "gamelog.pet_hatch"'), "expected topics of spouts alone"),
        (PETS.replace('{"count": Count()}', '{"ts": Count()}'), "line 9: ValueError: bolt pets: expected a field of its own for each"),
        (PETS.replace("gamelog.pet_hatch", "pets"), "expected none that reads itself, got pets ← pets"),
        (PETS.replace("Gamelog[Acct]", 'Gamelog[msgspec.defstruct("D", [("num", str)])]').replace("pet_hatch", "shop_logbuy"), "gamelog.shop_logbuy: expected one kind of num"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_is_refused_with_its_line(written: Any, code: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(PVP, pets=code)
    assert fault in str(caught.value), caught.value


LOOT = """
import msgspec
from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import Latest, LatestBy
from analytics.core.measures import Count, Sum
from analytics.core.tuples import AcctName, Gamelog, Syncuser

class Heist(msgspec.Struct):
    acct: AcctName
    loot: int
    crew: msgspec.Raw = msgspec.Raw(b"")

class Maybe(msgspec.Struct):
    area: str
    ts: int
    data: Heist | None = None

def shown(table):
    return {}

heists = Bolt(
    "heists",
    {"gamelog.heist": Reads(%s)},
    by={%s},
    measures={"n": %s},
    finish=%s,
)
"""
KNOWN = "expected a path that its tuples have, one of area, ts, data.acct, data.loot, data.crew, got"


@pytest.mark.parametrize(
    ("kind", "by", "measure", "finish", "fault"),
    [
        ("Gamelog[Heist]", '"acct": "data.acct"', 'Sum("data.loot", where="data.crew.x.y")', None, ""),
        ("Gamelog[Heist]", "", 'Latest(lambda row: row.lot, order="ts")', None, ""),
        ("Gamelog[Heist], rows=lambda one, zone: [one.data]", "", 'Sum("loot")', None, ""),
        ("Syncuser", "", 'LatestBy("uid", "order", ("grade",), list_field="_l", show=shown)', None, ""),
        ("Gamelog[Heist]", "", 'Sum("data.lot")', None, f'measure n: {KNOWN} "data.lot"; did you mean data.loot?'),
        ("Gamelog[Heist]", "", 'Sum("loot")', None, f'measure n: {KNOWN} "loot"; did you mean data.loot?'),
        ("Gamelog[Heist]", "", 'Sum("data.loot.sum")', None, f'measure n: {KNOWN} "data.loot.sum"'),
        ("Gamelog[Heist]", "", 'Count(where="data.won")', None, f'measure n: {KNOWN} "data.won"'),
        ("Gamelog[Heist]", "", 'Latest("data.loot", order="version")', None, f'measure n: {KNOWN} "version"'),
        ("Gamelog[Heist]", "", 'LatestBy(hash, "ts", ("data.lot",), list_field="_l", show=shown)', None, f'measure n: {KNOWN} "data.lot"'),
        ("Gamelog[Heist]", '"acct": "data.act"', "Count()", None, f'by.acct: {KNOWN} "data.act"; did you mean data.acct?'),
        ("Maybe", "", 'Sum("data.loot")', None, 'measure n: expected a path that its tuples have, one of area, ts, data, got "data.loot"'),
        ("Gamelog[Heist]", "", "Count()", "lambda shown: {'rate': 1 / shown['n']}", "finish: expected it to work for a document without rows, too, got ZeroDivisionError: division by zero"),
        ("Gamelog[Heist]", "", "Count()", "lambda shown: {'rate': shown['m']}", "finish: expected it to work for a document without rows, too, got KeyError: 'm'"),
    ],
)  # fmt: skip
def test_what_a_file_reads_of_rows_is_in_them(
    written: Any, kind: str, by: str, measure: str, finish: str | None, fault: str
) -> None:
    code = LOOT % (kind, by, measure, finish)
    if not fault:
        assert "heists" in catalogue(written(PVP, heists=code))
        return
    with pytest.raises(ConfigError) as caught:
        written(PVP, heists=code)
    assert "heists.py" in str(caught.value) and f"bolt heists: {fault}" in str(caught.value), caught.value


def test_a_name_that_two_files_declare_is_said_once_with_the_other_file(written: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        written(PVP, pets=PETS, zoo=PETS)
    [fault] = str(caught.value).splitlines()
    assert "zoo.py: bolt pets: expected a name that no other bolt of yours has, but " in fault
    assert "pets.py declares" in fault


@pytest.mark.parametrize(
    ("owner", "mode", "fault"),
    [
        (0, 0o644, ""),
        (0, 0o640, ""),
        (0, 0o664, "expected that only root may write to it, since root would run it, got mode 664"),
        (0, 0o646, "expected that only root may write to it, since root would run it, got mode 646"),
        (1000, 0o600, "expected root as its owner, since root would run it, got user 1000"),
    ],
)
@pytest.mark.parametrize("which", ["folder", "file"])
def test_root_runs_no_file_that_others_may_write_to(
    written: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: int,
    mode: int,
    fault: str,
    which: str,
) -> None:
    written(PVP, pets=PETS)
    path = tmp_path / "bolts" if which == "folder" else tmp_path / "bolts" / "pets.py"
    inode, check = path.stat().st_ino, files._check_owner

    def pretended(one: Path, status: os.stat_result) -> None:
        said = (owner, mode) if status.st_ino == inode else (0, 0o644)
        check(one, os.stat_result((said[1], 0, 0, 1, said[0], 0, 0, 0, 0, 0)))

    monkeypatch.setattr(files, "_check_owner", pretended)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    load(tmp_path / "a.toml")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if not fault:
        load(tmp_path / "a.toml")
        return
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "a.toml")
    assert str(caught.value).startswith(f"{path}: {fault}; look at what it says, then: ch")


def test_a_changed_declaration_has_another_fingerprint(written: Any) -> None:
    before = fingerprints(written(PVP, zoo=PETS))
    assert before.keys() == {"pvp", "pets"}
    assert (
        fingerprints(written(PVP.replace("wins, fights", "fights, wins"), zoo=PETS))["pvp"] != before["pvp"]
    )
    assert fingerprints(written("# Fights.\n" + PVP, zoo=f"# Pets.\n{PETS}\n")) == before
    assert (
        fingerprints(written(PVP, zoo=PETS.replace("publishes=True", "publishes=False")))["pets"]
        != before["pets"]
    )


@pytest.mark.parametrize(
    ("where", "more", "suspect"),
    [
        ("result == win", "", "win"),
        ("points > 3 and result != win", "", "win"),
        ("result in win", "", "win"),
        ("result == 'win'", "", None),
        ("level > rival_level", "", None),
        ("result == win and win != 'draw'", "", None),
        ("result == win", 'by = ["win"]', None),
        ("result == win", 'fields = { win = "text" }', None),
        ("result == win", 'measures.winners = { distinct = "win" }', None),
        ("result == acct", "", None),
    ],
)
def test_a_text_that_lacks_its_quotes_is_suspected(
    written: Any, where: str, more: str, suspect: str | None
) -> None:
    """It would be a field that every record must have: all of them were rejected."""
    measure = f'measures.wins = {{ count = {{ where = "{where}" }} }}'
    # That acct is a field of this op code is known.
    found = list(unquoted(written(f'[bolts.pvp]\nreads = "shop_logbuy"\n{measure}\n{more}')))
    assert len(found) == (suspect is not None)
    assert all(f"put it in quotes: '{suspect}'" in text for text in found)
