"""A state file that was damaged is noticed, and the suite goes on without losing or repeating anything."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from analytics import sealed
from analytics.broker.positions import Positions
from analytics.broker.wire import Head
from analytics.cli.main import cli
from analytics.errors import AnalyticsError, StateError
from analytics.spouts.positions import SpoutState, StateFile, StreamPosition

NEWER = SpoutState(sources={"gamelog/s@0": StreamPosition("f", 2000, 90_000)})
OLDER = SpoutState(sources={"gamelog/s@0": StreamPosition("f", 1000, 45_000)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "state" / "gamelog.json"
    file = StateFile(path, every=0)
    assert file.save(OLDER, now=True) and file.save(NEWER, now=True)
    return path


def test_every_changed_byte_and_every_cut_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    begin = whole.index(b'",') + 2
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        for bad in (changed, whole[:at], whole[:at] + bytes(len(whole) - at)):
            path.unlink()
            path.write_bytes(bad)
            found = StateFile(path).load(SpoutState)
            # A change of the checksum's own name or quotes leaves the value as it was.
            assert found == OLDER or (bad is changed and at < begin and found == NEWER)
            if found == OLDER:
                assert path.with_name("gamelog.json.damaged").read_bytes() == bad
    path.unlink()
    path.write_bytes(whole)
    assert StateFile(path).load(SpoutState) == NEWER


def test_what_the_generation_before_restored_is_damaged_without_loss(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"2000", b"3000"))
    file = StateFile(path, every=0)
    assert file.load(SpoutState) == OLDER
    assert file.save(NEWER, now=True)
    path.write_bytes(b"")
    assert StateFile(path).load(SpoutState) == OLDER


def test_a_file_of_an_earlier_version_is_read(path: Path) -> None:
    path.write_bytes(msgspec.json.encode(NEWER))
    assert StateFile(path).load(SpoutState) == NEWER


def test_a_crash_while_it_is_written_leaves_one_of_both(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in ("unlink", "hardlink_to", "replace"):

        def crash(*arguments: object, **more: object) -> None:
            raise RuntimeError("the power is gone")

        with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="power"):
            patched.setattr(Path, step, crash)
            StateFile(path, every=0).save(OLDER, now=True)
        assert StateFile(path).load(SpoutState) == NEWER


def test_where_no_hard_link_is_granted_a_copy_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError("another user's")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    file = StateFile(path, every=0)
    assert file.save(OLDER, now=True) and file.load(SpoutState) == OLDER
    path.write_bytes(b"{")
    assert file.load(SpoutState) == NEWER
    assert StateFile(path).load(SpoutState) == NEWER


def test_damaged_positions_of_bolts_delete_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bolts.json"
    positions = Positions(path, "log", {"b": ["t"]})
    positions.report("b", "log", {"t": Head(3, 3, 3)})
    assert Positions(path, "log", {"b": ["t"]}).passed() == {"t": 3}
    path.write_bytes(path.read_bytes().replace(b"[3,", b"[9,"))
    assert Positions(path, "log", {"b": ["t"]}).passed() == {"t": 0}


def test_a_bolt_that_the_configuration_no_longer_has_holds_no_segments(tmp_path: Path) -> None:
    path = tmp_path / "bolts.json"
    positions = Positions(path, "log", {"b": ["t"], "mine": ["t"]}, own={"b", "mine"})
    positions.report("foreign", "log", {"t": Head(4, 4, 4)})
    positions.report("mine", "log", {"t": Head(1, 1, 1)})
    positions.report("b", "log", {"t": Head(5, 5, 5)})
    for _ in range(2):
        later = Positions(path, "log", {"b": ["t"]}, own={"b"})
        assert later.bolts.keys() == {"b", "foreign"}
        assert later.passed() == {"t": 4}
        later.report("b", "log", {"t": Head(6, 6, 6)})


def command(data: Path, *words: str) -> Result:
    file = data.parent / "analytics.toml"
    file.write_text(f'data = "{data.name}"\n')
    return CliRunner().invoke(cli, ["--config", str(file), "state", *words])


def test_the_command_finds_damage_and_repairs_what_can_be_spared(path: Path) -> None:
    data = path.parents[1]
    assert "in order" in command(data).output
    path.write_bytes(path.read_bytes().replace(b"2000", b"2001"))
    assert "continues with the previous generation" in command(data).output
    for one in (path, sealed.older(path)):
        one.write_bytes(b"{")
    with pytest.raises(StateError, match="bin/analytics state"):
        StateFile(path).load(SpoutState)
    (data / "filter").mkdir()
    shutil.copy(path, data / "filter" / "snapshot.json")
    found = command(data)
    assert isinstance(found.exception, AnalyticsError) and "2 state files are damaged" in str(found.exception)
    repaired = command(data, "--repair")
    assert "moved away: all logs are read again" in repaired.output
    assert isinstance(repaired.exception, AnalyticsError) and "1 state files" in str(repaired.exception)
    assert StateFile(path).load(SpoutState) == SpoutState()


def test_what_pipes_have_put_in_is_checked_and_can_be_spared(path: Path) -> None:
    data, piped = path.parents[1], path.with_name("stdin.json")
    piped.write_bytes(b"{")
    found = command(data)
    assert isinstance(found.exception, AnalyticsError) and f"{piped}: " in found.output
    assert "moved away: logs that were piped in may count again" in command(data, "--repair").output
    assert not piped.exists() and "in order" in command(data).output


@pytest.mark.parametrize("spoiled", ["header", "page"])
@pytest.mark.parametrize("name", ["orders", "payment", "streams", "syncuser"])
def test_files_of_sqlite_are_checked(path: Path, name: str, spoiled: str) -> None:
    data, file = path.parents[1], path.with_name(f"{name}.sqlite")
    with closing(sqlite3.connect(file)) as db, db:
        if name != "streams":
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [["x" * 100]] * 1000)
    sound = command(data)
    assert sound.exit_code == 0 and sound.output == "The state files are in order.\n"
    at = 0 if spoiled == "header" else 4096
    whole = file.read_bytes()
    file.write_bytes(whole[:at] + b"z" * 200 + whole[at + 200 :])
    found = command(data, "--repair")
    spared = name != "streams"
    assert f"{file}: " in found.output and ("moved away" if spared else "from a backup") in found.output
    assert isinstance(found.exception, AnalyticsError) != spared
    assert file.exists() != spared
    assert not spared or not list(file.parent.glob(f"{name}.sqlite-???"))


def test_a_file_of_sqlite_whose_writer_was_killed_is_not_called_damaged(path: Path) -> None:
    file = path.with_name("streams.sqlite")
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [["x" * 100]] * 1000)
    with closing(sqlite3.connect(path.with_name("copied.sqlite"))) as db:
        shutil.copy(file, path.with_name("copied.sqlite"))
        db.execute("PRAGMA cache_size = 1")
        db.execute("UPDATE t SET a = 'y'")
        for end in ("", "-journal"):
            shutil.copy(path.with_name(f"copied.sqlite{end}"), f"{file}{end}")
    found = command(path.parents[1])
    assert found.exit_code == 0 and "was not checked" in found.output
