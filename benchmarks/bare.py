"""The reference: one loop in one process over the same lines, in memory, nothing kept if it dies.

It decodes each line typed and keeps the same distinct accts, counts and sums as the suite's bolts do, in
dictionaries by area and period. Hours and days are those of Asia/Shanghai.
"""

import gc
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

HOUR, DAY, OFFSET = 3600, 86400, 8 * 3600

Documents = dict[str, dict[tuple[Any, ...], Any]]


class Op(msgspec.Struct, gc=False):
    code: str


class Data(msgspec.Struct, gc=False):
    acct: str


class Line(msgspec.Struct, gc=False):
    op: Op
    area: str
    ts: int
    data: Data


class FullData(msgspec.Struct, gc=False):
    acct: str
    amount: int = 0
    reason: str = ""
    fuben: str = ""
    result: str = ""
    task: int = 0
    item: str = ""
    num: int = 0
    price: int = 0


class FullLine(msgspec.Struct, gc=False):
    op: Op
    area: str
    ts: int
    data: FullData


WANTED = {"login_logcount": "login", "signup_logcount": "signup", "createrole_logcount": "createrole"}


def accts_only(path: str) -> Documents:
    """Return, per collection, the distinct accts by area and period start."""
    decode = msgspec.json.Decoder(Line).decode
    hours: dict[str, dict[tuple[str, int], set[str]]] = {what: {} for what in WANTED.values()}
    days: dict[str, dict[tuple[str, int], set[str]]] = {what: {} for what in WANTED.values()}
    first: dict[tuple[str, str, int], int] = {}
    with Path(path).open("rb") as file:
        for text in file:
            line = decode(text)
            what = WANTED.get(line.op.code)
            if what is None:
                continue
            hour = line.ts - line.ts % HOUR
            key = line.area, hour
            accts = hours[what].get(key)
            if accts is None:
                accts = hours[what][key] = set()
                first[what, line.area, hour] = line.ts
            accts.add(line.data.acct)
            if line.ts < first[what, line.area, hour]:
                first[what, line.area, hour] = line.ts
            day = line.area, (line.ts + OFFSET) // DAY * DAY - OFFSET
            accts = days[what].get(day)
            if accts is None:
                accts = days[what][day] = set()
            accts.add(line.data.acct)
    return {f"{what}hour": hours[what] for what in hours} | {f"{what}day": days[what] for what in days}


class Coins:
    """Spent and gained: records, their sum, and who spent."""

    __slots__ = ("amount", "count", "gain_amount", "gain_count", "users")

    def __init__(self) -> None:
        self.count = self.amount = self.gain_count = self.gain_amount = 0
        self.users: set[str] = set()

    def add(self, acct: str, amount: int) -> None:
        if amount < 0:
            self.count += 1
            self.amount -= amount
            self.users.add(acct)
        elif amount > 0:
            self.gain_count += 1
            self.gain_amount += amount


class Dungeon:
    """Results, and who was there."""

    __slots__ = ("results", "users")

    def __init__(self) -> None:
        self.results = {"enter": 0, "pass": 0, "fail": 0}
        self.users: set[str] = set()


class Quest:
    """How often accepted and finished, and by whom."""

    __slots__ = ("accept", "accept_users", "finish", "finish_users")

    def __init__(self) -> None:
        self.accept = self.finish = 0
        self.accept_users: set[str] = set()
        self.finish_users: set[str] = set()


class Item:
    """Purchases, pieces, coins, and who bought."""

    __slots__ = ("amount", "count", "num", "users")

    def __init__(self) -> None:
        self.count = self.num = self.amount = 0
        self.users: set[str] = set()


def everything(path: str) -> Documents:
    """Return, per collection, what every bolt that reads a game log counts, by the document's key."""
    decode = msgspec.json.Decoder(FullLine).decode
    accts: Documents = {
        f"{what}{period}": defaultdict(set) for what in WANTED.values() for period in ("hour", "day")
    }
    first: dict[tuple[str, str, int], int] = {}
    coinhour: defaultdict[tuple[Any, ...], Coins] = defaultdict(Coins)
    coinday: defaultdict[tuple[Any, ...], Coins] = defaultdict(Coins)
    cointype: defaultdict[tuple[Any, ...], Coins] = defaultdict(Coins)
    userpay: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    gamecopy: defaultdict[tuple[Any, ...], Dungeon] = defaultdict(Dungeon)
    mainline: defaultdict[tuple[Any, ...], Quest] = defaultdict(Quest)
    shop: defaultdict[tuple[Any, ...], Item] = defaultdict(Item)
    with Path(path).open("rb") as file:
        for text in file:
            line = decode(text)
            code, area, ts, data = line.op.code, line.area, line.ts, line.data
            acct = data.acct
            day = (ts + OFFSET) // DAY * DAY - OFFSET
            if code == "yuanbao_logchange":
                amount = data.amount
                coinhour[area, ts - ts % HOUR].add(acct, amount)
                coinday[area, day].add(acct, amount)
                cointype[area, day, data.reason].add(acct, amount)
                userpay[area, acct] += max(-amount, 0)
            elif code == "fuben_logchange":
                dungeon = gamecopy[area, day, data.fuben]
                dungeon.results[data.result] += 1
                dungeon.users.add(acct)
            elif code == "trunk_task_accept":
                quest = mainline[area, day, data.task]
                quest.accept += 1
                quest.accept_users.add(acct)
            elif code == "trunk_task_finish":
                quest = mainline[area, day, data.task]
                quest.finish += 1
                quest.finish_users.add(acct)
            elif code == "shop_logbuy":
                item = shop[area, day, data.item]
                item.count += 1
                item.num += data.num
                item.amount += data.price
                item.users.add(acct)
            elif code in WANTED:
                what = WANTED[code]
                hour = ts - ts % HOUR
                accts[f"{what}hour"][area, hour].add(acct)
                accts[f"{what}day"][area, day].add(acct)
                if ts < first.get((what, area, hour), ts + 1):
                    first[what, area, hour] = ts
    more: Documents = {"coinhour": coinhour, "coinday": coinday, "cointype": cointype, "userpay": userpay}
    return accts | more | {"gamecopy": gamecopy, "mainline": mainline, "shop": shop}


def main() -> None:
    """Print the seconds and the CPU seconds that the loop over the file took, and the documents of each collection.

    Arguments: the file, and ``all`` where the numbers of every bolt are wanted.
    """
    loop = everything if sys.argv[2:] == ["all"] else accts_only
    gc.disable()
    begin, used = time.perf_counter(), time.process_time()
    found = loop(sys.argv[1])
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    counts = {name: len(documents) for name, documents in found.items()}
    json.dump({"seconds": seconds, "cpu": cpu, "documents": counts}, sys.stdout)


if __name__ == "__main__":
    main()
