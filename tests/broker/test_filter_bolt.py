"""The filter bolt: exactly the records that were not accepted before pass, in any order and batching."""

import itertools
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from brokers import batch
from forms import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.broker import committer
from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher, Refill
from analytics.broker.filter import Filter, KnownNumbers, NewRecords
from analytics.broker.filterstore import FilterStore, Passed, encoded
from analytics.broker.quiet import QuietSources
from analytics.broker.wire import BatchHeader, Part, SourceState, number_of
from analytics.config import BrokerSection
from analytics.core.numberset import NumberSet
from analytics.errors import AnalyticsError, StateError

numbers = st.lists(st.integers(0, 60), min_size=1, max_size=20, unique=True).map(sorted)


@given(st.lists(st.tuples(st.sampled_from(["s", "t"]), numbers, numbers, st.integers(1, 3)), max_size=12))
def test_any_order_and_batching_matches_plain_sets(
    batches: list[tuple[str, list[int], list[int], int]],
) -> None:
    filter_, accepted, rejected = Filter(), set(), set()
    for source, ns, refused, topics in batches:
        sent = batch(source, ns, "xyz"[:topics], rejected=[(n, n) for n in refused if n not in ns])
        found = filter_.new_records(sent.header, sent.bodies)
        new = [(source, n) for n in ns if (source, n) not in accepted]
        lines = [line for body in found.bodies for line in bytes(body).split(b"\n")]
        assert sorted(number_of(source, line) for line in lines) == [n for _, n in new]
        assert (found.accepted, found.repeated) == (len(new), len(ns) - len(new))
        assert [part.count for part in found.header.parts] == [
            bytes(body).count(b"\n") + 1 for body in found.bodies
        ]
        accepted.update(new)
        rejected |= {(source, n) for n in refused if n not in ns}
    for source, state in filter_.states().items():
        assert state.streams == 1
        assert state.accepted == sum(1 for name, _ in accepted if name == source)
        assert state.rejected == sum(1 for name, _ in rejected - accepted if name == source)
        unknown = [n for first, last in filter_.unknown(source, [(0, 70)]) for n in range(first, last + 1)]
        assert unknown == [n for n in range(71) if (source, n) not in accepted]


def test_all_new_passes_untouched_and_all_known_leaves_nothing() -> None:
    filter_, sent = Filter(), batch("s", range(10))
    assert filter_.new_records(sent.header, sent.bodies).bodies is sent.bodies
    repeated = filter_.new_records(sent.header, sent.bodies)
    assert not repeated
    assert (repeated.accepted, repeated.repeated) == (0, 10)


def test_a_rejected_record_that_is_accepted_later_moves() -> None:
    filter_ = Filter()
    only_rejected = BatchHeader("s", [], [], [(1, 3)])
    assert filter_.new_records(only_rejected, [])
    assert not filter_.new_records(only_rejected, [])
    assert (filter_.states()["s"].accepted, filter_.states()["s"].rejected) == (0, 3)
    sent = batch("s", [2])
    filter_.new_records(sent.header, sent.bodies)
    assert (filter_.states()["s"].accepted, filter_.states()["s"].rejected) == (1, 2)
    assert not filter_.new_records(BatchHeader("s", [], [], [(2, 2)]), [])


def test_tuples_of_bolts_pass_unseen() -> None:
    filter_, header = Filter(), BatchHeader("loginhour", [], [Part("loginhour", 2, 9)])
    for _ in range(2):
        assert filter_.new_records(header, [b"{}\n{}"]).accepted == 2
    assert filter_.states() == {}


def test_a_batch_that_cannot_be_cut_leaves_no_trace() -> None:
    filter_, sent = Filter(), batch("s", range(4))
    filter_.new_records(sent.header, sent.bodies)
    with pytest.raises(ValueError, match="expected a line that begins"):
        filter_.new_records(BatchHeader("s", [(2, 6)], [Part("a", 1, 1)]), [b'{"no":"id"}'])
    assert filter_.unknown("s", [(0, 6)]) == [(4, 6)]


def stored(folder: Path) -> tuple[Filter, tuple[str, int]]:
    filter_, store = Filter(), FilterStore(folder)
    place = store.load(filter_)
    store.close()
    return filter_, place


def test_snapshot_and_tail_give_the_filter_back(tmp_path: Path) -> None:
    filter_, store = Filter(), FilterStore(tmp_path)
    filter_.note("s", [(1, 10)], [(11, 12)])
    store.save("L", 4, encoded(filter_))
    store.append([Passed("L", 5, "s", [(11, 11)], []), Passed("L", 6, "t", [(1, 1)], [(2, 2)])])
    store.close()
    read, place = stored(tmp_path)
    assert place == ("L", 6)
    assert read.sources == {
        "s": KnownNumbers(NumberSet([(1, 11)]), NumberSet([(12, 12)])),
        "t": KnownNumbers(NumberSet([(1, 1)]), NumberSet([(2, 2)])),
    }


