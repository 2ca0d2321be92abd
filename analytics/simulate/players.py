"""A player of the simulated game, and the events of a visit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analytics.simulate.currencies import REFUND_SECONDS, REFUNDED_EVERY
from analytics.simulate.events import ACCEPT, COIN, FINISH, FUBEN, PAY, REFUND, SHOP, Event

Draw = Callable[[], float]

PAYER_SHARE = 0.05  # of players
WHALE_SHARE = 0.005  # of players, who pay often
PAYS_TODAY = (0.0, 0.2, 0.5)  # the chance by kind: none, payer, whale
PRICES = {"dl": (600, 600, 3000, 6800, 12800, 32800, 64800), "wsdx": (99, 99, 499, 999, 1999, 4999, 9999)}
ITEMS = (("potion", 5), ("stone", 10), ("ticket", 20), ("wings", 180), ("mount", 360))
RICH = 400  # coins above which expensive items are as likely as cheap ones
SPEND_REASONS = ("refresh", "enhance", "speedup")
QUESTS = 60  # of the main story
WALL, AT_WALL, ELSEWHERE = 6, 0.3, 0.88
"""Every sixth quest is hard; the chance to finish one in an attempt, there and elsewhere."""

QUEST_REWARD = 20  # coins
REVIVAL = 8  # coins to revive after a failed dungeon
CONVERTED = 0.004  # the chance, a visit, that a player past the first hard quest becomes a payer
DUNGEONS = 40  # in all; a player's grade unlocks them
SYLLABLES = tuple(consonant + vowel for consonant in "bdfghklmnprstvwz" for vowel in "aeio")


@dataclass(slots=True)
class Player:
    """A player of one area. ``joined``: day index; ``payer``: 0, 1, or 2 (a whale); ``keenness``: mean 1."""

    acct: str
    uid: str
    joined: int
    keenness: float
    payer: int
    task: int = 1
    accepted: bool = False
    grade: int = 1
    score: int = 0
    yuanbao: int = 0
    birthday: int = 0
    login_time: int = 0

    def role(self) -> tuple[Any, ...]:
        """Return uid, name, grade, rest_yuanbao, birthday, score and login_time as they are now."""
        name = f"hero{self.uid[-9:].lstrip('0')}"
        return self.uid, name, self.grade, self.yuanbao, self.birthday, self.score, self.login_time


def account(game: str, home: int, number: int) -> str:
    """Return the account of the ``number``-th player of the area with index ``home``: unique in a game."""
    scrambled = ((home << 22) + number) * 2654435761 & 0xFFFFFFFF
    if game == "dl":
        return str(1_000_000_000 + scrambled)
    return "".join(SYLLABLES[scrambled >> shift & 63] for shift in range(0, 36, 6)) + "@example.com"


def play(player: Player, game: str, random: Draw, begin: int, end: int, events: list[Event]) -> int:
    """Append the events of a visit of ``player``, from ``begin`` to before ``end``; return when the visit ended."""
    ts = begin
    if not player.payer and player.task > WALL and random() < CONVERTED:
        player.payer = 1  # likes the game
    if random() < PAYS_TODAY[player.payer]:
        _pay(player, game, random, ts, end, events)
    while random() < 0.85:
        later = ts + 5 + int(random() * 240)
        if later >= end:
            break
        ts = later
        kind = random()
        if kind < 0.4:
            _quest(player, random, ts, events)
        elif kind < 0.7:
            ts = _dungeon(player, random, ts, end, events)
        elif kind < 0.8:
            _gain(player, 5 + int(random() * 20), "daily", ts, events)
        elif kind < 0.9:
            _spend(player, random, ts, events)
        else:
            _buy(player, random, ts, events)
    return ts


def _pay(player: Player, game: str, random: Draw, ts: int, end: int, events: list[Event]) -> None:
    prices = PRICES[game]
    share = random() if player.payer == 2 else random() * random()
    cents = prices[int(share * len(prices))]
    events.append((ts, PAY, (ts, player.acct, cents)))
    _gain(player, cents // 10, "recharge", ts, events)
    later = ts + REFUND_SECONDS
    if ts % REFUNDED_EVERY == 0 and later < end:
        events.append((later, REFUND, (later, player.acct, cents, ts)))


def _gain(player: Player, amount: int, reason: str, ts: int, events: list[Event]) -> None:
    player.yuanbao += amount
    events.append((ts, COIN, (ts, player.acct, amount, reason)))


def _quest(player: Player, random: Draw, ts: int, events: list[Event]) -> None:
    if player.task > QUESTS:
        return
    if not player.accepted:
        player.accepted = True
        events.append((ts, ACCEPT, (ts, player.acct, player.task)))
    elif random() < (ELSEWHERE if player.task % WALL else AT_WALL):
        _finish_quest(player, random, ts, events)


def _finish_quest(player: Player, random: Draw, ts: int, events: list[Event]) -> None:
    events.append((ts, FINISH, (ts, player.acct, player.task)))
    if player.task % WALL == 0:
        _gain(player, QUEST_REWARD, "quest", ts, events)
    player.accepted = False
    player.task += 1
    player.score += 10
    if random() < 1 / (1 + player.grade / 20):
        player.grade += 1


def _dungeon(player: Player, random: Draw, ts: int, end: int, events: list[Event]) -> int:
    dungeon = f"fb{1 + int(random() * min(DUNGEONS, 1 + player.grade // 2))}"
    events.append((ts, FUBEN, (ts, player.acct, dungeon, "enter")))
    done = ts + 30 + int(random() * 300)
    if done >= end or random() < 0.08:
        return ts  # left before the end
    passed = random() < 0.7
    player.score += 20 if passed else 1
    events.append((done, FUBEN, (done, player.acct, dungeon, "pass" if passed else "fail")))
    if passed and random() < 0.3:
        _gain(player, 1 + int(random() * 5), "dungeon", done, events)
    elif not passed and player.yuanbao >= REVIVAL and random() < 0.4:
        _gain(player, -REVIVAL, "revive", done, events)
    return done


def _spend(player: Player, random: Draw, ts: int, events: list[Event]) -> None:
    amount = 1 + int(random() * 15)
    if amount <= player.yuanbao:
        reason = SPEND_REASONS[int(random() * len(SPEND_REASONS))]
        _gain(player, -amount, reason, ts, events)


def _buy(player: Player, random: Draw, ts: int, events: list[Event]) -> None:
    share = random() if player.yuanbao > RICH else random() * random()
    item, price = ITEMS[int(share * len(ITEMS))]
    number = 1 + int(random() * random() * 5)
    cost = number * price
    if cost <= player.yuanbao:
        events.append((ts, SHOP, (ts, player.acct, item, number, cost)))
        _gain(player, -cost, "shop", ts, events)
