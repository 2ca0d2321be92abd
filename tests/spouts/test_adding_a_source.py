"""The page on adding a kind of source is right: its example, a file and a line in three lists, reads, checks and reports."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analytics.cli.check_sources import SOURCE_CHECKS
from analytics.config.sections import SOURCE_KINDS
from analytics.spouts.sources.kinds import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/add-a-source.md").read_text()
FILES = {
    "analytics/config/sections.py": "class Polled",
    "analytics/spouts/sources/kinds.py": "from analytics.spouts.sources.http",
    "analytics/cli/check_sources.py": "SOURCE_CHECKS: ",
}
"""Which files the page changes, and before which of their lines it adds code that is in no list."""

MOST_LINES = 400  # of a file, as in test_project.py

USED = """
import sys
from gevent import monkey
monkey.patch_all()
import json, os
from pathlib import Path
from gamelogs import Running, configured, exactly, line, lines
from waiting import eventually
from analytics.broker.broker import Broker
from analytics.cli.check import tries
from analytics.config import load
from analytics.spouts.gamelog import GamelogSpout

folder = Path.cwd()
(source,) = load(folder / "analytics.toml").gamelog.sources
config = configured(folder, source)
(check,) = [check for name, check in tries(config) if name == "gamelog source pipe"]

def checked():
    try:
        return check()
    except Exception as error:
        return str(error)

def state():
    return spout.node.state()["sources"]["pipe"]

def write(*texts):  # a pipe without a reader would block this process, and its reader
    with Path(source.path).open("wb", buffering=0) as pipe:
        for text in texts:
            pipe.write(text)

checks = [checked()]
running = [Running(Broker(config.broker, config.data))]
spout = Running(GamelogSpout(config))
running.append(spout)
eventually(lambda: not state()["healthy"])
failed = state()["last_error"]
os.mkfifo(source.path)
checks.append(checked())
eventually(lambda: state()["healthy"])
write(lines(1, 100), lines(101, 150)[:-1])  # the last line has no newline
eventually(lambda: spout.node.state()["read"] == 150)
write(lines(151, 300), b"no record\\n", line("u301"))
exactly(config, 1, 301)
os.remove(source.path)
eventually(lambda: not state()["healthy"])
os.mkfifo(source.path)
eventually(lambda: state()["healthy"])
write(line("u302"))
exactly(config, 1, 302)
rejected = spout.node.state()["rejected"]
for one in reversed(running):
    one.vanish()
json.dump([checks, failed, rejected], sys.stdout)
"""


def blocks(language: str, name: str) -> list[str]:
    """Return the page's code of a file."""
    return re.findall(rf"```{language} {re.escape(name)}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the suite to which the kind was added as the page says."""
    root = tmp_path_factory.mktemp("suite")
    shutil.copytree(ROOT / "analytics", root / "analytics", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "analytics/spouts/sources/fifo.py").write_text(*blocks("python", "fifo.py"))
    for name, place in FILES.items():
        text = (root / name).read_text()
        (change,) = blocks("diff", Path(name).name)
        before = "".join(line[1:] + "\n" for line in change.splitlines() if line[0] == " ")
        after = "".join(line[1:] + "\n" for line in change.splitlines())
        assert text.count(before) == 1, f"{name} has no line {before!r}"
        text = text.replace(before, after)
        for code in blocks("python", Path(name).name):
            assert text.count(place) == 1, f"{name} has no line {place!r}"
            text = text.replace(place, code + ("\n\n" if code.startswith("def ") else "") + place)
        assert len(text.splitlines()) <= MOST_LINES, f"{name} has no room for the example"
        (root / name).write_text(text)
    return root


def test_the_example_reads_a_pipe(added: Path) -> None:
    (added / "analytics.toml").write_text(*blocks("toml", "analytics.toml"))
    path = os.pathsep.join(map(str, (added, ROOT / "tests/spouts", ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-c", USED],
        env={**os.environ, "PYTHONPATH": path}, cwd=added, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (missing, found), failed, rejected = json.loads(done.stdout)
    assert missing.endswith(f"expected a named pipe; make one with `mkfifo {added}/game.pipe`")
    assert found == f"{added}/game.pipe is a named pipe"
    (shown,) = blocks("text", "failed")
    before, after = shown.split("…")
    assert before == "pipe: " and f"{failed}\n".endswith(after)
    assert rejected == 1


def test_the_lists_have_the_same_kinds() -> None:
    lists = {"SOURCE_KINDS": list(SOURCE_KINDS), "KINDS": list(KINDS), "SOURCE_CHECKS": list(SOURCE_CHECKS)}
    assert len({*map(tuple, lists.values())}) == 1, f"expected the same kinds in the same order, got {lists}"
