"""The simulated game: areas that open, players who sign up, come back, play and pay.

Everything follows from the settings: the same ones give the same events, on any machine. Each area
draws random numbers for each of its days, and only through ``random()``, whose sequence is the same in all versions of
Python. Days are made one after another, so memory grows with players and not with records.
"""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from random import Random
from zlib import crc32
from zoneinfo import ZoneInfo

from analytics.simulate.channels import channel
from analytics.simulate.events import CREATEROLE, LOGIN, LOGOUT, ONLINE, ROLE, SIGNUP, Event, GameServer
from analytics.simulate.players import PAYER_SHARE, WHALE_SHARE, Draw, Player, account, play

GAMES = (("dl", "2001"), ("wsdx", "1059"))
RETENTION = ((1, 0.40), (7, 0.18), (30, 0.08), (365, 0.01))
HOUR_WEIGHTS = (22, 12, 7, 5, 4, 5, 10, 20, 28, 32, 36, 42, 55, 50, 40, 40, 42, 48, 62, 78, 92, 88, 68, 42)
HOURS = tuple(hour for hour, weight in enumerate(HOUR_WEIGHTS) for _ in range(weight))
SESSION_LIMIT = 5400  # seconds of a visit
LINGER = 30  # seconds from the last deed of a visit until it ends
LOGOUTS_A_LOST_ONE = 20
COUNT_SECONDS = 600  # between two head counts of a server that is not empty
FRIENDS_SHARE = 0.08  # of players in later areas, who already play in an older one
LONGEST_AGE = 730  # days after which retention stays the same


@dataclass(frozen=True)
class WorldSettings:
    """The game to simulate.

    About ``players`` sign up in an area in its first thirty days. The areas open during the first half of ``days``;
    a world can continue after them. With ``merges``, the last area is merged into the first of its game after three quarters of them.
    """

    first_day: date
    seed: int = 1
    areas: int = 4
    players: int = 500
    days: int = 14
    timezone: str = "Asia/Shanghai"
    merges: bool = False


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """One area's day from ``start`` to before ``end`` (Unix seconds): its events in order of time."""

    start: int
    end: int
    events: list[Event]


