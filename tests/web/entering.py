"""A dashboard over a store of a few documents, where people enter things."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from store_reader import StoreReader
from werkzeug.security import generate_password_hash

from analytics.config import AreaSection, Config, DashboardSection, Game, areas
from analytics.core.periods import zone
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app
from analytics.web.data import Data

PASSWORD = "correct horse battery"
USERS = dict.fromkeys(("ann", "bob"), generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"))
TIMEZONE = "Asia/Shanghai"
LAST = date(2026, 4, 2)
SPAN = "from=2026-03-20&to=2026-04-02"
GAMES = {"dl": {"s1": "2001", "s2": "2001", "s3": "2002"}, "wsdx": {"w1": "3001"}}
"""Games, their areas, and the plats of these."""


def start(day: date) -> int:
    return zone(TIMEZONE).day_of(day.isoformat())


def filled_store() -> MemoryStore:
    """Return a store with a month of key figures of each game and area, log-ins of a day, and accts that paid."""
    store = MemoryStore()
    for n in range(40):
        ts = start(LAST - timedelta(days=n))
        for game, some in GAMES.items():
            numbers = {"dau": 100 - n, "wau": 200, "mau": 300, "reg": 9, "payers": 5, "revenue": 40 + n, "pay_count": 6, "open_day": 40 - n}  # fmt: skip
            total = {"game": game, "scope": "game", "plat": "", "ts": ts, "final": True, **numbers}
            put(store, "kpi_total", f"game:{game}:{ts}", total)
            put(store, "activeday_total", f"game:{game}:{ts}", total | {"new_ac_user": 3})
            for area, plat in some.items():
                document = {"game": game, "area": area, "plat": plat, "ts": ts, "final": True, **numbers}
                put(store, "kpi", f"{area}:{ts}", document | {"dau": 10 + n})
    ts = start(LAST)
    for game, area, plat in (("dl", "s1", "2001"), ("wsdx", "w1", "3001")):
        where = {"game": game, "area": area, "plat": plat}
        put(store, "loginday", f"{area}:{ts}", {**where, "ts": ts, "count": 1, "userlist": [f"acct of {game}"]})  # fmt: skip
        paid = {"pay_count": 1, "pay_amout": 9, "pay_days": 1, "first_pay": ts, "last_pay": ts}
        put(store, "userpay", f"{area}:rich", {**where, **paid, "acct": f"rich of {game}", "rest_yuanbao": 0, "used_yuanbao": 0})  # fmt: skip
    return store


def put(store: MemoryStore, collection: str, id: str, document: dict[str, Any]) -> None:
    store.write(collection, [Write(id, {**document, "_id": id, "_v": 1}, 0)])


class Clock:
    """The time, which a test moves."""

    now = float(start(LAST) + 17 * 3600)

    def __call__(self) -> float:
        return self.now


def dashboard(folder: Path, section: DashboardSection = DashboardSection()) -> tuple[Flask, Data, Clock]:
    """Return a dashboard, what it shows, and its clock."""
    config = Config(
        data=folder,
        timezone=TIMEZONE,
        dashboard=section,
        games={
            name: Game(areas={id: AreaSection(plat=plat, name=f"server {id}") for id, plat in some.items()})
            for name, some in GAMES.items()
        },
    )
    store, clock = filled_store(), Clock()
    data = Data(config, ReadOnly(store), StoreReader(store), areas(config), clock, entries=store)
    return create_app(data), data, clock


def sources(client: FlaskClient, page: str, chart: str) -> dict[str, dict[str, list[Any]]]:
    """Return what a page's chart is filled with: columns by source, without the chart's name."""
    answer = client.get(page)
    assert answer.status_code == 200, answer.text[:2000]
    found = re.search(rf'id="data-{chart}">(.*?)</script>', answer.text, re.DOTALL)
    assert found
    shown: dict[str, dict[str, list[Any]]] = json.loads(found[1])["sources"]
    return {name.rpartition(".")[2]: columns for name, columns in shown.items()}


def form_of(client: FlaskClient, page: str) -> dict[str, str]:
    """Return what a form on a page of ours sends besides its fields."""
    return {"csrf": client.get(page).text.split('name="csrf" value="')[1].split('"')[0]}


def log_in(client: FlaskClient, user: str, password: str) -> None:
    given = form_of(client, "/login") | {"user": user, "password": password}
    assert client.post("/login", data=given).status_code == 302
