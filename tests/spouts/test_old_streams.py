"""However many logs there were, memory holds few, and none is forgotten."""

import os
import sqlite3
from contextlib import closing

import pytest
from gamelogs import configured, exactly, line, lines
from waiting import eventually

from analytics.broker.broker import Broker
from analytics.config import Source
from analytics.errors import AnalyticsError
from analytics.spouts import piped, stdin
from analytics.spouts.gamelog import GamelogSpout
from analytics.spouts.positions import SpoutState, StateFile, StreamPosition
from analytics.spouts.retired import Retired
from analytics.spouts.sources import identity
from analytics.spouts.sources.identity import Catalogue
from analytics.spouts.stdin import Piped


def saved(config, name="gamelog"):
    return StateFile(config.data / "state" / f"{name}.json").load(SpoutState).sources


def pipe(config, data):
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    one = Piped(config)
    totals = one.read(reading)
    one.close()
    os.close(reading)
    return totals


def test_those_read_longest_ago_leave_unless_they_may_be_read_on():
    known = {f"gamelog/a@{n}": StreamPosition(str(n)) for n in range(9)} | {
        "gamelog/b@x": StreamPosition("x")
    }
    catalogue = Catalogue(known, {"gamelog/a@0": 5})
    catalogue.drivers["gamelog/a@1"] = object()
    assert catalogue.idle(100) == []
    assert catalogue.idle(6) == [f"gamelog/a@{n}" for n in (2, 3, 4, 5)]
    assert catalogue.idle(0) == [f"gamelog/a@{n}" for n in (2, 3, 4, 5, 6, 7)]


def test_a_log_that_left_memory_is_known_when_it_comes_again(tmp_path, started):
    folder = tmp_path / "logs"
    folder.mkdir()
    for n in range(20):
        (folder / f"{n}.log").write_bytes(lines(10 * n + 1, 10 * n + 10))
    source = Source(name="s1", kind="file", path=str(folder / "*.log"), poll_seconds=0.05)
    config = configured(tmp_path, source)
    started(Broker(config.broker, config.data))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 200)
    eventually(lambda: len(saved(config)) == 20)
    spout.stop()
    for n in range(20):
        (folder / f"{n}.log").rename(tmp_path / f"{n}.log")
    spout = started(GamelogSpout(config))
    spout.node._memory.retire(3)
    spout.stop()
    assert len(saved(config)) == 3
    assert pipe(config, lines(1, 10) + line("v1")).accepted == 1
    for n in (0, 7, 19):
        (tmp_path / f"{n}.log").rename(folder / f"again{n}.log")
        with (folder / f"again{n}.log").open("ab") as log:
            log.write(line("v1") if n == 0 else line(f"u{n + 200}"))
    (folder / "another.log").write_bytes(line("u1") + line("other"))
    spout = started(GamelogSpout(config))
    eventually(lambda: spout.node.state()["read"] == 5 and spout.node.state()["idle"])
    assert spout.node.state()["repeated"] == 1


def test_a_pipe_knows_what_left_memory(tmp_path, started, monkeypatch):
    monkeypatch.setattr(piped, "MOST_ACTIVE", 2)
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    logs = [lines(10 * n + 1, 10 * n + 10) for n in range(6)]
    for _ in range(2):
        totals = [pipe(config, log) for log in logs]
    assert [one.repeated for one in totals] == [10] * 6
    assert len(saved(config, "stdin")) == 2
    assert pipe(config, logs[0] + line("more")).accepted == 1
    assert pipe(config, logs[1][: len(logs[1]) // 2]).accepted == 0


def test_a_pipe_knows_all_of_what_an_earlier_version_named(tmp_path, started, monkeypatch):
    """It named a log with CRLF otherwise: a short copy of it must not make the suite forget how it goes on."""
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    logs = [lines(10 * n + 1, 10 * n + 10).replace(b"\n", b"\r\n") for n in range(4)]
    monkeypatch.setattr(piped, "MOST_ACTIVE", 2)
    with monkeypatch.context() as earlier:
        for module in (identity, piped, stdin):
            earlier.setattr(module, "fingerprint", identity._digest)
        for log in logs:
            assert pipe(config, log).accepted == 10
    half = logs[0][: len(logs[0]) // 2]
    assert pipe(config, half[: half.rindex(b"\n") + 1]).accepted == 0
    begin = [logs[0].split(b"\n")[0]]
    _, position = piped.PipedStreams(config.data).name(logs[0], begin)
    assert (position.n, position.offset) == (10, len(logs[0]))


def test_a_damaged_file_is_reported(tmp_path):
    path = tmp_path / "streams.sqlite"
    path.write_bytes(b"nothing of SQLite" * 100)
    with pytest.raises(AnalyticsError, match=r"streams.sqlite: expected the positions of old logs, got"):
        Retired(path).find(["1"])
    path.unlink()
    Retired(path).put({"gamelog/s1@1": StreamPosition("1", 5, 600), "gamelog/s1@2": StreamPosition("2")})
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE streams SET position = replace(position, '600', '700')")
    assert list(Retired(path).find(["2"])) == ["gamelog/s1@2"]
    with pytest.raises(AnalyticsError, match=r"got a position of gamelog/s1@1 that was changed"):
        Retired(path).find(["1"])
