"""Blocks of journals that other programs change meanwhile."""

import gzip
from pathlib import Path

import pytest

from analytics.engine.blocks import JournalBlock, read
from analytics.errors import Unavailable

NAME = "gamelog_201801010000.txt"


def test_a_journal_that_is_unpacked_just_now_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped = tmp_path / f"{NAME}.gz"
    zipped.write_bytes(gzip.compress(b"a\nb\n"))

    def unpacked(path: Path, mode: str):
        if path == zipped and zipped.exists():
            (tmp_path / NAME).write_bytes(gzip.decompress(zipped.read_bytes()))
            zipped.unlink()
        return path.open("rb")

    monkeypatch.setattr(gzip, "open", unpacked)
    assert b"".join(read(tmp_path, JournalBlock(NAME, 0, 4))) == b"a\nb\n"


@pytest.mark.parametrize("begin", [0, 5])
def test_half_a_line_is_never_taken_for_one(tmp_path: Path, begin: int) -> None:
    """Storage may show less of a file than its spout has written: the rest of a line may appear between two reads."""
    (tmp_path / NAME).write_bytes(b"first line")
    with pytest.raises(Unavailable, match="ends at byte 10, expected lines up to 30"):
        list(read(tmp_path, JournalBlock(NAME, begin, 30)))
