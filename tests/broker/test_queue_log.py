"""The Queue's log: nothing written is lost or changed, whatever the end of its files looks like."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brokers import batch, records

from analytics.broker.log import Log, Retention
from analytics.broker.times import Times
from analytics.broker.wire import Batch, Message
from analytics.errors import LogError

TOPICS = ("a", "b", "c")


def add(log: Log, *batches: Batch) -> None:
    for one in batches:
        log.stage(one.header, one.bodies)
    log.commit()


def pages(log: Log, topics: tuple[str, ...] = TOPICS, max_bytes: int = 2000) -> Iterator[list[Message]]:
    after, more = dict.fromkeys(topics, 0), True
    while more:
        messages, more, _ = log.read(after, max_bytes)
        after |= {message.topic: message.header.number for message in messages}
        yield messages


def contents(log: Log, topics: tuple[str, ...] = TOPICS) -> list[tuple[str, int]]:
    return [record for page in pages(log, topics) for record in records(page)]


def segments(log: Log) -> int:
    return len(log._segments)


def dropped(log: Log, *wanted: Any, **named: Any) -> int:
    """Drop segments; return how many have gone."""
    before = segments(log)
    log.drop(*wanted, **named)
    return before - segments(log)


def filled(folder: Path, batches: int, segment_bytes: int = 3000, pad: int = 10) -> Log:
    log = Log(folder, segment_bytes)
    for n in range(batches):
        add(log, batch("s", range(5 * n, 5 * n + 5), TOPICS, pad=pad))
    return log


def test_numbers_and_totals_go_on_after_reopening_and_across_segments(tmp_path: Path) -> None:
    log = filled(tmp_path, 40)
    heads, identity = log.heads, log.identity
    assert segments(log) > 3
    assert sum(head.records for head in heads.values()) == 200
    log.close()
    log = Log(tmp_path, 3000)
    assert (log.heads, log.identity, log.seq) == (heads, identity, 40)
    add(log, batch("s", range(200, 205), TOPICS))
    assert log.heads["a"].number == heads["a"].number + 1
    assert sorted(contents(log)) == [("s", n) for n in range(205)]


def test_reading_pages_gives_every_message_once_in_order(tmp_path: Path) -> None:
    log = filled(tmp_path, 100)
    for max_bytes in (1, 700, 10**9):
        numbers: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        for page in pages(log, max_bytes=max_bytes):
            for message in page:
                numbers[message.topic].append(message.header.number)
        assert all(found == list(range(1, 101)) for found in numbers.values())


def test_reading_from_any_position_gives_what_lies_above_it(tmp_path: Path) -> None:
    log = filled(tmp_path, 60)
    chance = random.Random(5)
    for _ in range(200):
        after = {topic: chance.randrange(62) for topic in chance.sample(TOPICS, chance.randint(1, 3))}
        messages, more, oldest = log.read(after, 10**9)
        assert not more
        for topic, number in after.items():
            found = [message.header.number for message in messages if message.topic == topic]
            assert found == list(range(number + 1, 61))
            assert oldest[topic] == min(number, 60) + 1


@pytest.mark.parametrize("kind", ["cut", "garbage", "zeros"])
def test_torn_tail_at_every_byte_of_the_last_record(tmp_path: Path, kind: str) -> None:
    log = Log(tmp_path / "whole", 10**6)
    add(log, batch("s", range(5), TOPICS))
    add(log, batch("s", range(5, 10), TOPICS))
    before = log.disk_bytes()
    add(log, batch("s", range(10, 15), TOPICS))
    log.close()
    name = next((tmp_path / "whole").glob("*.log")).name
    whole = (tmp_path / "whole" / name).read_bytes()
    for end in range(before, len(whole)):
        folder = tmp_path / "torn"
        folder.mkdir()
        rest = len(whole) - end
        tail = {"cut": b"", "garbage": os.urandom(rest), "zeros": bytes(rest)}[kind]
        (folder / name).write_bytes(whole[:end] + tail)
        torn = Log(folder, 10**6)
        if whole[:end] + tail != whole:
            assert (torn.seq, torn.disk_bytes()) == (2, before)
        add(torn, batch("s", range(20, 25), TOPICS))
        torn.close()
        again = Log(folder, 10**6)
        assert sorted(contents(again))[:10] == [("s", n) for n in range(10)]
        assert sorted(contents(again))[-5:] == [("s", n) for n in range(20, 25)]
        again.close()
        shutil.rmtree(folder)


def test_any_changed_byte_of_the_newest_segment_leaves_a_right_prefix(tmp_path: Path) -> None:
    log = filled(tmp_path / "whole", 8, segment_bytes=10**6)
    log.close()
    path = next((tmp_path / "whole").glob("*.log"))
    whole, chance = path.read_bytes(), random.Random(7)
    for _ in range(300):
        at = chance.randrange(len(whole))
        folder = tmp_path / "bad"
        folder.mkdir()
        (folder / path.name).write_bytes(
            whole[:at] + bytes([whole[at] ^ chance.randint(1, 255)]) + whole[at + 1 :]
        )
        try:
            log = Log(folder, 10**6)
        except LogError as error:
            assert "damaged at byte 0" in str(error)  # the head record: a segment never lies there without it
        else:
            found = contents(log)
            assert sorted(found) == [("s", n) for n in range(len(found))] and len(found) < 40
            log.close()
        shutil.rmtree(folder)


def test_a_log_that_lost_acknowledged_records_is_refused(tmp_path: Path) -> None:
    log = filled(tmp_path, 3, segment_bytes=10**6)
    identity = log.identity
    log.close()
    path = next(tmp_path.glob("*.log"))
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(
        LogError, match=r"ends at seq 2, but records through 3 were acknowledged .*Counting again"
    ):
        Log(tmp_path, 10**6, expect=(identity, 3))
    assert Log(tmp_path, 10**6, expect=("another", 3)).seq == 2


def test_damage_in_an_older_segment_names_file_byte_and_remedy(tmp_path: Path) -> None:
    log = filled(tmp_path, 40)
    heads = log.heads
    log.close()
    second = sorted(tmp_path.glob("*.log"))[1]
    text = bytearray(second.read_bytes())
    text[-3] ^= 1
    second.write_bytes(text)
    log = Log(tmp_path, 3000)
    assert log.heads == heads
    with pytest.raises(LogError, match=f"{second.name} is damaged at byte .*move this file away"):
        contents(log)
    log.close()

    second.rename(tmp_path / "away")
    log = Log(tmp_path, 3000)
    first, _, oldest = log.read({"a": 0}, 10**9)
    numbers = [message.header.number for message in first]
    hole = next(n for n in range(1, 41) if n not in numbers)
    assert oldest == {"a": 1}
    assert log.read({"a": hole - 1}, 10**9)[2]["a"] == next(n for n in numbers if n > hole)
    assert numbers[-1] == 40


def test_segments_go_when_all_have_passed_them_and_totals_stay(tmp_path: Path) -> None:
    log = filled(tmp_path, 60)
    heads, count = log.heads, segments(log)
    assert dropped(log, {"a": 30, "b": 60}, through=0) == 0
    gone = dropped(log, {"a": 30, "b": 60}, through=10**9)
    assert 0 < gone < count - 1
    assert [m.header.number for m in log.read({"a": 30}, 10**9)[0]] == list(range(31, 61))
    messages, _, oldest = log.read({"a": 0, "b": 60}, 10**9)
    assert 1 < messages[0].header.number == oldest["a"] <= 31
    assert oldest["b"] == 61
    assert dropped(log, {}, through=10**9) == count - gone - 1
    messages, _, oldest = log.read({"a": 0}, 10**9)
    assert oldest["a"] == messages[0].header.number > 31
    log.close()
    assert Log(tmp_path, 3000).heads == heads


def test_a_topic_nobody_asks_for_is_skipped_and_more_says_so(tmp_path: Path) -> None:
    log = Log(tmp_path, 3000)
    for n in range(50):
        add(log, batch("s", [n], ("noise",), pad=200))
    add(log, batch("s", [50], ("rare",)))
    messages, more, _ = log.read({"rare": 0})
    assert (records(messages), more) == ([("s", 50)], False)
    assert log.read({"rare": 1})[:2] == ([], False)
    assert log.read({"never": 0}) == ([], False, {"never": 1})


def test_a_group_of_batches_is_one_commit(tmp_path: Path) -> None:
    log = Log(tmp_path, 10**6)
    batches = [batch("s", [n], TOPICS) for n in range(700)]  # more buffers than one writev takes
    add(log, *batches)
    log.close()
    assert sorted(contents(Log(tmp_path, 10**6))) == [("s", n) for n in range(700)]


def test_a_removed_folder_is_noticed_before_anything_is_acknowledged(tmp_path: Path) -> None:
    log = filled(tmp_path / "queue", 2)
    shutil.rmtree(tmp_path / "queue")
    with pytest.raises(LogError, match="was removed"):
        add(log, batch("s", range(100, 105), TOPICS))


def test_what_is_staged_is_told_apart_from_what_is_durable(tmp_path: Path) -> None:
    log = Log(tmp_path, 3000)
    one = batch("s", range(5), TOPICS)
    log.stage(one.header, one.bodies)
    durable = log.heads
    assert log.staged(durable) == {part.topic: part.count for part in one.header.parts}
    log.commit()
    assert log.staged(log.heads) == {}
    assert sum(head.records for head in log.heads.values()) == sum(log.staged(durable).values()) == 5


def test_since_when_a_message_waits(tmp_path: Path) -> None:
    log = Log(tmp_path, 3000)
    at, longest = {}, 0.0
    for n in range(60):
        began = time.time()
        one = batch("s", range(5 * n, 5 * n + 5), TOPICS)
        at |= {
            (p.topic, h.number): h.at
            for p, h in zip(one.header.parts, log.stage(one.header, one.bodies), strict=True)
        }
        log.commit()
        longest = max(longest, time.time() - began)
    newest = log.heads["a"].number
    assert segments(log) > 3
    assert all(log.waiting({"a": n}) == {"a": at["a", n + 1]} for n in range(newest))
    assert log.waiting({"a": newest, "none": 0}) == {}
    log.close()
    again = Log(tmp_path, 3000)
    assert again.waiting({"a": newest - 1}) == {"a": at["a", newest]}
    # What older segments hold is dated roughly, never later than it was written (but for the rounding of files' times).
    assert all(again.waiting({"a": n})["a"] <= at["a", n + 1] + longest + 0.05 for n in range(newest))
    again.drop({"a": newest - 1}, 0)
    assert again.waiting({"a": newest - 1}) == {"a": at["a", newest]}


def test_what_is_known_of_the_ends_of_older_segments_alone_is_dated_by_the_end_before() -> None:
    times = Times()
    for number, at in ((10, 100.0), (20, 200.0), (21, 201.0)):
        times.note(number, at)
    assert [times.after(number) for number in (3, 9, 10, 18, 19, 20)] == [100, 100, 100, 100, 200, 201]


def test_times_stay_few_and_are_never_too_late() -> None:
    times, tenths = Times(), 300_000
    for number in range(1, tenths):
        times.note(number, number / 10)
    kept = len(times._older)
    assert 1024 < kept <= 4096
    for number in range(0, tenths - 1, 997):
        exact = (number + 1) / 10
        assert exact - 16 <= times.after(number) <= exact
    assert times.after(tenths - 100) == (tenths - 99) / 10
    times.forget(tenths - 5000)
    assert len(times._older) < kept // 10
    assert tenths / 10 - 516 <= times.after(tenths - 5000) <= tenths / 10 - 499


def test_segments_that_all_have_passed_are_kept_for_a_time_and_up_to_a_size(tmp_path: Path) -> None:
    log = filled(tmp_path, 60)
    passed, everything = {"a": 60, "b": 60}, 10**9
    count, size = segments(log), log.disk_bytes()
    assert count > 4
    for since, max_bytes in ((0.0, size), (time.time() - 60, size)):
        assert dropped(log, passed, everything, Retention(since, max_bytes)) == 0
    kept = size // 2
    assert 0 < dropped(log, passed, everything, Retention(time.time() - 60, kept)) < count - 1
    assert log.disk_bytes() <= kept
    left = segments(log)
    assert dropped(log, passed, everything, Retention(time.time() + 60, size)) == left - 1, (
        "all of them are older than that"
    )
    log.close()
