"""What forgetting refuses, before anything is changed; and names that are in use already."""

import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from waiting import eventually

from analytics.cli.forget import _refuse_running
from analytics.cluster import LocalRegistry, NodeEntry
from analytics.config import (
    AreaSection,
    Config,
    Game,
    GamelogSection,
    Source,
    TimeSection,
    load,
)
from analytics.config.sections import ExcludedSection
from analytics.errors import AnalyticsError
from analytics.forget import files
from analytics.forget.known import known_of
from analytics.forget.run import forget
from analytics.rebuild.notes import Unfinished
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.spouts.journal import Journal
from analytics.spouts.piped import nothing_is_put_in
from analytics.spouts.positions import StateFile
from analytics.spouts.rejected import Rejected
from analytics.spouts.renaming import Renaming
from analytics.spouts.replay import replay
from analytics.store import MemoryStore
from analytics.system.processes import process_started

EXCLUDED = ExcludedSection(accts=["gm"], patterns=["bot_*"])
JOURNAL = "gamelog_202611290000.txt"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "data").mkdir()
    return Config(
        data=tmp_path / "data", games={"dl": Game(areas={"s1": AreaSection(plat="1")}, excluded=EXCLUDED)}
    )


def journal(config: Config, *accts: str) -> Path:
    lines = [
        b'{"id":"gamelog/x:%d","data":{"acct":"%b"}}\n' % (n, acct.encode())
        for n, acct in enumerate(accts, 1)
    ]
    path = config.data / JOURNAL
    path.write_bytes(b"".join(lines))
    return path


def refused(config: Config, *accts: str, because: str, store: MemoryStore | None = None) -> None:
    before = {path: path.read_bytes() for path in config.data.glob("*_*")}
    with pytest.raises(AnalyticsError, match=because):
        forget(config, store or MemoryStore(), accts or ["a1"])
    assert {path: path.read_bytes() for path in config.data.glob("*_*")} == before
    assert not (config.data / "forgetting").exists()


def test_what_would_not_be_exact_is_refused(config: Config) -> None:
    path = journal(config, "a1", "b")
    refused(config, "a1", "gm", because="acct 2 of 2 is excluded")
    refused(config, "bot_1", because="excluded")
    refused(config, "x" * 201, because="200 characters")
    notes = StateFile(config.data / "state" / "rebuild.json")
    notes.save(Unfinished({"userpay": ["s1:a1"]}), now=True)
    refused(config, because="rebuild was interrupted")
    notes.save(Unfinished(), now=True)
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:30])
    refused(config, because="being packed")
    packed.unlink()
    writer = Journal(config, "gamelog")
    writer.append(b"{}")
    refused(config, because="a process writes to it")
    writer.close()
    registry = LocalRegistry(config.data)
    entry = {
        "name": "broker",
        "role": "broker",
        "host": "h",
        "version": "1",
        "since": 0.0,
        "beat": time.time(),
    }
    registry.beat(NodeEntry(**entry, pid=os.getpid(), started=process_started(os.getpid()) or 0))
    with pytest.raises(AnalyticsError, match="broker"):
        _refuse_running(config)
    with pytest.raises(AnalyticsError, match="expected accts to forget"):
        forget(config, MemoryStore(), [])
    report = forget(config, MemoryStore(), ["a1", "a7"])
    assert (report.places, report.accts, report.not_found) == ({"gamelog": 1}, 2, 1)


def test_a_host_that_lacks_the_newest_pseudonyms_is_refused(config: Config) -> None:
    journal(config, "a1", "a2")
    store = MemoryStore()
    forget(config, store, ["a1"])
    old = (config.data / FILE).read_bytes()
    forget(config, store, ["a2"])
    newest = (config.data / FILE).read_bytes()
    for text in (old, b""):
        (config.data / FILE).write_bytes(text) if text else (config.data / FILE).unlink()
        refused(config, because="older than the documents", store=store)
    (config.data / FILE).write_bytes(newest)
    journal(config, "a1", "a2", "a12")
    assert forget(config, store, []).places == {"gamelog": 2}
    forgotten = Forgotten.load(config.data / FILE)
    assert forgotten is not None
    refused(config, str(forgotten.of("a1")), because="pseudonym of", store=store)


def test_a_pseudonym_is_nobodys_name_even_where_nearly_all_are_taken(config: Config) -> None:
    path = journal(config, *map(str, range(8)))
    forget(config, MemoryStore(), ["1"])
    accts = [msgspec.json.decode(line)["data"]["acct"] for line in path.read_bytes().splitlines()]
    assert accts == ["0", "8", "2", "3", "4", "5", "6", "7"]
    # Not even the name that is free now: it would be replaced once more.
    refused(config, "2", because="too short", store=MemoryStore())


