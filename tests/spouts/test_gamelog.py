"""The gamelog spout against a real broker: every line once, whatever happens to the log."""

import gzip
import json
import os
import re
import shutil
import socket
import threading
from collections import Counter

import gevent
import pytest
from gamelogs import accts, configured, exactly, given, line, lines
from waiting import eventually

from analytics.broker.broker import Broker
from analytics.config import JournalSection, Source
from analytics.errors import AnalyticsError
from analytics.spouts.gamelog import GamelogSpout, Pipeline, Work
from analytics.spouts.journal import Journal
from analytics.spouts.lost import accept
from analytics.spouts.positions import SpoutState, StateFile
from analytics.spouts.rejected import keep, read, reject
from analytics.spouts.replay import replay
from analytics.spouts.shares import Share
from analytics.spouts.sources import file
from analytics.spouts.sources.file import FileSource
from analytics.spouts.stdin import Piped


def broker_of(config):
    return Broker(config.broker, config.data)


def file_source(path, **more):
    return Source(name="s1", kind="file", path=str(path), poll_seconds=0.05, **more)


def http_source(url, **more):
    settings = {"timeout_seconds": 60} | more
    return Source(name="s1", kind="http", url=url, poll_seconds=0.05, game="dl", **settings)


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_read_gamelog_not_empty(tmp_path, web, started):
    (web.folder / "game.log").write_bytes(lines(1, 1200))
    config = configured(tmp_path, http_source(web.url("game.log")))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 1200)
    append(web.folder / "game.log", lines(1201, 1300) + line("u1301")[:-5])
    exactly(config, 1, 1300)
    append(web.folder / "game.log", line("u1301")[-5:])
    exactly(config, 1, 1301)
    eventually(lambda: spout.node.state()["published"] == 1301)
    assert spout.node.state()["read"] == spout.node.state()["journaled"] == 1301
    journals = b"".join(path.read_bytes() for path in sorted(config.data.glob("gamelog_*.txt")))
    assert [json.loads(text)["id"].rpartition(":")[2] for text in journals.splitlines()] == [
        str(n) for n in range(1, 1302)
    ]


def test_http_server_that_ignores_ranges_or_fails_now_and_then(tmp_path, web, started):
    log = web.folder / "game.log"
    log.write_bytes(lines(1, 900))
    web.ranges = False
    faults = [
        ("500 Internal Server Error", {}, b"oops"),
        ("200 OK", {"Content-Type": "text/html"}, b"<html>down</html>"),
        ("206 Partial Content", {"Content-Range": "bytes 0-9/5000", "Content-Length": "10"}, lines(1, 1)[:4]),
    ]
    web.broken = lambda: faults.pop() if faults and web.requests % 2 else None
    config = configured(tmp_path, http_source(web.url("game.log"), timeout_seconds=1))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 900)
    append(log, lines(901, 1000))
    exactly(config, 1, 1000)
    eventually(lambda: not faults)
    assert spout.node.state()["sources"]["s1"]["last_error"]
    append(log, lines(1001, 1010))
    exactly(config, 1, 1010)


def test_a_web_server_that_fails_at_every_third_request_is_asked_again_soon(tmp_path, web, started):
    """To find out whether the log is still the one that was read takes a dozen requests."""
    (web.folder / "game.log").write_bytes(lines(1, 700))
    config = configured(tmp_path, http_source(web.url("game.log")))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 700)
    spout.stop()
    append(web.folder / "game.log", lines(701, 710))
    before = web.requests
    fault = ("500 Internal Server Error", {}, b"oops")
    web.broken = lambda: fault if web.requests < before + 40 and (web.requests - before) % 3 == 0 else None
    started(GamelogSpout(config))
    exactly(config, 1, 710)


