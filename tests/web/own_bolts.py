"""A bolt of a game's own, *pvp*, over generated fights, in a store that the dashboard reads; and its numbers by plain counting."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
from flask import Flask
from store_reader import StoreReader

from analytics.bolts import BOLTS
from analytics.config import AreaSection, Config, Game, NumberSection, areas
from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Count, Distinct, Extreme, Sum
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.core.tuples import AcctName, Gamelog, Name
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.timers.rollup import Rollup
from analytics.web.app import create_app
from analytics.web.data import Data

FIRST, DAYS = date(2026, 3, 2), 12
LAST = FIRST + timedelta(days=DAYS - 1)
TIMEZONE = "Asia/Shanghai"
LOCAL = zone(TIMEZONE)
AREAS = {"s1": "p1", "s2": "p1", "s3": "p2"}
BRACKETS = ("bronze", "silver", "gold", "platinum", "diamond", "master", "legend")
NOW = LOCAL.day_of(str(LAST)) + 20 * 3600


class Fought(msgspec.Struct, gc=False):
    """A fight of an acct."""

    acct: AcctName
    bracket: Name
    result: Name
    points: int


class Fight(NamedTuple):
    """The same, with its place and time."""

    area: str
    ts: int
    acct: str
    bracket: str
    result: str
    points: int


def rates(shown: dict[str, Any]) -> dict[str, Any]:
    fights = shown["fights"]
    return {"win_rate": round(100 * shown["wins"] / fights, 2) if fights else 0}


def a_bolt(name: str = "pvp", **keys: Any) -> Bolt:
    return Bolt(
        **{
            "name": name,
            "reads": {"gamelog.pvp_log": Reads(Gamelog[Fought])},
            "by": {"bracket": "data.bracket"},
            "measures": {
                "fights": Count(),
                "wins": Count(lambda row: row.data.result == "win"),
                "players": Distinct("data.acct", list_field="_players"),
                "points": Sum("data.points"),
                "best": Extreme("data.points", max),
            },
            "finish": rates,
            "percents": ["win_rate"],
            "totals": True,
            **keys,
        }
    )


PVP = a_bolt()
SUMMED = a_bolt("pvp_untotalled", totals=False)
HOURLY = a_bolt("pvp_hours", period="hour", by={}, totals=False)
WEEKLY = a_bolt("pvp_weeks", period="week", by={}, totals=False)
EVER = a_bolt("pvp_accts", period=None, by={"acct": "data.acct"}, totals=False)
OWN = {bolt.name: bolt for bolt in (PVP, SUMMED, HOURLY, WEEKLY, EVER)}
NO_ZONES: Mapping[str, str] = {}
NUMBERS = {
    "points": NumberSection("pvp.points / pvp.fights", "Points per fight"),
    "won": NumberSection("percent(pvp.wins, pvp.fights)", "Share of fights that were won"),
    "below_0": NumberSection("pvp_hours.fights - 120", "Fights above 120"),
    "heads": NumberSection("pvp_hours.fights / kpi.dau", "Fights per active acct"),
}
OWN_PAGES = ("collections/pvp", "collections/pvp_hours", "collections/pvp_accts", "numbers")
"""Pages to look at with a browser."""


@dataclass(frozen=True)
class Arena:
    """The fights, the documents that they make, and the dashboard over them."""

    fights: list[Fight]
    documents: dict[str, list[dict[str, Any]]]
    data: Data
    app: Flask

    def some(self, **wanted: Any) -> list[Fight]:
        """Return the fights whose fields have these values; ``day`` is one of them, too."""
        return [
            one
            for one in self.fights
            if all(
                (day(one) if name == "day" else getattr(one, name)) == value for name, value in wanted.items()
            )
        ]


def day(fight: Fight) -> str:
    return str(LOCAL.local(fight.ts).date())


def an_arena(
    folder: Path, bolts: dict[str, Bolt] = OWN, zones: Mapping[str, str] = NO_ZONES, **config: Any
) -> Arena:
    """Fight, count, and show. ``zones``: time zones of areas that have one of their own."""
    sections = {
        area: AreaSection(plat=plat, name=f"Server {area}", timezone=zones.get(area, ""))
        for area, plat in AREAS.items()
    }
    settings = Config(data=folder, timezone=TIMEZONE, games={"g": Game(areas=sections)}, **config)
    fights = list(_fights())
    runner = Reference(bolts.values(), areas(settings))
    runner.put("gamelog.pvp_log", map(_tuple, fights))
    documents = {name: [one | {"_id": id} for id, one in runner.documents(name).items()] for name in bolts}
    documents |= {
        f"{name}_total": list(_totals(bolt, documents[name])) for name, bolt in bolts.items() if bolt.totals
    }
    store = MemoryStore()
    for name, some in documents.items():
        store.write(name, [Write(one["_id"], one, None) for one in some])
    shown = Data(
        settings, ReadOnly(store), StoreReader(store), areas(settings), lambda: float(NOW), {**BOLTS, **bolts}
    )
    return Arena(fights, documents, shown, create_app(shown))


def _fights() -> Iterator[Fight]:
    random = Random(7)
    for n in range(DAYS):
        start = LOCAL.day_of(str(FIRST + timedelta(days=n)))
        for _ in range(90 + 5 * n):
            ts = start + random.randrange(20 * 3600)
            bracket = BRACKETS[min(random.randrange(7), random.randrange(7))]
            result = random.choice(("win", "loss"))
            yield Fight(
                random.choice([*AREAS]),
                ts,
                f"a{random.randrange(40)}",
                bracket,
                result,
                random.randrange(100),
            )


def _tuple(fight: Fight) -> dict[str, Any]:
    data = {"acct": fight.acct, "bracket": fight.bracket, "result": fight.result, "points": fight.points}
    return {"area": fight.area, "ts": fight.ts, "data": data}


def _totals(bolt: Bolt, documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    rollup = Rollup(bolt)
    groups: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for one in documents:
        for scope in ({"scope": "game"}, {"scope": "plat", "plat": one["plat"]}):
            key = {**scope, "game": one["game"], "ts": one["ts"], **{name: one[name] for name in bolt.by}}
            groups[tuple(key.items())].update({name: one[name] for name in rollup.numbers})
    for n, (key, sums) in enumerate(groups.items()):
        yield {
            "_id": f"{bolt.name}:{n}",
            **dict(key),
            **rollup.fields([sums[name] for name in rollup.numbers], {}),
        }
