"""Cutting bytes into numbered chunks of lines, and recognising a stream again."""

from zlib import crc32

import pytest
from forms import thorough
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from analytics.spouts.positions import StreamPosition
from analytics.spouts.sources import stream as streams
from analytics.spouts.sources.identity import Catalogue, Streams, beginning, carries
from analytics.spouts.sources.stream import LONGEST_LINE, WINDOW, Stream


def reader(data):
    return lambda offset, length: data[offset : offset + length]


def feed(stream, pieces):
    chunks = [chunk for piece in pieces for chunk in stream.feed(piece)]
    return [*chunks, *stream.give_up()]


def test_the_longest_lines_are_kept_whole_and_longer_ones_come_in_parts():
    longest = b"a" * LONGEST_LINE
    data = b"one\n" + longest + b"\n" + longest + b"b\ntwo\n" + longest + longest
    for size in (1 << 16, 1 << 20, 1 << 23):
        chunks = feed(
            Stream("s", StreamPosition("f"), 10), [data[at : at + size] for at in range(0, len(data), size)]
        )
        whole = {chunk.first: chunk.data for chunk in chunks if not chunk.part}
        assert b"".join(whole.values()) == b"one\n" + longest + b"\ntwo\n"
        for n, text in ((3, longest + b"b"), (5, longest + longest)):
            parts = [chunk for chunk in chunks if chunk.part and chunk.first == n]
            assert b"".join(part.data for part in parts) == text
            assert [part.part for part in parts] == list(range(1, len(parts) + 1))
            assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
        assert chunks[-1].position.n == 5 and chunks[-1].position.offset == len(data)


@given(
    st.lists(st.binary(max_size=400).map(lambda line: line.translate(None, b"\n\0")), max_size=12),
    st.lists(st.integers(1, 700), min_size=1, max_size=5),
    st.integers(1, 4),
    st.booleans(),
)
def test_however_it_comes_lines_numbers_and_marks_are_the_same(lines, sizes, most, ends):
    data = b"\n".join(lines) + (b"\n" if ends else b"\n{}")
    pieces, at = [], 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    stream = Stream("s", StreamPosition("f"), most)
    n = offset = 0
    for chunk in feed(stream, pieces):
        assert chunk.first == n + 1 and chunk.data.count(b"\n") <= 2 * most
        assert chunk.data.endswith(b"\n")
        n, offset = chunk.position.n, chunk.position.offset
        assert data[:offset].removesuffix(b"\n").count(b"\n") == n - 1
        for place, checksum in chunk.position.marks:
            assert crc32(data[max(0, place - WINDOW) : place]) == checksum
        assert carries(reader(data), chunk.position)
    assert offset == len(data)


def ignore(source, position):
    pass


def test_a_stream_that_began_is_told_from_another_with_the_same_first_line():
    """Its first records may be counted already, though no position was saved after them."""
    data = b"".join(b"line %d\n" % n for n in range(300))
    other = b"line 0\n" + data[-900:]
    saved = {}

    def begun(source, position):
        saved[source] = saved.get(source, StreamPosition(position.fingerprint)).with_marks(position)

    stream = Streams("s1", Catalogue({}), 100, begun).find(reader(data[:7]), [b"line 0"], "a")
    assert len(saved[stream.source].head) == 2
    feed(stream, [data[:7], data[7:1000], data[1000:2000]])
    assert list(saved) == [stream.source] and saved[stream.source].n == 0
    after_crash = Streams("s1", Catalogue(saved), 100, ignore)
    assert after_crash.find(reader(other), [b"line 0"], "b").source == stream.source + "-2"
    again = after_crash.find(reader(data), [b"line 0"], "a")
    assert (again.source, again.position.n) == (stream.source, 0)
    chunk = feed(again, [data[:700]])[0]
    assert carries(reader(data), chunk.position) and chunk.first == 1


def test_a_stream_is_found_again_unless_its_bytes_changed():
    data = b"".join(b"line %d\n" % n for n in range(5000))
    stream = Streams("s1", Catalogue({}), 100, ignore).find(reader(data), [b"line 0"], "a")
    feed(stream, [data[:30_000]])

    def found(data, source="s1"):
        known = Catalogue({stream.source: stream.position})
        return Streams(source, known, 100, ignore).find(reader(data), [b"line 0"], "b")

    for source in ("s1", "another"):
        assert (found(data, source).source, found(data).position) == (stream.source, stream.position)
    for place in (100, 1_500, 29_999):
        other = found(data[:place] + b"X" + data[place + 1 :])
        assert other.source == stream.source + "-2" and other.position.n == 0
    assert found(data[:20_000]) is None
    assert found(data[:20_000], "another") is None


def test_a_saved_position_that_says_less_of_the_beginning_is_still_recognised():
    """As an earlier release saved it: without the head."""
    data = b"".join(b"line %d\n" % n for n in range(5000))
    stream = Streams("s1", Catalogue({}), 100, ignore).find(reader(data), [b"line 0"], "a")
    feed(stream, [data[:30_000]])
    old = Catalogue({stream.source: replace(stream.position, head=b"")})
    again = Streams("s1", old, 100, ignore).find(reader(data), [b"line 0"], "b")
    assert again.position == stream.position


