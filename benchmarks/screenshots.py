"""Pictures of the dashboard's pages: the whole suite on a simulated game, at a moment that is stated.

The game is the same for the same seed, and the clock of every process of the suite is set, so that the newest day is half
over whenever the pictures are made. They are taken when every document agrees with the game's own ledger; those of the page
*System* after them, while the game goes on.
"""

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import gevent
import time_machine
from gevent import subprocess
from rich.console import Console

from analytics.cli.demo import MACHINERY, SPOUTS, count_and_compare, play
from analytics.cli.demo_results import verdict
from analytics.config import Config
from analytics.runtime.suite import Suite
from analytics.simulate.conf import SuiteOptions as Place
from analytics.simulate.conf import configuration
from analytics.simulate.game import SimulatedClock, SimulatedGame
from analytics.simulate.server import serve
from analytics.simulate.world import WorldSettings, game_servers
from analytics.store import open_store
from analytics.testing.ports import free_ports
from analytics.web.pages import PAGES

BROWSER = Path(__file__).with_name("screenshots_browser.py")
DOCS = Path(__file__).resolve().parents[1] / "docs"
FOLDER = DOCS / "screenshots"
TIMEZONE = "Asia/Shanghai"
MOMENT = datetime(2026, 3, 5, 15, 55, tzinfo=ZoneInfo(TIMEZONE))
DAYS = 60
AREAS, PLAYERS = 10, 500
SECONDS = 150.0
GOING_ON = 300.0
"""Seconds of the game in one, while the page *System* is taken."""

LIVE = "/live"
"""It has no picture: at the first look nothing has come in yet."""


WARM_SECONDS = 15.0
IN_CHINESE = ("/", "/retention")
NARROW = ("/", "/retention", "/areas")
CLOCK = Path(__file__).with_name("clock")


@click.command(help=__doc__)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same game.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=FOLDER,
    show_default="docs/screenshots", help="Where pictures of every page go, in place of those of before; into docs/screenshots only those that the docs show.",
)  # fmt: skip
def main(seed: int, folder: Path) -> None:
    if not shutil.which("chromium"):
        sys.exit("expected Debian's chromium, found none: apt-get install chromium fonts-wqy-microhei")
    _set_clock()
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as made:
        _make(Console(width=140), seed, Path(data), Path(made))
        pictures = list(Path(made).iterdir())
        _replace(
            folder,
            [one for one in pictures if one.name in _shown_in_docs()] if folder == FOLDER else pictures,
        )


def _replace(folder: Path, pictures: Iterable[Path]) -> None:
    """Put pictures in place of those of before, when all are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*-light.png"), *folder.glob("*-dark.png")]:
        old.unlink()
    for picture in pictures:
        shutil.copy(picture, folder)


def _shown_in_docs() -> set[str]:
    """Return the names of the pictures that README and the docs show."""
    texts = (path.read_text() for path in [DOCS.parent / "README.md", *DOCS.rglob("*.md")])
    return {name for text in texts for name in re.findall(r"screenshots/([\w-]+\.png)", text)}


def _set_clock() -> None:
    """Make it the moment here, and in whatever Python is started from here. What waits counts on another clock."""
    os.environ["ANALYTICS_BEHIND"] = str(time.time() - MOMENT.timestamp())
    os.environ["PYTHONPATH"] = str(CLOCK)
    time_machine.travel(MOMENT.timestamp(), tick=True).start()


def _make(console: Console, seed: int, data: Path, folder: Path) -> None:
    first = MOMENT.date() - timedelta(days=DAYS - 1)
    settings = WorldSettings(first, seed, AREAS, PLAYERS, DAYS, TIMEZONE)
    ports, *_ = free_ports(6)
    file = data / "analytics.toml"
    place = Place(data, "analytics", ports, 0.5, first.isoformat(), ports + 5)
    file.write_text(configuration(game_servers(settings), f"http://127.0.0.1:{ports + 4}", TIMEZONE, place))
    address = f"http://127.0.0.1:{ports + 5}"
    with Suite(file, MACHINERY) as suite:
        game = SimulatedGame(settings, data / "game")
        start, now = game.clock.start, int(MOMENT.timestamp())
        game.clock = SimulatedClock(start, now, (now - start) / SECONDS)
        server = serve(game, ports + 4)
        try:
            with Suite(file, SPOUTS):
                play(console, game, suite.config)
                _check(console, game, suite.config)
                _take(address, folder, [path for path in _paths() if path != "/system"])
                game.clock = SimulatedClock(now, now + 86_400, GOING_ON)
                going = gevent.spawn(game.run)
                gevent.sleep(WARM_SECONDS)
                _take(address, folder, ["/system"])
                going.kill()
        finally:
            server.stop(timeout=1)
            game.close()


def _check(console: Console, game: SimulatedGame, config: Config) -> None:
    """Wait until all is counted, and go on only if it is right."""
    store = open_store(config)
    try:
        right, lines = verdict(count_and_compare(console, game, config, store).values())
    finally:
        store.close()
    if not right:
        sys.exit("\n".join(["the documents differ from the game's own ledger, so no pictures:", *lines]))


def _paths() -> list[str]:
    paths = [page.path for page in PAGES if page.path != LIVE]
    return paths + [f"{path}?lang=zh" for path in IN_CHINESE] + [f"{path}?narrow" for path in NARROW]


def _take(address: str, folder: Path, paths: list[str]) -> None:
    """Take pictures of these pages, in a browser whose clock is that of the machine. The game's server answers meanwhile."""
    own = ("ANALYTICS_BEHIND", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    command = [sys.executable, str(BROWSER), address, str(folder), *paths]
    subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main(prog_name="benchmarks/screenshots")
