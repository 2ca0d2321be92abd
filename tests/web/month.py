"""A month of a simulated game, as its own books have it, in a store that the dashboard reads; no process, no wire."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from store_reader import StoreReader

from analytics.config import AreaSection, BrokerSection, Config, Game, areas
from analytics.config.sections import MongoDB
from analytics.core.periods import zone
from analytics.simulate.ledger import Ledger
from analytics.simulate.world import AreaWorld, WorldSettings, game_servers
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app
from analytics.web.data import Data

FIRST, DAYS = date(2026, 3, 2), 36
TIMEZONE = "Asia/Shanghai"
LAST = FIRST + timedelta(days=DAYS - 1)
HOUR = 17
"""The day's hour at which the pages are looked at: the newest day has not ended."""


@dataclass(frozen=True)
class Month:
    """The books, the application over them, and what else a test asks for."""

    documents: dict[str, dict[str, dict[str, Any]]]
    app: Flask
    data: Data

    def of_game(self, collection: str, day: date, game: str = "dl") -> dict[str, Any]:
        """Return a whole game's document."""
        return self.documents[f"{collection}_total"][f"game:{game}:{start(day)}"]

    def some(self, collection: str, **wanted: Any) -> list[dict[str, Any]]:
        """Return the documents whose fields have these values."""
        every = self.documents[collection].values()
        return [one for one in every if all(one.get(name) == value for name, value in wanted.items())]


def start(day: date) -> int:
    return zone(TIMEZONE).day_of(day.isoformat())


def a_month(data: Path, areas: int = 5, players: int = 60) -> Month:
    """Play the game, and give its books to a store."""
    servers, now, documents = _books(areas, players)
    store = MemoryStore()
    for collection, some in documents.items():
        store.write(collection, [Write(id, {**one, "_id": id}, None) for id, one in some.items()])
    config = _config(servers, data)
    return Month(deepcopy(documents), *_app(config, store, now))


@cache
def _books(areas: int, players: int) -> tuple[Any, int, dict[str, dict[str, dict[str, Any]]]]:
    """Return the game's servers, the time at which its books are read, and what they say."""
    settings = WorldSettings(FIRST, 3, areas, players, DAYS, TIMEZONE)
    servers = game_servers(settings)
    ledger = Ledger(servers, TIMEZONE)
    for server in servers:
        world = AreaWorld(settings, server)
        for _ in range(DAYS):
            day = world.next_day()
            ledger.note(server.id, day.start, day.events)
            ledger.answered(server.id, ledger.roles(server.id, day.start))
    now = start(LAST) + HOUR * 3600
    return servers, now, ledger.documents(now)


def _app(config: Config, store: MemoryStore, now: int) -> tuple[Flask, Data]:
    clock = lambda: float(now)  # noqa: E731
    shown = Data(config, ReadOnly(store), StoreReader(store), areas(config), clock, entries=store)
    return create_app(shown), shown


def _config(servers: Any, data: Path) -> Config:
    games: dict[str, dict[str, AreaSection]] = {}
    for one in servers:
        section = AreaSection(plat=one.plat, corpid=one.corpid, server_name=one.server_name)
        games.setdefault(one.game, {})[one.id] = section
    return Config(
        data=data,
        broker=BrokerSection(receiver_port=1, sender_port=1, refill_port=1),
        mongodb=MongoDB(uri="mongodb://127.0.0.1:1"),
        timezone=TIMEZONE,
        games={name: Game(areas=some) for name, some in games.items()},
    )