def test_the_beginning_waits_for_its_end():
    record = b'{"a":1}'
    assert beginning(reader(b"abc")) == beginning(reader(b"abc"), quiet=True) == []
    assert beginning(reader(record)) == [] and beginning(reader(record), quiet=True) == [record]
    assert beginning(reader(b"abc"), final=True) == [b"abc"]
    assert beginning(reader(b""), final=True) == beginning(reader(bytes(5000)), final=True) == []
    assert beginning(reader(record + b"\ndef")) == [record]
    assert beginning(reader(b"x" * 9000 + b"\n"), quiet=True) == [b"x" * 9000]
    assert [len(line) for line in beginning(reader(b"x" * 2 * streams.LONGEST_LINE))] == [
        streams.LONGEST_LINE
    ]


def test_a_stream_is_named_after_its_first_record_and_the_header_before_it():
    header = b"#Software: 1.2\n#Fields: op\n"
    assert beginning(reader(header)) == []
    assert beginning(reader(header), quiet=True) == header.splitlines()
    assert beginning(reader(header + b'{"a":1}\n{"b":1}\n')) == [*header.splitlines(), b'{"a":1}']
    assert beginning(reader(bytes(700) + b'{"a":1}\n')) == [b'{"a":1}']
    assert beginning(reader(b"no record\n" * 20)) == [b"no record"] * 8


def numbered(data, sizes=(1 << 20,), more=b""):
    """Return the number and text of every line of ``data``, read in pieces of those sizes, and the last position."""
    stream = Stream("s", StreamPosition("f"), 3)
    found, at, turn = [], 0, 0
    while at < len(data):
        piece = data[at : at + sizes[turn % len(sizes)]]
        found += stream.feed(piece)
        at, turn = at + len(piece), turn + 1
    found += stream.finish()
    found += stream.feed(more)
    found += stream.give_up()
    lines = [(n, text) for chunk in found for n, text in enumerate(chunk.data[:-1].split(b"\n"), chunk.first)]
    return lines, stream.position


@given(
    st.lists(st.sampled_from([b'{"a":1}', b'{"b":', b"\0", b"\0" * 70, b"x", b"\n", b"\r\n"]), max_size=14),
    st.lists(st.integers(1, 90), min_size=1, max_size=4),
)
def test_zeros_end_a_line_wherever_a_read_ends(parts, sizes):
    data = b"".join(parts)
    lines, position = numbered(data)
    assert numbered(data, sizes) == (lines, position)
    assert [n for n, _ in lines] == list(range(1, len(lines) + 1))
    assert carries(reader(data), position)


@pytest.mark.parametrize(
    "zeros", [1, pytest.param(40, marks=thorough), 63, 64, pytest.param(100, marks=thorough)]
)
def test_zeros_end_a_line_that_is_too_long_wherever_a_read_ends(zeros):
    """Otherwise the lines behind it would have other numbers when they are read again, and be dropped as repeated."""
    for size in (LONGEST_LINE - 20, LONGEST_LINE + 20):
        for more in (b"", b"x", b"\n"):
            before = b'{"a":1}\n' + b"y" * size
            data = before + bytes(zeros) + more + b'{"b":1}\n{"c":1}\n'
            for part in {1, zeros // 2, zeros - 1, zeros}:
                pieces = [data[: len(before) + part], data[len(before) + part :]]
                assert last_number(pieces) == last_number([data]), (size, more, part)


def last_number(pieces):
    """Return the number of the last line."""
    last = feed(Stream("s", StreamPosition("f"), 3), pieces)[-1]
    return last.first + last.data.count(b"\n") - 1


def test_only_what_is_torn_goes_with_the_zeros():
    torn = b'{"a":1}\n{"b":' + bytes(3000) + b'{"c":1}\n' + bytes(900) + b'{"d":1}'
    assert numbered(torn)[0] == [(1, b'{"a":1}'), (2, b'{"b":'), (3, b'{"c":1}'), (4, b'{"d":1}')]


def test_a_last_line_counts_without_its_newline_only_if_nothing_can_follow():
    """Its newline, if it comes, is no line of its own."""
    lines, position = numbered(b'{"a":1}\n{"b":1}', more=b'\n{"c":1}\n')
    assert lines == [(1, b'{"a":1}'), (2, b'{"b":1}'), (3, b'{"c":1}')]
    assert position.n == 3 and not position.open
    for end in (b"\r\n", b" \r\n", b"  \n"):
        lines, position = numbered(b'{"a":1}' + end + b'{"b":1}', more=end + b'{"c":1}' + end)
        assert [(n, text.strip()) for n, text in lines] == [(1, b'{"a":1}'), (2, b'{"b":1}'), (3, b'{"c":1}')]
        assert position.n == 3 and not position.open
    lines, position = numbered(b'{"a":1}\n{"b"', more=b':1}\n{"c":1}\n')
    assert lines == [(1, b'{"a":1}'), (2, b'{"b":1}'), (3, b'{"c":1}')]
    lines, position = numbered(b'{"a":1}\n{"b"')
    assert lines[-1] == (2, b'{"b"') and (position.n, position.offset) == (1, 8)