def test_http_log_is_rotated(tmp_path, web, started):
    log, old = web.folder / "game.log", web.folder / "game.log.1"
    log.write_bytes(lines(1, 700))
    config = configured(tmp_path, http_source(web.url("game.log"), rotated_url=web.url("game.log.1")))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 700)
    spout.stop()
    append(log, lines(701, 702))
    spout = started(GamelogSpout(config))  # The rotated log is not there yet.
    exactly(config, 1, 702)
    append(log, lines(703, 705))
    log.rename(old)
    log.write_bytes(lines(706, 710))
    exactly(config, 1, 710)
    spout.stop()
    append(log, lines(711, 712))
    log.replace(old)
    log.write_bytes(lines(713, 720))
    started(GamelogSpout(config))
    exactly(config, 1, 720)


def test_a_rotated_http_log_that_appears_late_is_read(tmp_path, web, started):
    log, old = web.folder / "game.log", web.folder / "game.log.1"
    log.write_bytes(lines(1, 700))
    config = configured(tmp_path, http_source(web.url("game.log"), rotated_url=web.url("game.log.1")))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 700)
    rest = lines(1, 702)
    log.write_bytes(lines(703, 710))
    seen = web.requests
    eventually(lambda: web.requests >= seen + 2)
    old.write_bytes(rest)
    exactly(config, 1, 710)
    assert spout.node.state()["sources"]["s1"]["last_error"] == ""


def test_a_rotated_http_log_that_never_appears_is_reported(tmp_path, web, started):
    log = web.folder / "game.log"
    log.write_bytes(lines(1, 700))
    config = configured(tmp_path, http_source(web.url("game.log"), rotated_url=web.url("game.log.1")))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 700)
    log.write_bytes(lines(701, 705))
    exactly(config, 1, 705)
    state = spout.node.state()
    assert state["lost"] == 1 and state["sources"]["s1"]["healthy"]
    assert "all from line 701, byte " in state["lost_first"]
    # Another copy of it puts in the rest, and nothing twice.
    (tmp_path / "old.log").write_bytes(lines(1, 700) + lines(706, 709))
    piped = Piped(config)
    with (tmp_path / "old.log").open("rb") as file:
        assert str(piped.read(file.fileno())) == "read 704, accepted 4, repeated 700, rejected 0"
    piped.close()
    exactly(config, 1, 709)
    assert [loss.words for loss in accept(config)] == [state["lost_first"]]
    assert spout.node.state()["lost"] == 0 and accept(config) == []


def test_a_stopped_spout_goes_on_where_it_was(tmp_path, started):
    log = tmp_path / "game.log"
    log.write_bytes(lines(1, 2000))
    config = configured(tmp_path, file_source(log))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 2000)
    spout.stop()
    append(log, lines(2001, 2100))
    again = started(GamelogSpout(config))
    exactly(config, 1, 2100)
    eventually(lambda: again.node.state()["read"] == 100)


def test_rotation_by_rename_under_load(tmp_path, started):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "game.log"
    config = configured(tmp_path, file_source(log))
    started(broker_of(config))
    started(GamelogSpout(config))
    n = 0
    file = log.open("ab", buffering=0)
    for turn in range(6):
        for _ in range(200):
            n += 1
            file.write(line(f"u{n}"))
            if n % 20 == 0:
                gevent.sleep(0.002)
        log.rename(folder / f"game.log.{turn}")
        for _ in range(20):  # The writer goes on a little in the renamed file.
            n += 1
            file.write(line(f"u{n}"))
        file.close()
        file = log.open("ab", buffering=0)
    file.close()
    exactly(config, 1, n)


