"""The second opinion: every document of the suite, worked out in plain Python from the raw records.

It follows the contract's table of documents and nothing else: sets, dictionaries and fractions, no shortcuts, and
nothing of the suite is imported. ``expected`` returns what every collection should hold at a moment.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

Fields = dict[str, Any]
Documents = dict[str, Fields]
Record = tuple[str, Fields]
"""A topic and a tuple as spouts publish it."""

DAY = timedelta(days=1)
LTV_DAYS = [*range(31), 60, 90]
RETENTION_DAYS = range(1, 31)


@dataclass(frozen=True)
class Place:
    """One area: whose it is, the name of its time zone, and what it pays in; None: its game has one currency."""

    game: str
    plat: str
    zone: str
    money: "Money | None" = None


@dataclass(frozen=True)
class Money:
    """The currency of a game, that of an area, and by currency the rates by the day from which they hold."""

    game: str
    area: str
    rates: dict[str, dict[date, str]]

    def rate(self, currency: str, day: date) -> str:
        """Return how much of the game's currency one of another is on a day."""
        if currency == self.game:
            return "1"
        known = self.rates[currency]
        return known[max(since for since in known if since <= day)]


@dataclass(frozen=True)
class Cut:
    """A segment: the property is a field of ``data`` of an op code's records. ``other``: what is not listed counts as that."""

    code: str
    field: str
    listed: tuple[str, ...]
    other: bool

    def value(self, property_: str) -> str:
        """Return the value that a property counts as."""
        return property_ if property_ in self.listed else "other" if self.other else "unknown"

    def values(self) -> list[str]:
        """Return all values."""
        return [*self.listed, *(["other"] if self.other else []), "unknown"]


@dataclass(frozen=True)
class World:
    """All areas by id, per game the name of its own time zone, its segments by name; and the areas that were merged, into which."""

    areas: dict[str, Place]
    zones: dict[str, str]
    segments: dict[str, dict[str, Cut]] = dataclasses.field(default_factory=dict)
    merged: dict[str, str] = dataclasses.field(default_factory=dict)


# -- Time: an instant's place on the wall's clock and calendar, and the first instant of such a place.


def date_of(zone: str, ts: int) -> date:
    """Return the calendar day of an instant."""
    return _wall(zone, ts).date()


@cache
def day_start(zone: str, day: date) -> int:
    """Return the first instant whose local date is ``day`` or, where that date does not exist, later."""
    noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
    return _first(noon - 40 * 3600, noon + 40 * 3600, lambda ts: _wall(zone, ts).date() >= day)


