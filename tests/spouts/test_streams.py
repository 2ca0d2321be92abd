"""Cutting bytes into numbered chunks of lines, and recognising a stream again."""

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from analytics.spouts.positions import Position
from analytics.spouts.sources import stream as streams
from analytics.spouts.sources.stream import LONGEST_LINE, WINDOW, Stream, Streams, carries, first_line


def reader(data):
    return lambda offset, length: data[offset : offset + length]


def feed(stream, pieces):
    chunks = [chunk for piece in pieces for chunk in stream.feed(piece)]
    return [*chunks, *stream.finish()]


def test_the_longest_lines_are_kept_whole_and_longer_ones_come_in_parts():
    longest = b"a" * LONGEST_LINE
    data = b"one\n" + longest + b"\n" + longest + b"b\ntwo\n" + longest + longest
    for size in (1 << 16, 1 << 20, 1 << 23):
        chunks = feed(
            Stream("s", Position("f"), 10), [data[at : at + size] for at in range(0, len(data), size)]
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
    st.lists(st.binary(max_size=400).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    st.lists(st.integers(1, 700), min_size=1, max_size=5),
    st.integers(1, 4),
    st.booleans(),
)
def test_however_it_comes_lines_numbers_and_marks_are_the_same(lines, sizes, most, ends):
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    pieces, at = [], 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    stream = Stream("s", Position("f"), most)
    n = offset = 0
    for chunk in feed(stream, pieces):
        assert chunk.first == n + 1 and chunk.data.count(b"\n") <= 2 * most
        assert chunk.data.endswith(b"\n")
        n, offset = chunk.position.n, chunk.position.offset
        assert data[:offset].removesuffix(b"\n").count(b"\n") == n - 1
        for place, checksum in chunk.position.marks:
            assert crc32(data[max(0, place - WINDOW) : place]) == checksum
        assert carries(reader(data), chunk.position.marks)
    assert offset == len(data)


def ignore(source, position):
    pass


def test_a_stream_that_began_is_told_from_another_with_the_same_first_line():
    """Its first records may be counted already, though no position was saved after them."""
    data = b"".join(b"line %d\n" % n for n in range(300))
    other = b"line 0\n" + data[-900:]
    begun = {}
    stream = Streams("s1", {}, 100, begun.__setitem__).find(reader(data), b"line 0", "a")
    feed(stream, [data[:1000], data[1000:2000]])
    assert list(begun) == [stream.source] and begun[stream.source].n == 0
    after_crash = Streams("s1", begun, 100, ignore)
    assert after_crash.find(reader(other), b"line 0", "b").source == stream.source + "-2"
    again = after_crash.find(reader(data), b"line 0", "a")
    assert (again.source, again.position.n) == (stream.source, 0)
    chunk = feed(again, [data[:700]])[0]
    assert carries(reader(data), chunk.position.marks) and chunk.first == 1


def test_a_stream_is_found_again_unless_its_bytes_changed():
    data = b"".join(b"line %d\n" % n for n in range(5000))
    known = Streams("s1", {}, 100, ignore)
    stream = known.find(reader(data), b"line 0", "a")
    feed(stream, [data[:30_000]])
    saved = {stream.source: stream.position}
    again = Streams("s1", saved, 100, ignore).find(reader(data), b"line 0", "b")
    assert (again.source, again.position) == (stream.source, stream.position)
    for place in (100, 9_000, 29_999):
        other = data[:place] + b"X" + data[place + 1 :]
        found = Streams("s1", saved, 100, ignore).find(reader(other), b"line 0", "b")
        if place != 9_000:
            assert found.source == stream.source + "-2" and found.position.n == 0
    assert Streams("s1", saved, 100, ignore).find(reader(data[:20_000]), b"line 0", "b") is None
    assert Streams("other", saved, 100, ignore).find(reader(data), b"line 0", "b").position.n == 0


def test_the_first_line_waits_for_its_end():
    assert first_line(reader(b"abc"), False) is None
    assert first_line(reader(b"abc"), True) == b"abc"
    assert first_line(reader(b"abc\ndef"), False) == b"abc"
    assert first_line(reader(b""), True) is None
    assert first_line(reader(b"x" * 9000 + b"\n"), False) == b"x" * 9000
    assert len(first_line(reader(b"x" * 2 * streams.LONGEST_LINE), False)) == streams.LONGEST_LINE
