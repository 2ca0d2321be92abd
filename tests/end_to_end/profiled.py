"""A small suite on a real MongoDB whose profiler notes every operation: of workers, timers, dashboard and commands."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gevent
from dashboard_csvs import BY_NAME, CSVS
from forms import THOROUGH
from in_process import in_process
from pymongo import MongoClient
from pymongo.database import Database
from recent import saturday

from analytics.config import Config
from analytics.runtime.draining import drain
from analytics.runtime.report import report
from analytics.runtime.suite import Suite
from analytics.simulate.conf import SuiteOptions as Place
from analytics.simulate.conf import configuration
from analytics.simulate.game import SimulatedClock, SimulatedGame
from analytics.simulate.server import serve
from analytics.simulate.world import WorldSettings
from analytics.testing.mongod import Server
from analytics.testing.ports import free_ports
from analytics.timers.start import NAME as START

NODES = [["broker"], ["workers", "timers", "dashboard", "gamelog", "payment", "syncuser"]]
"""By process: few, as each takes time to start."""

DATABASE = "analytics"
DAYS = 5
PLAY_SECONDS = 10.0 if THOROUGH else 6.0
"""The game goes on while it is counted, so that documents are written more than once."""

PROFILE_BYTES = 256 << 20
PATIENCE = 600.0


@dataclass(frozen=True)
class Life:
    """What was noted while the suite counted, was looked at, and was rebuilt.

    Attributes:
        database: of the suite. Nothing that is asked of it now is noted.
        operations: the profiler's documents, of this database's own collections.
    """

    database: Database[dict[str, Any]]
    operations: list[dict[str, Any]]


@contextmanager
def a_life(folder: Path) -> Iterator[Life]:
    """Let a suite count a few days, be looked at and be rebuilt, and yield what its MongoDB noted."""
    ports, *_ = free_ports(6)
    first = saturday(days_ago=DAYS + 2)
    game = SimulatedGame(WorldSettings(first, 2, 2, 30, DAYS), folder / "game")
    with Server(folder / "mongod") as mongod, MongoClient[dict[str, Any]](mongod.uri) as client:
        database = client[DATABASE]
        database.create_collection("system.profile", capped=True, size=PROFILE_BYTES)
        database.command("profile", 2)
        page = serve(game, ports + 4)
        try:
            _live(_configure(folder, game, ports, mongod.uri), game)
        finally:
            page.stop(timeout=1)
            game.close()
        database.command("profile", 0)
        noted = database["system.profile"].find({"ns": {"$not": {"$regex": r"\.system\."}}})
        yield Life(database, list(noted))


def _live(file: Path, game: SimulatedGame) -> None:
    first = game.settings.first_day
    with Suite(file, NODES) as suite:
        start, end = game.clock.start, game.clock.end
        game.clock = SimulatedClock(start, end, (end - start) / PLAY_SECONDS)
        game.run()
        _wait_until_counted(suite.config, game)
        _look(suite.config, first)
        _command_all(file, first)


def _configure(folder: Path, game: SimulatedGame, ports: int, uri: str) -> Path:
    place = Place(folder, DATABASE, ports, 0.2, game.settings.first_day.isoformat(), ports + 5)
    text = configuration(game.servers, f"http://127.0.0.1:{ports + 4}", "Asia/Shanghai", place)
    file = folder / "analytics.toml"
    file.write_text(text.replace("[mongodb]\n", f'[mongodb]\nuri = "{uri}"\n'))
    return file


def _wait_until_counted(config: Config, game: SimulatedGame) -> None:
    with gevent.Timeout(PATIENCE, False):
        while not _is_read(config, game):
            gevent.sleep(0.2)
    assert _is_read(config, game), (
        f"{game.ledger.records} lines were written, and this was counted: {report(config).balance}"
    )
    drain(config, PATIENCE)


def _is_read(config: Config, game: SimulatedGame) -> bool:
    found = report(config).balance
    if found is None:
        return False
    published = {one.name: one.published for one in found.spouts}
    polled = published.get("payment", 0) and published.get("syncuser", 0)
    return bool(polled) and published.get("gamelog", 0) >= game.ledger.records and not found.faults


def _look(config: Config, first: date) -> None:
    """Get every page, API call and CSV: of a game and an area, and where there is time of a plat and of two areas."""
    span = {"from": str(first), "to": str(first + timedelta(days=DAYS - 1))}
    name, game = max(config.games.items(), key=lambda item: len(item[1].areas))
    ids = list(game.areas)
    every: list[dict[str, str]] = [
        {},
        {"area": ids[0]},
        {"plat": game.areas[ids[0]].plat},
        {"area": ",".join(ids[:2])},
    ]
    for chosen in every if THOROUGH else every[:2]:
        for path in _paths({"game": name, **span, **chosen}):
            _get(config.dashboard.port, path)
    for path in ("/metrics", "/healthz", "/api/v1/system/rejected.csv", "/api/v1/system/journals.csv"):
        _get(config.dashboard.port, path)


def _paths(given: Mapping[str, str]) -> Iterator[str]:
    for page in BY_NAME:
        asked = [given] if page != "system" else [{}]
        options = BY_NAME[page].parameters
        asked += [{**given, option.name: value} for option in options for value in option.choices[-1:]]
        for query in map(urlencode, asked):
            yield f"/{'' if page == 'overview' else page}?{query}"
            yield f"/api/v1/{page}?{query}"
    for page, table in CSVS:
        if page != "system":
            yield f"/api/v1/{page}/{table}.csv?{urlencode(given)}"


def _get(port: int, path: str) -> None:
    """Get a path; where its numbers are being added up, ask again."""
    with gevent.Timeout(PATIENCE, AssertionError(path)):
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            if answer.status == 200:
                return
            assert answer.status == 503, f"{path}: {answer.status} {body[:500]!r}"
            gevent.sleep(0.2)


def _command_all(file: Path, first: date) -> None:
    """Show documents in every way, and compute and rebuild everything again."""
    from_ = ["--from", str(first), "--to", str(first + timedelta(days=1))]
    area = _an_area(file)
    _run(file, "show", "kpi", "--area", area, *from_)
    _run(file, "show", "userpay", "--format", "csv")
    _run(file, "timers")
    _run(file, "rebuild", "--dry-run")
    _run(file, "rebuild", "--area", area, *from_)


def _an_area(file: Path) -> str:
    found = _run(file, "show", START, "--format", "json", "--limit", "1")
    area: str = json.loads(found.splitlines()[0])["area"]
    return area


def _run(file: Path, *words: str) -> str:
    done = in_process("--config", str(file), *words)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    return done.stdout
