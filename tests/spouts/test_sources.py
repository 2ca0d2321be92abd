"""Sources by themselves, without a broker: what they take from files of all kinds, and from senders that vanish."""

import bz2
import errno
import gzip
import lzma
import os
import socket
import sys
import time
from codecs import BOM_UTF8

import gevent
import pytest
from gamelogs import configured, given, line, lines
from waiting import eventually

from analytics.cli.check import tries
from analytics.config import Source, areas
from analytics.errors import AnalyticsError
from analytics.spouts.records import convert
from analytics.spouts.rules import Rules
from analytics.spouts.sources.file import FileSource
from analytics.spouts.sources.health import Health
from analytics.spouts.sources.tcp import TcpSource

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Followed:
    """A file source whose turns a test takes, and what it has given."""

    def __init__(self, path):
        self.taken = []
        self.health = Health("s1")
        source = Source(name="s1", kind="file", path=str(path), poll_seconds=0.001)
        context = given(lambda chunk: self.taken.append(chunk.data), health=self.health, batch_lines=500)
        self.source = FileSource(source, context)

    def turns(self, count=3):
        for _ in range(count):
            gevent.sleep(0.002)
            self.source.scan()
            self.source.turn()
            self.source._tell()
        return sorted(b"".join(self.taken).splitlines(keepends=True))


@pytest.mark.parametrize("path", ["fresh", "journaled"])
def test_a_byte_order_mark_in_front_of_a_line_is_left_out(tmp_path, path):
    first = line("u1") if path == "fresh" else b'{"id":"gamelog/s1@ab:7",' + line("u1")[1:]
    rules = Rules(areas(configured(tmp_path)), {})
    (share,) = convert(BOM_UTF8 + first, "gamelog/s1@ab", 1, rules, int(time.time()))
    assert not share.bad and list(share.ns) == [1 if path == "fresh" else 7]
    (body,) = share.batch().bodies
    assert BOM_UTF8 not in body


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("ending", "packer"), [(".gz", gzip), (".xz", lzma), (".bz2", bz2), (".zst", zstd)])
def test_a_packed_log_is_known_by_its_name_or_its_content(tmp_path, packer, ending, named):
    followed = Followed(tmp_path / "game.log*")
    (tmp_path / f"game.log.1{ending if named else ''}").write_bytes(packer.compress(lines(1, 600)))
    assert followed.turns() == sorted(lines(1, 600).splitlines(keepends=True))
    assert not followed.health.failing_since


def test_a_log_that_cannot_be_unpacked_is_named_and_not_read(tmp_path):
    (tmp_path / "a.log.zip").write_bytes(b"PK\x03\x04 and so on\n")
    (tmp_path / "b.log").write_bytes(lines(1, 3))
    followed = Followed(tmp_path / "*.log*")
    assert followed.turns() == lines(1, 3).splitlines(keepends=True)
    assert followed.health.failing_since
    assert "a.log.zip: expected plain text" in followed.health.last_error


@pytest.mark.parametrize("pattern", ["**/game.log", "plain/*.log*", ".hidden/*.log"])
def test_check_and_the_spout_mean_the_same_files(tmp_path, pattern):
    """Folders below ``**`` may be links, and hidden files are taken only where the pattern says so."""
    for name in ("logs/s1", "disk2/s2", "logs/plain", "logs/.hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "logs" / "s2").symlink_to(tmp_path / "disk2" / "s2")
    for n, name in enumerate(["s1/game.log", "s2/game.log", "plain/game.log", ".hidden/a.log"], 1):
        (tmp_path / "logs" / name).write_bytes(line(f"u{n}"))
    (tmp_path / "logs" / "plain" / ".game.log.swp").write_bytes(b"draft\n")
    followed = Followed(tmp_path / "logs" / pattern)
    expected = {"**/game.log": [1, 2, 3], "plain/*.log*": [3], ".hidden/*.log": [4]}[pattern]
    assert followed.turns() == [line(f"u{n}") for n in expected]
    config = configured(tmp_path, Source(name="s1", kind="file", path=str(tmp_path / "logs" / pattern)))
    first, *_ = dict(tries(config))["gamelog source s1"]()
    assert first.text == f"{len(expected)} file{'' if len(expected) == 1 else 's'} found"


@pytest.mark.parametrize("name", ["game.log", "*.log", "s?/game.log", "**"])
def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path, name):
    """A pattern matches nothing behind it: without a word no new log was read, and open ones counted as deleted."""
    logs, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    (elsewhere / "s1").mkdir(parents=True)
    log = elsewhere / ("s1/game.log" if name in ("s?/game.log", "**") else "game.log")
    log.write_bytes(line("u1") + b'{"half')
    logs.symlink_to(elsewhere)
    followed = Followed(logs / name)
    assert followed.turns() == [line("u1")] and not followed.health.failing_since
    (carrier,) = followed.source._open.values()
    logs.unlink()
    logs.symlink_to(logs)
    followed.turns()
    assert followed.health.failing_since and "logs" in followed.health.last_error
    assert "symbolic links" in followed.health.last_error and not carrier.gone and not carrier.vanished
    config = configured(tmp_path, Source(name="s1", kind="file", path=str(logs / name)))
    with pytest.raises(AnalyticsError, match="symbolic links"):
        dict(tries(config))["gamelog source s1"]()
    logs.unlink()
    logs.symlink_to(elsewhere)
    log.write_bytes(line("u1") + line("u2"))
    followed.turns()
    assert not followed.health.failing_since


