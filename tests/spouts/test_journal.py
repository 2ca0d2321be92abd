"""Journals: which files are deleted, and when."""

import os
import time

from gamelogs import configured

from analytics.config import JournalSection
from analytics.spouts.journal import Journal

DAY = 86_400


def names(config):
    return sorted(path.name for path in config.data.glob("gamelog_*.txt"))


def written(config, days_ago, acknowledged=None):
    """Write one journal and close it; it looks that old."""
    journal = Journal(config, "gamelog", acknowledged)
    mark = journal.append(b"line")
    if acknowledged is not None:
        acknowledged[mark.name] = mark.end
    journal.close()
    then = time.time() - days_ago * DAY
    os.utime(config.data / mark.name, (then, then))
    return mark.name


def test_a_clock_that_jumps_ahead_makes_no_journal_old(tmp_path, monkeypatch):
    config = configured(tmp_path, journal=JournalSection(keep_days=2))
    acknowledged = {}
    old = written(config, 5, acknowledged)
    kept = [written(config, age, acknowledged) for age in (1, 0)]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 30 * DAY)
    journal = Journal(config, "gamelog", acknowledged)
    current = journal.append(b"line").name
    assert names(config) == sorted([*kept, current]) and old not in names(config)
    monkeypatch.undo()
    journal.close()
