"""Any number of op codes costs a bounded number of topics, and what was written can always be read back."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from brokers import records

from analytics.broker import log as log_module
from analytics.broker.log import Log
from analytics.broker.topics import LONGEST, MOST, Topics, bounded, shared_topic
from analytics.broker.wire import BatchHeader, Head, Part, totals

READ = {"gamelog.read_by_a_bolt", "payment"}
OTHERS = ["gamelog.read_by_a_bolt", "payment", "x" * (LONGEST + 1)]


def codes(numbers: Iterable[int]) -> list[str]:
    return [f"gamelog.code{n:06d}" for n in numbers]


def commit(log: Log, source: str, first: int, topics: list[str]) -> None:
    """Commit a batch with a line for each topic."""
    ns = range(first, first + len(topics))
    header = BatchHeader(source, [(first, ns[-1])], [Part(topic, 1, 1) for topic in topics])
    lines = [b'{"id":"%s:%d","n":%d}' % (source.encode(), n, n) for n in ns]
    log.stage(*log.topics.assign(header, lines))
    log.commit()


def filled(folder: Path, count: int) -> Log:
    log = Log(folder, 200_000, read=READ)
    for first in range(0, count, 2000):
        commit(log, "s", first, codes(range(first, first + 2000)))
    commit(log, "s", count, OTHERS)
    return log


def read_all(log: Log, topic: str) -> list[tuple[str, int]]:
    after, more, found = 0, True, []
    while more:
        messages, more, _ = log.read({topic: after})
        found += records(messages)
        after = messages[-1].header.number
    return found


def test_any_number_of_op_codes_costs_a_bounded_number_of_topics(tmp_path: Path) -> None:
    total = 20_000
    log = filled(tmp_path, total)
    heads = log.heads
    assert len(heads) == MOST + 4
    assert totals(heads, "gamelog") == total + 1
    assert heads["gamelog.read_by_a_bolt"] == heads["payment"] == heads["~"] == Head(1, 1, 1)
    log.close()

    log = Log(tmp_path, 200_000, read=READ)
    assert log.heads == heads
    assert len(log._segments) > 2
    commit(log, "t", 0, codes([0, total - 1, total]))
    assert log.heads["gamelog.code000000"].number == 2
    assert read_all(log, "gamelog.~") == [("s", n) for n in range(MOST, total)] + [("t", 1), ("t", 2)]
    log.close()


@pytest.mark.parametrize("records_after", [0, 1])
def test_a_log_with_too_many_topics_goes_on_with_shared_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, records_after: int
) -> None:
    total = 8000

    def unbounded(heads: Mapping[str, Head], read: Iterable[str]) -> dict[str, Head]:
        return dict(heads)

    with monkeypatch.context() as earlier:
        earlier.setattr("analytics.broker.topics.MOST", 10**9)
        earlier.setattr(log_module, "bounded", unbounded)
        log = filled(tmp_path, total)
        if not records_after:
            log._segment_bytes = 0  # the newest segment is empty where the next write was cut off
            commit(log, "s", total + 3, ["payment"])
            log.close()
            newest = max(tmp_path.glob("*.log"))
            log = Log(tmp_path, 200_000, read=READ)
            begin = log._segments[-1].begin
            log.close()
            with newest.open("r+b") as file:
                file.truncate(begin)
        else:
            log.close()
    with caplog.at_level(logging.WARNING):
        log = Log(tmp_path, 200_000, read=READ)
    assert f"expected {MOST + 4} at most" in caplog.text
    heads = log.heads
    assert (len(heads), totals(heads, "gamelog"), heads["payment"]) == (MOST + 4, total + 1, Head(1, 1, 1))
    commit(log, "t", 0, codes([total, total + 1]))
    assert log.heads["gamelog.~"].records == total - MOST + 2
    after = log.heads
    log.close()
    log = Log(tmp_path, 200_000, read=READ)
    assert log.heads == after
    assert read_all(log, "payment") == [("s", total + 1)]
    messages, _, _ = log.read({"gamelog.~": heads["gamelog.~"].number})
    assert records(messages) == [("t", 0), ("t", 1)]
    log.close()


def test_a_header_of_any_size_is_read_back(tmp_path: Path) -> None:
    log = Log(tmp_path, 10**6)
    name = "n" * (70 << 20)
    commit(log, "s", 0, ["a"])
    log.stage(BatchHeader(name, [], [Part("a", 1, 1)]), [b"{}"])
    log.commit()
    log.close()
    log = Log(tmp_path, 10**6)
    assert (log.seq, log.heads) == (2, {"a": Head(2, 2, 2)})
    log.close()


def test_topics_with_numbers_keep_them_whatever_comes_first() -> None:
    old = {f"gamelog.{n}": Head(1, n, n) for n in range(2 * MOST)} | {
        "server": Head(1, 1, 1),
        "payment": Head(1, 1, 1),
    }
    kept = bounded(old, READ)
    assert bounded(kept, READ) == kept
    assert {"server", "payment", f"gamelog.{2 * MOST - 1}", "gamelog.~"} <= set(kept)
    assert "gamelog.5" not in kept
    topics = Topics(READ, kept)
    header = BatchHeader(
        "s", [(1, 3)], [Part("gamelog.5", 1, 1), Part("payment", 1, 1), Part("gamelog.6", 1, 1)]
    )
    assigned, bodies = topics.assign(header, [b"5", b"p", b"6"])
    assert assigned.parts == [Part("gamelog.~", 2, 2), Part("payment", 1, 1)]
    assert bodies == [b"5\n6", b"p"]
    assert shared_topic("gamelog.5") == "gamelog.~"
    assert shared_topic("loginday") == "~"
