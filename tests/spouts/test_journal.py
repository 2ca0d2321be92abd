"""Journals: which files are deleted, and when."""

import os
import time

from gamelogs import configured, line

from analytics.broker.broker import Broker
from analytics.config import JournalSection
from analytics.spouts.journal import Journal
from analytics.spouts.piped import PipedStreams
from analytics.spouts.stdin import Piped

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


def test_what_was_accepted_of_deleted_journals_is_forgotten(tmp_path):
    config = configured(tmp_path, journal=JournalSection(keep_days=0))
    there = config.data / "gamelog_202601010000.txt"
    packed = config.data / "gamelog_202601010001.txt.gz"
    for path in (there, packed):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"line\n")
    known = {there.name: 5, packed.name.removesuffix(".gz"): 5, "gamelog_202601010002.txt": 5}
    journal = Journal(config, "gamelog", known)
    journal.append(b"line")
    assert journal.acknowledged == {there.name: 5, packed.name.removesuffix(".gz"): 5}
    journal.close()


def test_a_journal_that_is_packed_while_its_folder_is_listed_is_not_forgotten(tmp_path, monkeypatch):
    """A listing may pass the place of the new name before that is there, and reach that of the old one after it is gone."""
    config = configured(tmp_path, journal=JournalSection(keep_days=0))
    name = written(config, 1)
    real = type(tmp_path).glob

    def listed(folder, pattern):
        if (folder / name).exists():
            found = [path for path in real(folder, pattern) if path.name != name]
            (folder / name).rename(folder / f"{name}.gz")
            return iter(found)
        return real(folder, pattern)

    monkeypatch.setattr(type(tmp_path), "glob", listed)
    journal = Journal(config, "gamelog", {name: 5})
    journal.append(b"line")
    assert journal.acknowledged == {name: 5}
    journal.close()


def test_a_journal_that_another_process_deletes_first_is_no_error(tmp_path, monkeypatch):
    config = configured(tmp_path, journal=JournalSection(keep_days=2))
    kept = written(config, 0)
    for age in (9, 5):
        old = config.data / f"gamelog_20260101000{age}.txt"
        old.write_bytes(b"line\n")
        os.utime(old, (time.time() - age * DAY,) * 2)
    real = type(tmp_path).glob

    def listed(folder, pattern):
        found = list(real(folder, pattern))
        (config.data / "gamelog_202601010009.txt").unlink(missing_ok=True)
        return iter(found)

    monkeypatch.setattr(type(tmp_path), "glob", listed)
    journal = Journal(config, "gamelog")
    current = journal.append(b"line").name
    assert names(config) == sorted([kept, current])
    assert not list(Journal(config, "gamelog", {kept: 5}).unacknowledged())
    journal.close()


def test_a_deleted_journals_name_is_not_given_again_while_it_may_be_acknowledged(tmp_path, monkeypatch):
    config, now = configured(tmp_path), time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    journal = Journal(config, "gamelog", {})
    first = journal.append(b"a line that is longer")
    (config.data / first.name).unlink()
    second = journal.append(b"line")
    journal.acknowledge(first)
    journal.close()
    assert [block.mark for block in Journal(config, "gamelog", journal.acknowledged).unacknowledged()] == [
        second
    ]


def test_what_a_crashed_spout_has_journaled_outlives_a_pipe(tmp_path, started):
    """Its TCP senders can't be asked again. What pipes have put in is deleted, whoever comes first."""
    config = configured(tmp_path, journal=JournalSection(keep_days=2))
    crashed = written(config, 5)
    started(Broker(config.broker, config.data))
    for acct in ("u1", "u2"):
        piped(config, line(acct))
    assert (config.data / crashed).read_bytes() == b"line\n"
    (first, second) = sorted(set(names(config)) - {crashed}, key=age(config))
    os.utime(config.data / first, (1, 1))
    piped(config, line("u3"))
    left = set(names(config))
    assert crashed in left and second in left and first not in left


def test_a_spout_does_not_send_again_what_pipes_have_put_in(tmp_path, started):
    config = configured(tmp_path)
    started(Broker(config.broker, config.data))
    piped(config, line("u1"))
    left = written(config, 0)
    journal = Journal(config, "gamelog", {}, PipedStreams(config.data).journals)
    assert [block.mark.name for block in journal.unacknowledged()] == [left]


def age(config):
    return lambda name: (config.data / name).stat().st_mtime_ns


def piped(config, data):
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    one = Piped(config)
    assert one.read(reading).accepted == data.count(b"\n")
    one.close()
    os.close(reading)
