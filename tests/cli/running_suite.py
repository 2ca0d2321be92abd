"""A suite to run commands against: a simulated game's first days, on the embedded store, in processes of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gevent
import pytest
from recent import saturday

from analytics.runtime.draining import drain
from analytics.runtime.report import report
from analytics.runtime.suite import Suite
from analytics.simulate.conf import SuiteOptions as Place
from analytics.simulate.conf import configuration
from analytics.simulate.game import SimulatedGame
from analytics.simulate.server import serve
from analytics.simulate.world import WorldSettings
from analytics.testing.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class RunningSuite:
    """What runs, and the game that it counts."""

    file: Path
    suite: Suite
    game: SimulatedGame


@pytest.fixture
def analytics() -> Run:
    """Runs a command of the suite, and returns what it wrote and its exit status."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "analytics", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=timeout, check=False, cwd="/"
        )

    return run


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    """A suite that has counted three days of a small game, all of which is over."""
    data = tmp_path_factory.mktemp("suite")
    ports, *_ = free_ports(5)
    first = saturday(days_ago=5)
    game = SimulatedGame(WorldSettings(first, 3, 2, 60, 3), data / "game", speed=1e9)
    server = serve(game, ports + 4)
    game.run()
    file = data / "analytics.toml"
    place = Place(data, "analytics", ports, 0.2, first.isoformat())
    file.write_text(configuration(game.servers, f"http://127.0.0.1:{ports + 4}", "Asia/Shanghai", place))
    try:
        with Suite(file) as suite:
            with gevent.Timeout(600):
                while not _read(suite, game):
                    gevent.sleep(0.1)
                drain(suite.config, 60)
            yield RunningSuite(file, suite, game)
    finally:
        server.stop(timeout=1)
        game.close()


def _read(suite: Suite, game: SimulatedGame) -> bool:
    """Return whether every line was accepted, and some payments were, and the registry knows it."""
    sums = report(suite.config).balance
    if sums is None:
        return False
    published = {one.name: one.published for one in sums.spouts}
    return published.get("gamelog", 0) >= game.ledger.records and not sums.faults
