"""Logs of three other games, read from configuration alone: real processes, and each number computed beside them from what was written."""

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import gevent
from end_to_end_harness import NODES, configured, documents, pipe, settled
from in_process import in_process

from analytics.broker.clients import Refill
from analytics.config import areas
from analytics.runtime.suite import Suite
from analytics.spouts.rejected import waiting
from analytics.store import open_reader, open_store
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app
from analytics.web.data import Data

AREAS = {name: {"game": "dl", "plat": "1"} for name in ("eu-1", "cn_2", "Minecraft")}
START = 1_764_500_000
SOURCES = r"""
[[gamelog.sources]]
name = "flat"
kind = "file"
path = "flat.log"
format = "json"
area = { field = "server", values = { "1" = "eu-1" } }
time = { field = "at" }
event = "kind"
fields = { acct = "player", amount = "coins.delta", reason = "why" }
events = { enter = "login_logcount", pay = "yuanbao_logchange", gift = { code = "yuanbao_logchange", set = { reason = "gift" } } }

[[gamelog.sources]]
name = "table"
kind = "file"
path = "table.csv"
format = "csv"
separator = ";"
area = "cn_2"
time = { field = "when", format = "%d.%m.%Y %H:%M:%S", zone = "Asia/Shanghai" }
event = "what"
fields = { acct = "account", num = "n", price = "cost" }
events = { on = "login_logcount", buy = "shop_logbuy" }

[[gamelog.sources]]
name = "minecraft"
kind = "file"
path = "latest.log"
format = "regex"
pattern = '^\[(?P<time>[^\]]+)\] \[Server thread/INFO\] \[[^\]]*\]: (?P<player>\w{1,16}) (?P<event>joined|left) the game$'
unmatched = "skip"
area = "Minecraft"
time = { field = "time", format = "%d%b%Y %H:%M:%S.%f", zone = "Europe/Berlin" }
event = "event"
fields = { acct = "player" }
events = { joined = "login_logcount" }
"""