def hour_start(zone: str, ts: int) -> int:
    """Return the first instant of the hour: same date, same hour shown, same distance to UTC."""
    return _hour_of_minute(zone, ts // 60 * 60)


@cache
def _hour_of_minute(zone: str, ts: int) -> int:

    def shown(at: int) -> tuple[date, int, timedelta | None]:
        wall = _wall(zone, at)
        return wall.date(), wall.hour, wall.utcoffset()

    return _first(ts - 3600, ts, lambda at: shown(at) == shown(ts))


def week_of(day: date) -> list[date]:
    """Return the days of the calendar week, Monday first, that ``day`` lies in."""
    monday = day - day.weekday() * DAY
    return [monday + n * DAY for n in range(7)]


def month_of(day: date) -> list[date]:
    """Return the days of the calendar month that ``day`` lies in."""
    days = (day.replace(day=1) + n * DAY for n in range(31))
    return [one for one in days if one.month == day.month]


def _wall(zone: str, ts: int) -> datetime:
    return datetime.fromtimestamp(ts, ZoneInfo(zone))


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the first second in ``low`` … ``high`` for which ``holds``; it holds from there on, at ``high`` at least."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


# -- The records, as they count: each once, of a payment snapshot or a role the newest.


@dataclass
class Area:
    """What the records say of one area."""

    id: str
    place: Place
    records: dict[str, list[Fields]]
    """Per op code, and for ``payment`` and ``syncuser``, the tuples."""

    def head(self, *key: Any, ts: int | None = None) -> tuple[str, Fields]:
        """Return the ``_id`` and the common fields of a document; ``ts`` unless it is left out."""
        fields = {"game": self.place.game, "area": self.id, "plat": self.place.plat}
        parts = [self.id]
        if ts is not None:
            fields["ts"] = ts
            parts.append(str(ts))
        # "#" tells a document from its parts, so an id has it in other letters.
        return ":".join([*parts, *(str(one).replace("%", "%25").replace("#", "%23") for one in key)]), fields

    def day(self, ts: int) -> int:
        """Return the start of the day that ``ts`` lies in."""
        return day_start(self.place.zone, date_of(self.place.zone, ts))

    def hour(self, ts: int) -> int:
        """Return the start of the hour that ``ts`` lies in."""
        return hour_start(self.place.zone, ts)

    def who(self, code: str) -> dict[date, set[str]]:
        """Return per day the accts with a record of that op code."""
        found: dict[date, set[str]] = defaultdict(set)
        for one in self.records[code]:
            found[date_of(self.place.zone, one["ts"])].add(one["data"]["acct"])
        return found

    def users(self) -> dict[date, dict[str, list[Fields]]]:
        """Return per day and acct what the last snapshot that names it says: one entry a currency, amounts in cents."""
        found: dict[date, dict[str, list[Fields]]] = defaultdict(dict)
        for one in sorted(self.records["payment"], key=lambda one: (one.get("at", 0), _number(one))):
            # A snapshot may name its day, which its area may have had in another zone.
            named = one.get("day")
            day = date.fromisoformat(named) if named else date_of(self.place.zone, one["ts"])
            payers = found[day]  # nobody's too: then it is known that nobody paid
            for acct, user in one["users"].items():
                payers[acct] = [self._paid(part, day) for part in [user, *user.get("other_currencies", [])]]
        return found

    def _paid(self, user: Fields, day: date) -> Fields:
        gross, refunds = (int(Fraction(str(user.get(name) or 0)) * 100) for name in ("amount", "refunded"))
        there = self.place.money
        if there is None:
            return {"times": user["times"], "gross": gross, "refunds": refunds}
        currency = user.get("currency") or there.area
        rate = there.rate(currency, day)
        return {
            "times": user["times"],
            "gross": half_even(gross * Fraction(rate)),
            "refunds": half_even(refunds * Fraction(rate)),
            "own": (currency, gross, refunds, rate),
        }

    def paid(self) -> dict[date, dict[str, tuple[int, int]]]:
        """Return per day and acct how often was paid, and how much (cents) was not refunded."""
        return {
            day: {
                acct: (
                    sum(one["times"] for one in parts),
                    sum(one["gross"] - one["refunds"] for one in parts),
                )
                for acct, parts in users.items()
            }
            for day, users in self.users().items()
        }

    def roles(self) -> list[Fields]:
        """Return the states of roles, the newest last."""
        return sorted(self.records["syncuser"], key=lambda one: (one["ts"], one["at"], _number(one)))

    def start(self) -> int | None:
        """Return the time of the earliest login, sign-up or role."""
        codes = ("login_logcount", "signup_logcount", "createrole_logcount")
        return min((one["ts"] for code in codes for one in self.records[code]), default=None)


def _number(one: Fields) -> int:
    return int(one["id"].rpartition(":")[2])


def _areas(world: World, records: Iterable[Record]) -> list[Area]:
    areas = {id_: Area(id_, place, defaultdict(list)) for id_, place in world.areas.items()}
    for topic, one in records:
        areas[one["area"]].records[topic.removeprefix("gamelog.")].append(one)
    return list(areas.values())


# -- Money and shares, worked out exactly, then shown.


def half_even(amount: Fraction) -> int:
    """Return the nearest integer, of two the even one."""
    below = amount.numerator // amount.denominator
    over = amount - below
    return below + (over > Fraction(1, 2) or (over == Fraction(1, 2) and below % 2 == 1))


def money(cents: int) -> int | float:
    """Return cents as currency units, an integer where they are whole."""
    return cents // 100 if cents % 100 == 0 else float(Fraction(cents, 100))


def shown(dividend: int | Fraction, divisor: int, decimals: int) -> float:
    """Return the quotient with so many decimals, 0 where there is nothing to divide by."""
    return round(float(Fraction(dividend, divisor)), decimals) if divisor else 0


def average(cents: int, heads: int) -> int | float:
    """Return currency units a head, an integer where they are whole."""
    amount = shown(Fraction(cents, 100), heads, 4)
    return int(amount) if amount == int(amount) else amount


# -- The documents of an area's records.


def _by(keys: Callable[[Fields], Any], rows: Iterable[Fields]) -> dict[Any, list[Fields]]:
    groups: dict[Any, list[Fields]] = defaultdict(list)
    for row in rows:
        groups[keys(row)].append(row)
    return groups


def _accts(rows: Iterable[Fields]) -> set[str]:
    return {row["data"]["acct"] for row in rows}


def _who(area: Area, code: str, type_: str, of_hours: bool) -> Documents:
    documents = {}
    for ts, rows in _by(
        lambda row: (area.hour if of_hours else area.day)(row["ts"]), area.records[code]
    ).items():
        id_, head = area.head(ts=ts)
        users = sorted(_accts(rows))
        documents[id_] = {**head, "count": len(users), "userlist": users, "type": type_}
        if of_hours:
            documents[id_]["first_ts"] = min(row["ts"] for row in rows)
    return documents


def _who_paid(payers: dict[str, tuple[int, int]]) -> set[str]:
    """Return the accts that paid anything."""
    return {acct for acct, (_, cents) in payers.items() if cents}


def paysummary(area: Area) -> Documents:
    documents = {}
    for day, payers in area.paid().items():
        id_, head = area.head(ts=day_start(area.place.zone, day))
        documents[id_] = {
            **head,
            "count": len(_who_paid(payers)),
            "userlist": sorted(_who_paid(payers)),
            "pay_amout": money(sum(cents for _, cents in payers.values())),
            "pay_count": sum(times for times, _ in payers.values()),
            "type": "payorderuser",
        }
    return documents


def payorderdetail(area: Area) -> Documents:
    documents = {}
    for day, payers in area.paid().items():
        for acct, (times, cents) in payers.items():
            id_, head = area.head(acct, ts=day_start(area.place.zone, day))
            documents[id_] = {**head, "acct": acct, "pay_count": times, "pay_amout": money(cents)}
    return documents


def revenueday(area: Area) -> Documents:
    documents = {}
    for day, users in area.users().items():
        parts = [one for some in users.values() for one in some]
        gross, refunds = (sum(one[name] for one in parts) for name in ("gross", "refunds"))
        id_, head = area.head(ts=day_start(area.place.zone, day))
        fields: Fields = {"gross": money(gross), "refunds": money(refunds), "net": money(gross - refunds)}
        own = [(*one["own"], one) for one in parts if "own" in one]
        fields |= {name: {} for name in ("gross_in", "refunds_in", "net_in", "converted")}
        for currency in {one[0] for one in own}:
            mine = [one for one in own if one[0] == currency]
            its_gross, its_refunds = sum(one[1] for one in mine), sum(one[2] for one in mine)
            fields["gross_in"][currency] = money(its_gross)
            fields["refunds_in"][currency] = money(its_refunds)
            fields["net_in"][currency] = money(its_gross - its_refunds)
            fields["converted"][currency] = money(sum(one[4]["gross"] - one[4]["refunds"] for one in mine))
        fields["rates"] = ", ".join(sorted({f"{one[0]} {one[3]}" for one in own}))
        documents[id_] = {**head, **fields}
    return documents


def server(area: Area) -> Documents:
    logins, signups, roles = map(area.who, ["login_logcount", "signup_logcount", "createrole_logcount"])
    paid = area.paid()
    documents = {}
    for day in {*logins, *signups, *roles, *paid}:
        id_, head = area.head(ts=day_start(area.place.zone, day))
        payers = paid.get(day, {})
        documents[id_] = {
            **head,
            "active": len(logins.get(day, ())),
            "reg": len(signups.get(day, ())),
            "create_role": len(roles.get(day, ())),
            "pay_user": len(_who_paid(payers)),
            "pay_count": sum(times for times, _ in payers.values()),
            "pay_amout": money(sum(cents for _, cents in payers.values())),
        }
    return documents


def _coins(rows: list[Fields]) -> Fields:
    spent = [row for row in rows if row["data"]["amount"] < 0]
    gained = [row for row in rows if row["data"]["amount"] > 0]
    return {
        "count": len(spent),
        "amount": -sum(row["data"]["amount"] for row in spent),
        "users": len(_accts(spent)),
        "gain_count": len(gained),
        "gain_amount": sum(row["data"]["amount"] for row in gained),
    }


def coinhour(area: Area) -> Documents:
    documents = {}
    for ts, rows in _by(lambda row: area.hour(row["ts"]), area.records["yuanbao_logchange"]).items():
        id_, head = area.head(ts=ts)
        documents[id_] = head | _coins(rows)
    return documents


def coinday(area: Area) -> Documents:
    documents = {}
    for ts, rows in _by(lambda row: area.day(row["ts"]), area.records["yuanbao_logchange"]).items():
        id_, head = area.head(ts=ts)
        documents[id_] = head | _coins(rows)
    return documents


def _per_day_and(area: Area, name: str, rows: Iterable[Fields]) -> Iterable[tuple[str, Fields, list[Fields]]]:
    for (ts, value), group in _by(lambda row: (area.day(row["ts"]), row["data"][name]), rows).items():
        id_, head = area.head(value, ts=ts)
        yield id_, head | {name: value}, group


def cointype(area: Area) -> Documents:
    found = _per_day_and(area, "reason", area.records["yuanbao_logchange"])
    return {id_: head | _coins(rows) for id_, head, rows in found}


def gamecopy(area: Area) -> Documents:
    documents = {}
    for id_, head, rows in _per_day_and(area, "fuben", area.records["fuben_logchange"]):
        results = [row["data"]["result"] for row in rows]
        counts = {result: results.count(result) for result in ("enter", "pass", "fail")}
        documents[id_] = head | counts | {"users": len(_accts(rows))}
    return documents


def mainline(area: Area) -> Documents:
    marked = [
        row | {"code": code} for code in ("accept", "finish") for row in area.records[f"trunk_task_{code}"]
    ]
    documents = {}
    for id_, head, rows in _per_day_and(area, "task", marked):
        accepts = [row for row in rows if row["code"] == "accept"]
        finishes = [row for row in rows if row["code"] == "finish"]
        accepted, finished = len(_accts(accepts)), len(_accts(finishes))
        documents[id_] = head | {
            "accept": len(accepts),
            "finish": len(finishes),
            "accept_users": accepted,
            "finish_users": finished,
            "finish_rate": shown(100 * finished, accepted, 2),
        }
    return documents


def shop(area: Area) -> Documents:
    documents = {}
    for id_, head, rows in _per_day_and(area, "item", area.records["shop_logbuy"]):
        documents[id_] = head | {
            "count": len(rows),
            "num": sum(row["data"]["num"] for row in rows),
            "amount": sum(row["data"]["price"] for row in rows),
            "users": len(_accts(rows)),
        }
    return documents


def userpay(area: Area) -> Documents:
    paid = area.paid()
    owned: dict[str, int] = defaultdict(int)
    for one in {one["uid"]: one for one in area.roles()}.values():
        owned[one["acctid"]] += one["rest_yuanbao"]
    used: dict[str, int] = defaultdict(int)
    for row in area.records["yuanbao_logchange"]:
        used[row["data"]["acct"]] -= min(row["data"]["amount"], 0)
    documents = {}
    for acct in {acct for payers in paid.values() for acct in payers} | owned.keys() | used.keys():
        days = [day for day, payers in paid.items() if acct in payers]
        starts = [day_start(area.place.zone, day) for day in days if paid[day][acct][1]]
        id_, head = area.head(acct)
        documents[id_] = head | {
            "acct": acct,
            "pay_count": sum(paid[day][acct][0] for day in days),
            "pay_amout": money(sum(paid[day][acct][1] for day in days)),
            "pay_days": len(starts),
            "first_pay": min(starts, default=None),
            "last_pay": max(starts, default=None),
            "rest_yuanbao": owned[acct],
            "used_yuanbao": used[acct],
        }
    return documents


ROLE = ("ts", "uid", "name", "grade", "rest_yuanbao", "birthday", "acctid", "score", "login_time")


def usercenter(area: Area) -> Documents:
    documents = {}
    for one in area.roles():
        id_, head = area.head(one["uid"])
        documents[id_] = head | {name: one[name] for name in ROLE}
    return documents


def _highest(rows: Iterable[Fields]) -> dict[int, int]:
    """Return, by the start of each minute with head counts, the highest of them."""
    found = _by(lambda row: row["ts"] // 60 * 60, rows)
    return {minute: max(row["data"]["online"] for row in found[minute]) for minute in sorted(found)}


def _held(counts: dict[int, int], last: int) -> dict[int, int]:
    """Return what is known of each minute: a count holds until the next or for ten minutes, the last one for ``last``."""
    starts, known = list(counts), {}
    for start, following in zip(starts, [*starts[1:], starts[-1] + 60 * last], strict=True):
        for minute in range(start, min(following, start + 600), 60):
            known[minute] = counts[start]
    return known


def _said_of_minutes(known: dict[int, int]) -> Fields:
    peak = max(known.values())
    first = min(minute for minute, online in known.items() if online == peak)
    average = shown(sum(known.values()), len(known), 2)
    return {"acu": average, "pcu": peak, "pcu_ts": first, "minutes": len(known)}


def onlinehour(area: Area) -> Documents:
    documents = {}
    for ts, rows in _by(lambda row: area.hour(row["ts"]), area.records["online_logcount"]).items():
        id_, head = area.head(ts=ts)
        documents[id_] = head | _said_of_minutes(_held(_highest(rows), 1))
    return documents


def sessionhour(area: Area) -> Documents:
    logins, logouts = area.records["login_logcount"], area.records["logout_logcount"]
    documents = {}
    for ts in {area.hour(row["ts"]) for row in (*logins, *logouts)}:
        id_, head = area.head(ts=ts)
        came = {(row["ts"], row["data"]["acct"]) for row in logins if area.hour(row["ts"]) == ts}
        left = {_left(row) for row in logouts if area.hour(row["ts"]) == ts}
        documents[id_] = head | {"logins": len(came), "logouts": len(left)}
    return documents


def _left(row: Fields) -> tuple[int, int | None, str]:
    return row["ts"], row["data"].get("seconds"), row["data"]["acct"]


def userlevel(area: Area) -> Documents:
    documents = {}
    for ts, rows in _by(lambda row: area.day(row["ts"]), area.roles()).items():
        grades = list({row["uid"]: row["grade"] for row in rows}.values())
        id_, head = area.head(ts=ts)
        levels = {str(grade): grades.count(grade) for grade in sorted(grades)}
        documents[id_] = head | {"levels": levels, "users": len(grades)}
    return documents


def _accts_bolts() -> dict[str, Callable[[Area], Documents]]:
    bolts = {}
    codes = {"login": "login_logcount", "signup": "signup_logcount", "createrole": "createrole_logcount"}
    for name, code in codes.items():
        bolts[f"{name}hour"] = lambda area, code=code, name=name: _who(area, code, name, True)
        bolts[f"{name}day"] = lambda area, code=code, name=name: _who(area, code, name, False)
    return bolts


OF_RECORDS: dict[str, Callable[[Area], Documents]] = _accts_bolts() | {
    one.__name__: one
    for one in (
        *(
            paysummary,
            payorderdetail,
            revenueday,
            server,
            coinhour,
            coinday,
            cointype,
            gamecopy,
            mainline,
            shop,
        ),
        *(userpay, usercenter, userlevel, onlinehour, sessionhour),
    )
}


# -- The documents that change as days begin, of areas and of whole games.


GAP, LIMIT = 5 * 60, 12 * 3600


class _Visits:
    """The logins and logouts of an area, by day."""

    def __init__(self, area: Area) -> None:
        self.zone = area.place.zone
        self.days: dict[date, set[tuple[str, int, int, int | None]]] = defaultdict(set)
        """Acct, time, its rank among those of one second, and for a logout the seconds that it says."""
        for row in area.records["login_logcount"]:
            self.days[date_of(self.zone, row["ts"])].add((row["data"]["acct"], row["ts"], 1, None))
        for row in area.records["logout_logcount"]:
            ts, seconds, acct = _left(row)
            self.days[date_of(self.zone, ts)].add((acct, ts, 0 if seconds else 2, seconds))

    def sessions(self, day: date, over: bool) -> list[tuple[str, int, str]]:
        """Return of each session that began on a day its acct, its seconds, and what ended it."""
        seen = [one for near in (day - DAY, day, day + DAY) for one in self.days.get(near, ())]
        if all(rank == 1 for _, _, rank, _ in seen):
            return []
        newest = max(ts for _, ts, _, _ in seen)
        end = day_start(self.zone, day + 2 * DAY)
        found = []
        for acct, rows in _by(lambda one: one[0], seen).items():
            own: list[list[tuple[int, int, str]]] = []
            for begin, until, way, before in self._stretches(rows, None if over else newest, end):
                if not own or begin - before > GAP:
                    own.append([])
                own[-1].append((begin, until, way))
            found += [
                (acct, sum(until - begin for begin, until, _ in one), one[-1][2])
                for one in own
                if date_of(self.zone, one[0][0]) == day
            ]
        return found

    def _stretches(
        self, rows: list[Any], newest: int | None, end: int
    ) -> Iterable[tuple[int, int, str, int]]:
        """Yield begin and end of each stretch of an acct, what ended it, and the time of the record before."""
        ordered = sorted(rows, key=lambda one: (one[1], one[2], -1 if one[3] is None else one[3]))
        for n, (_, ts, rank, seconds) in enumerate(ordered):
            before = ordered[n - 1] if n else None
            after = ordered[n + 1] if n + 1 < len(ordered) else None
            sign = before[1] if before else ts - LIMIT - GAP - 1
            if rank == 1:
                if after and after[1] - ts <= LIMIT:
                    yield ts, after[1], "login" if after[2] == 1 else "logout", sign
                elif newest is None or after or ts + LIMIT <= newest:
                    yield ts, min(ts + LIMIT, end), "limit", sign
                else:
                    yield ts, ts, "open", sign
            elif not (before and before[2] == 1 and ts - before[1] <= LIMIT) and seconds is not None:
                least = ts - LIMIT if not before else before[1] + (LIMIT if before[2] == 1 else 0)
                yield max(ts - min(seconds, LIMIT), least), ts, "logout", sign


FUNNELS = {
    "first_day": (("signup", "task:3 finish", "task:1000 accept"), 23 * 3600),
    "first_week": (("signup", "createrole", "level:8", "first payment"), 7 * 86400),
}


def acctstep(area: Area) -> Documents:
    documents = {}
    wanted = {step for steps, _ in FUNNELS.values() for step in steps} - {"first payment"}
    for (day, step), rows in _by(lambda one: (one[1], one[0]), _steps(area)).items():
        if step in wanted:
            id_, head = area.head(step, ts=day_start(area.place.zone, day))
            documents[id_] = head | {"step": step, "users": len({acct for _, _, acct, _ in rows})}
    return documents


def _steps(area: Area) -> Iterable[tuple[str, date, str, int]]:
    """Yield the steps of funnels that the records of an area report: step, day, acct, time."""
    zone = area.place.zone
    for code, step in (("signup_logcount", "signup"), ("createrole_logcount", "createrole")):
        for row in area.records[code]:
            yield step, date_of(zone, row["ts"]), row["data"]["acct"], row["ts"]
    for deed in ("accept", "finish"):
        for row in area.records[f"trunk_task_{deed}"]:
            step = f"task:{row['data']['task']} {deed}"
            yield step, date_of(zone, row["ts"]), row["data"]["acct"], row["ts"]
    for role in area.records["syncuser"]:
        if role["grade"] >= 8:
            yield "level:8", date_of(zone, role["ts"]), role["acctid"], role["ts"]
    for day, payers in area.paid().items():
        for acct, (_, cents) in payers.items():
            if cents:
                yield "first payment", day, acct, day_start(zone, day)


class Scope:
    """An area, or all areas of a plat or a game together, at a moment."""

    def __init__(self, key: str, head: Fields, zone: str, areas: list[Area], now: int) -> None:
        self.key, self.head, self.zone = key, head, zone
        self.areas = [area.id for area in areas]
        self.zones = {area.place.zone for area in areas}
        self.logins = _union(area.who("login_logcount") for area in areas)
        self.signups = _union(area.who("signup_logcount") for area in areas)
        self.paid: dict[date, dict[str, int]] = defaultdict(dict)
        """Those that paid anything."""
        self.paid_once: dict[date, dict[str, int]] = defaultdict(dict)
        """All that were said to have paid, also where it was refunded since."""
        for area in areas:
            for day, payers in area.paid().items():
                for acct, (_, cents) in payers.items():
                    self.paid_once[day][acct] = 0
                    if cents:
                        self.paid[day][acct] = self.paid[day].get(acct, 0) + cents
        todays = [date_of(area.place.zone, now) for area in areas]
        self.begun, self.ended = max(todays), min(todays) - DAY
        starts = [date_of(area.place.zone, start) for area in areas if (start := area.start()) is not None]
        self.opened = min(starts, default=None)
        self.counts = [
            _highest(area.records["online_logcount"]) for area in areas if area.records["online_logcount"]
        ]
        self.visits = [_Visits(area) for area in areas]
        self.steps: dict[tuple[str, str], list[tuple[date, int]]] = defaultdict(list)
        """By step and acct, days and times."""
        for area in areas:
            for step, day, acct, ts in _steps(area):
                self.steps[step, acct].append((day, ts))
        self.value = ""
        self.values: dict[str, tuple[date, str]] = {}
        """Per acct its value, and since which day."""
        self.suffix = ""
        self.nobody: set[str] = set()
        """Ids of documents of a value that count nobody."""

    def by_value(self, name: str, cut: Cut, areas: list[Area]) -> Iterable["Scope"]:
        """Yield the same scope for each value of a segment."""
        firsts: dict[str, tuple[Any, ...]] = {}
        for area in areas:
            for one in area.records[cut.code]:
                property_ = one["data"].get(cut.field)
                if isinstance(property_, bool) or not isinstance(property_, str | int) or property_ == "":
                    continue
                day, log = date_of(area.place.zone, one["ts"]), one["id"].rpartition(":")[0]
                first = day, one["ts"], area.id, _number(one), log, cut.value(str(property_))
                acct = one["data"]["acct"]
                firsts[acct] = min(firsts.get(acct, first), first)
        for value in cut.values():
            same = copy(self)
            same.nobody = set()
            same.value, same.values = value, {acct: (one[0], one[-1]) for acct, one in firsts.items()}
            escaped = value if ":" in value else value.replace("%", "%25").replace("#", "%23")
            same.head, same.suffix = self.head | {"segment": name, "value": value}, f":{name}:{escaped}"
            yield same

    def has(self, acct: str, day: date) -> bool:
        """Return whether an acct counts, by the value that it has on that day."""
        since, value = self.values.get(acct, (day, "unknown"))
        return not self.value or self.value == (value if since <= day else "unknown")

    def only(self, accts: Iterable[str], day: date) -> set[str]:
        """Return those of some accts that count."""
        return {acct for acct in accts if self.has(acct, day)}

    def document(self, day: date, fields: Fields) -> tuple[str, Fields]:
        """Return a document's ``_id`` and all its fields."""
        ts = day_start(self.zone, day)
        return f"{self.key}:{ts}{self.suffix}", self.head | {"ts": ts} | fields

    def among(self, facts: dict[date, set[str]], days: Iterable[date]) -> set[str]:
        """Return who did it on any of ``days``."""
        return {acct for day in days for acct in facts.get(day, ())}

    def days(self) -> list[date]:
        """Return every day from the first that has facts to the last that has begun."""
        first = min([*self.logins, *self.signups, *self.paid], default=None)
        return [first + n * DAY for n in range((self.begun - first).days + 1)] if first else []


def _union(many: Iterable[dict[date, set[str]]]) -> dict[date, set[str]]:
    found: dict[date, set[str]] = defaultdict(set)
    for one in many:
        for day, accts in one.items():
            found[day] |= accts
    return found


def _activity(scope: Scope, period: Callable[[date], list[date]]) -> Documents:
    documents = {}
    for days in {tuple(period(day)) for day in [*scope.logins, *scope.signups]}:
        active = scope.only(scope.among(scope.logins, days), days[-1])
        signed_up = scope.only(scope.among(scope.signups, days), days[-1])
        new = active & signed_up
        fields = {
            "ac_user": len(active),
            "new_ac_user": len(new),
            "old_ac_user": len(active - new),
            "new_ac_rate": shown(100 * len(new), len(active), 2),
            "old_ac_rate": shown(100 * len(active - new), len(active), 2),
            "final": days[-1] <= scope.ended,
        }
        id_, document = scope.document(days[0], fields)
        documents[id_] = document
        if not (active or signed_up):
            scope.nobody.add(id_)
    return documents


def lifecycle(scope: Scope) -> Documents:
    documents = {}
    for day in scope.days():
        week = [day - back * DAY for back in range(7)]
        active = scope.only(scope.among(scope.logins, week), day)
        before = scope.only(scope.among(scope.logins, [one - DAY for one in week]), day)
        if not (active or before or scope.value):
            continue
        new = {acct for acct in active - before if acct in scope.among(scope.signups, week)}
        fields = {
            **{"active": len(active), "before": len(before), "new": len(new)},
            **{"retained": len(active & before), "returned": len(active - before - new)},
            **{"lost": len(before - active), "final": day <= scope.ended},
        }
        id_, document = scope.document(day, fields)
        documents[id_] = document
        if not (active or before):
            scope.nobody.add(id_)
    return documents


def onlineday(scope: Scope) -> Documents:
    known: dict[int, int] = defaultdict(int)
    for counts in scope.counts:
        for minute, online in _held(counts, 10).items():
            known[minute] += online
    documents = {}
    for day, minutes in _by(lambda minute: date_of(scope.zone, minute), sorted(known)).items():
        if day > scope.begun:
            continue
        table = {}
        for hour, some in _by(lambda minute: hour_start(scope.zone, minute), minutes).items():
            table[str(hour)] = _said_of_minutes({minute: known[minute] for minute in some})
            del table[str(hour)]["minutes"], table[str(hour)]["pcu_ts"]
        fields = _said_of_minutes({minute: known[minute] for minute in minutes})
        # Where an area is in another zone, some of the day lies in its next one.
        last = day if scope.zones == {scope.zone} else day + DAY
        id_, document = scope.document(day, fields | {"hours": table, "final": last <= scope.ended})
        documents[id_] = document
    return documents


LENGTHS = [*range(1, 61), *range(65, 245, 5), *range(270, 1470, 30), 3000]


def sessionday(scope: Scope) -> Documents:
    documents = _session_days(scope)
    scope.nobody |= {id_ for id_, one in documents.items() if not one["sessions"]}
    return {id_: one for id_, one in documents.items() if one["sessions"] or scope.value}


def _session_days(scope: Scope) -> Documents:
    """Return what is said of each day on which sessions may have begun, also where none has."""
    documents = {}
    known = {day for visits in scope.visits for day in visits.days}
    for day in known | {day - DAY for day in known}:
        over = day + DAY <= scope.ended
        every = [one for visits in scope.visits for one in visits.sessions(day, over)]
        some = [one for one in every if scope.has(one[0], day)]
        if day > scope.begun:
            continue
        ended = [one for one in some if one[2] != "open"]
        seconds = [one[1] for one in ended]
        minutes = sorted(min(n for n in LENGTHS if 60 * n >= one) for one in seconds)
        fields = {
            **{"sessions": len(some), "accts": len({one[0] for one in some})},
            **{"open": len(some) - len(ended), "seconds": sum(seconds)},
            "playtime": shown(sum(seconds), len({one[0] for one in some}), 2),
            "median_minutes": minutes[(len(minutes) - 1) // 2] if minutes else None,
            "ended_by_login": len([one for one in ended if one[2] == "login"]),
            "ended_by_limit": len([one for one in ended if one[2] == "limit"]),
            "lengths": {str(n): minutes.count(n) for n in sorted(set(minutes))},
            "final": over,
        }
        id_, document = scope.document(day, fields)
        documents[id_] = document
    return documents


def _retention(
    scope: Scope, size: str, cohorts: dict[date, set[str]], active: dict[date, set[str]]
) -> Documents:
    documents = {}
    for day, everybody in cohorts.items():
        cohort = scope.only(everybody, day)
        table = {}
        for n in RETENTION_DAYS:
            if day + n * DAY <= scope.begun:
                count = len(cohort & active.get(day + n * DAY, set()))
                after = [
                    active.get(day + m * DAY, set())
                    for m in RETENTION_DAYS
                    if m >= n and day + m * DAY <= scope.begun
                ]
                later = len(cohort & set().union(*after))
                table[str(n)] = {"count": count, "rate": shown(100 * count, len(cohort), 2)}
                table[str(n)] |= {"rolling": later, "rolling_rate": shown(100 * later, len(cohort), 2)}
        final = day + RETENTION_DAYS[-1] * DAY <= scope.ended
        id_, document = scope.document(day, {size: len(cohort), "retention": table, "final": final})
        documents[id_] = document
        if not cohort:
            scope.nobody.add(id_)
    return documents


def _first_payers(scope: Scope) -> dict[date, set[str]]:
    """Return who paid for the first time, by day; of all days with payments, also where nobody did."""
    first: dict[str, date] = {}
    for day in sorted(scope.paid, reverse=True):
        first |= dict.fromkeys(scope.paid[day], day)
    return {day: {acct for acct in first if first[acct] == day} for day in scope.paid_once}


def _after(
    scope: Scope,
    size: str,
    cohorts: dict[date, set[str]],
    active: dict[date, set[str]],
    period: Callable[[date], list[date]],
    numbers: Iterable[int],
) -> Documents:
    """Return the documents of cohorts by period: who came in the n-th period after."""
    documents = {}
    for days in {tuple(period(day)) for day in cohorts}:
        cohort = scope.only(scope.among(cohorts, days), days[-1])
        table, then, n, begun = {}, list(days), 0, False
        for wanted in numbers:
            while n < wanted:
                then, n = period(then[-1] + DAY), n + 1
            if then[0] <= scope.begun:
                begun = True
                count = len(cohort & scope.among(active, then))
                table[str(n)] = {"count": count, "rate": shown(100 * count, len(cohort), 2)}
        if len(days) == 1 and not begun:
            continue
        final = then[-1] <= scope.ended
        id_, document = scope.document(days[0], {size: len(cohort), "retention": table, "final": final})
        documents[id_] = document
        if not cohort:
            scope.nobody.add(id_)
    return documents


def _one_day(day: date) -> list[date]:
    return [day]


AFTER: dict[str, tuple[Callable[[date], list[date]], Iterable[int]]] = {
    "long": (_one_day, (45, 60, 90)),
    "week": (week_of, range(1, 9)),
    "month": (month_of, range(1, 4)),
}


def _payers_again(scope: Scope, kind: str) -> Documents:
    """Return the documents of all first payments, also where a cohort has lost all of its accts."""
    paid = {day: set(payers) for day, payers in scope.paid.items()}
    if kind == "paytraceday":
        return _retention(scope, "pay_user", _first_payers(scope), paid)
    return _after(scope, "pay_user", _first_payers(scope), paid, *AFTER[kind.removeprefix("pay")])


def _of_payers(kind: str) -> Callable[[Scope], Documents]:
    return lambda scope: {id_: one for id_, one in _payers_again(scope, kind).items() if one["pay_user"]}


PAYERS_AGAIN = ("paytraceday", "paylong", "payweek", "paymonth")
"""Their cohorts lose accts to earlier ones, as late records show that they had paid before."""


def kpi(scope: Scope) -> Documents:
    documents = {}
    for day in scope.days():
        trailing = {n: scope.among(scope.logins, [day - back * DAY for back in range(n)]) for n in (1, 7, 30)}
        active = {n: scope.only(accts, day) for n, accts in trailing.items()}
        dau, wau, mau = map(len, active.values())
        payers = {acct: cents for acct, cents in scope.paid.get(day, {}).items() if scope.has(acct, day)}
        reg = scope.only(scope.signups.get(day, set()), day)
        revenue = sum(payers.values())
        if not (mau or payers or reg or scope.value):
            continue
        fields = {
            **{"dau": dau, "wau": wau, "mau": mau, "stickiness": shown(dau, mau, 4)},
            **{"payers": len(payers), "revenue": money(revenue), "pay_rate": shown(len(payers), dau, 4)},
            **{"arpu": average(revenue, dau), "arppu": average(revenue, len(payers))},
            **{"reg": len(reg), "new_payers": len(reg & set(payers))},
            "new_pay_rate": shown(len(reg & set(payers)), len(reg), 4),
            "open_day": (day - scope.opened).days if scope.opened else None,
            "final": day <= scope.ended,
        }
        id_, document = scope.document(day, fields)
        documents[id_] = document
        if not (mau or payers or reg):
            scope.nobody.add(id_)
    return documents


def ltv(scope: Scope) -> Documents:
    documents = {}
    for day, everybody in scope.signups.items():
        cohort = scope.only(everybody, day)
        table = {}
        for n in LTV_DAYS:
            if day + n * DAY <= scope.ended:
                payers = [scope.paid.get(day + m * DAY, {}) for m in range(n + 1)]
                table[str(n)] = average(
                    sum(one.get(acct, 0) for one in payers for acct in cohort), len(cohort)
                )
        final = day + LTV_DAYS[-1] * DAY <= scope.ended
        id_, document = scope.document(day, {"reg": len(cohort), "ltv": table, "final": final})
        documents[id_] = document
        if not cohort:
            scope.nobody.add(id_)
    return documents


def payers(scope: Scope) -> Documents:
    documents = {}
    known = {day.replace(day=1) for day in [*scope.logins, *scope.paid_once]}
    for first in known | {month_of(one)[-1] + DAY for one in known}:
        month, earlier = month_of(first), month_of(first - DAY)
        paid = _month_of_payments(scope, month, month[-1])
        before = _month_of_payments(scope, earlier, month[-1])
        active = scope.only(scope.among(scope.logins, month), month[-1])
        if first > scope.begun or not (paid or before or active or scope.value):
            continue
        amounts = sorted((sum(some) for some in paid.values()), reverse=True)
        again = [acct for acct, some in paid.items() if len(some) > 1]
        lost = set(before) - set(paid)
        fields = {
            **{"payers": len(paid), "revenue": money(sum(amounts)), "non_payers": len(active - set(paid))},
            **{"repeat_payers": len(again), "repeat_rate": shown(100 * len(again), len(paid), 2)},
            **{"before": len(before), "lost_payers": len(lost)},
            **{"churn_rate": shown(100 * len(lost), len(before), 2), "final": month[-1] <= scope.ended},
        }
        for tier, holds in TIERS.items():
            some = [cents for cents in amounts if holds(cents)]
            fields |= {f"{tier}s": len(some), f"{tier}_revenue": money(sum(some))}
        for top in (1, 5, 10):
            most = sum(
                cents for place, cents in enumerate(amounts) if place < Fraction(len(amounts) * top, 100)
            )
            fields |= {f"top{top}_revenue": money(most), f"top{top}_rate": shown(100 * most, sum(amounts), 2)}
        id_, document = scope.document(first, fields)
        documents[id_] = document
        if not (paid or before or active):
            scope.nobody.add(id_)
    return documents


TIERS: dict[str, Callable[[int], bool]] = {
    "minnow": lambda cents: cents < 10_00,
    "dolphin": lambda cents: 10_00 <= cents < 100_00,
    "whale": lambda cents: cents >= 100_00,
}


def _month_of_payments(scope: Scope, days: list[date], day: date) -> dict[str, list[int]]:
    """Return, by acct that counts on ``day``, what it paid on each of the days on which it did."""
    found: dict[str, list[int]] = {}
    for one in days:
        for acct, cents in scope.paid.get(one, {}).items():
            if scope.has(acct, day):
                found.setdefault(acct, []).append(cents)
    return found


def firstpay(scope: Scope) -> Documents:
    documents = {}
    for day, everybody in scope.signups.items():
        cohort = scope.only(everybody, day)
        waited = []
        for acct in cohort:
            paid = [n for n in range(91) if acct in scope.paid.get(day + n * DAY, {})]
            waited += [n for n in paid[:1] if day + n * DAY <= scope.ended]
        table = {}
        for n in LTV_DAYS:
            if day + n * DAY <= scope.ended:
                count = len([one for one in waited if one <= n])
                table[str(n)] = {"count": count, "rate": shown(100 * count, len(cohort), 2)}
        half = [n for n in waited if 2 * len([one for one in waited if one <= n]) >= len(waited)]
        final = day + 90 * DAY <= scope.ended
        fields = {"reg": len(cohort), "paid": table, "median_days": min(half, default=None), "final": final}
        id_, document = scope.document(day, fields)
        documents[id_] = document
        if not cohort:
            scope.nobody.add(id_)
    return documents


def funnel(scope: Scope) -> Documents:
    documents = {}
    for day, everybody in scope.signups.items():
        cohort = scope.only(everybody, day)
        table = {}
        for name, (steps, within) in FUNNELS.items():
            began = {
                acct: min(ts for one, ts in scope.steps["signup", acct] if one == day) for acct in cohort
            }
            waited = dict.fromkeys(cohort, 0)
            for n, step in enumerate(steps, 1):
                for acct, so_far in [*waited.items()] if n > 1 else ():
                    # By the calendar of another area, what is later may be of an earlier day.
                    reached = [
                        ts - began[acct]
                        for one, ts in scope.steps.get((step, acct), ())
                        if one >= day or ts >= began[acct]
                    ]
                    waited[acct] = max(so_far, min(reached, default=within + 1))
                    if waited[acct] > within:
                        del waited[acct]
                times = sorted(waited.values())
                table[f"{name}-{n}"] = {
                    "step": step,
                    "count": len(times),
                    "rate": shown(100 * len(times), len(cohort), 2),
                    "median_seconds": times[(len(times) - 1) // 2] if times else None,
                }
        fields = {"reg": len(cohort), "steps": table, "final": day + 9 * DAY <= scope.ended}
        id_, document = scope.document(day, fields)
        documents[id_] = document
        if not cohort:
            scope.nobody.add(id_)
    return documents


OF_DAYS: dict[str, Callable[[Scope], Documents]] = {
    "activeday": lambda scope: _activity(scope, lambda day: [day]),
    "activeweek": lambda scope: _activity(scope, week_of),
    "activemonth": lambda scope: _activity(scope, month_of),
    "lifecycle": lifecycle,
    "onlineday": onlineday,
    "sessionday": sessionday,
    "loginretention": lambda scope: _retention(scope, "reg", scope.signups, scope.logins),
    "loginlong": lambda scope: _after(scope, "reg", scope.signups, scope.logins, *AFTER["long"]),
    "loginweek": lambda scope: _after(scope, "reg", scope.signups, scope.logins, *AFTER["week"]),
    "loginmonth": lambda scope: _after(scope, "reg", scope.signups, scope.logins, *AFTER["month"]),
    **{name: _of_payers(name) for name in PAYERS_AGAIN},
    "kpi": kpi,
    "payers": payers,
    "ltv": ltv,
    "firstpay": firstpay,
    "funnel": funnel,
}


def serverstarttime(area: Area, now: int) -> Documents:
    start = area.start()
    if start is None:
        return {}
    id_, head = area.head()
    following = day_start(area.place.zone, date_of(area.place.zone, start) + DAY)
    return {id_: head | {"ts": start, "day": area.day(start), "final": following <= now}}


# -- All of it.


def of_records(world: World, records: Iterable[Record]) -> dict[str, Documents]:
    """Return what the bolts' collections should hold."""
    areas = _areas(world, records)
    return {
        name: {id_: one for area in areas for id_, one in documents(area).items()}
        for name, documents in OF_RECORDS.items()
    }


def of_steps(world: World, records: Iterable[Record]) -> dict[str, Documents]:
    """Return what the collection of the bolt that funnels bring with them should hold."""
    found = (acctstep(area) for area in _areas(world, records))
    return {"acctstep": {id_: one for documents in found for id_, one in documents.items()}}


def of_days(world: World, records: Iterable[Record], now: int) -> dict[str, Documents]:
    """Return what the timers' collections should hold at ``now`` (Unix seconds)."""
    areas, scopes = _scopes(world, records, now)
    found: dict[str, Documents] = {}
    for name, documents in OF_DAYS.items():
        for of, total in ((name, False), (f"{name}_total", True)):
            chosen = [scope for scope in scopes if ("scope" in scope.head) == total]
            found[of] = {id_: one for scope in chosen for id_, one in documents(scope).items()}
    starts = {id_: one for area in areas for id_, one in serverstarttime(area, now).items()}
    return found | {"serverstarttime": starts}


def by_values(
    world: World, records: Iterable[Record], now: int
) -> tuple[dict[str, Documents], dict[str, Documents]]:
    """Return what the collections of segments should hold at ``now``, and what they may hold: documents that count nobody, too."""
    areas, scopes = _scopes(world, records, now)
    some: dict[str, Documents] = {}
    every: dict[str, Documents] = {}
    for scope in scopes:
        own = [area for area in areas if area.id in scope.areas]
        for name, cut in world.segments.get(scope.head["game"], {}).items():
            for part in scope.by_value(name, cut, own):
                for of in OF_DAYS.keys() - {"onlineday"}:
                    documents = OF_DAYS[of]
                    collection = f"{of}_segment{'_total' if 'scope' in scope.head else ''}"
                    part.nobody.clear()
                    all_of_them = _payers_again(part, of) if of in PAYERS_AGAIN else documents(part)
                    every.setdefault(collection, {}).update(all_of_them)
                    counting = {id_: one for id_, one in all_of_them.items() if id_ not in part.nobody}
                    some.setdefault(collection, {}).update(counting)
    return some, every


def emptied(world: World, records: Iterable[Record], now: int) -> dict[str, Documents]:
    """Return what documents say that came to be, and count nobody any more.

    By late records, their cohort was found to have paid earlier, or their sessions to have begun on another day.
    """
    _, scopes = _scopes(world, records, now)
    result: dict[str, Documents] = {}
    every: dict[str, list[tuple[str, Fields]]] = {
        name: [item for scope in scopes for item in _payers_again(scope, name).items()]
        for name in PAYERS_AGAIN
    }
    every["sessionday"] = [item for scope in scopes for item in _session_days(scope).items()]
    for name, documents in every.items():
        found = [(id_, one) for id_, one in documents if not one.get("sessions", one.get("pay_user"))]
        result[name] = {id_: one for id_, one in found if "area" in one}
        result[f"{name}_total"] = {id_: one for id_, one in found if "area" not in one}
    return result


def _scopes(world: World, records: Iterable[Record], now: int) -> tuple[list[Area], list[Scope]]:
    areas = _areas(world, records)
    scopes = [Scope(one.id, one.head()[1], one.place.zone, [one], now) for one in areas]
    for game, zone in world.zones.items():
        own = [area for area in areas if area.place.game == game]
        scopes.append(Scope(f"game:{_escaped(game)}", {"scope": "game", "game": game}, zone, own, now))
        for plat in {area.place.plat for area in own}:
            some = [area for area in own if area.place.plat == plat]
            head = {"scope": "plat", "game": game, "plat": plat}
            scopes.append(Scope(f"plat:{_escaped(game)}:{_escaped(plat)}", head, zone, some, now))
        for left in {world.merged[area.id] for area in own if area.id in world.merged}:
            some = [area for area in own if area.id == left or world.merged.get(area.id) == left]
            head = {"scope": f"united:{left}", "game": game}
            scopes.append(Scope(f"united:{_escaped(game)}:{left}", head, zone, some, now))
    return areas, scopes


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace("#", "%23").replace(":", "%3A")


# -- The sums over the areas of games, plats and united areas.

SUMMED = {
    "loginhour": ("count",),
    "signuphour": ("count",),
    "createrolehour": ("count",),
    "coinhour": ("count", "amount", "users", "gain_count", "gain_amount"),
    "coinday": ("count", "amount", "users", "gain_count", "gain_amount"),
    "cointype": ("count", "amount", "users", "gain_count", "gain_amount"),
    "gamecopy": ("enter", "pass", "fail", "users"),
    "mainline": ("accept", "finish", "accept_users", "finish_users"),
    "shop": ("count", "num", "amount", "users"),
    "userlevel": ("users",),
    "revenueday": ("gross", "refunds", "net"),
}
CURRENCY_TABLES = ("gross_in", "refunds_in", "net_in", "converted")
FURTHER_KEYS = {"cointype": "reason", "gamecopy": "fuben", "mainline": "task", "shop": "item"}


def sums(world: World, records: Iterable[Record], now: int) -> dict[str, Documents]:
    """Return what the collections of sums should hold at ``now`` (Unix seconds)."""
    listed = list(records)
    documents, (_, scopes) = of_records(world, listed), _scopes(world, listed, now)
    totals = [scope for scope in scopes if "scope" in scope.head]
    found = {f"{name}_total": _sums(world, name, documents[name].values(), totals, now) for name in SUMMED}
    return found | {"areas_total": _tables(world, of_days(world, listed, now)["kpi"], scopes)}


def _sums(world: World, name: str, documents: Iterable[Fields], totals: list[Scope], now: int) -> Documents:
    found: Documents = {}
    for one in documents:
        for scope in totals:
            if one["area"] not in scope.areas:
                continue
            if name.endswith("hour"):
                ts = hour_start(scope.zone, one["ts"])
                day = date_of(scope.zone, ts)
            else:
                day = date_of(world.areas[one["area"]].zone, one["ts"])
                ts = day_start(scope.zone, day)
            key = {FURTHER_KEYS[name]: one[FURTHER_KEYS[name]]} if name in FURTHER_KEYS else {}
            last = [str(value).replace("%", "%25").replace("#", "%23") for value in key.values()]
            total = found.setdefault(":".join([scope.key, str(ts), *last]), {**scope.head, "ts": ts, **key})
            if "type" in one:
                total["type"] = one["type"]
            for field in SUMMED[name]:
                total[field] = _added(total.get(field, 0), one[field])
            for table in CURRENCY_TABLES if name == "revenueday" else ():
                amounts = total.setdefault(table, {})
                for currency, amount in one[table].items():
                    amounts[currency] = _added(amounts.get(currency, 0), amount)
            if name == "userlevel":
                levels = total.setdefault("levels", {})
                for grade, roles in one["levels"].items():
                    levels[grade] = levels.get(grade, 0) + roles
            if name == "mainline":
                total["finish_rate"] = shown(100 * total["finish_users"], total["accept_users"], 2)
            total["final"] = all(date_of(zone, now) > day for zone in scope.zones | {scope.zone})
    return found


def _added(one: float, other: float) -> int | float:
    """Return the sum of two numbers of at most two decimals."""
    return money(round(100 * one) + round(100 * other))


def _tables(world: World, kpi: Documents, scopes: list[Scope]) -> Documents:
    """Return the table of each day of a game: the figures of every area in the order of their ids."""
    found: Documents = {}
    games = {scope.head["game"]: scope for scope in scopes if scope.head.get("scope") == "game"}
    for one in sorted(kpi.values(), key=lambda one: one["area"]):
        scope = games[one["game"]]
        day = date_of(world.areas[one["area"]].zone, one["ts"])
        id_, empty = scope.document(day, {"areas": [], "final": day <= scope.ended})
        table = found.setdefault(id_, empty)
        table["areas"].append(one["area"])
        for field in ("dau", "wau", "mau", "payers", "revenue", "reg", "new_payers"):
            table.setdefault(field, []).append(one[field])
    return found
