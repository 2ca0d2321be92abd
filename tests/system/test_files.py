"""Files are replaced as a whole, or not at all."""

import os
from pathlib import Path

import pytest

from analytics.system import files


def test_a_file_is_replaced_with_the_mode_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"a longer text")
    files.write(path, b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fails", ["fdatasync", "replace"])
def test_a_failure_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "one"
    files.write(path, b"old")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fdatasync") if fails == "fdatasync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    if fails == "fdatasync":
        assert list(tmp_path.iterdir()) == [path]


def test_content_and_name_are_synced_before_and_after_the_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: done.append("content"))
    monkeypatch.setattr(os, "fsync", lambda fd: done.append("folder"))
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda one, other: (done.append("name"), replace(one, other)))
    files.write(tmp_path / "one", b"new")
    assert done == ["content", "name", "folder"]
