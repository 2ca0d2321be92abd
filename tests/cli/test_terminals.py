"""What commands write of data that nobody has looked at: on a terminal, and in any locale."""

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from forms import LONG
from rich.table import Table

from analytics.cli import streams
from analytics.cli.console import Console, text
from analytics.cli.rejected import rejected
from analytics.config import Config, GamelogSection, Interface, Roles, Source
from analytics.spouts.rejected import Rejected

HOSTILE = "ann\x1b]0;OWNED\x07\x1b[2J\x9b31mred\u202e 张三 😀 é"
COMMAND = (sys.executable, "-m", "analytics")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A configuration whose data folder holds a rejected record with a hostile text."""
    keeper = Rejected(Config(data=tmp_path / "data"))
    keeper.put(spout="gamelog", source="gamelog/s1@1", reason="$: expected JSON", raw=HOSTILE.encode(), n=1)
    keeper.close()
    file = tmp_path / "a.toml"
    file.write_text(f'data = "{tmp_path / "data"}"\n[dashboard]\nport = 0\n')
    return file


def test_a_table_shows_control_characters(suite: Path) -> None:
    table = Table("acct")
    table.add_row(text(HOSTILE))
    shown = io.StringIO()
    Console(file=shown, force_terminal=True, width=200).print(table, HOSTILE, style="red")
    assert "\\u001b" in shown.getvalue() and "\\u009b" in shown.getvalue() and "\\u202e" in shown.getvalue()
    assert "\x1b]" not in shown.getvalue() and "\x1b[2J" not in shown.getvalue()
    assert "\x1b[" in shown.getvalue(), "Rich's own colours stay"


def test_where_records_came_from_is_shown_without_secrets(tmp_path: Path) -> None:
    url = "http://ann:SECRET@h/pay?token=SECRET&area={area}"
    log = Source(name="s1", kind="http", url="http://ann:SECRET@h/game.log?key=SECRET")
    config = Config(
        data=tmp_path,
        payment=Interface(url=url),
        syncuser=Roles(url=url),
        gamelog=GamelogSection(sources=[log]),
    )
    keeper = Rejected(config)
    for spout in ("payment", "syncuser", "gamelog"):
        keeper.put(spout=spout, source=f"{spout}/s1@1", reason="$: expected JSON", raw=b"x", n=1)
    keeper.close()
    listed = CliRunner().invoke(rejected, [], obj=config, catch_exceptions=False).output
    assert listed.count("h/pay?token=…&area={area}") == 2 and "h/game.log?key=…" in listed
    assert "SECRET" not in listed and "ann" not in listed


def test_json_on_a_terminal_is_the_same_json() -> None:
    shown = streams.visible(json.dumps(HOSTILE, ensure_ascii=False))
    assert json.loads(shown) == HOSTILE and not set(shown) & set("\x1b\x07\x9b\u202e")


def test_a_command_on_a_terminal(suite: Path) -> None:
    command = shlex.join([*COMMAND, "--config", str(suite), "rejected"])
    done = subprocess.run(
        ["script", "--quiet", "--return", "--command", command, "/dev/null"],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert b"ann\\u001b]" in done.stdout.replace(b"\r\n", b"") and b"\x1b]0;" not in done.stdout


ENCODINGS = ["gbk", "iso-8859-1", "ascii"]
COMMANDS = [("rejected",), ("status",), ("status", "--json"), ("check",)]


# The short form: what writes data that nobody has looked at, in each; the others in the smallest.
@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        (words, encoding)
        for words in COMMANDS
        for encoding in (ENCODINGS if LONG or words == ("rejected",) else ["ascii"])
    ],
)
def test_no_encoding_stops_a_command(suite: Path, words: tuple[str, ...], encoding: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--config", str(suite), *words],
        capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr and done.stdout
    if "--json" in words:
        assert json.loads(done.stdout.decode("utf-8"))
    if words == ("rejected",) and encoding == "gbk":
        assert "张三" in done.stdout.decode("gbk")


@pytest.mark.parametrize("encoding", ["gbk", "iso-8859-1"])
def test_data_is_written_in_utf8(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    out = streams.data_stream()
    out.write(HOSTILE)
    out.flush()
    assert written.getvalue().decode("utf-8") == HOSTILE
