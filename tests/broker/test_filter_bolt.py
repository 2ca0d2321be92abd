"""The filter bolt: exactly the records that were not accepted before pass, in any order and batching."""

import itertools
from pathlib import Path

import pytest
from brokers import batch
from hypothesis import given
from hypothesis import strategies as st

from analytics.broker.filter import Filter
from analytics.broker.filterstore import FilterStore, Passed, encoded
from analytics.broker.wire import BatchHeader, Part, number_of
from analytics.errors import StateError

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
    assert {name: (list(k.accepted), list(k.rejected)) for name, k in read.sources.items()} == {
        "s": ([(1, 11)], [(12, 12)]),
        "t": ([(1, 1)], [(2, 2)]),
    }


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
