"""Piping in: logs and journals, twice, in reverse, in halves; through the real command."""

import json
import os
import subprocess
import sys
from collections import Counter

import gevent
import pytest
from gamelogs import A, accts, configured, exactly, line, lines, toml
from gevent import monkey
from waiting import eventually

from analytics.broker import receiver
from analytics.broker.broker import Broker
from analytics.config import Source
from analytics.errors import AnalyticsError, Unavailable
from analytics.spouts import gamelog
from analytics.spouts.gamelog import GamelogSpout
from analytics.spouts.rejected import read
from analytics.spouts.stdin import LineCounts, Piped

sleep = monkey.get_original("time", "sleep")
COMMAND = [sys.executable, "-m", "analytics", "read-stdin-gamelog"]


def pipe(config, *pieces, blocking=True, **more):
    """Put ``pieces`` in through a pipe, some time between them."""
    reading, writing = os.pipe()
    os.set_blocking(reading, blocking)
    piped = Piped(config, **more)

    def write():
        with os.fdopen(writing, "wb", buffering=0) as into:
            for piece in pieces:
                into.write(piece)
                sleep(0.5 if len(pieces) > 1 else 0)

    writer = gevent.get_hub().threadpool.spawn(write)
    try:
        return piped.read(reading)
    finally:
        piped.close()
        os.close(reading)
        writer.wait()


def journal(config):
    return b"".join(path.read_bytes() for path in sorted(config.data.glob("gamelog_*.txt")))


def test_the_same_log_piped_twice_counts_once(tmp_path, started):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    data = lines(1, 3000) + b"broken\n" + b"\n" + lines(3001, 3100)[:-1]
    assert pipe(config, data) == LineCounts(3101, 3100, 0, 1)
    assert pipe(config, data) == LineCounts(3101, 0, 3100, 1)
    exactly(config, 1, 3100)
    assert journal(config).count(b"\n") == 3100


def test_a_journal_piped_reversed_doubled_and_in_halves(tmp_path, started):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    other = configured(tmp_path / "other")
    started(Broker(other.broker, other.data))
    assert pipe(config, lines(1, 2000)).accepted == 2000
    kept = journal(config).splitlines(keepends=True)
    backwards = b"".join(reversed(kept))
    assert pipe(config, backwards) == LineCounts(2000, 0, 2000, 0)
    assert pipe(other, b"".join(kept[700:1300])).accepted == 600
    assert pipe(other, backwards + backwards) == LineCounts(4000, 1400, 2600, 0)
    exactly(other, 1, 2000)
    assert sorted(journal(other).splitlines()) == sorted(text.rstrip() for text in kept)


HEADER = b"#Software: GameServer 1.2\n#Fields: op area ts data\n"


@pytest.mark.parametrize("begin", [HEADER, line("boot"), HEADER + line("boot"), lines(1, 200)])
def test_logs_that_begin_alike_are_told_apart(begin, tmp_path, started):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    logs = [begin + lines(1000, 1005), begin + lines(2000, 2007), begin + line("z") + lines(1001, 1005)]
    for log in logs:
        totals = pipe(config, log)
        assert totals.accepted + totals.rejected == log.count(b"\n") and not totals.repeated
    before = accts(config)
    for log in reversed(logs):
        assert pipe(config, log).accepted == 0
        assert pipe(config, log[: len(begin) + 300]).accepted == 0
    assert pipe(config, logs[1] + line("more")).accepted == 1
    assert accts(config) == before + Counter(["more"])


def test_a_stream_that_comes_in_pieces_is_the_same(tmp_path, started):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    data = HEADER + lines(1, 50)
    assert pipe(config, data).accepted == 50
    for pieces in ([data[:5], data[5:]], [data[: len(HEADER) + 40], data[len(HEADER) + 40 :]]):
        assert pipe(config, *pieces) == LineCounts(52, 0, 50, 2)


def test_a_log_that_goes_on_otherwise_than_the_known_one_is_not_taken_for_it(tmp_path, started):
    """It begins alike for more than what is looked at first."""
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    assert pipe(config, lines(1, 3000)).accepted == 3000
    with pytest.raises(AnalyticsError, match="differs before byte"):
        pipe(config, lines(1, 1000) + lines(11000, 14000))
    exactly(config, 1, 3000)


def test_a_pipe_that_does_not_block_is_waited_for(tmp_path, started):
    """As another program sets it that writes to the same pipe, or has it as its own standard input."""
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    assert pipe(config, lines(1, 10), lines(11, 20), blocking=False).accepted == 20


@pytest.mark.parametrize("begin", [b"\x1f\x8b\x08\0", b"PK\x03\x04"])
@pytest.mark.parametrize("source", ["", "named"])
def test_a_packed_log_is_refused(tmp_path, started, begin, source):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    with pytest.raises(AnalyticsError, match="got a packed file"):
        pipe(config, begin + bytes(range(256)) * 40, source=source)
    assert not list(read(config.data))


