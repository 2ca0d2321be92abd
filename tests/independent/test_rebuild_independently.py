"""Rebuilding generated months: what was changed by hand is named, and as it was; what is sound is not touched."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import gevent
import near_suite
import pytest
from forms import LONG, THOROUGH, thorough
from journaling_suite import Hand, JournalingSuite, Killed, YieldingStore, expected
from plain_numbers import DAY, day_start
from raw_months import Months, divided_world, sent

from analytics.config import BrokerSection, TimersSection, catalogue
from analytics.rebuild.selection import Selection
from analytics.timers import NAMES as TIMERS

DAYS = Months(date(2018, 10, 16 if LONG else 27), date(2018, 11, 5), players=5 if LONG else 2)
NOW = day_start("UTC", DAYS.last + 3 * DAY)
FEW = 3
EVERY = catalogue(near_suite.config_of(divided_world(), Path(), BrokerSection()))
ALL = Selection(tuple(EVERY), TIMERS, EVERY)


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.setattr(near_suite, "TimersSection", lambda every_seconds: TimersSection(every_seconds=0.5))
    running = JournalingSuite(divided_world(), tmp_path / "data", monkeypatch, NOW, YieldingStore())
    yield running
    running.stop()


def records_of(seed):
    return [one.record for one in sent(seed, DAYS)]


def counted(suite, records, pieces=3):
    size = len(records) // pieces + 1
    for begin in range(0, len(records), size):
        suite.send(records[begin : begin + size])
    suite.settled(0)


def of_bolts(public):
    return {key: document for key, document in public.items() if key[0] in ALL.bolts}


def damage(suite, seed):
    hand = Hand(suite, Random(seed))
    for name in ALL.bolts:
        for do in (hand.change, hand.change, hand.delete, hand.invent):
            do(name)
    return hand


def test_what_was_changed_by_hand_is_named_and_mended_and_nothing_else(suite):
    records = records_of(7)
    counted(suite, records)
    sound, heads, public = suite.stored(), suite.heads(), suite.public()

    outcome, told = suite.rebuild(ALL)
    assert told == []
    assert suite.stored() == sound
    assert suite.heads() == heads
    assert outcome.lines == len(records)
    assert not outcome.gaps

    hand = damage(suite, 7)
    damaged = suite.stored()
    _, told = suite.rebuild(replace(ALL, dry=True))
    assert {(one.collection, one.id): one.what for one in told} == hand.touched
    assert suite.stored() == damaged
    assert suite.heads() == heads

    suite.rebuild(ALL)
    suite.settled(0)
    assert suite.public() == public
    assert suite.rebuild(ALL)[1] == []


@thorough
def test_while_records_come_sound_documents_are_left_alone_and_others_mended(suite):
    records = records_of(1)
    Random(1).shuffle(records)
    third = len(records) // 3
    counted(suite, records[:third])
    coming = Trickle(suite, records[third:])
    # What follows the bolts' documents may be late while records come; a rebuild then brings it up to date.
    for wanted in (replace(ALL, dry=True), ALL):
        assert [one for one in suite.rebuild(wanted)[1] if one.collection in ALL.bolts] == []
    damage(suite, 1)
    outcome, _ = suite.rebuild(ALL)
    assert not outcome.gaps
    assert not outcome.done.restless
    coming.end()
    suite.settled(0)
    assert of_bolts(suite.public()) == expected(suite, records)
    assert suite.rebuild(ALL)[1] == []


class Trickle:
    """Sends a few records at a time, until it is to end: then all that are left."""

    def __init__(self, suite, records):
        self._suite, self._records = suite, records
        self._hurries = False
        self._greenlet = gevent.spawn(self._run)

    def end(self):
        self._hurries = True
        self._greenlet.get()

    def _run(self):
        while self._records:
            count = len(self._records) if self._hurries else FEW
            some, self._records = self._records[:count], self._records[count:]
            self._suite.send(some)
            gevent.sleep(0.03)


def test_killed_at_any_step_and_called_again_it_ends_right(suite):
    counted(suite, records_of(3))
    public, random, kills = suite.public(), Random(3), 0
    damage(suite, 3)
    while True:
        suite.kill_after(random.randrange(1, 12 if THOROUGH else 30), random.random() < 0.5)
        try:
            suite.rebuild(ALL)
            break
        except Killed:
            kills += 1
    suite.kill_after(None)
    assert kills > 5
    suite.settled(0)
    assert suite.public() == public
    assert suite.rebuild(ALL)[1] == []