class Game:
    """What happened: accts that came by area and day, coins by reason, and purchases; written as three games would."""

    def __init__(self) -> None:
        self._rng = random.Random(15)
        self.logins: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self.coins: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self.bought: Counter[str] = Counter()
        self._now = START

    @property
    def now(self) -> int:
        """The time of the newest line."""
        return self._now

    def _tick(self, area: str, acct: str, login: bool) -> int:
        self._now += self._rng.randrange(900)
        if login:
            self.logins[area, self._now // 86400 * 86400].add(acct)
        return self._now

    def _change(self, reason: str, amount: int) -> None:
        one, at = self.coins[reason], 0 if amount < 0 else 2
        one[at] += 1
        one[at + 1] += abs(amount)

    def flat(self) -> str:
        acct, kind = self._rng.randrange(30), self._rng.choice(["enter", "pay", "gift", "move"])
        ts = self._tick("eu-1", str(acct), kind == "enter")
        at = datetime.fromtimestamp(ts, ZoneInfo("America/New_York")).isoformat(timespec="milliseconds")
        amount = self._rng.choice([-30, 12])
        if kind == "pay":
            self._change("shop", amount)
        if kind == "gift":
            self._change("gift", amount)
        delta = self._rng.choice([str(amount), f'"{amount}"', f"{amount}.0"])
        return (
            f'{{"at": "{at}", "kind": "{kind}", "server": 1, "player": {acct}, '
            f'"coins": {{"delta": {delta}}}{"" if kind == "gift" else ", " + chr(34) + "why" + chr(34) + ": " + chr(34) + "shop" + chr(34)}}}'
        )

    def table(self) -> str:
        acct, what = f"玩家 {self._rng.randrange(30)}", self._rng.choice(["on", "buy"])
        ts = self._tick("cn_2", acct, what == "on")
        count = self._rng.randrange(1, 5)
        if what == "buy":
            self.bought["sword"] += count
        when = datetime.fromtimestamp(ts, ZoneInfo("Asia/Shanghai")).strftime("%d.%m.%Y %H:%M:%S")
        return f'{when};{what};"{acct}";{"sword" if what == "buy" else ""};{count};100'

    def minecraft(self) -> str:
        acct, what = f"Steve_{self._rng.randrange(30)}", self._rng.choice(["joined", "left", "said"])
        ts = self._tick("Minecraft", acct, what == "joined")
        when = datetime.fromtimestamp(ts, ZoneInfo("Europe/Berlin")).strftime("%d%b%Y %H:%M:%S.250")
        said = f"<{acct}> I joined the game" if what == "said" else f"{acct} {what} the game"
        return f"[{when}] [Server thread/INFO] [minecraft/MinecraftServer]: {said}"


def command(file: Path, *words: str) -> str:
    done = in_process("--config", str(file), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def write(path: Path, lines: list[str]) -> None:
    with path.open("a") as file:
        file.writelines(one + "\n" for one in lines)


def wait_for(suite: Suite, records: int) -> None:
    """Wait until so many records of the sources are accepted, and counted."""
    refill = Refill(suite.config.broker, 60)
    try:
        with gevent.Timeout(600):
            while sum(one.accepted for one in refill.state().sources.values()) < records:
                gevent.sleep(0.1)
    finally:
        refill.close()
    settled(suite.config)


def check(suite: Suite, game: Game) -> None:
    """Compare what is stored with what happened."""
    found = {(one["area"], one["ts"]): set(one["userlist"]) for one in documents(suite.config, "loginday")}  # type: ignore[call-overload]
    assert found == game.logins
    fields = ("count", "amount", "gain_count", "gain_amount")
    coins: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in documents(suite.config, "cointype"):
        coins[str(one["reason"])] = [
            a + int(str(one[name])) for a, name in zip(coins[str(one["reason"])], fields, strict=True)
        ]
    assert coins == game.coins
    bought = Counter[str]()
    for one in documents(suite.config, "shop"):
        bought[str(one["item"])] += int(str(one["num"]))
    assert bought == game.bought


def check_dashboard(suite: Suite, game: Game) -> None:
    """Compare what the dashboard says of each log's area with what happened."""
    config = suite.config
    first, last = (datetime.fromtimestamp(ts, UTC).date() for ts in (START, game.now))
    client = create_app(
        Data(
            config,
            ReadOnly(open_store(config)),
            open_reader(config),
            areas(config),
            clock=lambda: float(game.now),
        )
    ).test_client()

    def asked(page: str, area: str) -> Any:
        answer = client.get(f"/api/v1/{page}?area={area}&from={first}&to={last}")
        assert (
            answer.status_code
            == client.get(f"/{page.replace('overview', '')}?area={area}").status_code
            == 200
        )
        return answer.json

    for area in AREAS:
        days = {one["ts"]: one["dau"] for one in asked("overview", area)["days"] if one["dau"]}
        assert days == {day: len(accts) for (of, day), accts in game.logins.items() if of == area}
    fields = ("spent_count", "spent", "gain_count", "gained")
    reasons = asked("economy", "eu-1")["reasons"]
    assert {one["reason"]: [one[name] for name in fields] for one in reasons} == game.coins
    assert {one["item"]: one["num"] for one in asked("economy", "cn_2")["items"]} == game.bought


def test_three_logs_of_other_games_and_a_corrected_mapping(tmp_path, database):
    game, count = Game(), 60
    file = configured(tmp_path, AREAS, "UTC", database.toml)
    right = file.read_text() + SOURCES
    # At first somebody forgot what a gift is: it has a topic of its own, which nobody reads.
    file.write_text(right.replace("gift = { code", "present = { code"))
    write(tmp_path / "table.csv", ["when;what;account;item;n;cost", *(game.table() for _ in range(count))])
    mine = [game.minecraft() for _ in range(count)]
    write(tmp_path / "latest.log", mine)
    matching = sum(("joined the game" in one and "<" not in one) or "left" in one for one in mine)
    bad = '{"at": "2025-12-01T00:00:00Z", "kind": "pay", "server": 1, "player": 5, "coins": {"delta": "n/a"}, "why": "shop"}'
    flat = [game.flat() for _ in range(count)]
    write(tmp_path / "flat.log", [*flat, bad])
    gifts, game.coins = game.coins, defaultdict(game.coins.default_factory)
    game.coins["shop"] = gifts["shop"]
    nodes = [*NODES, ["gamelog"]]
    with Suite(file, nodes) as suite:
        wait_for(suite, 2 * count + matching)
        check(suite, game)
        (rejected,) = waiting(suite.config.data).values()
        assert rejected.reason == 'coins.delta (as amount): expected int, got "n/a"'
        assert rejected.raw == bad
        # Corrected: what was journaled is read again by the new mapping.
        file.write_text(right)
        suite.kill("gamelog")
        write(tmp_path / "table.csv", [game.table() for _ in range(count)])
        suite.restart("gamelog")
        wait_for(suite, 3 * count + matching)
        command(file, "rebuild")
        game.coins = gifts
        check(suite, game)
        check_dashboard(suite, game)
        # A journal of such lines may be piped in again.
        journals = b"".join(one.read_bytes() for one in sorted((tmp_path / "data").glob("gamelog_*.txt")))
        total = 3 * count + matching
        closing = pipe(file, journals.splitlines())
        assert closing == f"read {total}, accepted 0, repeated {total}, rejected 0"
        check(suite, game)
        # So may the rejected line, once it can be used.
        file.write_text(right.replace('amount = "coins.delta"', 'amount = "player"'))
        assert "1" in command(file, "rejected", "--replay")
        game._change("shop", 5)
        settled(suite.config)
        check(suite, game)
