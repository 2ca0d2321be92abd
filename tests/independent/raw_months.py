"""Whole months of raw records as game servers, payment and role interfaces send them: seeded, and awkward on purpose.

Clocks change in most of the zones; areas open mid-way or stay silent; accts play, sign up and pay in several areas of
a game; some pay without ever having logged in. Records come late and out of order, and lie on the borders of periods.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

from forms import LONG
from plain_numbers import DAY, Cut, Money, Place, Record, World, day_start, hour_start

HOUR = 3600
AREAS = {
    "dl": {
        "zone": "Asia/Shanghai",
        "areas": ["Asia/Shanghai", "Asia/Kolkata", "America/New_York"],
    },
    "wsdx": {
        "zone": "Europe/Berlin",
        "areas": ["Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Auckland"],
    },
    "solo": {"zone": "America/New_York", "areas": ["America/New_York"]},
}
if not LONG:
    # Every kind of change of clocks is left: by half an hour, at midnight, and in the other half of the year.
    AREAS["dl"]["areas"] = ["Asia/Shanghai", "America/Sao_Paulo"]
    AREAS["wsdx"]["areas"] = ["Australia/Lord_Howe", "Pacific/Auckland"]
SILENT = "Pacific/Auckland"
"""Its area has no records, yet its days begin before those of the others of its game."""

UNDATED = f"{2:024x}"
"""Snapshots of its payments do not say when they were taken: their number decides."""

FORMER = "Pacific/Kiritimati"
"""The zone that areas had when some of their payments were read: further east than any that they have now."""

RATES = {
    "USD": {
        date(2017, 1, 1): "6.8765",
        date(2018, 3, 25): "6.3",
        date(2018, 10, 10): "6.915",
        date(2018, 10, 11): "7",
    },
    "BRL": {date(2018, 1, 31): "1.7391", date(2018, 11, 4): "1.8125"},
}
"""What the money of other countries is in that of the game ``dl``. One of its areas pays in BRL."""

NAMES = ["a:b", "c#1", "5%", "d.e", "$f", "-", "名", "*", "null", "7", "07"]
"""Accts, reasons and items that are names as good as any."""


SEGMENTS = {
    "dl": {
        "channel": Cut("signup_logcount", "channel", ("a", "b:c", "5%", "7"), other=True),
        "device": Cut("login_logcount", "device", ("ios", "名"), other=False),
    },
    "solo": {"channel": Cut("login_logcount", "device", ("ios",), other=True)},
}
"""Known from the day of the sign-up as a rule, or from some login on."""


@dataclass(frozen=True)
class Months:
    """A stretch of days, both included, and how many players each area has."""

    first: date
    last: date
    players: int = 24


AUTUMN = Months(date(2018, 9, 30), date(2018, 11, 6))
"""Clocks change in Lord Howe (Oct 7, by half an hour), Berlin (Oct 28), Sao Paulo (Nov 4, at midnight), New York."""

FEW = replace(AUTUMN, players=4)
FIRST_DAYS = replace(AUTUMN, last=AUTUMN.first + 8 * DAY)
"""The same for tests that look at some of the records only."""

SPRING = Months(date(2018, 2, 12) if LONG else date(2018, 3, 22), date(2018, 4, 4))
"""Clocks change in Berlin (Mar 25) and Lord Howe (Apr 1); in the long form also in Sao Paulo (Feb 18, midnight) and New York (Mar 11)."""

LARGE = Months(date(2018, 9, 20), date(2018, 11, 30), players=60 if LONG else 30)


@dataclass(frozen=True)
class Sent:
    """A record, and when (Unix seconds) it reaches the suite."""

    at: int
    record: Record


def world() -> World:
    """Return all areas, with ids of 24 hex digits."""
    areas = {}
    for game in AREAS:
        for zone in AREAS[game]["areas"]:
            own = "BRL" if zone == "America/Sao_Paulo" else "CNY"
            money = Money("CNY", own, RATES) if game == "dl" else None
            areas[f"{len(areas) + 1:024x}"] = Place(game, str(2000 + len(areas) % 3), zone, money)
    zones = {game: one["zone"] for game, one in AREAS.items()}
    return World(areas, zones, merged={f"{2:024x}": f"{1:024x}"})


def divided_world() -> World:
    """Return the same areas with segments."""
    there = world()
    return replace(there, segments=SEGMENTS)


def sent(seed: int, months: Months) -> list[Sent]:
    """Return the records of those months in the order in which they arrive."""
    players = _Players(Random(seed), months)
    players.play()
    return sorted(players.sent, key=lambda one: one.at)


class _Players:
    def __init__(self, random: Random, months: Months) -> None:
        self.random, self.months, self.world = random, months, world()
        self.sent: list[Sent] = []
        self._numbers: dict[str, int] = {}
        self._properties = Random(0)
        self._money = Random(0)

    def play(self) -> None:
        days = (self.months.last - self.months.first).days
        for area, place in self.world.areas.items():
            if place.zone == SILENT:
                continue
            late = self.random.random() < 0.4
            self.opens = self.months.first + (self.random.randrange(5, min(20, days)) if late else 0) * DAY
            names = self._names(area, place.game)
            for acct in names:
                self._player(area, acct)
            self._payments(area, names)
        for area, place in self.world.areas.items():
            if place.zone != SILENT:
                self._head_counts(area)
                self._logouts(area)

    def _names(self, area: str, game: str) -> list[str]:
        """Return the area's players: its own, those who play in other areas of the game as well, and odd ones."""
        own = [f"{area[-2:]}-{n}" for n in range(self.months.players)]
        shared = [f"{game}-{n}" for n in range(self.months.players // 2)]
        return own + self.random.sample(shared, len(shared) * 2 // 3) + self.random.sample(NAMES, 6)

    def _days(self, first: date) -> list[date]:
        return [first + n * DAY for n in range((self.months.last - first).days + 1)]

    def _player(self, area: str, acct: str) -> None:
        random = self.random
        first = random.choice(self._days(self.opens))
        if random.random() < 0.15:
            first = self.opens
        if random.random() < 0.85:
            for _ in range(random.choice([1, 1, 1, 2])):
                self._log(area, first, "signup_logcount", acct)
        stays = random.choice([0.05, 0.3, 0.7])
        roles = [f"{area[-2:]}{acct}{n}" for n in range(random.choice([0, 1, 1, 1, 3]))]
        for day in self._days(first):
            if day != first and random.random() > stays:
                continue
            if random.random() < 0.9:
                for _ in range(random.choice([1, 1, 2, 3])):
                    self._log(area, day, "login_logcount", acct)
            if random.random() < 0.3:
                self._log(area, day, "createrole_logcount", acct)
            self._deeds(area, day, acct)
            for uid in roles:
                self._role(area, day, acct, uid)

    def _head_counts(self, area: str) -> None:
        """Some in a row, now and then: of minutes that are close enough for the one before to hold, or not."""
        random = self.random
        for day in self._days(self.months.first):
            for _ in range(random.choice([0, 1, 2])):
                ts = self._ts(area, day)
                for _ in range(random.randrange(1, 5)):
                    code, data = (
                        "online_logcount",
                        {"online": random.choice([0, 1, 7, random.randrange(10**9)])},
                    )
                    self._send(f"gamelog.{code}", area, ts, {"op": {"code": code, "id": 1}, "data": data})
                    ts += random.choice([20, 61, 200, 540, 600, 700])

    def _logouts(self, area: str) -> None:
        """Most logins have one, soon or very late; some come without a login, or in its second, or do not say for how long."""
        random = self.random
        logins = [one.record[1] for one in self.sent if one.record[0] == "gamelog.login_logcount"]
        for login in logins:
            if login["area"] != area or random.random() < 0.3:
                continue
            length = random.choice(
                [0, 1, 60, 61, 299, 3600, 7200, 12 * 3600, 12 * 3600 + 1, random.randrange(30 * 3600)]
            )
            acct = login["data"]["acct"] if random.random() < 0.95 else f"lone-{area[-2:]}"
            said = random.choice([length, length, length + 7, 0, None, None, 10**6])
            data = (
                {"acct": acct} if said is None and random.random() < 0.5 else {"acct": acct, "seconds": said}
            )
            op = {"code": "logout_logcount", "id": 1}
            self._send("gamelog.logout_logcount", area, login["ts"] + length, {"op": op, "data": data})
            if random.random() < 0.2:
                again = login["ts"] + length + random.choice([0, 1, 300, 301])
                op, data = {"code": "login_logcount", "id": 1}, {"acct": login["data"]["acct"]}
                self._send("gamelog.login_logcount", area, again, {"op": op, "data": data})

    def _deeds(self, area: str, day: date, acct: str) -> None:
        random = self.random
        for _ in range(random.choice([0, 0, 1, 2])):
            amount = random.choice([0, -1, -30, -30, 5, 100, random.randrange(-(10**6), 10**6)])
            reason = random.choice(["shop", "revive", *NAMES[:3]])
            self._log(area, day, "yuanbao_logchange", acct, amount=amount, reason=reason)
        for _ in range(random.choice([0, 0, 1, 3])):
            result = random.choice(["enter", "enter", "pass", "fail"])
            self._log(
                area, day, "fuben_logchange", acct, fuben=random.choice(["1", "2", "b:1"]), result=result
            )
        for _ in range(random.choice([0, 0, 1, 2])):
            code = random.choice(["trunk_task_accept", "trunk_task_finish"])
            self._log(area, day, code, acct, task=random.choice([1, 2, 3, 1000]))
        if random.random() < 0.2:
            num = random.randrange(1, 9)
            item = random.choice(["sword", *NAMES[2:5]])
            self._log(area, day, "shop_logbuy", acct, item=item, num=num, price=num * random.randrange(20))

    def _role(self, area: str, day: date, acct: str, uid: str) -> None:
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            ts = self._ts(area, day)
            state = {
                "uid": uid,
                "name": self.random.choice(["superman", "名", "x"]),
                "grade": self.random.randrange(1, 12),
                "rest_yuanbao": self.random.randrange(1000),
                "birthday": ts - self.random.randrange(10**6),
                "acctid": acct,
                "score": self.random.randrange(10**4),
                "login_time": ts - self.random.randrange(10**4),
            }
            for again in range(self.random.choice([1, 1, 1, 2])):
                # The game server may say something else of one second: then the later question counts.
                other = state | {"grade": state["grade"] + again}
                self._send("syncuser", area, ts, other | self._owner(area) | {"at": ts * 1000 + again * 1000})

    def _payments(self, area: str, names: list[str]) -> None:
        random = self.random
        payers = [
            *random.sample(names, len(names) // 3),
            f"ghost-{area[-2:]}",
            f"{self.world.areas[area].game}-ghost",
        ]
        for day in self._days(self.opens):
            start = day_start(self.world.areas[area].zone, day)
            users: dict[str, dict[str, Any]] = {}
            for poll in range(random.choice([0, 1, 2, 4])):
                for acct in random.sample(payers, random.randrange(1, 4)):
                    paid = {
                        "times": random.randrange(1, 4),
                        "amount": random.choice([2.0, 10, 0.1, 0.07, 19.99, 648.0]),
                    }
                    more = self._further(paid["amount"], self.world.areas[area].money is not None)
                    users[acct] = paid | more if random.random() < 0.95 else {"times": 0, "amount": 0}
                # A snapshot may leave out whom an earlier one named, and may speak of a time within the day.
                some = {acct: paid for acct, paid in users.items() if random.random() < 0.9}
                asked = start + (poll + 1) * 5 * HOUR
                ts = start if random.random() < 0.8 else min(start + random.randrange(20 * HOUR), asked)
                fields: dict[str, object] = {**self._owner(area)} | {"users": some}
                if area != UNDATED:
                    fields["at"] = asked * 1000
                if poll % 2:  # the spout that took it says its day
                    fields["day"] = str(day)
                    ts = day_start(FORMER, day) if day.day % 2 else ts
                self._send("payment", area, ts, fields, asked)

    def _further(self, amount: float, several: bool) -> dict[str, Any]:
        """Return what a payment says of refunds and, in a game of several currencies, of these."""
        chance, chosen = self._money.random, self._money.choice
        found: dict[str, Any] = {}
        if chance() < 0.3:
            found["refunded"] = chosen([amount, round(amount / 2, 2), 0.01, 0, None])
        if several and chance() < 0.4:
            found["currency"] = chosen(["CNY", "USD", "BRL", "", None])
            if chance() < 0.2 and found["currency"]:
                others = [one for one in ("CNY", "USD", "BRL") if one != found["currency"]]
                found["other_currencies"] = [
                    {"times": 1, "amount": 0.5, "refunded": 0.5, "currency": chosen(others)}
                ]
        return found

    def _owner(self, area: str) -> dict[str, str]:
        place = self.world.areas[area]
        return {"game": place.game, "plat": place.plat}

    def _log(self, area: str, day: date, code: str, acct: str, **fields: str | int) -> None:
        data = {"corpid": self.world.areas[area].plat, "acct": acct, **fields, **self._property(code)}
        self._send(
            f"gamelog.{code}", area, self._ts(area, day), {"op": {"code": code, "id": 1}, "data": data}
        )

    def _property(self, code: str) -> dict[str, Any]:
        """Return a property of the acct, which other records may contradict."""
        chosen = self._properties.choice
        if code == "signup_logcount" and self._properties.random() < 0.8:
            return {"channel": chosen(["a", "a", "b:c", "5%", 7, "zzz", "", None, ["a"], 0.5, True])}
        if code == "login_logcount" and self._properties.random() < 0.2:
            return {"device": chosen(["ios", "名", "x" * 300, None])}
        return {}

    def _ts(self, area: str, day: date) -> int:
        """Return a time of the day, often on the border of a period."""
        zone = self.world.areas[area].zone
        start, end = day_start(zone, day), day_start(zone, day + DAY)
        ts = self.random.randrange(start, end)
        border = self.random.random()
        if border < 0.1:
            return self.random.choice([start, end - 1])
        if border < 0.25:
            hour = hour_start(zone, ts)
            return max(start, hour - self.random.choice([0, 1]))
        return ts

    def _send(
        self, topic: str, area: str, ts: int, fields: dict[str, object], asked: int | None = None
    ) -> None:
        random = self.random
        source = f"{topic.partition('.')[0]}/{area[-2:]}"
        self._numbers[source] = number = self._numbers.get(source, 0) + 1
        delay = random.choice([0, 5, 60, 900, 6 * HOUR])
        if random.random() < 0.05:
            delay = random.randrange(6 * 24 * HOUR)
        if asked and random.random() < 0.15:
            delay = random.randrange(40 * 24 * HOUR)  # so late that who paid next did so long ago
        if asked is None and random.random() < 0.02:
            delay = -random.randrange(24 * HOUR)  # a server whose clock is ahead
        record = {"id": f"{source}:{number}", "area": area, "ts": ts, **fields}
        self.sent.append(Sent((asked or ts) + delay, (topic, record)))


def moments(months: Months, random: Random, slices: int) -> list[int]:
    """Return ascending moments in and after those months, up to when nothing of them can change any more.

    A day begins everywhere between one and the next, so that there is something to do at each.
    """
    days = random.sample(range(0, (months.last - months.first).days, 2), slices)
    within = [day_start("UTC", months.first + n * DAY) + random.randrange(86400) for n in days]
    after = [
        day_start("UTC", months.last + timedelta(days=days)) + random.randrange(86400)
        for days in ((8, 33, 70, 130) if LONG else (33, 130))
    ]
    return sorted(within) + after
