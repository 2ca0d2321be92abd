"""``try``, ``init`` and what ``check`` says of a sample: from foreign lines to a configuration that reads them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from failing_bolt import HALVES

from analytics.cli.check_sources import _sample
from analytics.cli.main import cli
from analytics.config import load
from analytics.spouts.mapping.suggest import op_code_of, suggest
from analytics.store.probe import Grade

AT = "2026-11-27T10:00:0{}Z"
JSON = [json.dumps({"at": AT.format(n), "kind": kind, "player": n, "itemId": "a", "quantity": "2", "cost": 5.0})
        for n, kind in enumerate(["login", "buy", "login", "chat"])]  # fmt: skip
LOGS = {
    "json": JSON,
    "prefix": [f"INFO game - {line}" for line in JSON],
    "logfmt": [f'time={AT.format(n)} msg="user logged in" user=u{n}' for n in range(3)],
    "csv": ["when;what;account", "27.11.2026 10:00:00;login;a b", "27.11.2026 10:00:01;login;c"],
    "columns": ["1795773600000,login,ann,5", "1795773601000,login,bob,6"],
    "regex": ["[27Nov2026 12:34:56.789] [Server thread/INFO] [x/Y]: Steve joined the game",
              "[27Nov2026 12:34:57.789] [Server thread/INFO] [x/Y]: <Steve> hi"],
}  # fmt: skip


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def written(folder: Path, lines: list[str]) -> Path:
    log = folder / "game.log"
    log.write_text("".join(line + "\n" for line in lines))
    return log


def init(folder: Path, log: Path) -> Path:
    file = folder / "analytics.toml"
    answers = ("--game", "mine", "--area", "s1", "--plat", "1", "--timezone", "UTC")
    done = call("init", file, "--log", log, *answers)
    assert done.exit_code == 0, done.output + str(done.exception)
    return file


def test_it_names_bolts_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    file.write_text(
        '[games.dl.areas.s1]\nplat = "1"\n[bolts.pvp]\nreads = "pvp_log"\nmeasures.points = { sum = "points" }\n'
    )
    line = '{"op":{"code":"pvp_log"},"area":"s1","ts":1420688004,"data":{"points":%s}}'
    done = call("--config", file, "try", written(tmp_path, [line % 3, line % '"x"']))
    assert "counted by pvp" in done.output and '$.data.points: expected int, got "x"' in done.output


def test_it_folds_a_record_for_the_bolts_of_files(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    file.write_text('[games.dl.areas.s1]\nplat = "1"\n')
    (tmp_path / "bolts").mkdir()
    (tmp_path / "bolts" / "halves.py").write_text(HALVES)
    line = '{"op":{"code":"pvp_log"},"area":"s1","ts":1420688004,"data":{"points":%s}}'
    done = call("--config", file, "try", written(tmp_path, [line % 3]))
    assert "counted by halves" in done.output and "not counted" not in done.output, done.output
    done = call("--config", file, "try", written(tmp_path, [line % 0]))
    fault = "not counted: ZeroDivisionError: integer division or modulo by zero in bolt halves (halves.py, line 11)"
    assert fault in done.output, done.output
    code = HALVES.replace(
        "Sum(share)}", 'Sum("data.points")}, finish=lambda shown: {"inverse": 1 / (7 - shown["shares"])}'
    )
    (tmp_path / "bolts" / "halves.py").write_text(code)
    done = call("--config", file, "try", written(tmp_path, [line % 7]))
    assert (
        "not counted: ZeroDivisionError: division by zero in bolt halves (halves.py, line 13)" in done.output
    ), done.output


@pytest.mark.parametrize("name", [name for name in LOGS if name != "columns"])
def test_init_writes_a_configuration_that_counts_logins(tmp_path: Path, name: str) -> None:
    file = init(tmp_path, written(tmp_path, LOGS[name]))
    done = call("--config", file, "try", "log")
    assert "counted by loginhour, loginday, server" in done.output
    assert "rejected" not in done.output
    findings = list(_sample(load(file).gamelog.sources[0], load(file)))
    assert [one.grade for one in findings] == [Grade.OK]


def test_init_keeps_lines_of_the_documented_shape_without_a_mapping(tmp_path: Path) -> None:
    line = {"op": {"code": "login_logcount"}, "area": "s1", "ts": 1_500_000_000, "data": {"acct": "a"}}
    file = init(tmp_path, written(tmp_path, [json.dumps(line)]))
    assert not load(file).gamelog.sources[0].format
    again = call(
        "init",
        file,
        "--log",
        tmp_path / "game.log",
        "--game",
        "a",
        "--area",
        "s",
        "--plat",
        "1",
        "--timezone",
        "UTC",
    )
    assert "expected a new file" in str(again.exception)


def test_a_csv_without_names_is_suggested_with_columns_to_name() -> None:
    found = suggest([line.encode() for line in LOGS["columns"]], ["s1"], "UTC")
    assert found is not None
    assert found.keys["columns"] == ["column1", "column2", "column3", "column4"]
    assert found.keys["time"] == {"field": "column1", "format": "unix_ms"}
    assert any("account" in note for note in found.notes)


def suggested(areas: list[str], servers: list[str], shards: list[str]) -> tuple[dict[str, object], str]:
    """Return what is suggested for lines that say where they are from in two fields."""
    lines = [
        {"ev": ev, "when": 1795773600, "srv": srv, "ctx": {"shard": shard, "uid": "u1"}, "dur_s": 60}
        for ev, srv, shard in zip(["LOGIN", "LOGOUT", "LOGIN"], servers, shards, strict=True)
    ]
    found = suggest([json.dumps(line).encode() for line in lines], areas, "UTC")
    assert found is not None
    return found.keys, " ".join(found.notes)


def test_a_field_that_names_areas_says_the_area() -> None:
    keys, notes = suggested(["s1", "s2"], ["eu"] * 3, ["s2", "s1", "s2"])
    assert keys["area"] == {"field": "ctx.shard"} and not notes
    assert (keys["event"], keys["fields"]) == ("ev", {"acct": "ctx.uid", "seconds": "dur_s"})
    assert keys["events"] == {"LOGIN": "login_logcount", "LOGOUT": "logout_logcount"}
    keys, notes = suggested(["s1"], ["eu"] * 3, ["7", "8", "7"])
    assert keys["area"] == {"field": "ctx.shard"} and 'values = { 7 = "s1" }' in notes
    keys, notes = suggested(["s1"], ["eu"] * 3, ["7"] * 3)
    assert keys["area"] == "s1" and 'area = { field = "srv", values = { eu = "s1" } }' in notes
    keys, notes = suggested(["eu"], ["eu"] * 3, ["7", "8", "7"])
    assert keys["area"] == {"field": "srv"} and not notes


def test_lines_of_no_known_format_have_no_suggestion() -> None:
    assert suggest([b"hello there", b"whatever this is"], ["s1"], "UTC") is None


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("player_login", "login_logcount"),
        ("UserLoggedIn", "login_logcount"),
        ("logged in", "login_logcount"),
        ("joined", "login_logcount"),
        ("disconnected", "logout_logcount"),
        ("LOGOUT", "logout_logcount"),
        ("PlayerLoggedOut", "logout_logcount"),
        ("left", "logout_logcount"),
        ("leave_guild", ""),
        ("Register", "signup_logcount"),
        ("create_role", "createrole_logcount"),
        ("quest_finish", "trunk_task_finish"),
        ("item_purchase", "shop_logbuy"),
        ("chat", ""),
    ],
)
def test_what_an_event_may_mean(event: str, code: str) -> None:
    assert op_code_of(event) == code


def test_a_file_of_no_source_gets_a_suggestion_and_a_bad_line_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    file.write_text('[games.mine.areas.s1]\nplat = "1"\nname = "First"\n')
    log = written(tmp_path, JSON)
    done = call("--config", file, "try", log)
    assert "rejected: $.op: expected object, got nothing" in done.output
    begin = done.output.index("[[gamelog.sources]]")
    file.write_text(file.read_text() + done.output[begin:])
    log.write_text(log.read_text() + "broken\n")
    done = call("--config", file, "try", "game", "--lines", "9")
    assert "area s1 (First), hour 2026-11-27 18:00 Asia/Shanghai, counted by shop" in done.output
    assert "counted by no bolt" in done.output
    assert 'rejected: $: expected JSON, got "broken"' in done.output
    refused = call("--config", file, "try", "game", "--lines", "101")
    assert refused.exit_code == 2 and "101 is not in the range 1<=x<=100" in refused.output
    config = load(file)
    (finding,) = _sample(config.gamelog.sources[0], config)
    assert finding.grade is Grade.WARNING
    assert "4 of the first 5 lines would be used, 1 rejected" in finding.text


def test_a_table_is_tried_by_the_newest_header_as_the_spout_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    log = written(tmp_path, ["at;who", "1795773600;ann", "level;who;at\r", "7;bob;1795773601"])
    file.write_text(
        '[games.mine.areas.s1]\nplat = "1"\n[[gamelog.sources]]\nname = "game"\nkind = "file"\n'
        f'path = "{log}"\nformat = "csv"\nseparator = ";"\narea = "s1"\nopcode = "login_logcount"\n'
        'time = { field = "at", format = "unix" }\nfields = { acct = "who" }\n'
    )
    (finding,) = _sample(load(file).gamelog.sources[0], load(file))
    assert "2 of the first 4 lines would be used, 2 skipped" in finding.text


def test_a_field_whose_name_is_taken_is_said_to_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    log = written(tmp_path, ['{"at": 1795773600, "uid": 7, "why": "shop", "amount": "7", "acct": null, "gems": {"delta": 5}}',
                             '{"at": 1795773600, "uid": 7, "why": "shop", "gems": {"delta": -2}}'])  # fmt: skip
    text = (
        '[games.mine.areas.s1]\nplat = "1"\n[[gamelog.sources]]\nname = "game"\nkind = "file"\n'
        f'path = "{log}"\nformat = "json"\narea = "s1"\nopcode = "yuanbao_logchange"\n'
        'time = { field = "at", format = "unix" }\nfields = { acct = "uid", reason = "why", amount = "gems.delta"%s }\n'
    )
    file.write_text(text % "")
    lost = "the log's own field amount is left out, as the mapping gives this name to another field; to keep it, map it, too: "
    assert f'Warning: {lost}log_amount = "amount" in fields.' in call("--config", file, "try", "game").output
    _, finding = _sample(load(file).gamelog.sources[0], load(file))
    assert finding.grade is Grade.WARNING and lost in finding.text
    file.write_text(text % ', log_amount = "amount"')
    done = call("--config", file, "try", "game").output
    assert '"log_amount": "7"' in done and "left out" not in done


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nothing"], "expected a source (none) or a file"),
        (["/"], "Is a directory"),
        (["analytics.toml", "--mapping", "x"], "--mapping: expected a source"),
    ],
)
def test_what_try_cannot_look_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("analytics.toml").write_text('[games.mine.areas.s1]\nplat = "1"\n')
    assert expected in str(call("--config", "analytics.toml", "try", *words).exception)


def test_a_file_that_nothing_can_read_has_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    file.write_text('[games.mine.areas.s1]\nplat = "1"\n')
    packed = tmp_path / "game.log.xz"
    packed.write_bytes(b"\xfd7zXZ\0" + bytes(50))
    assert "game.log.xz: " in str(call("--config", file, "try", packed).exception)
    text = tmp_path / "game.log"
    text.write_bytes(b"one\rtwo\nthree\n")
    assert "look like no format" in call("--config", file, "try", text).output


def test_a_suggested_source_reads_the_file_wherever_the_configuration_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "logs [1]"
    folder.mkdir()
    written(folder, JSON)
    file = tmp_path / "analytics.toml"
    file.write_text('[games.mine.areas.s1]\nplat = "1"\n')
    monkeypatch.chdir(folder)
    output = call("--config", file, "try", "game.log").output
    file.write_text(file.read_text() + output[output.index("[[gamelog.sources]]") :])
    assert "4 of the first 4 lines would be used" in call("--config", file, "try", "game").output
    file.write_text(file.read_text().replace('time = { field = "at"', 'time = { field = "when"'))
    output = call("--config", file, "try", "game").output
    assert "put it into the table of game" in output and "[[gamelog.sources]]" not in output
