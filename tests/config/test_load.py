"""A configuration is taken as it stands, or refused with file, key, what was found and what was expected."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from analytics.config import (
    AreaSection,
    Config,
    Game,
    Source,
    areas,
    catalogue,
    checks,
    excluded,
    fingerprint,
    load,
    segments,
)
from analytics.config.checks import unset_variables
from analytics.config.reading import CHECKOUT, NOT_KEYS, find
from analytics.config.section import Section
from analytics.config.sections import SOURCE_KINDS
from analytics.errors import ConfigError

AREA = "549140c8dbdb67794fc0fa3b"
USABLE = f"""
data = "records"

[[gamelog.sources]]
name = "s1"
kind = "file"
path = "logs/*.log"
game = "dl"

[games.dl]
timezone = "Asia/Kolkata"

[games.dl.areas.{AREA}]
plat = "2001"
corpid = 2001
server_name = "server1009"
"""


def read(folder: Path, text: str) -> Config:
    file = folder / "analytics.toml"
    file.write_text(text)
    return load(file)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        read(folder, text)
    return str(refused.value)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read(tmp_path, USABLE)
    assert config.data == tmp_path / "records"
    assert config.gamelog.sources[0].path == str(tmp_path / "logs" / "*.log")
    assert config.file == tmp_path / "analytics.toml"


def test_certificates_are_relative_to_the_file_too(tmp_path: Path) -> None:
    etcd = read(tmp_path, '[etcd]\nca = "tls/ca.pem"').etcd
    assert (etcd.ca, etcd.cert) == (str(tmp_path / "tls" / "ca.pem"), "")


def test_an_area_takes_its_zone_from_its_game(tmp_path: Path) -> None:
    area = areas(read(tmp_path, USABLE))[AREA]
    assert (area.game, area.plat, area.corpid, area.server_name) == ("dl", "2001", "2001", "server1009")
    assert area.zone.name == "Asia/Kolkata"


GAME = f'[games.dl]\nopcodes.join = "signup_logcount"\n[games.dl.areas.{AREA}]\nplat = "1"\n'
SEGMENT_FAULTS = {
    'c = { from = "signup_logcount.channel", values = ["a"] }': 'c.from: expected "<op code>.data.<field>", got',
    'c = { from = "signup_logcount.data.acct", values = ["a"] }': "c.from: expected a property that has few values",
    'c = { from = "signuphour.data.x", values = ["a"] }': "c.from: expected the op code of a game log",
    'c = { from = "gamelog.signuphour.data.x", values = ["a"] }': "c.from: expected the op code of a game log",
    'c = { from = "payment.data.x", values = ["a"] }': "c.from: expected the op code of a game log",
    'c = { from = "join.data.x", values = ["a"] }': 'c.from: expected "signup_logcount.data.x", as games.dl.opcodes.join',
    'c = { from = "login_logcount.data.x", values = [] }': "c.values: expected 1 to 32 values, got 0",
    'c = { from = "login_logcount.data.x", values = ["a", "unknown"] }': 'c.values[1]: expected a value of logs, got "unknown"',
    'c = { from = "login_logcount.data.x", values = ["other"] }': 'c.values[0]: expected a value of logs, got "other"',
    'c = { from = "login_logcount.data.x", values = ["a", "a"] }': "c.values[1]: expected each value once",
    'c = { from = "login_logcount.data.x", values = [" a"] }': "c.values[0]: expected 1 to 64 printable characters",
    'c = { values = ["a"] }': "c.from: expected a value, found none",
    'c = { form = "login_logcount.data.x", values = ["a"] }': "c.form: unknown key; did you mean from?",
    'Ch = { from = "login_logcount.data.x", values = ["a"] }': "Ch: expected a name of a lower-case letter",
    "\n".join(f'c{n} = {{ from = "login_logcount.data.x", values = ["a"] }}' for n in range(9)): (
        ": expected at most 8 segments"
    ),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[broker]\nreciever_port = 1", "broker.reciever_port: unknown key; did you mean receiver_port?"),
        ('file = "x"', "file: unknown key"),
        (
            '[games.dl.excluded]\npatterns = ["bot_*", "?*"]',
            'games.dl.excluded.patterns[1]: expected a pattern of some accts, like "bot_*", got "?*", which all or any may fit',
        ),
        (
            f"[games.dl.excluded]\npatterns = {['a*'] * 101}",
            "games.dl.excluded.patterns: expected at most 100 patterns, got 101",
        ),
        (
            '[games.dl.excluded]\naccts = ["a", ""]',
            "games.dl.excluded.accts[1]: expected an acct of 1 to 200 characters, got 0",
        ),
        (
            '[games.dl]\ncurrency = "¥"\n[games.dl.rates.USD]\n2026-03-01 = "7.1"',
            'games.dl.currency: expected a name of 1 to 8 letters and digits, as "CNY", where a game has several currencies, got "¥"',
        ),
        (
            '[games.dl]\ncurrency = "CNY"\n[games.dl.rates.USD]\n2026-3-1 = "7.1"',
            'games.dl.rates.USD: expected a day as YYYY-MM-DD, got "2026-3-1"',
        ),
        (
            '[games.dl]\ncurrency = "CNY"\n[games.dl.rates.USD]\n2026-03-01 = "0.0"',
            'games.dl.rates.USD.2026-03-01: expected a decimal number above 0, as "7.1034", got "0.0"',
        ),
        (
            '[games.dl]\ncurrency = "CNY"\n[games.dl.rates.CNY]\n2026-03-01 = "1"',
            'games.dl.rates: expected other currencies than the game\'s, of 1 to 8 letters and digits, got "CNY"',
        ),
        (
            '[games.dl]\ncurrency = "CNY"\n[games.dl.areas.x]\nplat = "p"\ncurrency = "USD"',
            'games.dl.areas.x.currency: expected a currency that games.dl.rates has, got "USD"',
        ),
        (
            '[games.dl.excluded]\nfile = "none.txt"',
            "games.dl.excluded.file: unknown key; known here: ",
        ),
        (
            "[documents]\nkeep_days = { loginday = 90 }",
            "documents.keep_days.loginday: expected a bolt with periods from whose documents no other number is computed again, one of loginhour, ",
        ),
        (
            "[documents]\nkeep_days = { userpay = 90 }",
            "documents.keep_days.userpay: expected a bolt with periods",
        ),
        (
            "[documents]\nkeep_days = { createroleday = 90 }",
            "documents.keep_days.createroleday: expected a bolt with periods",
        ),
        ("[documents]\nkeep_days = { shop = 59 }", "documents.keep_days.shop: expected at least 60 days, as"),
        (
            "[documents]\nkeep_days = { shop = 60 }\n[timers]\nevery_seconds = 0",
            "documents.keep_days: expected timers.every_seconds above 0, as the node timers drops documents",
        ),
        (
            '[bolts.x]\nreads = "pvp_log"\nmeasures.n = "count"\ntotals = "yes"',
            'bolts.x.totals: expected bool, got "yes"',
        ),
        ('[engine]\nkind = "local"\nmaster = "yarn"', "engine.master: expected nothing, as engine.kind"),
        ("[timers]\nabsent_days = 1", "timers.absent_days: expected int >= 2, got 1"),
        (
            "[games.dl.tiers]\nwhale = 5",
            "games.dl.tiers.whale: expected more than games.dl.tiers.dolphin, 10, got 5",
        ),
        ('[broker]\nsender_port = "abc"', 'broker.sender_port: expected int, got "abc"'),
        ("[broker]\nsender_port = 70000", "broker.sender_port: expected int <= 65535, got 70000"),
        ("[broker]\nsender_port = 0", "broker.sender_port: expected a port from 1 to 65535, got 0"),
        (
            "[broker]\nsender_port = 5000",
            "broker.sender_port: expected a different port, got 5000, which is also broker.receiver_port",
        ),
        ("[store]\nport = 5002", "store.port: expected a different port"),
        (
            '[etcd]\nendpoints = ["10.0.0.1:2379"]',
            'etcd.endpoints[0]: expected an address like "http://10.0.0.1:2379"',
        ),
        ('[etcd]\nprefix = "a/b"', 'etcd.prefix: expected letters, digits, "_", "." and "-", got "a/b"'),
        ('[etcd]\nuser = "root"', "etcd.password_env: expected a value, as etcd.user has one, found none"),
        ('[etcd]\nkey = "key.pem"', "etcd.cert: expected a value, as etcd.key has one, found none"),
        (
            "[etcd]\nbeat_seconds = 6.0",
            "etcd.beat_seconds: expected at most half of etcd.ttl_seconds = 5, got 6",
        ),
        ('[broker]\nhost = "10.0.0.1"', "broker.keys: expected a folder of keys, as other hosts reach"),
        (
            '[broker]\nkey_name = "broker"',
            'broker.key_name: expected letters, digits, "_", "." and "-", not "broker"',
        ),
        ("broker = 3", "broker: expected a table, got 3"),
        ("data = 3", "data: expected"),
        ('log_level = "loud"', 'log_level: expected one of "debug", "info", "warning", "error", got "loud"'),
        ("[gamelog]\nbatch_lines = 0", "gamelog.batch_lines: expected int >= 1, got 0"),
        ("[worker]\nflush_seconds = 0.0", "worker.flush_seconds: expected float > 0.0, got 0.0"),
        ('timezone = "Mars/Base"', 'timezone: expected an IANA name like "Asia/Shanghai", got "Mars/Base"'),
        ('[games.dl]\ntimezone = "Mars"', "games.dl.timezone: expected an IANA name"),
        ('[games.dl.areas."s 9"]\nplat = "1"', "games.dl.areas.s 9: expected an area id of 1 to 64"),
        (f"[games.dl.areas.{AREA}]", f"games.dl.areas.{AREA}.plat: expected a value, found none"),
        (
            f'[games.dl.areas.{AREA}]\nplat = "1"\nmerged_into = "s2"\nmerged_on = "2020-01-01"',
            f'games.dl.areas.{AREA}.merged_into: expected the id of another area of the same game, got "s2"',
        ),
        (
            f'[games.dl.areas.{AREA}]\nplat = "1"\nmerged_into = "{AREA}"\nmerged_on = "2020-01-01"',
            f'games.dl.areas.{AREA}.merged_into: expected the id of another area of the same game, got "{AREA}"',
        ),
        (
            '[games.dl.areas]\na = { plat = "1", merged_into = "b", merged_on = "2020-01-01" }\n'
            'b = { plat = "1", merged_into = "a", merged_on = "2020-01-01" }',
            'games.dl.areas.a.merged_into: expected an area whose players stayed there in the end, got "b", which leads round',
        ),
        (
            '[games.dl.areas]\na = { plat = "1", merged_into = "b", merged_on = "2020-01-02" }\n'
            'b = { plat = "1", merged_into = "c", merged_on = "2020-01-01" }\nc = { plat = "1" }',
            "games.dl.areas.a.merged_on: expected a day up to 2020-01-01, on which b itself was merged",
        ),
        (
            '[games.dl.areas]\na = { plat = "1", merged_into = "b" }\nb = { plat = "1" }',
            'games.dl.areas.a.merged_on: expected the first day in b as YYYY-MM-DD, got ""',
        ),
        (
            f'[games.dl.areas.{AREA}]\nplat = "1"\nmerged_on = "2020-01-01"',
            f"games.dl.areas.{AREA}.merged_into: expected the area that it was merged into",
        ),
        (
            f'[games.dl.areas.{AREA}]\nplat = "1"\nopened = "8 January"',
            f"games.dl.areas.{AREA}.opened: expected a day as YYYY-MM-DD",
        ),
        (f"[games.dl.areas.{AREA}]\nplat = 7", f"games.dl.areas.{AREA}.plat: expected str, got 7"),
        (
            f'[games.dl.areas.{AREA}]\nplat = "1"\nmerged_on = 2020-01-01',
            f"games.dl.areas.{AREA}.merged_on: expected str, got 2020-01-01 without quotes",
        ),
        (
            f'[games.a.areas.{AREA}]\nplat = "1"\n[games.b.areas.{AREA}]\nplat = "1"',
            f"games.b.areas.{AREA}: expected an area of one game, got one that is also in games.a",
        ),
        (
            '[games.typo.segments]\nc = { from = "signup_logcount.data.c", values = ["a"] }',
            "games.typo.segments: expected segments of a game that has areas",
        ),
        *(
            (
                f"{GAME}[games.dl.segments]\n{segment}",
                f"games.dl.segments{'' if fault[0] == ':' else '.'}{fault}",
            )
            for segment, fault in SEGMENT_FAULTS.items()
        ),
        ('[games.dl.opcodes]\nx = "login_logcout"', "games.dl.opcodes.x: expected one of"),
        ('[service]\nnodes = ["worker"]', "service.nodes[0]: expected one of alerts, broker, "),
        ('[worker.groups]\na = ["nope"]', "worker.groups.a: expected some of"),
        ('[worker.groups]\nstore = ["server"]', "worker.groups.store: expected a name that is no node's"),
        ('[worker]\nleft_out = ["nope"]', "worker.left_out[0]: expected one of loginhour, "),
        (
            '[worker]\nleft_out = ["loginhour"]',
            "worker.left_out: expected loginday, too, which reads loginhour",
        ),
        (
            '[worker]\nleft_out = ["server"]\n[worker.groups]\na = ["server"]',
            "worker.left_out[0]: expected a bolt in no group",
        ),
        (
            '[worker.groups]\nmain = ["server"]\nmain-rest = ["shop"]',
            "worker.groups.main-rest: expected another name",
        ),
        ('[worker.groups]\na = ["server"]\nb = ["server"]', "worker.groups.b: expected a bolt in one group"),
        ('[payment]\nurl = "gopher://x"', 'payment.url: expected a URL like "http://host/path"'),
        ('[payment]\nurl = "http://x/{foo}"', "payment.url: expected of {game}"),
        ('[payment]\nurl = "http://x/{"', "payment.url: expected a template with"),
        ('[payment]\nsince = "yesterday"', "payment.since: expected a day as YYYY-MM-DD"),
        (
            '[payment]\nsince = "1999-12-31"',
            "payment.since: expected a day as YYYY-MM-DD, from 2000-01-01 on",
        ),
        ('[syncuser]\nurl = "http://x/{sinse}"', "syncuser.url: expected of {game}"),
        ('[syncuser]\nsince = "2015-01-01"', "syncuser.since: unknown key"),
        ("[syncuser]\noverlap_seconds = 0", "syncuser.overlap_seconds: expected int >= 1, got 0"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, expected: str) -> None:
    told = refusal(tmp_path, text)
    assert f"{tmp_path / 'analytics.toml'}: {expected}" in told


def test_a_key_of_a_kind_of_ones_own_may_be_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Source, frozen=True, kw_only=True):
        command: list[str] = []

    monkeypatch.setattr(checks, "Source", Own)
    monkeypatch.setattr(checks, "SOURCE_KINDS", {**SOURCE_KINDS, "command": ("command",)})
    file, other = Own(name="a", kind="file", path="x"), Own(name="b", kind="command", command=["tail"])
    assert [*checks._kind(file, "file"), *checks._kind(other, "other")] == []
    (wrong,) = checks._kind(Own(name="a", kind="file", path="x", command=["tail"]), "file")
    assert wrong == 'file.command: expected only where kind is command, got kind "file"'


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('name = "a b"\nkind = "file"\npath = "x"', "].name: expected letters, digits"),
        ('name = "a"\nkind = "smtp"', '].kind: expected one of "http", "file", "tcp", got "smtp"'),
        ('name = "a"\nkind = "http"', '].url: expected a value, as kind is "http", found none'),
        ('name = "a"\nkind = "tcp"', '].port: expected a value, as kind is "tcp", found none'),
        ('name = "a"\nkind = "tcp"\nport = 5000', "].port: expected a different port"),
        ('name = "a"\nkind = "tcp"\nport = 5010\npath = "x"', "].path: expected only where kind is file"),
        (
            'name = "a"\nkind = "file"\npath = "x"\ngame = "dl"',
            '].game: expected one of [] or none, got "dl"',
        ),
        (
            'name = "a"\nkind = "http"\nurl = "http://x"\nheaders = {a = 1}',
            "].headers.a: expected str, got 1",
        ),
    ],
)
def test_a_source_must_make_sense(tmp_path: Path, keys: str, expected: str) -> None:
    assert "gamelog.sources[0" + expected in refusal(tmp_path, f"[[gamelog.sources]]\n{keys}")


def test_two_sources_need_two_names(tmp_path: Path) -> None:
    one = '[[gamelog.sources]]\nname = "a"\nkind = "file"\npath = "x"\n'
    assert 'gamelog.sources[1].name: expected a unique name, got "a" 2 times' in refusal(tmp_path, one * 2)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path, "dat = 1\n[broker]\nsender_port = true\n[store]\nport = -1")
    assert len(told.splitlines()) == 3


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "absent.toml")
    assert "expected a readable TOML file" in refusal(tmp_path, "a = ")


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANALYTICS_CONFIG", raising=False)
    assert find() == CHECKOUT
    monkeypatch.setenv("ANALYTICS_CONFIG", str(tmp_path / "mine.toml"))
    assert find() == tmp_path / "mine.toml"
    assert find(tmp_path / "named.toml") == tmp_path / "named.toml"


def test_unset_variables_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = read(
        tmp_path,
        '[mongodb]\nuri_env = "A_SECRET"\n[payment]\nurl = "http://x/"\ntoken_env = "A_TOKEN"\n'
        '[etcd]\nendpoints = ["http://x:1"]\nuser = "u"\npassword_env = "A_SECRET"',
    )
    monkeypatch.delenv("A_SECRET", raising=False)
    monkeypatch.setenv("A_TOKEN", "t")
    assert [fault.split(":")[0] for fault in unset_variables(config)] == [
        "mongodb.uri_env",
        "etcd.password_env",
    ]


def _shipped_keys(
    table: dict[str, Any], kind: type[Section], key: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield key, shown value and default for every field of the sections under ``kind``."""
    for field in msgspec.structs.fields(kind):
        name = f"{key}{field.name}"
        if field.name in NOT_KEYS:
            continue
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        if isinstance(default, Section):
            yield from _shipped_keys(table.get(field.name, {}), type(default), f"{name}.")
        elif name not in ("gamelog.sources", "games"):
            yield name, table.get(field.name), default