def test_a_named_pipe_that_a_pattern_matches_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.log")
    (tmp_path / "b.log").write_bytes(line("u1"))
    (tmp_path / "c.log").symlink_to("/dev/null")
    (tmp_path / "d.log").mkdir()
    followed = Followed(tmp_path / "*.log")
    assert followed.turns() == [line("u1")]
    assert "a.log: expected a file, got a named pipe" in followed.health.last_error
    config = configured(tmp_path, Source(name="s1", kind="file", path=str(tmp_path / "*.log")))
    with pytest.raises(AnalyticsError, match="a named pipe"):
        dict(tries(config))["gamelog source s1"]()
    (tmp_path / "a.log").unlink()
    assert followed.turns() == [line("u1")] and not followed.health.failing_since
    first, *_ = dict(tries(config))["gamelog source s1"]()
    assert first.text == "1 file found"


@pytest.mark.parametrize("cut", ["within", "plain"])
def test_a_packed_log_that_is_not_whole_stays_in_status_until_it_is(tmp_path, cut):
    """What is missing of it may never come, and is in no other file."""
    followed, path = Followed(tmp_path / "game.log*"), tmp_path / "game.log.1.gz"
    whole = gzip.compress(lines(1, 5))
    path.write_bytes(whole[:-20] if cut == "within" else lines(1, 5))
    followed.turns()
    assert followed.health.failing_since and "game.log.1.gz: expected a whole" in followed.health.last_error
    path.write_bytes(whole)
    assert followed.turns() == sorted(lines(1, 5).splitlines(keepends=True))
    assert not followed.health.failing_since
    path.write_bytes(whole[:-20])
    followed.turns()
    assert followed.health.failing_since
    path.unlink()
    followed.turns()
    assert not followed.health.failing_since


def test_a_file_whose_handle_is_stale_is_opened_again_and_holds_up_no_other(tmp_path, monkeypatch):
    """As NFS answers where its server has put another file in the place of one that is open."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(1, 3))
    followed = Followed(tmp_path / "*.log")
    followed.turns()
    stale = log.stat().st_ino

    def unless_stale(call):
        def answer(fd, *arguments):
            if real_fstat(fd).st_ino == stale:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return call(fd, *arguments)

        return answer

    real_fstat = os.fstat
    monkeypatch.setattr(os, "fstat", unless_stale(os.fstat))
    monkeypatch.setattr(os, "pread", unless_stale(os.pread))
    (tmp_path / "b.log").write_bytes(line("u4"))
    followed.turns()
    assert "a.log: Stale file handle" in followed.health.last_error and followed.health.failing_since
    new = tmp_path / "new"
    new.write_bytes(lines(1, 3) + line("u5"))
    new.rename(log)
    assert followed.turns(10) == lines(1, 5).splitlines(keepends=True)
    assert not followed.health.failing_since
    followed.source.close()


def test_a_file_name_that_is_no_utf8_can_be_told(tmp_path):
    health = Health("s1")
    health.failed(f"{os.fsdecode(b'caf' + bytes([0xE9]))}: gone")
    assert health.last_error.encode() == b"caf\\xe9: gone"


def test_senders_that_vanish_are_asked_whether_they_are_there():
    source = TcpSource(Source(name="s1", kind="tcp", port=0), given(lambda chunk: None))
    served = []
    received = source._received
    source._received = lambda connection: served.append(connection) or received(connection)
    source.start()
    with socket.create_connection(("127.0.0.1", source.port)):
        eventually(lambda: served)
        (connection,) = served
        options = [
            connection.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        ]
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count = options
        assert idle + interval * count <= 60
    source.close()
