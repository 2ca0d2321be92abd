"""A whole suite works as a user who has the rights that docs/mongodb.md names, and no others."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from end_to_end_harness import ROOT
from forms import long_form
from in_process import in_process
from mongod_users import PASSWORD, add_root, as_user
from pymongo import MongoClient
from recent import saturday

from analytics.config import load
from analytics.runtime.draining import drain
from analytics.runtime.nodes import needed
from analytics.runtime.report import report
from analytics.runtime.suite import Suite
from analytics.simulate.conf import SuiteOptions as Place
from analytics.simulate.conf import configuration
from analytics.simulate.game import SimulatedGame
from analytics.simulate.server import serve
from analytics.simulate.world import WorldSettings
from analytics.testing.mongod import Server
from analytics.testing.ports import free_ports

VARIABLE = "ANALYTICS_TEST_URI"
DOCUMENT = ROOT / "docs" / "mongodb.md"


def commands() -> Iterator[dict[str, Any]]:
    """Yield the commands that the document shows, as the server takes them."""
    blocks = re.findall(r"```javascript\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    for block in blocks:
        for name, key, text in re.findall(r"db\.(create(User|Role))\((\{.*?\})\)\n", block, re.DOTALL):
            options = json.loads(text.replace("passwordPrompt()", json.dumps(PASSWORD)))
            yield {name: options.pop(key.lower())} | options


@pytest.fixture(params=[pytest.param("readWrite", marks=long_form), "analyticsSuite"])
def user(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server with the user ``analytics`` of the document, by MongoDB's own role or by the one that it shows."""
    with Server(tmp_path / "mongod", flags=["--auth"]) as server:
        add_root(server)
        with MongoClient[dict[str, Any]](as_user(server, "root")) as client:
            for command in commands():
                roles = [one["role"] for one in command["roles"]]
                if "createRole" in command or roles == [request.param]:
                    client.admin.command(command)
        yield server


def analytics(file: Path, *words: str) -> str:
    done = in_process("--config", str(file), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(suite: Suite, game: SimulatedGame) -> bool:
    """Return whether every line of the game was accepted, and everything that was accepted is counted."""
    sums = report(suite.config).balance
    published = {one.name: one.published for one in sums.spouts} if sums else {}
    return published.get("gamelog", 0) >= game.ledger.records and bool(sums) and not sums.faults


def test_a_suite_with_the_least_rights(user: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, as_user(user, "analytics"))
    ports, *_ = free_ports(6)
    first = saturday(days_ago=5)
    game = SimulatedGame(WorldSettings(first, 2, 1, 30, 3), tmp_path / "game", speed=1e9)
    server = serve(game, ports + 4)
    file = tmp_path / "analytics.toml"
    place = Place(tmp_path / "data", "analytics", ports, 0.2, first.isoformat(), ports + 5)
    text = configuration(game.servers, f"http://127.0.0.1:{ports + 4}", "Asia/Shanghai", place)
    file.write_text(text.replace("[mongodb]\n", f'[mongodb]\nuri_env = "{VARIABLE}"\n'))
    try:
        game.run()
        broker, *others = needed(load(file))
        assert "store" not in (broker, *others)
        with Suite(file, [[broker], others]) as suite, gevent.Timeout(600):
            while not read(suite, game):
                gevent.sleep(0.1)
            drain(suite.config, 60)
            assert "ERROR" not in analytics(file, "check")
            _use(user, file, ports + 5)
    finally:
        server.stop(timeout=1)
        game.close()


def _use(user: Server, file: Path, dashboard: int) -> None:
    """Read and repair: show, the dashboard, the timers by hand, and a rebuild that replaces and removes documents."""
    assert len(analytics(file, "show", "loginday", "--format", "csv").splitlines()) > 3
    assert "computed" in analytics(file, "timers")
    with urllib.request.urlopen(f"http://127.0.0.1:{dashboard}/", timeout=30) as answer:
        assert b"Overview" in answer.read()
    with MongoClient[dict[str, Any]](as_user(user, "root")) as client:
        database = client.analytics
        wrong = database.loginday.find_one_and_update({}, {"$set": {"count": 10_000}})
        database.shop.insert_one(
            {**database.shop.find_one(), "_id": "nobody's", "item": "nobody's"}  # type: ignore[dict-item]
        )
        analytics(file, "rebuild")
        assert wrong and database.loginday.find_one({"_id": wrong["_id"]})["count"] == wrong["count"]  # type: ignore[index]
        assert database.shop.find_one({"_id": "nobody's"}) is None
        assert "check" not in database.list_collection_names()
