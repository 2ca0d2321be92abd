"""Where a file ends: lines that are not whole yet, zeros that were never written, files that take another's place."""

import gzip
import os
import time
from hashlib import blake2b

import pytest
from gamelogs import given, line, lines

from analytics.config import Source
from analytics.spouts.sources import file
from analytics.spouts.sources.file import FileSource
from analytics.spouts.sources.identity import Catalogue, begun


class Reading:
    """A source of files without a spout: what it has handed on, by record source and number."""

    def __init__(self, pattern, saved=(), sizes=()):
        self.found = {}
        self.cut_off = {}
        self.lost = []
        self.positions = dict(saved)
        source = Source(name="s1", kind="file", path=str(pattern))
        catalogue = Catalogue(dict(saved), dict(sizes))
        self.source = FileSource(source, given(self._emit, catalogue, lost=self.lost.append))

    def _emit(self, chunk):
        for n, text in enumerate(chunk.data.splitlines(keepends=True), chunk.first):
            into = self.cut_off if chunk.position is None else self.found
            assert (chunk.source, n) not in into
            into[chunk.source, n] = text
        if chunk.position is not None:
            self.positions[chunk.source] = chunk.position

    def follow(self, quiet=False):
        """Look and read until nothing more comes; ``quiet``: as if nothing had come for a long time."""
        for _ in range(3):
            self.source.scan()
            for carrier in self.source._open.values():
                carrier.changed = -1000.0 if quiet else time.monotonic()
            self.source.turn()

    def text(self):
        return b"".join(self.found.values())


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "logs"
    made.mkdir()
    return made


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_a_log_that_is_replaced_by_a_longer_copy_of_itself(folder):
    """As rsync brings it: written beside, renamed over, and ending within a line."""
    reading = Reading(folder / "game*.log")
    whole = lines(1, 9)
    for size in (3 * len(line("u1")), 5 * len(line("u1")) + 40, 8 * len(line("u1")) + 40, len(whole)):
        (folder / ".copy").write_bytes(whole[:size])
        (folder / ".copy").rename(folder / "game.log")
        reading.follow()
        reading.follow(quiet=True)
    assert reading.text() == whole and not reading.cut_off
    assert len({source for source, _ in reading.found}) == 1
    assert len(reading.source._open) <= 1


def test_a_writer_flushes_its_buffer_long_after_the_rename(folder):
    log, old = folder / "game.log", folder / "game.log.1"
    reading = Reading(log)
    log.write_bytes(lines(1, 3) + line("u4")[:30])
    reading.follow()
    log.rename(old)
    log.write_bytes(line("v1"))
    reading.follow(quiet=True)
    append(old, line("u4")[30:] + line("u5")[:7])
    reading.follow(quiet=True)
    append(old, line("u5")[7:])
    reading.follow(quiet=True)
    assert sorted(reading.found.values()) == sorted([*lines(1, 5).splitlines(keepends=True), line("v1")])
    assert not reading.cut_off


def test_a_line_that_was_cut_off_is_unusable_once_its_file_is_gone(folder):
    log = folder / "game.log"
    reading = Reading(log)
    log.write_bytes(lines(1, 3) + line("u4")[:30])
    reading.follow()
    log.unlink()
    reading.follow(quiet=True)
    assert reading.text() == lines(1, 3)
    assert list(reading.cut_off.values()) == [line("u4")[:30] + b"\n"]
    assert not reading.source._open


def test_the_last_record_of_a_quiet_file_counts_without_its_newline(folder):
    log = folder / "game.log"
    reading = Reading(log)
    log.write_bytes(lines(1, 3)[:-1])
    reading.follow()
    assert reading.text() == lines(1, 2)
    reading.follow(quiet=True)
    assert reading.text() == lines(1, 3)
    again = Reading(log, reading.positions)
    append(log, b"\n" + line("u4"))
    for one in (reading, again):
        one.follow()
        assert [n for _, n in one.found][-1] == 4 and one.text().endswith(line("u4"))