def test_a_pattern_that_would_refuse_the_pseudonym_is_named(config: Config) -> None:
    keys = {
        "format": "regex",
        "area": "s1",
        "opcode": "login_logcount",
        "pattern": r"(?P<at>\d+) (?P<acct>user\d+)",
    }
    source = Source(name="log", kind="file", path="x", time=TimeSection(field="at", format="unix"), **keys)
    mapped = replace(config, gamelog=GamelogSection(sources=[source]))
    line = b'{"id":"gamelog/log@1:1","as":"log","raw":"1420688004 user12"}\n'
    (config.data / JOURNAL).write_bytes(line)
    refused(mapped, "user12", because="source log would not read")
    pattern = replace(source, pattern=r"(?P<at>\d+) (?P<acct>\w+)")
    report = forget(replace(config, gamelog=GamelogSection(sources=[pattern])), MemoryStore(), ["user12"])
    assert report.places == {"gamelog": 1}


def test_lines_that_nothing_can_read_are_reported(config: Config) -> None:
    path = journal(config, "a1")
    with path.open("ab") as file:
        file.write(b'{"id":"gamelog/x:2","as":"gone","raw":"1 a1"}\n')
    report = forget(config, MemoryStore(), ["a1"])
    assert len(report.left) == 1
    assert "gone" in report.left[0]


def test_bytes_of_journals_never_move(config: Config) -> None:
    path = journal(config, "a1")
    longer = files.change_of(path, Renaming({"a1": "a12"}.get), {})
    before = path.read_bytes()
    with pytest.raises(AnalyticsError, match="a fault of the suite"):
        files.rewrite(path, longer)
    assert path.read_bytes() == before


def test_no_rejected_record_keeps_an_acct_whatever_its_shape(config: Config) -> None:
    raws = [
        '{"ts":1,"users":{"player_one":"player_one"}}',
        '{"ts":1,"users":["player_one","other"],"big":12345678901234567890123}',
        '{"roles":[{"acctid":"player_one"},"player_one"],"next":7}',
        '{"users":{"player_one":{"times":"x"}}}',
        'not JSON: {"acct":"player_one", player_one',
        "4284681055",
        '["player_one"]',
    ]
    rejected = Rejected(config)
    for raw in raws:
        reason = "$.roles[]: expected an object, got 4284681055" if raw[0] == "4" else "no"
        rejected.put(spout="payment", source="payment/dl", reason=reason, raw=raw.encode())
    rejected.close()
    known = list(known_of(config, MemoryStore(), "player_one"))
    assert [one["record"]["raw"] for one in known][1] == {
        "ts": 1,
        "users": ["player_one"],
        "big": 12345678901234567890123,
    }
    assert len(known) == len(raws) - 1
    forget(config, MemoryStore(), ["player_one", "4284681055"])
    (path,) = config.data.glob("rejected_*")
    text = path.read_text()
    assert "player_one" not in text and "4284681055" not in text and "other" in text
    dry = forget(config, MemoryStore(), ["player_one"], dry=True)
    assert dry.places == {}


def test_records_that_are_piped_in_meanwhile_are_waited_for(tmp_path: Path) -> None:
    """The process knows who was forgotten when it began: it would journal later lines under their own names."""
    file = tmp_path / "analytics.toml"
    file.write_text('data = "data"\n[games.dl.areas.s1]\nplat = "1"\n')
    config = load(file)
    config.data.mkdir()
    journal(config, "a1")
    command = [
        sys.executable,
        "-m",
        "analytics",
        "--config",
        str(file),
        "read-stdin-gamelog",
        "--timeout",
        "900",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as piping:
        lock = config.data / "state" / "putting_in.lock"
        try:
            eventually(lambda: lock.exists() and lock.read_text().strip() == str(piping.pid))
            refused(config, because=f"read_stdin_gamelog.* let it end first .held by process {piping.pid}")
        finally:
            piping.kill()
    assert forget(config, MemoryStore(), ["a1"]).places == {"gamelog": 1}
    with nothing_is_put_in(config.data):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert (
            done.returncode != 0 and "accts are forgotten: put records in when that has ended" in done.stderr
        )
        with pytest.raises(AnalyticsError, match="accts are forgotten"):
            replay(config)
