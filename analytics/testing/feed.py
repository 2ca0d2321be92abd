"""Game log lines, good and broken, and what the good ones must come to."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from analytics.bolts import BOLTS
from analytics.core.areas import Areas
from analytics.core.reference import Reference

START = 1710000000
"""In March 2024, so that two days around it hold New York's change of clocks."""

SPAN = 2 * 86400
ACCTS = 3_000
CODES = {
    "login_logcount": 1003,
    "signup_logcount": 1001,
    "createrole_logcount": 1002,
    "yuanbao_logchange": 1010,
    "chat_logcount": 1020,
}
WEIGHTS = [45, 10, 10, 25, 10]
BROKEN_SHARE = 0.02
FLAT_SHARE = 0.2
BATCH = 4_000


class Feed:
    """Makes lines, the same for one seed, and remembers what they say.

    Attributes:
        good: lines made so far that must be accepted.
        broken: lines made so far that must be rejected.

    Args:
        accts: how many accts there are in each area.
    """

    def __init__(self, areas: Areas, seed: int, accts: int = ACCTS) -> None:
        self.good = 0
        self.broken = 0
        self._accts = accts
        self._rng = random.Random(seed)
        self._areas = list(areas.values())
        self._reference = Reference(BOLTS.values(), areas)
        self._waiting: dict[str, list[Mapping[str, Any]]] = {}

    def lines(self, count: int) -> list[bytes]:
        """Return ``count`` further lines, without newlines."""
        return [self._broken() if self._rng.random() < BROKEN_SHARE else self._good() for _ in range(count)]

    def pay(self, tuples: Iterable[Mapping[str, Any]]) -> None:
        """Take payment snapshots as true."""
        self._reference.put("payment", list(tuples))

    def sync(self, tuples: Iterable[Mapping[str, Any]]) -> None:
        """Take roles as true."""
        self._reference.put("syncuser", list(tuples))

    def log(self, tuples: Iterable[Mapping[str, Any]]) -> None:
        """Take further tuples of game logs as good lines."""
        for one in tuples:
            self.good += 1
            self._waiting.setdefault(f"gamelog.{one['op']['code']}", []).append(one)

    def documents(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return, per collection and id, the documents that all lines so far must have led to."""
        for topic in list(self._waiting):
            self._put(topic)
        return {name: self._reference.documents(name) for name in BOLTS}

    def stored(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the same as a store holds it: lists in parts, and the suite's own fields."""
        return self._reference.collections

    def _good(self) -> bytes:
        rng = self._rng
        self.good += 1
        area = rng.choice(self._areas)
        code = rng.choices(list(CODES), WEIGHTS)[0]
        ts = START + rng.randrange(SPAN)
        data: dict[str, Any] = {
            "corpid": area.corpid,
            "type": code.split("_")[0],
            "server_name": area.server_name,
            "opno": CODES[code],
            "opname": code,
            "acct": f"acct{rng.randrange(self._accts)}",
        }
        if code == "yuanbao_logchange":
            data |= {"amount": rng.randrange(-100, 100), "reason": rng.choice(["shop", "pay", "quest"])}
        one = {"op": {"code": code, "id": CODES[code]}, "area": area.id, "ts": ts, "data": data}
        topic = f"gamelog.{code}"
        self._waiting.setdefault(topic, []).append(one)
        if len(self._waiting[topic]) >= BATCH:
            self._put(topic)
        return msgspec.json.encode({"ts": ts, **data} if rng.random() < FLAT_SHARE else one)

    def _broken(self) -> bytes:
        self.broken += 1
        area = self._areas[0].id.encode()
        begin = b'{"op":{"code":"%b","id":%d},"area":"%b","ts":'
        login, elsewhere = (begin % (b"login_logcount", 1003, id) for id in (area, b"f" * 24))
        coins = begin % (b"yuanbao_logchange", 1010, area)
        return self._rng.choice(
            [
                b"not json at all",
                login + b"17100",
                elsewhere + b'1710000000,"data":{"acct":"a"}}',
                login + b'"soon","data":{"acct":"a"}}',
                coins + b'1710000000,"data":{"acct":"a","amount":"many","reason":"x"}}',
                login + b'1710000000,"data":{"acct":"\xff\xfe"}}',
                login + b'1710000000,"data":{}}',
            ]
        )

    def _put(self, topic: str) -> None:
        self._reference.put(topic, self._waiting.pop(topic))
