"""A batch is taken only if its header agrees with itself and with the lines that it brings."""

import json
from typing import Any

import pytest
import zmq.green as zmq

from analytics.broker.batches import checked

LINES = b'{"id":"s:1","a":1}\n{"id":"s:2","a":1}'


def message(header: dict[str, Any], *bodies: bytes) -> list[zmq.Frame]:
    return [
        zmq.Frame(part) for part in (b"who", b"batch", b"7", b"p" * 16, json.dumps(header).encode(), *bodies)
    ]


def header(ns: Any, *parts: Any, **more: Any) -> dict[str, Any]:
    return {"source": "s", "ns": ns, "parts": list(parts), **more}


@pytest.mark.parametrize(
    ("wrong", "bodies", "reason"),
    [
        (
            header([[1, 100]], ["a", 2, 2]),
            [LINES],
            r"\$.ns: expected 2 numbers, as the parts have lines, got 100",
        ),
        (
            header([[1, 1]], ["a", 2, 2]),
            [LINES],
            r"\$.ns: expected 2 numbers, as the parts have lines, got 1",
        ),
        (header([[1, 2]]), [], r"\$.ns: expected 0 numbers"),
        (header([[1, 1], [1, 1]], ["a", 2, 2]), [LINES], r"\$.ns: expected rising numbers, got 1 after 1"),
        (header([[5, 6]], ["a", 2, 2]), [LINES], r"\$.ns: expected number 1 of a line of topic a"),
        (header([[1, 1], [3, 3]], ["a", 2, 2]), [LINES], r"\$.ns: expected number 2 of a line of topic a"),
        (header([[1, 2]], ["a", 2, 1]), [LINES], r"\$.parts: expected 2 tuples of topic a"),
        (header([[1, 2]], ["a", 2, 2], source="t"), [LINES], "expected a line that begins"),
        (
            header([], ["a", 1 << 62, 1]),
            [LINES],
            r"\$.parts: expected 4611686018427387904 lines of topic a, got 37",
        ),
        (header([], ["a", 2, 1 << 62]), [LINES], r"\$.parts: expected counts of topic a"),
        (header([[1, 2]], ["a", 2, 2], rejected=[[9, 9], [8, 8]]), [LINES], r"\$.rejected: expected rising"),
        (
            header([[1, 2]], ["a", 2, 2], rejected=[[3, 1 << 62]]),
            [LINES],
            r"\$.rejected: expected at most 16777216",
        ),
    ],
)
def test_a_header_that_does_not_fit_its_lines_is_refused(
    wrong: dict[str, Any], bodies: list[bytes], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        checked(message(wrong, *bodies))


@pytest.mark.parametrize("length", [1, 5000, 200_000])
def test_lines_of_any_length_are_accepted(length: int) -> None:
    lines = b"\n".join(b'{"id":"s:%d","a":"%s"}' % (n, b"x" * length) for n in (4, 1, 2))
    intake = checked(message(header([[1, 2], [4, 4]], ["a", 3, 3], rejected=[[3, 3]]), lines))
    assert (intake.seq, intake.header.ns, bytes(intake.frames[0].buffer)) == (7, [(1, 2), (4, 4)], lines)


def test_a_batch_counts_with_the_memory_that_its_header_takes() -> None:
    """An inbox of 32 MB held sixteen headers of 2 MB, each of them 40 MB once it was decoded."""
    long = header([], ["a", 1, 1], rejected=[[n, n] for n in range(0, 200_000, 2)])
    assert checked(message(long, b"{}")).size > 14 << 20
    parts = [[f"topic{n}", 1, 1] for n in range(10_000)]
    assert checked(message(header([], *parts), *[b"{}"] * 10_000)).size > 5 << 20


def test_a_header_of_too_many_pairs_is_refused_before_it_is_decoded() -> None:
    long = b"[" * 150_001 + b"not JSON"
    frames = message({}, b"{}")
    frames[4] = zmq.Frame(long)
    with pytest.raises(ValueError, match="expected at most 150000 pairs of numbers, got 150001"):
        checked(frames)
