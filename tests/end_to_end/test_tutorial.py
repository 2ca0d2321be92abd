"""docs/tutorial.md leads from an empty folder to a number on the dashboard: each of its commands is typed here."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text()
REASON = "$.data.acct: expected string, got nothing"
SECONDS = 600.0
"""For a line to be counted, on a machine that others use."""


class Reader:
    """Types what the page shows, in order, in a checkout whose ports are free."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._blocks = list(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
        self._exported = ""
        *others, self.port = free_ports(5)
        self._ports = on_ports(*others, self.port)
        (home / "bin").mkdir()
        for name, command in (("analytics", ""), ("read_stdin_gamelog", "read-stdin-gamelog")):
            program = home / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -m analytics {command} "$@"\n')
            program.chmod(0o755)

    def next(self) -> str:
        """Type the next commands of the page, and return what they print."""
        self._block = self._blocks.pop(0).replace("\nEND\n", f"\n{self._ports}END\n")
        self._exported += "".join(re.findall(r"^export .*\n", self._block, re.MULTILINE))
        return self.again()

    def again(self) -> str:
        """Type the same once more."""
        done = subprocess.run(
            ["bash", "-ec", self._exported + self._block],
            cwd=self._home,
            env={**os.environ, "HOME": str(self._home), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def typed_all(self) -> bool:
        """Whether nothing on the page is left to type."""
        return not self._blocks

    def stop(self) -> None:
        self._block = "[ ! -d ~/first/data ] || bin/analytics stop"
        self.again()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.stop()


def wait_for(read: Callable[[], str], *texts: str) -> None:
    """Wait until ``read`` returns all of ``texts``."""
    until = time.monotonic() + SECONDS
    while not all(text in (found := read()) for text in texts):
        assert time.monotonic() < until, found
        time.sleep(0.5)


def test_a_reader_gets_to_a_number(reader: Reader, tmp_path: Path) -> None:
    def page(path: str) -> str:
        return requests.get(f"http://127.0.0.1:{reader.port}{path}", timeout=600).text

    def dau() -> str:
        answer = requests.get(f"http://127.0.0.1:{reader.port}/api/v1/overview?game=mygame", timeout=600)
        return f"DAU {answer.json()['tiles'][0]['today']}" if answer.ok else answer.text

    reader.next()  # a log
    reader.next()  # a configuration
    assert re.match("ok +configuration", reader.next())
    assert "started" in reader.next()
    wait_for(dau, "DAU 1")
    assert "│ ann " in reader.next()  # show loginday
    reader.next()  # more lines
    wait_for(dau, "DAU 2")
    reader.next()  # a wrong line
    wait_for(lambda: page("/api/v1/system/rejected.csv"), REASON)
    assert REASON in reader.next()  # rejected
    assert "accepted 0" in reader.next()
    reader.next()  # stop and clean up
    assert not (tmp_path / "first").exists()
    assert reader.typed_all
