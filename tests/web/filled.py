"""A simulated month in memory, as the game's own books have it, and the dashboard over it."""

from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask
from store_reader import StoreReader

from analytics.config import AreaSection, Config, DashboardSection, Game, areas
from analytics.simulate.game import SimulatedGame
from analytics.simulate.world import WorldSettings, game_servers
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app
from analytics.web.data import Data

FIRST = date(2026, 3, 1)
DAYS = 20
LAST = FIRST + timedelta(days=DAYS - 1)
ZONE = "Asia/Shanghai"
Documents = dict[str, dict[str, dict[str, Any]]]


@lru_cache
def books(folder: Path) -> tuple[WorldSettings, Documents, int]:
    """Return which game was played, the documents that it must have made, and the time."""
    settings = WorldSettings(FIRST, 3, 3, 60, DAYS, ZONE)
    game = SimulatedGame(settings, folder, 1e12)
    try:
        game.run()
        now = game.clock.end - 1
        for server in game_servers(settings):
            game.ledger.answered(server.id, game.ledger.roles(server.id))
        return settings, game.ledger.documents(now), now
    finally:
        game.close()


def data(folder: Path, dashboard: DashboardSection | None = None) -> tuple[Data, Documents]:
    """Return what a dashboard shows over that month, and the documents by which to check it."""
    settings, documents, now = books(folder)
    store = MemoryStore()
    for collection, by_id in documents.items():
        store.write(collection, [Write(id, {**one, "_id": id, "_v": 1}, 0) for id, one in by_id.items()])
    games: dict[str, dict[str, AreaSection]] = {}
    for server in game_servers(settings):
        section = AreaSection(plat=server.plat, corpid=server.corpid, server_name=server.server_name)
        games.setdefault(server.game, {})[server.id] = section
    config = Config(
        data=folder,
        timezone=ZONE,
        dashboard=dashboard or DashboardSection(),
        games={name: Game(areas=of) for name, of in games.items()},
    )
    return Data(config, ReadOnly(store), StoreReader(store), areas(config), lambda: float(now)), documents


def app(folder: Path, dashboard: DashboardSection | None = None) -> tuple[Flask, Documents]:
    """Return the dashboard over that month, and the documents by which to check it."""
    found, documents = data(folder, dashboard)
    return create_app(found), documents
