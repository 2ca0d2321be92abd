"""``analytics rebuild`` on a suite of real processes, while lines come in: dry, killed half-way, and again."""

import gzip
import json
import os
import signal
import subprocess
import sys
from typing import Any

import gevent
import msgspec
import pytest
from end_to_end_harness import IN_ONE, ROOT, configured, pipe, settled
from forms import LONG
from in_process import in_process

from analytics.config import areas
from analytics.core.areas import Areas
from analytics.runtime.suite import Suite
from analytics.store import Store, open_store
from analytics.store.store import Write
from analytics.testing.comparing import differences
from analytics.testing.feed import Feed

QUIET, BUSY = "549140c8dbdb67794fc0fa3b", "5461bb1bec8b9c686a8b4576"
AREAS = {QUIET: {"game": "dl", "plat": "2001"}, BUSY: {"game": "wsdx", "plat": "1059"}}
LINES = 3_000 if LONG else 400
PIECE, PAUSE = 150, 0.0 if LONG else 3.0
"""How many lines come at a time, and the seconds between."""


class Running:
    """A suite, what it was fed, and the command under test."""

    def __init__(self, suite: Suite) -> None:
        self.file, self.config = suite.config.file, suite.config
        self.store = open_store(self.config)
        there = areas(self.config)
        self.feeds = [Feed(Areas([there[area]]), seed) for seed, area in enumerate((QUIET, BUSY))]
        self.sent = 0
        self.flowing = True

    def pipe(self, feed: Feed, count: int) -> None:
        self.sent += 1
        pipe(self.file, feed.lines(count), f"stream{self.sent}")

    def pay(self) -> None:
        """Put in what a payment spout has journaled."""
        one = {"game": "dl", "area": QUIET, "plat": "2001", "ts": 1710000000, "at": 1}
        one["users"] = {"a": {"times": 1, "amount": 2.5}, "b": {"times": 2, "amount": 10}}
        pipe(self.file, [msgspec.json.encode({"id": "payment/dl@1:1"} | one)])
        self.feeds[0].pay([one])

    def flow(self) -> None:
        while self.flowing:
            self.pipe(self.feeds[1], PIECE)
            gevent.sleep(PAUSE)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "analytics", "--config", str(self.file), "rebuild", "--json", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def rebuild_quietly(self) -> list[dict[str, Any]]:
        """Rebuild in this process, while nothing comes in."""
        done = in_process("--config", str(self.file), "rebuild", "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def rebuild(self, *words: str) -> list[dict[str, Any]]:
        process = self.start(*words)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def versions(self) -> dict[tuple[str, str], int]:
        names = [name for name in self.store.collections() if name != "positions"]
        return {(name, one["_id"]): one["_v"] for name in names for one in self.store.find(name)}

    def expected(self) -> dict[str, dict[str, dict[str, Any]]]:
        first, second = (feed.documents() for feed in self.feeds)
        return {name: first[name] | second[name] for name in first}


@pytest.fixture
def running(tmp_path, database):
    file = configured(tmp_path, AREAS, "Asia/Shanghai", database.toml)
    text = file.read_text() + "[timers]\nevery_seconds = 1\n"
    for area, of in AREAS.items():
        plat = f'plat = "{of["plat"]}"\n'
        text = text.replace(plat, f'{plat}corpid = "{of["plat"]}"\nserver_name = "s{area}"\n')
    file.write_text(text)
    with Suite(file, IN_ONE) as suite:
        one = Running(suite)
        yield one
        one.store.close()


def by_hand(store: Store) -> dict[tuple[str, str], str]:
    """Change a document, delete one and make one up; return what is wrong with which."""

    def some(name: str) -> dict[str, Any]:
        return next(one for one in store.find(name, area=QUIET))

    changed, deleted, invented = some("loginday"), some("coinhour"), some("cointype")
    store.write("loginday", [Write(changed["_id"], changed | {"count": 7}, None)])
    store.delete("coinhour", [deleted["_id"]])
    made_up = f"{QUIET}:{invented['ts']}:nothing"
    store.write("cointype", [Write(made_up, invented | {"_id": made_up, "reason": "nothing"}, None)])
    return {
        ("loginday", changed["_id"]): "changed",
        ("coinhour", deleted["_id"]): "missing",
        ("cointype", made_up): "extra",
    }


def test_documents_are_mended_while_the_suite_goes_on(running):
    for feed in running.feeds:
        running.pipe(feed, LINES)
    running.pay()
    books = settled(running.config)
    journal = min(running.config.data.glob("gamelog_*.txt"), key=lambda path: path.stat().st_mtime)
    with gzip.open(f"{journal}.gz", "wb") as packed:
        packed.write(journal.read_bytes())
    journal.unlink()
    sound = running.versions()
    assert running.rebuild_quietly() == []
    assert running.versions() == sound
    assert settled(running.config).heads == books.heads

    flow = gevent.spawn(running.flow)
    wrong = by_hand(running.store)
    named = running.rebuild("--dry-run")
    assert {(one["collection"], one["id"]): one["what"] for one in named} == wrong
    count = next(one for one in named if one["collection"] == "loginday")["fields"]
    assert count == {"count": {"old": 7, "new": sound_count(running, named)}}

    killed = running.start()
    killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    running.rebuild()
    running.flowing = False
    flow.get()
    settled(running.config)
    assert differences(running.store, running.expected()) == []
    assert running.rebuild_quietly() == []


def sound_count(running: Running, named: list[dict[str, Any]]) -> int:
    """Return what the feed says of the day that was changed."""
    id_ = next(one["id"] for one in named if one["collection"] == "loginday")
    count = running.feeds[0].documents()["loginday"][id_]["count"]
    assert isinstance(count, int)
    return count