def test_a_snapshot_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    sources = {"s": [[[1, 10], [12, 12]], [[11, 11]]]}
    (tmp_path / "snapshot.json").write_bytes(msgspec.json.encode({"log": "L", "seq": 4, "sources": sources}))
    read, place = stored(tmp_path)
    assert place == ("L", 4)
    assert read.unknown("s", [(1, 13)]) == [(11, 11), (13, 13)]
    assert read.states() == {"s": SourceState(11, 1, 1)}


class Disk:
    """A filter and its files. A crash loses what is in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seq = 0
        self.restart()

    def restart(self) -> None:
        self.store = FilterStore(self.folder)
        self.filter = Filter(self.store.quiet.find)
        self.store.load(self.filter)

    def send(self, source: str, ns: list[int], rejected: list[int]) -> NewRecords:
        sent = batch(source, ns, rejected=[(n, n) for n in rejected])
        new = self.filter.new_records(sent.header, sent.bodies)
        self.seq += 1
        self.store.append([Passed("L", self.seq, source, new.header.ns, new.header.rejected)])
        return new

    def store_quiet(self, most: int) -> None:
        quiet = self.filter.quiet(most)
        self.store.quiet.put(quiet)
        self.filter.leave(quiet)


events = st.one_of(
    st.tuples(st.sampled_from(["s@1", "s@2", "t@1", "u"]), numbers, numbers),
    st.sampled_from(["save", "crash", "damage"]),
    st.integers(0, 2),
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(events, max_size=25))
@example([("s@1", [1], []), "save", ("s@1", [2], []), "save", "damage", "crash"])
@example(
    [
        ("s@1", [1], []),
        "save",
        ("s@1", [2], []),
        "save",
        "damage",
        "crash",
        "save",
        "damage",
        ("s@1", [2], []),
    ]
)
def test_quiet_sources_on_the_disk_are_known_exactly_through_crashes(happened: list[Any]) -> None:
    accepted: set[tuple[str, int]] = set()
    rejected: set[tuple[str, int]] = set()
    saves = 0
    with TemporaryDirectory() as folder:
        disk = Disk(Path(folder))
        for event in happened:
            if event == "save":
                disk.store.save("L", disk.seq, encoded(disk.filter))
                saves += 1
            elif event == "crash":
                disk.store.close()
                disk.restart()
            elif event == "damage" and saves > 1:
                disk.store.close()
                (Path(folder) / "snapshot.json").write_bytes(b"{")
                disk.restart()
                saves = 1
            elif isinstance(event, int):
                disk.store_quiet(event)
                assert len(disk.filter.sources) <= event
            elif isinstance(event, tuple):
                source, ns, refused = event
                new = disk.send(source, ns, [n for n in refused if n not in ns])
                fresh = {(source, n) for n in ns} - accepted
                assert (new.accepted, new.repeated) == (len(fresh), len(ns) - len(fresh))
                accepted |= fresh
                rejected = (rejected | {(source, n) for n in refused if n not in ns}) - accepted
        found = {}
        for source in {source for source, _ in accepted | rejected}:
            mine = [sum(name == source for name, _ in some) for some in (accepted, rejected)]
            before = found.get(group := source.partition("@")[0], SourceState(0, 0, 0))
            found[group] = SourceState(
                before.accepted + mine[0], before.rejected + mine[1], before.streams + 1
            )
        assert disk.filter.states() == found
        listed, after = {}, ""
        while page := disk.store.page(disk.filter, after).sources:
            listed |= page
            after = max(page)
        assert {
            (name, n) for name, data in listed.items() for n in range(61) if n in NumberSet.load(data)
        } == accepted
        disk.store.close()


def test_quiet_sources_that_are_gone_or_changed_are_noticed(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.send("s", [1, 2], [])
    disk.store_quiet(0)
    disk.store.save("L", disk.seq, encoded(disk.filter))
    disk.store.close()
    path = tmp_path / "quiet.sqlite"
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(AnalyticsError, match="got 0 sources, expected at least 1"):
        disk.restart()
    path.write_bytes(whole.replace(NumberSet([(1, 2)]).dump(), NumberSet([(1, 3)]).dump()))
    with pytest.raises(AnalyticsError, match="numbers of s that were changed"):
        disk.restart()


def test_a_backup_that_reads_for_long_keeps_nobody_waiting(tmp_path: Path) -> None:
    quiet = QuietSources(tmp_path / "quiet.sqlite")
    known = KnownNumbers(NumberSet([(1, 5)]), NumberSet())
    quiet.put({"s": known})
    with closing(sqlite3.connect(tmp_path / "quiet.sqlite")) as backup:
        backup.execute("BEGIN")
        backup.execute("SELECT * FROM sources").fetchall()
        began = time.monotonic()
        with pytest.raises(OSError, match="locked"):
            quiet.put({"later": known})
        assert time.monotonic() - began < 2
        assert quiet.find("s") == known and quiet.find("later") is None
        backup.rollback()
    quiet.put({"later": known})
    assert quiet.find("later") == known
    quiet.close()


def test_skipped_lines_cost_a_bit_each() -> None:
    filter_ = Filter()
    for begin in range(0, 4_000_000, 40_000):
        filter_.note("gamelog/skipping@1", [(n, n) for n in range(begin, begin + 40_000, 2)], [])
    assert filter_.states()["gamelog/skipping"].accepted == 2_000_000
    assert len(encoded(filter_)) < 1_000_000


def test_the_committer_stores_quiet_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "MOST_ACTIVE", 5)
    monkeypatch.setattr(committer, "_MORE_SOURCES", 2)
    node = Broker(BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=0), tmp_path)
    node.start()
    try:
        monkeypatch.setattr(node._filter, "quiet", partial(node._filter.quiet, 5))
        publisher = Publisher(node.bound, "test")
        for _ in range(2):
            for n in range(20):
                publisher.publish(batch(f"s@{n}", [1, 2])).get(timeout=600)
        assert node.facts().active_streams <= 7
        assert node.facts().sources == {"s": SourceState(40, 0, 20)}
        assert node.facts().repeated == 40
        refill = Refill(node.bound)
        assert dict(refill.accepted()) == {f"s@{n}": NumberSet([(1, 2)]) for n in range(20)}
        refill.close()
        publisher.close()
    finally:
        node.stop()


def test_names_of_a_sender_are_counted_apart_up_to_a_number() -> None:
    filter_ = Filter()
    for n in range(2000):
        filter_.note(f"gamelog/{n}@1", [(1, 2)], [])
    assert len(filter_.states()) <= 1001
    assert sum(state.accepted for state in filter_.states().values()) == 4000


def test_a_tail_cut_anywhere_gives_a_prefix(tmp_path: Path) -> None:
    store = FilterStore(tmp_path)
    store.append([Passed("L", n, "s", [(n, n)], []) for n in range(1, 6)])
    store.close()
    whole = (tmp_path / "tail").read_bytes()
    for end, zeros in itertools.product(range(len(whole)), (0, 9)):
        (tmp_path / "tail").write_bytes(whole[:end] + bytes(zeros))
        read, (_, seq) = stored(tmp_path)
        kept = whole[:end].count(b"\n")
        assert seq == kept
        assert read.unknown("s", [(1, 5)]) == ([(seq + 1, 5)] if seq < 5 else [])


def test_a_crash_between_snapshot_and_emptied_tail_changes_nothing(tmp_path: Path) -> None:
    store = FilterStore(tmp_path)
    store.append([Passed("L", 1, "s", [], [(1, 1)]), Passed("L", 2, "s", [(1, 1)], [])])
    tail = (tmp_path / "tail").read_bytes()
    read, _ = stored(tmp_path)
    store.save("L", 2, encoded(read))
    store.close()
    (tmp_path / "tail").write_bytes(tail)
    again, place = stored(tmp_path)
    assert (again.states(), place) == (read.states(), ("L", 2))


def test_a_broken_snapshot_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").write_text("{")
    with pytest.raises(StateError, match=r"snapshot\.json is damaged.*bin/analytics state"):
        stored(tmp_path)


def test_a_damaged_snapshot_or_tail_loses_no_name(tmp_path: Path) -> None:
    store = FilterStore(tmp_path)
    known = Filter()
    for n in range(1, 10):
        store.append([Passed("L", n, "s", [(n, n)], [])])
        known.note("s", [(n, n)], [])
        if n % 3 == 0:
            store.save("L", n, encoded(known))
    store.append([Passed("L", n, "s", [(n, n)], []) for n in (10, 11, 12)])
    store.close()
    snapshot, tail = tmp_path / "snapshot.json", tmp_path / "tail"
    whole = snapshot.read_bytes()
    for at in range(len(whole)):
        snapshot.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        read, place = stored(tmp_path)
        assert (read.unknown("s", [(1, 13)]), place) == ([(13, 13)], ("L", 12))
        snapshot.unlink()
        snapshot.write_bytes(whole)
    line = tail.read_bytes().replace(b"[11,11]", b"[91,91]")
    tail.write_bytes(line)
    read, place = stored(tmp_path)
    assert (read.unknown("s", [(1, 13)]), place) == ([(11, 11), (13, 13)], ("L", 12))
