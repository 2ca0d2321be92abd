"""Where a log on a web server ends, before and after it is rotated."""

import pytest
from gamelogs import given, line, lines

from analytics.config import Source
from analytics.spouts.sources import http
from analytics.spouts.sources.answers import Missing
from analytics.spouts.sources.http import HttpSource
from analytics.spouts.sources.identity import Catalogue


class Following:
    """A web log's source without a spout, and what it has handed on."""

    def __init__(self, web, saved=()):
        self.found = []
        self.lost = []
        self.positions = dict(saved)
        source = Source(
            name="s1",
            kind="http",
            url=web.url("game.log"),
            rotated_url=web.url("game.log.1"),
            timeout_seconds=60,
        )
        self.source = HttpSource(source, given(self._emit, Catalogue(dict(saved)), lost=self.lost.append))

    def _emit(self, chunk):
        self.found.append((chunk.source, chunk.first, chunk.data))
        if chunk.position is not None:
            self.positions[chunk.source] = chunk.position

    def follow(self, turns=12):
        for _ in range(turns):
            self.source._old_due = 0.0
            self.source.turn()

    def text(self):
        return b"".join(data for _, _, data in self.found)


@pytest.fixture
def following(web, monkeypatch):
    monkeypatch.setattr(http, "_QUIET_SECONDS", 0.0)
    made = []

    def begin(saved=()):
        made.append(Following(web, saved))
        return made[-1]

    yield begin
    for one in made:
        one.source.close()


def test_a_rotated_web_log_is_read_on_when_its_writer_empties_its_buffer(web, following):
    log, old = web.folder / "game.log", web.folder / "game.log.1"
    log.write_bytes(lines(1, 3) + line("u4")[:30])
    one = following()
    one.follow()
    log.rename(old)
    log.write_bytes(line("v1"))
    one.follow()
    assert one.text() == lines(1, 3) + line("v1")
    old.write_bytes(lines(1, 5))
    log.write_bytes(line("v1") + line("v2"))
    one.follow()
    assert sorted(one.text().splitlines()) == sorted((lines(1, 5) + line("v1") + line("v2")).splitlines())


@pytest.mark.parametrize("another", [False, True])
def test_a_web_log_is_read_to_its_end_where_it_was_rotated_to_before_another_begins(web, following, another):
    log, old = web.folder / "game.log", web.folder / "game.log.1"
    log.write_bytes(lines(1, 3))
    one = following()
    one.follow()
    log.write_bytes(lines(1, 6) + line("u7")[:30])
    log.rename(old)
    for _ in range(4):
        with pytest.raises(Missing):
            one.follow(1)
    assert one.text() == lines(1, 6)
    if another:
        old.write_bytes(lines(1, 7))
        log.write_bytes(lines(8, 9))
        one.follow()
        assert sorted(one.text().splitlines()) == sorted(lines(1, 9).splitlines())
    assert not one.lost


def test_a_web_log_that_is_away_for_a_while_is_read_on(web, following):
    log, old = web.folder / "game.log", web.folder / "game.log.1"
    old.write_bytes(lines(101, 103))
    log.write_bytes(lines(1, 3) + line("u4")[:30])
    one = following()
    one.follow()
    log.rename(web.folder / "away")
    for _ in range(9):
        with pytest.raises(Missing):
            one.follow(1)
    log.write_bytes(lines(1, 5))
    one.follow()
    assert one.text() == lines(1, 5) and not one.lost


def test_a_web_log_that_ends_without_a_newline(web, following):
    log = web.folder / "game.log"
    log.write_bytes(lines(1, 3)[:-1])
    one = following()
    one.follow()
    assert one.text() == lines(1, 3)
    log.write_bytes(lines(1, 4))
    one.follow()
    assert one.text() == lines(1, 4) and one.found[-1][1] == 4


@pytest.mark.parametrize("size", [4096, 3 << 20])
def test_a_web_log_that_was_set_to_its_size_before(web, following, size):
    log = web.folder / "game.log"
    whole = lines(1, 9)
    one = following()
    for end in (300, 700, len(whole)):
        log.write_bytes(whole[:end] + bytes(size - end))
        one.follow(3)
    assert one.text() == whole and not one.source._health.lag_bytes


def test_what_two_rotations_have_taken_away_is_reported_and_the_log_between_is_read(web, following):
    log, old = web.folder / "game.log", web.folder / "game.log.1"
    old.write_bytes(line("never asked for"))
    log.write_bytes(lines(1, 3))
    first = following()
    first.follow()
    assert not first.lost
    old.write_bytes(lines(11, 15))
    log.write_bytes(lines(21, 25))
    second = following(first.positions)
    second.follow()
    assert first.text() == lines(1, 3) and second.text() == lines(11, 15) + lines(21, 25)
    [loss] = second.lost
    assert (loss.source, loss.line, loss.byte) == (first.found[0][0], 4, len(lines(1, 3)))


def test_a_log_that_was_rotated_before_is_not_read_in_the_place_of_a_missing_one(web, following):
    log, old = web.folder / "game.log", web.folder / "game.log.1"
    old.write_bytes(line("never asked for"))
    log.write_bytes(lines(1, 3))
    one = following()
    one.follow()
    log.write_bytes(line("v1"))
    one.follow()
    assert one.text() == lines(1, 3) + line("v1") and len(one.lost) == 1


def test_a_web_log_that_is_away_for_a_while_after_a_start_is_not_lost(web, following):
    log = web.folder / "game.log"
    log.write_bytes(lines(1, 3))
    first = following()
    first.follow()
    log.rename(web.folder / "away")
    second = following(first.positions)
    for _ in range(12):
        with pytest.raises(Missing):
            second.follow(1)
    (web.folder / "away").rename(log)
    log.write_bytes(lines(1, 5))
    second.follow()
    assert second.text() == lines(4, 5) and not second.lost


def test_the_rest_of_a_rotated_web_log_is_read_before_another_log_is_there(web, following):
    log, old = web.folder / "game.log", web.folder / "game.log.1"
    log.write_bytes(lines(1, 3))
    first = following()
    first.follow()
    old.write_bytes(lines(1, 5))
    log.unlink()
    second = following(first.positions)
    for _ in range(12):
        with pytest.raises(Missing):
            second.follow(1)
    assert second.text() == lines(4, 5)
    log.write_bytes(line("v1"))
    second.follow()
    assert second.text() == lines(4, 5) + line("v1") and not second.lost
