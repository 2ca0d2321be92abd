"""The commands that docs/how-to/back-up.md gives for a backup and for restoring it lead to exact numbers.

mongorestore is a stand-in here; everything else is what the document says, line by line.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from end_to_end_harness import ROOT, pipe
from forms import LONG, long_form
from pymongo import MongoClient

from analytics.config import areas, load
from analytics.runtime.draining import drain
from analytics.store import open_store
from analytics.testing.crash import differences
from analytics.testing.feed import Feed
from analytics.testing.mongod import Server
from analytics.testing.ports import free_ports
from analytics.testing.setting import games, on_ports

DOCUMENT = ROOT / "docs" / "how-to" / "back-up.md"
LINES = 2_000 if LONG else 300
SECONDS = 600.0
"""For bolts to catch up from the Queue, on a machine that others use."""


class Site:
    """A suite in the background on a MongoDB of its own, and the shell in which its operator types."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.data = folder / "data"
        self.server = server
        self.file = folder / "analytics.toml"
        self.file.write_text(
            f'data = "data"\n{on_ports(*free_ports(4))}[mongodb]\nuri = "{server.uri}"\n{games()}'
        )
        self.config = load(self.file)
        self.feed = Feed(areas(self.config), seed=1)
        self._folder = folder
        self._environment = {
            **os.environ,
            "PATH": f"{folder / 'tools'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ANALYTICS_CONFIG": str(self.file),
            "MONGODB_URI": server.uri,
            "DATA": str(self.data),
            "BACKUP": str(folder / "backup"),
        }
        (folder / "backup").mkdir()
        self._program("bin/analytics", "-m analytics")
        self._program("tools/mongorestore", str(Path(__file__).with_name("mongorestore.py")))

    def type(self, text: str) -> None:
        """Run commands as the document shows them; each has to succeed."""
        done = subprocess.run(
            ["sh", "-ec", text],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def put(self, name: str, lines: list[bytes]) -> str:
        """Pipe a log in, and return the closing line when all of it is counted."""
        closing = pipe(self.file, lines, name)
        drain(self.config, 120)
        return closing

    def wrong(self) -> list[str]:
        """Return where documents differ from what the lines so far must lead to."""
        store = open_store(self.config)
        try:
            return differences(store, self.feed.documents())
        finally:
            store.close()

    def lose_database(self) -> None:
        with MongoClient[dict[str, Any]](self.server.uri) as client:
            client.drop_database("analytics")

    def _program(self, name: str, arguments: str) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
        path.chmod(0o755)


def block(heading: str) -> str:
    """Return the commands under a heading of the document."""
    found = re.search(rf"^### {heading}\n.*?```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{DOCUMENT.name} has no commands under {heading!r}"
    return found[1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Server(tmp_path / "mongod") as server:
        site = Site(tmp_path, server)
        try:
            yield site
        finally:
            site.type("bin/analytics stop")


@pytest.mark.parametrize("lost", ["database and data folder", pytest.param("database", marks=long_form)])
def test_a_backup_of_a_suite_that_counts_is_restored(site: Site, lost: str) -> None:
    site.type("bin/analytics start")
    first, during, second = (site.feed.lines(LINES) for _ in range(3))
    site.put("first", first)
    pouring = gevent.spawn(site.put, "during", during)
    site.type(block("Back up"))
    pouring.get(timeout=SECONDS)
    site.put("second", second)
    assert not site.wrong()
    site.type("bin/analytics stop")
    site.lose_database()
    if lost == "database":
        site.type(block("Restore the database alone"))
        # The broker still knows how far bolts were before: drain would return at once.
        until = time.monotonic() + SECONDS
        while site.wrong() and time.monotonic() < until:
            gevent.sleep(1)
    else:
        shutil.rmtree(site.data)
        site.type(block("Restore both"))
        assert site.wrong(), "what came after the backup can't be there yet"
        assert ", accepted 0, " in site.put("first", first)
        site.put("during", during)
        site.put("second", second)
    assert not site.wrong()
