"""What is appended to a file is in it, byte by byte, whichever way it took there."""

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics import appending
from analytics.appending import BLOCK, BUFFER_BYTES, LEAST_BYTES, Appender

SIZES = [
    0,
    1,
    BLOCK - 1,
    BLOCK,
    BLOCK + 1,
    LEAST_BYTES - 1,
    LEAST_BYTES,
    BUFFER_BYTES - 1,
    BUFFER_BYTES,
    3 * BUFFER_BYTES + 5,
]


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def content(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size + 1, 0)


@pytest.mark.parametrize("seed", range(3))
def test_pieces_of_any_size_follow_each_other(fd: int, seed: int) -> None:
    chance = random.Random(seed)
    appender, expected, end = Appender(fd), b"", 0
    for _ in range(20):
        pieces = [chance.randbytes(chance.choice(SIZES)) for _ in range(chance.choice([0, 1, 2, 5]))]
        pieces += [chance.randbytes(7)] * chance.choice([0, 1, 3_000])
        end = appender.write([memoryview(one) if chance.random() < 0.5 else one for one in pieces], end)
        expected += b"".join(pieces)
        assert end == len(expected) and content(fd) == expected
        if chance.random() < 0.2:
            appender.close()


def test_what_is_large_leaves_little_in_memory(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    through_the_cache: list[int] = []
    write = os.pwritev

    def counted(fd: int, pieces: list[bytes], offset: int) -> int:
        through_the_cache.append(write(fd, pieces, offset))
        return through_the_cache[-1]

    monkeypatch.setattr(os, "pwritev", counted)
    appender = Appender(fd)
    end = appender.write([b"x" * 100], 0)
    end = appender.write([b"y" * (5 * BUFFER_BYTES)], end)
    assert sum(through_the_cache) <= 100 + 2 * BLOCK
    assert content(fd) == b"x" * 100 + b"y" * (5 * BUFFER_BYTES)


@pytest.mark.parametrize("refusal", ["open", "write"])
def test_a_file_system_that_knows_no_such_thing(
    fd: int, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "open" if refusal == "open" else "pwrite", refuse)
    appender, data = Appender(fd), random.Random(1).randbytes(3 * BUFFER_BYTES + 1)
    assert appender.write([data[:BLOCK], data[BLOCK:]], 0) == len(data)
    assert appender.write([data], len(data)) == 2 * len(data)
    assert content(fd) == data + data


def test_where_there_is_no_memory_for_large_pieces(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(appending, "mmap", refuse)
    appender, data = Appender(fd), b"x" * BUFFER_BYTES
    assert appender.write([data], 0) == len(data)
    assert appender.write([data], len(data)) == 2 * len(data)
    appender.close()
    assert content(fd) == data + data


def test_a_disk_that_takes_only_some(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda fd, data, offset: write(fd, memoryview(data)[: 3 * BLOCK], offset)
    )
    data = random.Random(2).randbytes(2 * BUFFER_BYTES + 9)
    Appender(fd).write([data], 0)
    assert content(fd) == data


def test_a_full_disk_is_told(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        Appender(fd).write([b"x" * BUFFER_BYTES], 0)
