"""Documents of many areas over many days, as bolts and timer bolts leave them, for benchmarks of what reads them.

Only collections that pages of the dashboard read are here. Numbers are drawn, not counted from records, so they add up within
a document and not across collections. Hour documents, with the accts that they list, are made for the last days alone:
a page shows two days of hours.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from analytics.core.periods import Zone
from analytics.core.rates import per_head, percent, ratio
from analytics.timers.ltv import THROUGH

GAME, PLATS = "dl", 8
REASONS, ITEMS, TASKS, DUNGEONS, GRADES = 6, 8, 12, 4, 60
PAYERS = 40
"""Accts of an area that ever paid."""

HOUR_DAYS = 3
BACK = 30
"""Days after sign-up for which it is known who came back."""

Document = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """So many areas, ``days`` days up to ``last``, the last one unfinished."""

    areas: int
    days: int
    last: date
    zone: Zone
    seed: int = 1

    def ids(self) -> list[str]:
        return [hashlib.md5(b"area %d" % n).hexdigest()[:24] for n in range(self.areas)]

    def plat(self, area: int) -> str:
        return str(2001 + area % PLATS)

    def starts(self) -> list[int]:
        """Return the start of each day, in Unix seconds."""
        first = self.last - timedelta(days=self.days - 1)
        return [self.zone.day_of(str(first + timedelta(days=n))) for n in range(self.days)]

    def collections(self) -> Iterator[tuple[str, Iterator[Document]]]:
        """Yield each collection's name and documents."""
        for name, fields in DAYS.items():
            yield name, self._days(name, fields)
            yield f"{name}_total", self._totals(fields)
        for name in ("loginhour", "signuphour", "coinhour"):
            yield name, self._hours(name)
            yield f"{name}_total", self._total_hours(name)
        yield "areas_total", self._tables()
        yield "serverstarttime", self._starts()
        yield "userpay", self._payers()

    def _days(self, name: str, fields: "Fields") -> Iterator[Document]:
        random = np.random.default_rng([self.seed, len(name)])
        ids = self.ids()
        for age, ts in zip(range(self.days - 1, -1, -1), self.starts(), strict=True):
            for n, area in enumerate(ids):
                key = {"game": GAME, "area": area, "plat": self.plat(n), "ts": ts}
                for suffix, values in fields(random, 1, age):
                    yield {"_id": f"{area}:{ts}{suffix}", **key, **values, **_kept(name)}

    def _scopes(self) -> list[tuple[str, Document, int]]:
        """Return the game and its plats: how their ids begin, what their documents say of them, and how many areas they have."""
        game = (f"game:{GAME}", {"scope": "game", "game": GAME}, self.areas)
        plats = [str(2001 + n) for n in range(min(PLATS, self.areas))]
        of_plats = [
            (f"plat:{GAME}:{plat}", {"scope": "plat", "game": GAME, "plat": plat}, self.areas // PLATS or 1)
            for plat in plats
        ]
        return [game, *of_plats]

    def _totals(self, fields: "Fields") -> Iterator[Document]:
        random = np.random.default_rng(self.seed)
        for age, ts in zip(range(self.days - 1, -1, -1), self.starts(), strict=True):
            for stem, about, areas in self._scopes():
                for suffix, values in fields(random, areas, age):
                    final = {"final": age > 0}
                    yield {"_id": f"{stem}:{ts}{suffix}", **about, "ts": ts, **final, **values, **_kept("")}

    def _total_hours(self, name: str) -> Iterator[Document]:
        random = np.random.default_rng(self.seed)
        for ts in self.starts()[-HOUR_DAYS:]:
            for stem, about, _ in self._scopes():
                for at in range(ts, ts + 86_400, 3600):
                    values = {key: value for key, value in _hour(name, random).items() if key != "userlist"}
                    yield {"_id": f"{stem}:{at}", **about, "ts": at, **values, **_kept("")}

    def _tables(self) -> Iterator[Document]:
        random = np.random.default_rng(self.seed)
        for age, ts in zip(range(self.days - 1, -1, -1), self.starts(), strict=True):
            means = (("dau", 200), ("wau", 400), ("mau", 800), ("payers", 8), ("reg", 30), ("new_payers", 2))
            columns = {name: random.poisson(mean, self.areas).tolist() for name, mean in means}
            revenue = (random.poisson(40_000, self.areas) / 100).tolist()
            about = {"scope": "game", "game": GAME, "ts": ts, "areas": sorted(self.ids()), "final": age > 0}
            yield {"_id": f"game:{GAME}:{ts}", **about, **columns, "revenue": revenue, **_kept("")}

    def _hours(self, name: str) -> Iterator[Document]:
        random = np.random.default_rng([self.seed, len(name)])
        for ts in self.starts()[-HOUR_DAYS:]:
            for n, area in enumerate(self.ids()):
                for hour in range(24):
                    at = ts + 3600 * hour
                    key = {"game": GAME, "area": area, "plat": self.plat(n), "ts": at}
                    yield {"_id": f"{area}:{at}", **key, **_hour(name, random), **_kept(name)}

    def _starts(self) -> Iterator[Document]:
        for n, area in enumerate(self.ids()):
            day = self.starts()[0] - 86_400 * (n % 300)
            yield {
                "_id": area,
                "game": GAME,
                "area": area,
                "plat": self.plat(n),
                "ts": day + 60,
                "day": day,
                **_kept(""),
            }

    def _payers(self) -> Iterator[Document]:
        random = np.random.default_rng(self.seed)
        starts = self.starts()
        for n, area in enumerate(self.ids()):
            for acct, cents in enumerate(random.pareto(1.2, PAYERS) * 600):
                first, last = sorted(random.integers(0, self.days, 2).tolist())
                yield {
                    "_id": f"{area}:{acct}", "game": GAME, "area": area, "plat": self.plat(n), "acct": str(3_000_000_000 + acct),
                    "pay_count": 1 + last - first, "pay_amout": round(float(cents)) / 100, "pay_days": 1 + last - first,
                    "first_pay": starts[first], "last_pay": starts[last], "rest_yuanbao": 100, "used_yuanbao": 200,
                    **_kept("userpay"),
                }  # fmt: skip


def _kept(name: str) -> Document:
    """Return what the suite keeps in a document for itself."""
    topics = {"gamelog.yuanbao_logchange": 812_331, "payment": 41_003} if name else {}
    return {"_v": 12, "_at": {"log": "5f1d8a0c2b7e4936", "topics": topics}, "updated": NOW}


Fields = Callable[[np.random.Generator, int, int], Iterator[tuple[str, Document]]]
"""From chance, how many areas it is, and days ago: the documents of a day, by what stands behind the day in their ids."""


def _kpi(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    dau, reg, cents = (int(random.poisson(mean) * times) for mean in (200, 30, 40_000))
    payers, mau = min(dau, 8 * times), dau * 4
    yield (
        "",
        {
            "dau": dau, "wau": dau * 2, "mau": mau, "stickiness": ratio(dau, mau), "payers": payers,
            "revenue": per_head(cents, 1), "pay_rate": ratio(payers, dau), "arpu": per_head(cents, dau),
            "arppu": per_head(cents, payers), "reg": reg, "new_payers": min(reg, 2 * times),
            "new_pay_rate": ratio(min(reg, 2 * times), reg), "open_day": 100 - age, "final": age > 0,
        },
    )  # fmt: skip


def _active(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    new, old = int(random.poisson(30) * times), int(random.poisson(170) * times)
    rates = {"new_ac_rate": percent(new, new + old), "old_ac_rate": percent(old, new + old)}
    yield (
        "",
        {"ac_user": new + old, "new_ac_user": new, "old_ac_user": old, **rates, "final": age > 0},
    )


def _lifecycle(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    before, new, returned, lost = (int(random.poisson(mean) * times) for mean in (500, 30, 10, 35))
    counts = {"new": new, "retained": before - lost, "returned": returned, "lost": lost}
    yield "", {"active": before + new + returned - lost, "before": before, **counts, "final": age > 0}


def _online(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    pcu = int(random.poisson(40) * times)
    numbers = {"acu": round(pcu * 0.6, 2), "pcu": pcu, "pcu_ts": 1_420_688_040, "minutes": 1440, "hours": {}}
    yield "", {**numbers, "final": age > 0}


def _played(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    accts = int(random.poisson(200) * times)
    lengths = {str(minutes): accts // 30 for minutes in range(1, 61)}
    sessions = sum(lengths.values())
    numbers = {"sessions": sessions, "accts": accts, "open": 0, "seconds": sessions * 1800}
    numbers |= {"median_minutes": 30, "ended_by_login": sessions // 30, "ended_by_limit": sessions // 60}
    yield "", {**numbers, "playtime": ratio(sessions * 1800, accts), "lengths": lengths, "final": age > 1}


def _cohort(size: str) -> Fields:
    def fields(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
        reg = int(random.poisson(30) * times)
        back = random.binomial(reg, 0.4 / np.arange(1, BACK + 1) ** 0.6)[:age].tolist()
        cells = {
            str(n): {
                "count": count,
                "rate": percent(count, reg),
                "rolling": count,
                "rolling_rate": percent(count, reg),
            }
            for n, count in enumerate(back, start=1)
        }
        yield "", {size: reg, "retention": cells, "final": age > BACK}

    return fields


def _ltv(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    reg = int(random.poisson(30) * times)
    curve = {str(n): round(0.8 * (1 + n) ** 0.5, 4) for n in THROUGH if n < age}
    yield "", {"reg": reg, "ltv": curve, "final": age > 90}


def _firstpay(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    reg = int(random.poisson(30) * times)
    counts = {n: int(reg * 0.04 * (1 + n) ** 0.2) for n in THROUGH if n < age}
    paid = {str(n): {"count": count, "rate": percent(count, reg)} for n, count in counts.items()}
    yield "", {"reg": reg, "paid": paid, "median_days": 1 if age else None, "final": age > 90}


def _funnel(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    reg = int(random.poisson(30) * times)
    steps = {
        f"first_week-{n}": {
            "step": step,
            "count": reg // n,
            "rate": percent(reg // n, reg),
            "median_seconds": 600 * (n - 1),
        }
        for n, step in enumerate(("signup", "createrole", "task:5 finish", "level:10", "first payment"), 1)
    }
    yield "", {"reg": reg, "steps": steps, "final": age > 9}


def _revenue(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    gross, refunds = (int(random.poisson(mean) * times) for mean in (42_000, 2_000))
    yield "", {"gross": gross / 100, "refunds": refunds / 100, "net": (gross - refunds) / 100}


def _coins(random: np.random.Generator) -> Document:
    amount, count, gain_count, gain = (int(random.poisson(mean)) for mean in (60_000, 900, 300, 40_000))
    return {
        "count": count,
        "amount": amount,
        "users": min(count, 150),
        "gain_count": gain_count,
        "gain_amount": gain,
    }


def _coinday(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    yield "", _coins(random)


def _cointype(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    for n in range(REASONS):
        yield f":reason{n}", {"reason": f"reason{n}", **_coins(random)}


def _shop(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    for n in range(ITEMS):
        count = int(random.poisson(40))
        yield (
            f":item{n}",
            {"item": f"item{n}", "count": count, "num": 2 * count, "amount": 30 * count, "users": count},
        )


def _mainline(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    for n in range(TASKS):
        accept = int(random.poisson(60 - 4 * n))
        finish = accept * 8 // 10
        users = {"accept_users": accept, "finish_users": finish, "finish_rate": percent(finish, accept)}
        yield f":{n + 1}", {"task": n + 1, "accept": accept, "finish": finish, **users}


def _gamecopy(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    for n in range(DUNGEONS):
        enter = int(random.poisson(80))
        yield (
            f":{101 + n}",
            {
                "fuben": str(101 + n),
                "enter": enter,
                "pass": enter // 2,
                "fail": enter // 3,
                "users": enter // 2,
            },
        )


def _userlevel(random: np.random.Generator, times: int, age: int) -> Iterator[tuple[str, Document]]:
    grades = random.poisson(4, GRADES).tolist()
    levels = {str(grade): roles for grade, roles in enumerate(grades, start=1) if roles}
    yield "", {"levels": levels, "users": sum(grades)}


def _hour(name: str, random: np.random.Generator) -> Document:
    if name == "coinhour":
        return {key: value // 24 for key, value in _coins(random).items()}
    count = int(random.poisson(40 if name == "loginhour" else 3))
    accts = (3_000_000_000 + random.integers(0, 10**6, count)).tolist()
    return {"count": count, "userlist": list(map(str, accts)), "type": name[:-4], "first_ts": 1_420_688_004}


DAYS: dict[str, Fields] = {
    "kpi": _kpi,
    "activeday": _active,
    "lifecycle": _lifecycle,
    "onlineday": _online,
    "sessionday": _played,
    "loginretention": _cohort("reg"),
    "paytraceday": _cohort("pay_user"),
    "ltv": _ltv,
    "firstpay": _firstpay,
    "funnel": _funnel,
    "revenueday": _revenue,
    "coinday": _coinday,
    "userlevel": _userlevel,
    "gamecopy": _gamecopy,
    "cointype": _cointype,
    "shop": _shop,
    "mainline": _mainline,
}
