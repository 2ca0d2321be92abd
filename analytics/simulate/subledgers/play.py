"""Coins, dungeons, quests and purchases."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from analytics.simulate.events import ACCEPT, COIN, FINISH, FUBEN, SHOP, Event
from analytics.simulate.subledgers.common import Documents, Fields, Servers, hour_of, share

Key = tuple[Any, ...]


class CoinLedger:
    """Coins spent and gained: by hour, by day, and by day and reason."""

    def __init__(self) -> None:
        self._spent: dict[Key, list[int]] = defaultdict(list)
        self._gained: dict[Key, list[int]] = defaultdict(list)
        self._spenders: dict[Key, set[str]] = defaultdict(set)
        self.used: Counter[tuple[str, str]] = Counter()
        """Per area and acct, all coins spent."""

    def note(self, area: str, day: int, events: Iterable[Event]) -> None:
        """Enter events of the day that starts at ``day``."""
        for ts, op, args in events:
            if op == COIN:
                _, acct, amount, reason = args
                for key in (
                    ("coinhour", area, hour_of(ts, day)),
                    ("coinday", area, day),
                    ("cointype", area, day, reason),
                ):
                    if amount < 0:
                        self._spent[key].append(-amount)
                        self._spenders[key].add(acct)
                    else:
                        self._gained[key].append(amount)
                self.used[area, acct] += max(0, -amount)

    def documents(self, servers: Servers) -> Documents:
        """Return the documents of coinhour, coinday and cointype."""
        result: Documents = {"coinhour": {}, "coinday": {}, "cointype": {}}
        for key in self._spent.keys() | self._gained.keys():
            collection, area, ts, *reason = key
            spent, gained = self._spent.get(key, []), self._gained.get(key, [])
            fields = {
                "count": len(spent),
                "amount": sum(spent),
                "users": len(self._spenders.get(key, ())),
                "gain_count": len(gained),
                "gain_amount": sum(gained),
            }
            if reason:
                fields["reason"] = reason[0]
            result[collection][_id(key)] = servers[area].key(ts) | fields
        return result


class ProgressLedger:
    """Dungeons, quests and purchases: by day, and by dungeon, quest or item."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Key, str]] = Counter()
        self._accts: dict[tuple[Key, str], set[str]] = defaultdict(set)
        self._keys: dict[Key, None] = {}

    def note(self, area: str, day: int, events: Iterable[Event]) -> None:
        """Enter events of the day that starts at ``day``."""
        for _, op, args in events:
            if op == FUBEN:
                self._add(("gamecopy", area, day, args[2]), args[1], {args[3]: 1}, "users")
            elif op == ACCEPT:
                self._add(("mainline", area, day, args[2]), args[1], {"accept": 1}, "accept_users")
            elif op == FINISH:
                self._add(("mainline", area, day, args[2]), args[1], {"finish": 1}, "finish_users")
            elif op == SHOP:
                sums = {"count": 1, "num": args[3], "amount": args[4]}
                self._add(("shop", area, day, args[2]), args[1], sums, "users")

    def documents(self, servers: Servers) -> Documents:
        """Return the documents of gamecopy, mainline and shop."""
        result: Documents = {"gamecopy": {}, "mainline": {}, "shop": {}}
        names = {
            "gamecopy": ("fuben", ("enter", "pass", "fail"), ("users",)),
            "mainline": ("task", ("accept", "finish"), ("accept_users", "finish_users")),
            "shop": ("item", ("count", "num", "amount"), ("users",)),
        }
        for key in self._keys:
            collection, area, day, what = key
            field, counts, users = names[collection]
            fields: Fields = {field: what}
            fields |= {name: self._counts[key, name] for name in counts}
            fields |= {name: len(self._accts.get((key, name), ())) for name in users}
            if collection == "mainline":
                fields["finish_rate"] = share(fields["finish_users"], fields["accept_users"])
            result[collection][_id(key)] = servers[area].key(day) | fields
        return result

    def _add(self, key: Key, acct: str, sums: dict[str, int], users: str) -> None:
        self._keys[key] = None
        for name, amount in sums.items():
            self._counts[key, name] += amount
        self._accts[key, users].add(acct)


def _id(key: Key) -> str:
    return ":".join(map(str, key[1:]))
