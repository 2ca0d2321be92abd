"""What root and others call leaves nothing in the data folder that the suite's own user could not use."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from needed import missing

from analytics.cli.main import cli
from analytics.errors import AnalyticsError
from analytics.runtime.owner import become
from analytics.spouts.lost import Loss, waiting

NOBODY = 65534
LOSS = Loss(at=1.0, source="gamelog/a@1", line=1, byte=0, reason="truncated")
# What Python imports late is imported by the first call: it may lie where root alone may read.
CALLS = """
from gevent import monkey

monkey.patch_all()
import sys

from analytics.cli.main import main

for file in sys.argv[1:]:
    try:
        main(["--config", file, "lost", "--accept"])
    except SystemExit as end:
        if end.code:
            raise
"""


def suite(folder: Path, name: str, owner: int) -> Path:
    """Make a data folder with a loss in it, and return its configuration."""
    data = folder / name
    data.mkdir()
    (data / "lost_202001010000.txt").write_bytes(msgspec.json.encode(LOSS) + b"\n")
    for one in (data, *data.iterdir()):
        os.chown(one, owner, owner)
    file = folder / f"{name}.toml"
    file.write_text(f'data = "{name}"\n')
    return file


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may reach, unlike ``tmp_path``."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_what_root_calls_writes_as_the_owner_of_the_data_folder(open_folder: Path) -> None:
    if os.geteuid() != 0:
        missing("another user: run as root")
    files = [suite(open_folder, "own", 0), suite(open_folder, "theirs", NOBODY)]
    subprocess.run([sys.executable, "-c", CALLS, *map(str, files)], check=True, timeout=600)
    for name, owner in (("own", 0), ("theirs", NOBODY)):
        found = list((open_folder / name).iterdir())
        assert len(found) == 2 and not waiting(open_folder / name)
        assert {(path.stat().st_uid, path.stat().st_gid) for path in found} == {(owner, owner)}


def test_others_are_refused_where_they_would_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = suite(tmp_path, "data", os.geteuid())
    (tmp_path / "data" / "run").mkdir()
    monkeypatch.setattr("os.geteuid", lambda: (tmp_path / "data").stat().st_uid + 1)
    call = ["--config", str(file)]
    for words in (
        ["lost", "--accept"],
        ["rejected", "--dismiss=old"],
        ["read-stdin-gamelog"],
        ["run", "gamelog"],
    ):
        with pytest.raises(AnalyticsError, match=r"is the user .*: use `analytics …` as root, or `runuser"):
            CliRunner().invoke(cli, [*call, *words], catch_exceptions=False)
    for words in (["lost"], ["state"], ["rejected", "--dismissed"]):
        assert CliRunner().invoke(cli, [*call, *words]).exit_code == 0


def test_root_that_may_not_become_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError("not permitted")

    (tmp_path / "run").mkdir()
    if os.geteuid() != 0:
        monkeypatch.setattr("os.geteuid", lambda: 0)
    else:
        os.chown(tmp_path / "run", NOBODY, NOBODY)
    for name in ("initgroups", "setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, refuse)
    become(tmp_path, writes=False)
    with pytest.raises(AnalyticsError, match="this is root"):
        become(tmp_path, writes=True)