def read_and_away(tmp_path, started):
    """Return configuration and log of a spout that has read 300 lines and was stopped; an old log beside it is none of its."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "game.log"
    log.write_bytes(lines(1, 300))
    old = folder / "game.log.9"
    old.write_bytes(line("never asked for"))
    os.utime(old, (1, 1))
    config = configured(tmp_path, file_source(log))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 300)
    spout.stop()
    return config, log


def test_rotation_while_the_spout_was_away(tmp_path, started):
    config, log = read_and_away(tmp_path, started)
    folder = log.parent
    append(log, lines(301, 350))
    log.rename(folder / "game.log.1")
    log.write_bytes(lines(351, 400))
    started(GamelogSpout(config))
    exactly(config, 1, 400)


def test_rotations_while_the_spout_was_away_after_a_clock_was_ahead(tmp_path, started):
    config, log = read_and_away(tmp_path, started)
    folder = log.parent
    file = StateFile(config.data / "state" / "gamelog.json")
    state = file.load(SpoutState)
    state.looked["s1"] += 3 * 86400
    file.save(state, now=True)
    log.rename(folder / "game.log.2")
    (folder / "game.log.1").write_bytes(lines(301, 350))
    log.write_bytes(lines(351, 400))
    gevent.sleep(2.1)
    started(GamelogSpout(config))
    exactly(config, 1, 400)


def test_a_log_rotated_after_a_crash_before_anything_was_accepted(tmp_path, started):
    """What a spout has begun to read stays its own, however old the rotated file is."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "game.log"
    config = configured(tmp_path, file_source(log))
    spout = started(GamelogSpout(config))
    log.write_bytes(lines(1, 40_000))
    state = config.data / "state" / "gamelog.json"
    eventually(lambda: b"gamelog/" in state.read_bytes())
    spout.vanish()
    os.utime(log, (1, 1))
    log.rename(folder / "game.log.1")
    log.write_bytes(line("u1") + lines(40_001, 40_100))
    started(broker_of(config))
    started(GamelogSpout(config))
    expected = Counter(f"u{n}" for n in range(1, 40_101)) + Counter(["u1"])
    eventually(lambda: len(accts(config)) >= len(expected))
    assert accts(config) == expected


def test_rotation_by_copy_and_truncate_under_load(tmp_path, started):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "game.log"
    log.touch()
    config = configured(tmp_path, file_source(folder / "game.log*"))
    started(broker_of(config))
    started(GamelogSpout(config))
    n = 0
    for turn in range(6):
        for _ in range(300):
            n += 1
            append(log, line(f"u{n}"))
            if n % 25 == 0:
                gevent.sleep(0.002)
        shutil.copyfile(log, folder / f"game.log.{turn}")
        os.truncate(log, 0)
    n += 1
    append(log, line(f"u{n}"))
    exactly(config, 1, n)