@pytest.mark.parametrize(("end", "come"), [(b"\r\n", 0), (b"  \r\n", 1)])
def test_a_log_whose_first_line_ended_late_is_known_again(folder, end, come):
    """It was named before the carriage return had come; its first line tells it from others."""
    log, texts = folder / "game.log", lines(1, 3).splitlines()
    reading = Reading(log)
    log.write_bytes(texts[0] + end[:come])
    reading.follow(quiet=True)
    append(log, end[come:] + texts[1] + end)
    reading.follow()
    log.rename(folder / "game.log.1")
    append(folder / "game.log.1", texts[2] + end)
    again = Reading(folder / "game.log*", reading.positions)
    again.follow()
    assert len({source for source, _ in [*reading.found, *again.found]}) == 1
    found = reading.found | again.found
    assert {n: text.strip() for (_, n), text in found.items()} == dict(enumerate(texts, 1))
    afresh = Reading(folder / "game.log*")
    afresh.follow()
    assert [(n, text.strip()) for (_, n), text in afresh.found.items()] == list(enumerate(texts, 1))


def test_a_log_that_an_earlier_version_named_after_its_carriage_return_is_known(folder):
    whole = lines(1, 3).replace(b"\n", b"\r\n")
    (folder / "game.log").write_bytes(whole)
    known = begun(whole, [b"x"])
    known.fingerprint = blake2b(whole.partition(b"\n")[0], digest_size=8).hexdigest()
    reading = Reading(folder / "game.log", {"gamelog/s1@named-before": known})
    reading.follow()
    assert {source for source, _ in reading.found} == {"gamelog/s1@named-before"}


def test_a_packed_log_that_ends_within_a_line_is_read_on_where_it_grows(folder):
    packed = folder / "game.log.1.gz"
    reading = Reading(folder / "game.log*")
    packed.write_bytes(gzip.compress(lines(1, 3) + line("u4")[:30]))
    reading.follow(quiet=True)
    assert list(reading.cut_off.values()) == [line("u4")[:30] + b"\n"]
    packed.write_bytes(gzip.compress(lines(1, 5)))
    reading.follow(quiet=True)
    assert reading.text() == lines(1, 5)


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("size", [4096, 3 << 20])
def test_a_file_that_was_set_to_its_size_before(folder, size, cut):
    log = folder / "game.log"
    with log.open("wb") as file:
        file.truncate(size)
    reading = Reading(folder / "game.log*")
    whole = lines(1, 9)
    with log.open("r+b", buffering=0) as file:
        for begin in range(0, len(whole), 200):
            file.write(whole[begin : begin + 200])
            reading.follow()
            reading.follow(quiet=True)
        assert reading.text() == whole and not sum(one.behind() for one in reading.source._open.values())
        if cut:
            file.truncate(len(whole))
    log.rename(folder / "game.log.1")
    log.write_bytes(line("v1"))
    reading.follow(quiet=True)
    assert reading.text() == whole + line("v1") and not reading.cut_off


