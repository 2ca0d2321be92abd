"""Rebuilding generated months: what was changed by hand is named, and as it was; what is sound is not touched."""

from datetime import date
from random import Random

import pytest
from journaling_suite import ALL, Hand, JournalingSuite
from plain_numbers import DAY, day_start
from raw_months import Months, sent, world

from analytics.bolts import BOLTS

DAYS = Months(date(2018, 10, 16), date(2018, 11, 5), players=6)
NOW = day_start("UTC", DAYS.last + 3 * DAY)


@pytest.fixture
def suite(tmp_path, monkeypatch):
    running = JournalingSuite(world(), tmp_path / "data", monkeypatch, NOW)
    yield running
    running.stop()


def test_what_was_changed_by_hand_is_named_and_mended_and_nothing_else(suite):
    random = Random(7)
    records = [one.record for one in sent(7, DAYS)]
    third = len(records) // 3
    for begin in (0, third, 2 * third):
        suite.send(records[begin : begin + third] if begin < 2 * third else records[begin:])
    suite.settled(0)
    sound, heads, public = suite.stored(), suite.heads(), suite.public()

    outcome, told = suite.rebuild()
    assert told == []
    assert suite.stored() == sound
    assert suite.heads() == heads
    assert outcome.lines == len(records)
    assert not outcome.holes

    hand = Hand(suite, random)
    for name in BOLTS:
        hand.change(name)
        hand.change(name)
        hand.delete(name)
        hand.invent(name)
    damaged = suite.stored()
    _, told = suite.rebuild(ALL.__class__(ALL.bolts, ALL.timers, dry=True))
    named = {(one.collection, one.id): one.what for one in told}
    assert named == hand.touched
    assert suite.stored() == damaged

    _, told = suite.rebuild()
    suite.settled(0)
    assert suite.public() == public
    assert suite.rebuild()[1] == []