def test_two_at_once_that_begin_alike_are_told_apart(tmp_path, started):
    """The one that was slower would take the numbers of the other one's lines, and they would be dropped as repeated."""
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    reading, writing = os.pipe()
    slow = Piped(config)
    os.write(writing, line("boot"))
    first = gevent.spawn(slow.read, reading)
    eventually(lambda: accts(config)["boot"] == 1)
    assert pipe(config, line("boot") + lines(1, 30)).accepted == 30
    os.write(writing, lines(101, 130))
    os.close(writing)
    with pytest.raises(AnalyticsError, match="differs before byte"):
        first.get()
    slow.close()
    os.close(reading)
    assert pipe(config, line("boot") + lines(101, 130)).accepted == 31
    assert pipe(config, line("boot") + lines(1, 30)).repeated == 31


def test_a_log_that_the_spout_has_read_counts_once(tmp_path, started):
    """Whichever comes first."""
    log = tmp_path / "game.log"
    config = configured(tmp_path, Source(name="s1", kind="file", path=str(log), poll_seconds=0.05))
    started(Broker(config.broker, config.data))
    assert pipe(config, lines(1, 100)).accepted == 100
    log.write_bytes(lines(1, 200))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 200)
    spout.stop()
    assert spout.node.state()["read"] == 100
    log.write_bytes(line("v1") + lines(301, 400))
    spout = started(GamelogSpout(config))
    eventually(lambda: accts(config)["u400"] == 1)
    spout.stop()
    assert pipe(config, line("v1") + lines(301, 450)) == LineCounts(151, 50, 101, 0)
    assert set(accts(config).values()) == {1}


def test_a_named_source_and_a_game(tmp_path, started):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    assert pipe(config, line("a") + line("b"), source="backup") == LineCounts(2, 2, 0, 0)
    assert pipe(config, line("a") + line("b") + line("c"), source="backup", game="dl") == LineCounts(
        3, 1, 2, 0
    )
    assert b'{"id":"gamelog/backup:3",' in journal(config)
    for wrong in ({"source": "a b"}, {"game": "nobody's"}):
        with pytest.raises(AnalyticsError, match="expected"):
            Piped(config, **wrong)


def test_a_journal_of_payments_may_have_lines_of_many_accounts(tmp_path, started, monkeypatch):
    """They are longer than any other line may be, and too long to travel together."""
    monkeypatch.setattr(receiver, "MOST_BYTES", 5 << 19)
    monkeypatch.setattr(gamelog, "_TOGETHER_BYTES", 1 << 20)
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    head = b'"game":"dl","area":"%b","plat":"2001","ts":1420646400,"at":5,"users":' % A.encode()
    users = json.dumps({f"u{n}": {"times": 1, "amount": 2.0} for n in range(30_000)}).encode()
    many = b"".join(b'{"id":"payment/dl@1:%d",%b%b}\n' % (n, head, users) for n in range(1, 4))
    too_long = b'{"id":"gamelog/s1@1:1",%b%b}\n' % (head, users)
    data = lines(1, 10) + many + lines(11, 20) + too_long
    assert pipe(config, data) == LineCounts(24, 23, 0, 1)
    assert pipe(config, data) == LineCounts(24, 0, 23, 1)


def test_a_line_that_no_batch_can_hold_is_rejected_and_others_pass(tmp_path, started):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    head = b'"game":"dl","area":"%b","plat":"2001","ts":1420646400,"at":5,"users":' % A.encode()

    def payment(n, accounts):
        users = json.dumps({f"{at:0200d}": {"times": 1, "amount": 2.0} for at in range(accounts)}).encode()
        return b'{"id":"payment/dl@1:%d",%b%b}\n' % (n, head, users)

    too_long = payment(3, 80_000)
    data = lines(1, 10) + payment(1, 29_000) + payment(2, 50_000) + too_long + lines(11, 20)
    assert pipe(config, data) == LineCounts(23, 22, 0, 1)
    (one,) = read(config.data)
    assert one.reason.startswith("$: expected a line of at most") and one.raw.encode() == too_long[:-1]
    kept = config.data / "gamelog_201501010000.txt"  # as an earlier version left it
    kept.write_bytes(too_long + payment(2, 50_000))
    node = started(GamelogSpout(config)).node
    eventually(lambda: node.state()["idle"] and node._pipeline.journal.acknowledged.get(kept.name))


def test_without_a_broker_it_says_what_to_do(tmp_path):
    with pytest.raises(Unavailable, match="bin/analytics run broker"):
        pipe(configured(tmp_path), lines(1, 3), timeout=0.3)


def test_the_command(tmp_path, started):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    log = tmp_path / "game.log"
    log.write_bytes(lines(1, 500))
    environment = os.environ | {"ANALYTICS_CONFIG": str(toml(config, tmp_path / "analytics.toml"))}
    for expected in (
        "read 500, accepted 500, repeated 0, rejected 0",
        "read 500, accepted 0, repeated 500, rejected 0",
    ):
        with log.open("rb") as file:
            done = subprocess.run(
                [*COMMAND, "replay"],
                stdin=file,
                env=environment,
                capture_output=True,
                text=True,
            )
        assert (done.stdout.strip().splitlines()[-1:], done.returncode) == ([expected], 0), done.stderr
    assert len(accts(config)) == 500
    started_not = toml(configured(tmp_path / "other"), tmp_path / "other.toml")
    done = subprocess.run(
        [*COMMAND, "--timeout", "0.5"], input="{}\n", capture_output=True, text=True,
        env=environment | {"ANALYTICS_CONFIG": str(started_not)},
    )  # fmt: skip
    assert done.returncode != 0 and "expected an answer of the broker" in done.stderr