def test_the_shipped_file_shows_every_key_with_its_default() -> None:
    shown = list(_shipped_keys(tomllib.loads(CHECKOUT.read_text()), Config))
    assert len(shown) > 35
    for key, value, default in shown:
        assert value == (str(default) if isinstance(default, Path) else default), key
    load(CHECKOUT)


@pytest.mark.parametrize("kind", [Source, Game, AreaSection])
def test_the_shipped_file_explains_tables_that_it_leaves_empty(kind: type[Section]) -> None:
    text = CHECKOUT.read_text()
    for field in msgspec.structs.fields(kind):
        if field.name not in ("areas", "opcodes", "segments"):
            assert re.search(rf"^# {field.name} = ", text, re.MULTILINE), f"{kind.__name__}.{field.name}"
    assert "[games.dl.opcodes]" in text and "[games.dl.segments]" in text and "[games.dl.areas." in text


def test_the_examples_in_the_shipped_file_load(tmp_path: Path) -> None:
    lines = CHECKOUT.read_text().splitlines()
    example = re.compile(r"# ((\[|\w+ = ).*)")
    uncommented = [match[1] if (match := example.fullmatch(line)) else line for line in lines]
    config = read(tmp_path, "\n".join(uncommented))
    assert [source.kind for source in config.gamelog.sources] == ["http", "file", "tcp", "file"]
    assert "549140c8dbdb67794fc0fa3b" in areas(config)


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    file.write_bytes(b"\xef\xbb\xbf" + USABLE.encode())
    assert load(file).data == tmp_path / "records"