def test_packed_files_are_read_once(tmp_path, started):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "game.log"
    log.write_bytes(lines(1, 800) + line("u801")[:-1])
    config = configured(tmp_path, file_source(folder / "game.log*"))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 800)
    spout.stop()
    with gzip.open(folder / "game.log.1.gz", "wb") as packed:
        packed.write(log.read_bytes() + b"\n" + lines(802, 900)[:-1])
    log.write_bytes(lines(901, 910))
    with gzip.open(folder / "game.log.2.gz", "wb") as packed:
        packed.write(lines(911, 1500))
    again = started(GamelogSpout(config))
    exactly(config, 1, 1500)
    eventually(lambda: again.node.state()["read"] == 700)
    half = gzip.compress(lines(1501, 5000))
    (folder / "game.log.3.gz").write_bytes(half[: len(half) // 2])
    eventually(lambda: "packed" in again.node.state()["sources"]["s1"]["last_error"])
    (folder / "game.log.3.gz").write_bytes(half)
    exactly(config, 1, 5000)


def test_a_file_in_the_place_of_one_that_was_read_is_another(tmp_path, started):
    """File systems give a new file the inode of a deleted one, and it may be of the same size."""
    packed = tmp_path / "game.log.1.gz"
    packed.write_bytes(gzip.compress(lines(1000, 1499), 0))
    config = configured(tmp_path, file_source(tmp_path / "game.log*"))
    started(broker_of(config))
    started(GamelogSpout(config))
    exactly(config, 1000, 1499)
    size = packed.stat().st_size
    packed.write_bytes(gzip.compress(lines(1500, 1999), 0))
    assert packed.stat().st_size == size
    exactly(config, 1000, 1999)


def test_a_rotated_file_that_grows_while_its_end_is_handed_on_is_read_on(tmp_path):
    log, old = tmp_path / "game.log", tmp_path / "game.log.1"
    log.write_bytes(lines(1, 2) + line("u3")[:-1])
    taken = []

    def emit(chunk):
        taken.append(chunk.data)
        if len(taken) == 2:
            append(old, b"\n" + lines(4, 5))  # the broker makes the spout wait, the game server writes on

    source = FileSource(file_source(log), given(emit))
    source.scan()
    source.turn()
    log.rename(old)
    source.scan()
    next(iter(source._open.values())).changed = 0.0
    source.turn()
    source.scan()
    source.turn()
    source.close()
    assert b"".join(taken).split() == (lines(1, 5)).split()


def test_a_file_that_cannot_be_read_keeps_no_other_waiting_and_is_told_of_once(tmp_path, started, caplog):
    (tmp_path / "a.log").symlink_to("/proc/self/mem")  # reading its beginning is an input/output error
    (tmp_path / "b.log").write_bytes(lines(1, 3))
    config = configured(tmp_path, file_source(tmp_path / "*.log"))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 3)
    gevent.sleep(0.5)
    source = spout.node.state()["sources"]["s1"]
    assert not source["healthy"]
    assert re.search(r"a\.log: .*Input/output error", source["last_error"])
    assert caplog.text.count("Input/output error") == 1


def test_a_glob_may_match_more_files_than_a_process_may_open(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "_MOST_OPEN", 10)
    for n in range(20):
        (tmp_path / f"{n}.log").touch()
        (tmp_path / f"{n}0.log").write_bytes(line("not a whole line yet")[:-5])
    files = [tmp_path / f"{n}.log" for n in range(200, 250)]
    taken = []
    source = FileSource(file_source(tmp_path / "*.log"), given(lambda chunk: taken.append(chunk.data)))

    def read(expected):
        for _ in range(20):
            source.scan()
            source.turn()
            assert len(source._open) <= 20 + 10
        assert sorted(b"".join(taken).splitlines(keepends=True)) == sorted(expected)

    expected = []
    for part in range(3):
        for one in files:
            expected.append(line(f"{one.name} {part}"))
            append(one, expected[-1])
        read(expected)
    files[0].rename(tmp_path / "200.log.1")
    append(tmp_path / "200.log.1", line("the end")[:-1])
    append(files[0], line("another"))
    read([*expected, line("another")])
    for carrier in source._open.values():
        carrier.changed = -1000.0
    read([*expected, line("another"), line("the end")])
    source.close()


def test_files_that_begin_alike_are_told_apart(tmp_path, started):
    folder = tmp_path / "logs"
    folder.mkdir()
    config = configured(tmp_path, file_source(folder / "*.log"))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    (folder / "a.log").write_bytes(lines(1, 600))
    exactly(config, 1, 600)
    (folder / "b.log").write_bytes(line("u1") + lines(601, 601))
    eventually(lambda: accts(config)["u601"] == 1)
    append(folder / "b.log", lines(602, 605))
    append(folder / "b.log", lines(606, 1300))
    eventually(lambda: accts(config)["u1300"] == 1)
    assert accts(config)["u1"] == 2 and len(accts(config)) == 1300
    spout.stop()
    append(folder / "b.log", lines(1301, 1310))
    append(folder / "a.log", lines(1311, 1320))
    started(GamelogSpout(config))
    eventually(lambda: len(accts(config)) == 1320)
    assert sum(accts(config).values()) == 1321


def test_tcp_connections_end_with_a_line(tmp_path, started):
    config = configured(tmp_path, Source(name="s1", kind="tcp", port=0))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    port = spout.node._sources[0].port
    for first in (1, 501):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(lines(first, first + 499)[:-1])
    exactly(config, 1, 1000)


def test_tcp_connections_leave_nothing_behind(tmp_path, started):
    """However many there are, of two lines each, one over 1 MiB, all at once."""
    config = configured(tmp_path, Source(name="s1", kind="tcp", port=0))
    broker = started(broker_of(config))
    spout = started(GamelogSpout(config))
    port = spout.node._sources[0].port
    huge = b"x" * (5 << 19) + b"\n"
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for n, client in enumerate(clients, 1):
        client.sendall((huge if n == 10 else b"") + line(f"u{n}"))
    for n, client in enumerate(clients, 21):
        client.sendall(line(f"u{n}"))
        client.close()
    exactly(config, 1, 40)
    eventually(lambda: spout.node.state()["rejected"] == 1 and spout.node.state()["idle"])
    (known,) = broker.node.facts().sources.values()
    assert (known.accepted, known.rejected) == (40, 1)
    state = config.data / "state" / "gamelog.json"
    accepted = {path.name: path.stat().st_size for path in config.data.glob("gamelog_*.txt")}
    eventually(lambda: json.loads(state.read_bytes())["journal"] == accepted)
    assert json.loads(state.read_bytes())["sources"] == {}


def test_a_journal_that_somebody_deletes_has_a_successor_of_its_own(tmp_path, started):
    config = configured(tmp_path, Source(name="s1", kind="tcp", port=0))
    broker = started(broker_of(config))
    spout = started(GamelogSpout(config))
    with socket.create_connection(("127.0.0.1", spout.node._sources[0].port)) as client:
        client.sendall(lines(1, 1500))
        exactly(config, 1, 1500)
        state = config.data / "state" / "gamelog.json"
        eventually(lambda: any(json.loads(state.read_bytes())["journal"].values()))
        (journal,) = config.data.glob("gamelog_*.txt")
        journal.unlink()
        broker.stop()
        client.sendall(lines(1501, 1600))
        eventually(lambda: spout.node.state()["journaled"] == 1600)
    spout.vanish()
    assert sum(path.read_bytes().count(b"\n") for path in config.data.glob("gamelog_*.txt")) == 100
    started(broker_of(config))
    started(GamelogSpout(config))
    exactly(config, 1, 1600)


@pytest.mark.parametrize(
    "ns",
    [
        [*range(1, 1001), *range(1, 500)],
        # As many repeats as are missing: together they look like all numbers, and what comes later like a repeat.
        [1, 2, *range(4, 1400), 5, 3],
    ],
)
def test_journal_lines_that_come_again_at_once_count_once(ns, tmp_path, started):
    """Chunks that travel together may name a record twice, as a log does that somebody sent again."""
    named = [b'{"id":"gamelog/other@1:%d",' % n + line(f"u{n}")[1:] for n in ns]
    log = tmp_path / "game.log"
    log.write_bytes(b"".join(named[:-1]))
    config = configured(tmp_path, file_source(log))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    eventually(lambda: spout.node.state()["read"] == len(ns) - 1 and spout.node.state()["idle"])
    append(log, named[-1])
    exactly(config, 1, len(set(ns)))


def test_what_was_journaled_is_published_after_a_crash(tmp_path, started):
    """A TCP sender can't be asked again: what the journal has must arrive, though the broker was away."""
    config = configured(tmp_path, Source(name="s1", kind="tcp", port=0))
    spout = started(GamelogSpout(config))
    with socket.create_connection(("127.0.0.1", spout.node._sources[0].port)) as client:
        client.sendall(lines(1, 1500))
        eventually(lambda: spout.node.state()["journaled"] == 1500)
    spout.vanish()
    (journal,) = config.data.glob("gamelog_*.txt")
    append(journal, b'{"id":"gamelog/s1@torn:1","op":{"co')
    started(broker_of(config))
    started(GamelogSpout(config))
    exactly(config, 1, 1500)
    assert b"torn" not in journal.read_bytes()


def test_a_broker_that_is_away_makes_the_sources_wait(tmp_path, started):
    log = tmp_path / "game.log"
    log.write_bytes(lines(1, 60_000))
    config = configured(tmp_path, file_source(log))
    spout = started(GamelogSpout(config))
    gevent.sleep(1.5)
    assert 0 < spout.node.state()["read"] < 20_000
    started(broker_of(config))
    exactly(config, 1, 60_000, 300)


BAD = [
    b"not json\n",
    b"\xff\xfe\n",
    b"nul\0\n",
    b"[" * 5000 + b"\n",
    line(""),
    line("x", ts=5),
    line(2**80),
    b'{"op":{"code":"c"},"area":"unknown","ts":1420688004}\n',
    b'{"op":{"code":"c"},"area":"unknown","ts":NaN}\n',
]


def test_bad_lines_stop_nothing_and_none_is_lost(tmp_path, started):
    log = tmp_path / "game.log"
    huge = b"x" * (2_500_000) + b"\n"
    parts = [
        lines(1, 700),
        *BAD,
        lines(701, 1400),
        huge,
        lines(1401, 1410),
        huge[: 1 << 20] + b"\n",
        lines(1411, 1420),
    ]
    log.write_bytes(b"".join(parts))
    config = configured(tmp_path, file_source(log))
    started(broker_of(config))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 1420)
    eventually(lambda: spout.node.state()["idle"])
    state = spout.node.state()
    assert (state["rejected"], state["read"]) == (len(BAD) + 2, 1420 + len(BAD) + 2)
    found = list(read(config.data))
    assert [one.original() + b"\n" for one in found if not one.part and len(one.raw) < 10_000] == BAD
    pieces = [one for one in found if one.part]
    assert b"".join(one.original() for one in pieces) + b"\n" == huge
    assert [one.last for one in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(one.source.startswith("gamelog/s1@") and one.n and one.reason for one in found)


def test_journals_rotate_and_old_ones_go_only_when_accepted(tmp_path, started):
    log = tmp_path / "game.log"
    log.write_bytes(lines(1, 4000))
    journal = JournalSection(rotate_mb=0.05, keep_days=0.5 / 86400)
    config = configured(tmp_path, file_source(log), journal=journal, batch_lines=100)
    spout = started(GamelogSpout(config))
    eventually(lambda: spout.node.state()["journaled"] >= 600)
    gevent.sleep(1)
    kept = {path.stat().st_mtime_ns for path in config.data.glob("gamelog_*.txt")}
    assert kept
    started(broker_of(config))
    exactly(config, 1, 4000)
    gevent.sleep(0.7)
    append(log, lines(4001, 4001))
    exactly(config, 1, 4001)
    log.open("ab").close()
    gevent.sleep(0.7)
    append(log, lines(4002, 6500))
    exactly(config, 1, 6500)
    assert not kept & {path.stat().st_mtime_ns for path in config.data.glob("gamelog_*.txt")}


def test_in_a_flood_ever_more_chunks_travel_together_and_the_first_at_once(tmp_path):
    config = configured(tmp_path)
    pipeline = Pipeline(config, "gamelog", Journal(config, "gamelog"))
    pipeline.tasks.stop()
    full, few = Work([Share("gamelog/s1@1", range(500))], []), Work([Share("gamelog/s1@1", range(9))], [])

    def batches(*works: Work) -> list[int]:
        for work in works:
            pipeline._to_write.put_nowait(work)
        found = []
        while pipeline._to_write.qsize():
            found.append(len(pipeline._next()))
        return found

    assert batches(*[full] * 12) == [1, 2, 4, 5]
    assert batches(*[full] * 7) + batches(*[full] * 8) + batches(*[full] * 12) == [1, 2, 4, 8, 12]
    assert batches(*[full] * 5, few, full) == [7]
    assert batches(full, full) == [1, 1]
    pipeline.close(0)


def test_many_long_records_are_put_in_again_in_batches_that_the_broker_takes(tmp_path, started):
    config = configured(tmp_path)
    padding = b'","x":"' + b"x" * 50_000 + b'"}}\n'
    found = [
        reject("gamelog", "gamelog/s1@ab", "no area", line(f"u{n}").replace(b'"}}\n', padding), n)
        for n in range(1, 401)
    ]
    keep(config, found)
    started(broker_of(config))
    assert replay(config).accepted == 400
    exactly(config, 1, 400)


def test_an_error_behind_the_sources_comes_out_of_step(tmp_path, started):
    spout = GamelogSpout(configured(tmp_path))
    spout.start()
    next(iter(spout._pipeline.tasks._tasks)).kill(RuntimeError("gone"))
    with pytest.raises(RuntimeError, match="gone"):
        spout.step()
    spout.abandon()
    assert threading.active_count() < 50


def test_a_second_one_on_the_same_data_is_refused(tmp_path, started):
    config = configured(tmp_path)
    started(GamelogSpout(config))
    with pytest.raises(AnalyticsError, match="another gamelog spout runs on this data folder"):
        GamelogSpout(config).start()