@pytest.mark.parametrize("size", [900, 3 << 20])
def test_a_writer_that_keeps_its_offset_when_its_log_is_truncated(folder, size):
    log = folder / "game.log"
    reading = Reading(log)
    with log.open("wb", buffering=0) as file:
        file.write(lines(1, size // len(line("u1"))))
        reading.follow()
        os.truncate(log, 0)
        reading.follow()
        file.write(line("v2") + line("v3")[:20] + bytes(5000) + line("v4"))
        reading.follow(quiet=True)
    assert list(reading.found.values())[-3:] == [line("v2"), line("v3")[:20] + b"\n", line("v4")]


def test_zeros_within_a_log_are_waited_for(folder):
    """Over a network a file's blocks come in any order."""
    log = folder / "game.log"
    whole = lines(1, 9)
    log.write_bytes(whole[:300] + bytes(len(whole) - 600) + whole[-300:])
    reading = Reading(log)
    reading.follow()
    assert reading.text() == whole[: whole.rindex(b"\n", 0, 300) + 1]
    log.write_bytes(whole)
    reading.follow()
    assert reading.text() == whole


def test_what_nobody_has_read_of_a_log_that_is_gone_is_reported_once(folder, monkeypatch):
    monkeypatch.setattr(file, "_QUIET_SECONDS", 0.0)
    log = folder / "game.log"
    log.write_bytes(lines(1, 3))
    reading = Reading(log)
    reading.follow()
    reading.source.close()
    ((source, position),) = reading.positions.items()
    seen = {source: position.offset + 1000}
    log.unlink()
    again = Reading(log, reading.positions, seen)
    again.follow()
    assert not again.lost  # the folder may not be there
    log.write_bytes(line("v1"))
    again.follow()
    [loss] = again.lost
    assert (loss.source, loss.line, loss.byte, loss.bytes) == (source, 4, position.offset, 1000)
    monkeypatch.undo()
    (folder / "game.log.1").write_bytes(lines(1, 9))
    moved = Reading(log, reading.positions, seen)
    moved.follow()
    assert moved.text() == line("v1") + lines(4, 9) and not moved.lost


def test_a_deleted_log_is_read_to_its_end_however_long_the_broker_takes(folder, monkeypatch):
    log = folder / "game.log"
    whole = lines(1, 90_000)
    assert len(whole) > 10 << 20
    log.write_bytes(whole)
    reading = Reading(log)
    reading.source.scan()
    log.unlink()
    reading.source.scan()
    real, late = time.monotonic, [0.0]
    monkeypatch.setattr(file.time, "monotonic", lambda: real() + late[0])
    emit = reading.source._emit

    def slow(chunk):
        late[0] += 100
        emit(chunk)

    reading.source._emit = slow
    for _ in range(5):
        reading.source.turn()
    assert reading.text() == whole and not reading.cut_off and not reading.lost


def test_a_log_that_is_deleted_within_its_first_line_is_unusable_not_forgotten(folder):
    log = folder / "game.log"
    log.write_bytes(line("u1")[:30])
    reading = Reading(log)
    reading.follow()
    log.unlink()
    reading.follow(quiet=True)
    reading.follow(quiet=True)
    assert list(reading.cut_off.values()) == [line("u1")[:30] + b"\n"]


@pytest.mark.parametrize("noticed", [True, False])
def test_a_log_that_was_copied_truncated_and_is_as_long_again(folder, noticed):
    log = folder / "game.log"
    log.write_bytes(lines(1000, 1299))
    reading = Reading(folder / "game.log*")
    reading.follow()
    before = log.stat()
    (folder / "game.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    append(log, lines(2000, 2299))
    if not noticed:  # both within one tick of the file system's clock
        os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))
    reading.follow()
    append(log, lines(2300, 2300))
    reading.follow()
    expected = lines(1000, 1299) + lines(2000, 2300)
    assert sorted(reading.found.values()) == sorted(expected.splitlines(keepends=True))


@pytest.mark.parametrize("count", [3, 9])
def test_a_quiet_log_that_is_truncated_and_written_to_just_before_it_is_closed(folder, count):
    """What it holds now is shorter than what was read, or as long: neither is the end that was read."""
    log = folder / "game.log"
    log.write_bytes(lines(1001, 1009))
    reading = Reading(folder / "game.log*")
    reading.follow()
    for carrier in reading.source._open.values():
        carrier.changed = -1000.0
    (folder / "game.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    append(log, lines(2001, 2000 + count))
    reading.source.scan()  # which closes quiet files
    reading.follow()
    expected = lines(1001, 1009) + lines(2001, 2000 + count)
    assert sorted(reading.found.values()) == sorted(expected.splitlines(keepends=True))