def test_segments_bring_a_bolt_that_a_group_may_have(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    segment = 'c = { from = "sold.data.shop", values = ["a"] }\nd = { from = "gamelog.sold.data.shop", values = ["b"] }'
    file.write_text(f'{GAME}[games.dl.segments]\n{segment}\n[worker.groups]\na = ["acctsegment"]\n')
    config = load(file)
    assert list(catalogue(config)["acctsegment"].reads) == ["gamelog.sold"]
    assert catalogue(load(file))["acctsegment"] is catalogue(config)["acctsegment"], "its types are made once"
    assert segments(config)["dl"][0].values == ("a", "unknown")


def test_excluded_accts_of_a_file_join_those_named(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    file.write_text(f'{GAME}[games.dl.excluded]\naccts = ["ann"]\naccts_file = "lists/bots.txt"\n')
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "bots.txt").write_bytes(b"\xef\xbb\xbf# Bots.\n\nbot 1 \r\n 007\nann\n")
    config = load(file)
    [area, *_] = areas(config).values()
    assert area.excluded is not None and area.excluded.accts == {"ann", "bot 1", "007"}
    assert catalogue(load(file))["excluded"] is catalogue(config)["excluded"], "its types are made once"
    (tmp_path / "lists" / "bots.txt").write_text("ann")
    assert fingerprint(load(file)) != fingerprint(config), "running nodes are known to be outdated"


def test_rates_of_a_file_join_those_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    text = (
        '[games.dl]\ncurrency = "CNY"\nrates_file = "rates.csv"\nrates = { USD = { "2026-03-02" = "7.2" } }\n'
    )
    file.write_text(text + '[games.dl.areas.a]\nplat = "p"\ncurrency = "USD"\n')
    rates = tmp_path / "rates.csv"
    rates.write_bytes(
        b"\xef\xbb\xbfday,currency,rate\r\n# of the bank\n2026-03-01, USD, 7.1\n2026-03-02,USD,7.2\n"
    )
    config = load(file)
    [area] = areas(config).values()
    assert area.exchange is not None and (area.exchange.currency, area.exchange.own) == ("CNY", "USD")
    assert [area.exchange.rate("USD", day) for day in ("2026-03-01", "2026-03-05")] == ["7.1", "7.2"]
    rates.write_text("2026-03-02,USD,7.3\n")
    with pytest.raises(
        ConfigError, match=r"rates.csv, line 1: expected one rate of USD on 2026-03-02, got 7.2 and 7.3"
    ):
        load(file)
    for line in ("2026-03-02;USD;7.2", "2026-3-2,USD,7.2", "2026-03-02,USD,0"):
        rates.write_text(f"\n{line}\n")
        with pytest.raises(ConfigError, match=r"rates.csv, line 2: expected day,currency,rate"):
            load(file)


def test_an_engine_keeps_the_excluded_accts_in_a_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excluded, "MOST_KEPT_BYTES", 1 << 20)
    some = [f"bot {n:0180}" for n in range(6_000)]
    text = f"[games.dl.excluded]\naccts = {some}\n"
    read(tmp_path, text)
    assert "games.*.excluded: expected at most 1 MB of accts where an engine counts, as its" in refusal(
        tmp_path, text + '[engine]\nkind = "local"\n'
    )


def test_a_list_of_excluded_accts_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"games.dl.excluded.accts_file: .*bots.txt: expected a readable text in UTF-8"
    ):
        read(tmp_path, '[games.dl.excluded]\naccts_file = "bots.txt"')


def test_only_the_merger_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    areas = '[games.dl.areas]\na = { plat = "1", merged_into = "b", merged_on = "2020-01-01" }\n'
    told = refusal(tmp_path, areas + 'b = { plat = "1", merged_into = "gone", merged_on = "2020-01-02" }')
    assert 'areas.b.merged_into: expected the id of another area of the same game, got "gone"' in told
    assert "areas.a" not in told