def game_servers(settings: WorldSettings) -> list[GameServer]:
    """Return the areas of the simulated game, in the order in which they open."""
    span = max(1, settings.days // 2)
    servers = [
        _game_server(settings, index, index * span // settings.areas) for index in range(settings.areas)
    ]
    last, first = servers[-1], servers[(len(servers) - 1) % len(GAMES)]
    merges = settings.days * 3 // 4
    if settings.merges and first is not last and last.opens < merges:
        day = str(settings.first_day + timedelta(days=merges))
        servers[last.index] = replace(last, merged_into=first.id, merged_on=day, united=first.id)
        servers[first.index] = replace(first, united=first.id)
    return servers


def retention(age: int) -> float:
    """Return the share of players who play on the ``age``-th day after signing up: straight in log-log."""
    segment = next((pair for pair in pairwise(RETENTION) if age <= pair[1][0]), RETENTION[-2:])
    (day, share), (next_day, next_share) = segment
    power = math.log(next_share / share) / math.log(next_day / day)
    return float(share * (age / day) ** power)


class AreaWorld:
    """One area, simulated day by day."""

    def __init__(self, settings: WorldSettings, server: GameServer) -> None:
        self.server = server
        self._settings = settings
        self._zone = ZoneInfo(settings.timezone)
        self._index = 0
        self._players: list[Player] = []
        self._visits: list[tuple[int, int]] = []
        self._retention = [1.0] + [retention(age) for age in range(1, LONGEST_AGE)]
        self._signups = _signups_by_age(settings.players)

    def next_day(self) -> SimulatedDay:
        """Play the next day of the area and return it; empty before the area opens."""
        index, self._index = self._index, self._index + 1
        today = self._settings.first_day + timedelta(days=index)
        start, end = self._midnight(today), self._midnight(today + timedelta(days=1))
        age = index - self.server.opens
        if age < 0 or "" < self.server.merged_on <= str(today):
            return SimulatedDay(start, end, [])
        self._take_over(index, str(today))
        random = Random(f"{self._settings.seed}/{self.server.index}/{index}").random
        events: list[Event] = []
        for player in self._players:
            if random() < player.keenness * self._retention[min(index - player.joined, LONGEST_AGE - 1)]:
                self._play_day(player, random, start, end, events)
        weekend = 1.25 if today.weekday() >= 5 else 1.0
        wanted = self._signups[min(age, len(self._signups) - 1)] * weekend * (0.85 + 0.3 * random())
        for _ in range(max(int(wanted + random()), 1 if age == 0 else 0)):
            self._sign_up(index, random, start, end, events)
        events += _head_counts(self._visits, start, end)
        self._visits.clear()
        events.sort(key=itemgetter(0))
        return SimulatedDay(start, end, events)

    def _take_over(self, index: int, today: str) -> None:
        """Let the players of areas that are merged into this one today go on here, as they are: their area is played once more."""
        for other in game_servers(self._settings) if self.server.united else ():
            if (other.merged_into, other.merged_on) == (self.server.id, today):
                left = AreaWorld(self._settings, other)
                for _ in range(index):
                    left.next_day()
                self._players += left._players

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp())

    def _sign_up(self, index: int, random: Draw, start: int, end: int, events: list[Event]) -> None:
        player = self._new_player(index, random)
        self._players.append(player)
        ts = min(_moment(random, start), end - 60)
        came_from = channel(player.acct, self.server.id, player.keenness > 1)
        events.append((ts, SIGNUP, (ts, player.acct, came_from)))
        if random() < 0.03:
            player.keenness = 0.0  # left for good after the first screen
            return
        ts = min(ts + 10 + int(random() * 240), end - 30)
        player.birthday = ts
        events.append((ts, CREATEROLE, (ts, player.acct)))
        self._visit(player, random, [ts + 1], end, events)

    def _new_player(self, index: int, random: Draw) -> Player:
        number, server = len(self._players), self.server
        home = server.index
        if home >= len(GAMES) and random() < FRIENDS_SHARE:
            home -= len(GAMES)  # the same person already plays in an older area of this game
        acct = account(server.game, home, number)
        uid = f"{server.plat}{server.index:05d}{number:09d}"
        draw = random()
        payer = 2 if draw < WHALE_SHARE else 1 if draw < PAYER_SHARE else 0
        keenness = 1.9 if payer or random() < 0.4 else 0.4
        return Player(acct, uid, index, keenness, payer)

    def _play_day(self, player: Player, random: Draw, start: int, end: int, events: list[Event]) -> None:
        visits = [_moment(random, start)]
        while random() < 0.45:
            visits.append(_moment(random, start))
        visits.sort()
        self._visit(player, random, visits, end, events)

    def _visit(
        self, player: Player, random: Draw, visits: Sequence[int], end: int, events: list[Event]
    ) -> None:
        limits = [*visits[1:], end]
        for begin, following in zip(visits, limits, strict=True):
            ts = min(begin, end - 1)
            events.append((ts, LOGIN, (ts, player.acct)))
            player.login_time = ts
            last = play(player, self.server.game, random, ts, min(following, ts + SESSION_LIMIT, end), events)
            events.append((last, ROLE, (last, player.acct, *player.role())))
            left = min(last + LINGER, max(following, last), end - 1)
            self._visits.append((ts, left))
            if crc32(f"{player.acct} {ts}".encode()) % LOGOUTS_A_LOST_ONE:
                events.append((left, LOGOUT, (left, player.acct, left - ts)))


def _game_server(settings: WorldSettings, index: int, opens: int) -> GameServer:
    game, plat = GAMES[index % len(GAMES)]
    name = hashlib.sha256(f"area {settings.seed}/{index}".encode()).hexdigest()[:24]
    return GameServer(name, index, game, plat, int(plat), f"server{1001 + index}", opens)


def _signups_by_age(players: int) -> list[float]:
    """Return how many sign up on each of an area's days: many at first, fewer and fewer later."""
    weights = [(age + 1) ** -0.8 for age in range(LONGEST_AGE)]
    month = sum(weights[:30])
    return [players * weight / month for weight in weights]


def _head_counts(visits: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[Event]:
    """Yield how many of ``visits``, each from its first second to before its last, are under way at times of a day."""
    begins, ends = (sorted(times) for times in zip(*visits, strict=True)) if visits else ([], [])
    before = 0
    for ts in range(start, end, COUNT_SECONDS):
        online = bisect_right(begins, ts) - bisect_right(ends, ts)
        if online or before:
            yield ts, ONLINE, (ts, online)
        before = online


def _moment(random: Draw, start: int) -> int:
    return start + HOURS[int(random() * len(HOURS))] * 3600 + int(random() * 3600)
