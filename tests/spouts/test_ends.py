"""With an engine: journals acknowledge, and spouts report how far they are durable."""

import os

import pytest
from gamelogs import Web, configured, eventually, line, lines
from msgspec.structs import replace

from analytics.config import EngineSection, JournalSection, Source
from analytics.errors import AnalyticsError, Unavailable
from analytics.spouts.ends import (
    Ends,
    EngineCount,
    durable_ends,
    journal_folder,
    journal_folders,
    report_counted,
)
from analytics.spouts.gamelog import GamelogSpout
from analytics.spouts.journal import Journal


def with_engine(config, **section):
    return replace(config, engine=EngineSection(kind="local", **section))


def followed(tmp_path, web: Web, **section):
    (web.folder / "game.log").write_bytes(lines(1, 1200))
    source = Source(name="s1", kind="http", url=web.url("game.log"), poll_seconds=0.05, game="dl")
    return with_engine(configured(tmp_path, source), **section)


def journaled(folder, ends):
    """Return the lines before the reported ends."""
    return b"".join((folder / name).read_bytes()[:end] for name, end in sorted(ends.items())).count(b"\n")


def test_records_are_accepted_once_they_are_durable_without_a_broker(tmp_path, web, started):
    config = followed(tmp_path, web)
    spout = started(GamelogSpout(config))
    eventually(lambda: journaled(config.data, durable_ends(config.data)) == 1200)
    eventually(lambda: spout.node.state()["published"] == 1200)
    assert spout.node.state()["idle"] and not spout.node.state()["blocked"]


@pytest.mark.parametrize("torn", [b"", b'{"id":"gamelog/s1@x:9'])
def test_what_a_killed_spout_left_is_reported_by_the_next(tmp_path, web, started, torn):
    config = followed(tmp_path, web)
    left = Journal(config, "gamelog", {})
    mark = left.append(line("u1").replace(b"{", b'{"id":"gamelog/old@1:1",', 1)[:-1])
    left.close()
    with (config.data / mark.name).open("ab") as file:
        file.write(torn)
    started(GamelogSpout(config))
    eventually(lambda: durable_ends(config.data).get(mark.name) == mark.end)
    assert (config.data / mark.name).stat().st_size == mark.end


def test_an_old_journal_is_deleted_once_it_is_counted(tmp_path):
    config = with_engine(configured(tmp_path, journal=JournalSection(keep_days=2)))
    acknowledged = {}
    old = Journal(config, "gamelog", acknowledged)
    mark = old.append(b"line")
    old.close()
    acknowledged[mark.name] = mark.end
    os.utime(config.data / mark.name, (1, 1))
    for counted in ({}, {mark.name: mark.end - 1}, {mark.name: mark.end}):
        report_counted(config.data, counted)
        journal = Journal(config, "gamelog", acknowledged)
        journal.append(b"line")
        journal.close()
        assert (config.data / mark.name).exists() == (counted.get(mark.name) != mark.end)


def test_hosts_that_share_storage_have_folders_of_their_own(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    hosts = [with_engine(configured(tmp_path / name), shared=str(shared)) for name in "ab"]
    folders = [journal_folder(config) for config in hosts]
    assert len(set(folders)) == 2 and [journal_folder(config) for config in hosts] == folders
    for config, folder in zip(hosts, folders, strict=True):
        journal = Journal(config, "gamelog", {})
        journal.acknowledge(mark := journal.append(b"line"))
        Ends(config, "gamelog").report(journal.acknowledged)
        assert durable_ends(shared)[f"{folder.name}/{mark.name}"] == 5
        journal.close()
    assert journal_folders(hosts[0]) == sorted(folders)
    report_counted(shared, durable_ends(shared))
    for folder in folders:
        (path,) = folder.glob("gamelog_*.txt")
        count = EngineCount(folder, tmp_path)
        assert count.includes(path.name, 5) and not count.includes(path.name, 6)


def test_a_damaged_report_is_left_out_until_it_is_written_again(tmp_path):
    config = with_engine(configured(tmp_path))
    ends = Ends(config, "gamelog")
    ends.report({"gamelog_202601010000.txt": 5})
    path = config.data / "ends" / "gamelog.json"
    path.write_bytes(path.read_bytes().replace(b":5}", b":6}"))
    assert durable_ends(config.data) == {}
    ends.report({"gamelog_202601010000.txt": 7})
    assert durable_ends(config.data) == {"gamelog_202601010000.txt": 7}


def test_journals_of_before_shared_storage_are_not_for_the_engine(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    before = configured(tmp_path / "a")
    old = Journal(before, "gamelog", {})
    mark = old.append(b"line")
    old.close()
    config = with_engine(before, shared=str(shared))
    with pytest.raises(AnalyticsError, match="were not sent to the broker"):
        Journal(config, "gamelog", {})
    assert Journal(config, "gamelog", {mark.name: mark.end}).acknowledged == {}


def test_a_journal_that_is_gone_uncounted_stays_reported(tmp_path):
    """So that the driver says so."""
    config = with_engine(configured(tmp_path))
    config.data.mkdir()
    ends = {"gamelog_202601010000.txt": 9, "gamelog_202601010001.txt": 9}
    report_counted(config.data, {"gamelog_202601010000.txt": 9, "gamelog_202601010001.txt": 8})
    assert Journal(config, "gamelog", ends).acknowledged == {"gamelog_202601010001.txt": 9}


def test_nothing_is_written_below_a_mount_point_without_its_storage(tmp_path):
    """It would be acknowledged, and hidden as soon as the storage is mounted."""
    shared = tmp_path / "shared"
    shared.mkdir()
    config = with_engine(configured(tmp_path / "a"), shared=str(shared))
    journal, ends = Journal(config, "gamelog", {}), Ends(config, "gamelog")
    journal.acknowledge(mark := journal.append(b"line"))
    ends.report(journal.acknowledged)
    journal.close()
    counted = durable_ends(shared)
    shared.rename(away := tmp_path / "away")
    shared.mkdir()
    with pytest.raises(OSError):
        journal.append(b"another")
    with pytest.raises(Unavailable, match=r"is the storage of .* mounted"):
        Journal(config, "gamelog", journal.acknowledged)
    ends.report({mark.name: 9})
    report_counted(shared, counted)
    assert list(shared.iterdir()) == []
    shared.rmdir()
    away.rename(shared)
    assert Journal(config, "gamelog", journal.acknowledged).append(b"another").name != mark.name
