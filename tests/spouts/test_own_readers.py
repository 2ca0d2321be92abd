"""Spouts hold records against what the configuration's own bolts read, too."""

import msgspec
from msgspec.structs import replace

from analytics.config import AreaSection, Config, Game, GamelogSection, Source, TimeSection
from analytics.config.bolt_sections import BoltSection
from analytics.spouts.gamelog import rules_of
from analytics.spouts.paid import check, read_otherwise
from analytics.spouts.records import convert
from analytics.spouts.roles import RoleFields, role_tuple, sorted_out
from analytics.spouts.schemas import SCHEMAS, schemas_of

NOW = 1_700_000_000
FEW = """
import msgspec
from typing import Annotated
from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Count

class Times(msgspec.Struct):
    times: Annotated[int, msgspec.Meta(le=5)]

class Few(msgspec.Struct):
    area: str
    ts: int
    users: dict[str, Times]

few = Bolt("few", {"payment": Reads(Few)}, {"count": Count()})
"""
TABLES = {
    "vips": {"reads": "syncuser", "fields": {"vip": "int?"}, "measures": {"vips": {"count": {"where": "vip > 0"}}}},
    "pvp": {"reads": "pvp_log", "measures": {"points": {"sum": "points"}}},
}  # fmt: skip
CONFIG = Config(
    games={"dl": Game(areas={"s1": AreaSection(plat="1")})},
    bolts=msgspec.convert(TABLES, type=dict[str, BoltSection]),
    bolt_files={"few.py": FEW},
)


def accepted(line: bytes, spout: str) -> list[str]:
    """Return why a journal's line is rejected, nothing where it is not."""
    text = b'{"id":"%s/dl@1:1",' % spout.encode() + line[1:] + b"\n"
    (share,) = convert(text, f"{spout}/x", 1, rules_of(CONFIG), NOW)
    return [one.reason for one in share.bad]


def test_roles_keep_the_fields_that_a_bolt_reads() -> None:
    fields = RoleFields(schemas_of(CONFIG))
    (area,) = rules_of(CONFIG).areas.values()
    role = {"ts": NOW, "uid": 7, "acctid": "a", "grade": 3, "rest_yuanbao": 5, "nobody_reads": 1}
    good, bad = sorted_out([role | {"vip": 4}, role, role | {"vip": "x"}], area, NOW, fields)
    assert [one.get("vip") for one in good] == [4, None]
    assert [why for why, _ in bad] == ['$.vip: expected int, got "x"']
    assert "vip" in {one.encode_name for one in msgspec.structs.fields(fields.line)}
    assert accepted(role_tuple(good[0], 5), "syncuser") == []
    assert accepted(role_tuple(good[0] | {"vip": "x"}, 5), "syncuser") == ['$.vip: expected int, got "x"']


def test_payments_are_what_a_file_says() -> None:
    users = {"a": {"times": 5, "amount": 1.0}, "b": {"times": 6, "amount": 1.0}}
    good, bad = check(users, read_otherwise(schemas_of(CONFIG)))
    assert (list(good), list(bad)) == (["a"], ["b"])
    line = msgspec.json.encode({"area": "s1", "ts": NOW, "at": 5, "users": {"b": users["b"]}})
    assert len(accepted(line, "payment")) == 1


def test_own_bolts_change_nothing_that_the_built_in_ones_read() -> None:
    table = {
        "reads": "gift_log",
        "by": ["num"],
        "fields": {"num": "text"},
        "measures": {"n": {"sum": "coins"}},
    }
    source = Source(
        name="log",
        kind="file",
        path="x",
        area="s1",
        format="json",
        time=TimeSection(field="t", format="unix"),
        event="e",
    )
    config = replace(CONFIG, bolts=msgspec.convert({"gifts": table}, type=dict[str, BoltSection]))
    config = replace(config, gamelog=GamelogSection(sources=[source]))
    mapping = rules_of(config, "log").mapping
    assert mapping is not None
    bought = {
        "t": NOW,
        "e": "shop_logbuy",
        "acct": "a",
        "item": "x",
        "num": "3",
        "price": "-30.0",
        "coins": "5",
    }
    piece = mapping.piece(msgspec.json.encode(bought))
    assert piece is not None
    assert msgspec.json.decode(b"{%s}" % piece)["data"] == {
        "acct": "a",
        "item": "x",
        "num": 3,
        "price": -30,
        "coins": 5,
    }


def test_game_logs_are_held_against_them() -> None:
    rules = rules_of(CONFIG)
    assert rules.topics.keys() == {*SCHEMAS, "gamelog.pvp_log"}
    line = b'{"op":{"code":"pvp_log"},"area":"s1","ts":1700000000,"data":{"points":"3x"}}\n'
    (share,) = convert(line, "gamelog/x", 1, rules, NOW)
    assert [one.reason for one in share.bad] == ['$.data.points: expected int, got "3x"']
    assert rules.of_source("log", "").topics is rules.topics
