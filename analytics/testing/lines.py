"""Lines of game logs and journals: of every kind, with values at every bound, and damaged in every way."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from analytics.core.tuples import EARLIEST

DAY = 86_400
_VALUE = re.compile(rb"(?<=:)[^,}\]]*")

NUMBERS = [
    *(b"0", b"-0", b"-0.0", b"0.5", b"1e5", b"1E+5", b"0e999", b"1e-400", b"-1e-400", b"1e0000000001"),
    *(b"1e400", b"-1e400", b"1E+400", b"1e308", b"1.8e308", b"17976931348623159e292", b"123456789012345678e291"),
    *(b"1.5e0000400", b"9" * 18, b"9" * 19, b"-" + b"9" * 19, b"9" * 400, b"9" * 400 + b".5", b"0." + b"9" * 400),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809"),
    *(b"18446744073709551615", b"18446744073709551616", b"1e18", b"12345678901234567890e-5"),
    *(b"NaN", b"Infinity", b"-", b"01", b"1.", b".5", b"+5", b"1e", b"1e+", b"0x10"),
]  # fmt: skip
STRINGS = [
    *(b'""', b'"a"', b'" "', b'"\\u0000"', b'"a\\u0000b"', b'"\\\\u0000"', b'"\\ud800"', b'"\\udc00\\ud800"'),
    *(b'"\\ud83d\\ude00"', b'"\\u00E9"', b'"\\x41"', b'"\\u12"', b'"\x7f"', b'"\t"', b'"\x01"', b'"\xff"', b'"\xc3"'),
    *(b'"%b"' % (b"a" * n) for n in (199, 200, 201, 5000)),
    *(f'"{letter * n}"'.encode() for letter in "é名😀" for n in (1, 66, 67, 200, 201)),
    *(b'"enter"', b'"pass"', b'"won"', b'"1e400"', b'"15"', b'"-15"', b'"%b"' % (b"1" * 24), b'"1 e400, "', b"'a'"),
]  # fmt: skip
OTHERS = [
    *(b"null", b"true", b"false", b"nul", b"{}", b"[]", b"[1,]", b"{,}", b'{"a":1,"a":2}', b'{"a":1e400}'),
    *(b"[1,2.5,null]", b"[[[]]]", b"[" * 31 + b"]" * 31, b"[" * 33 + b"]" * 33, b"[" * 1200 + b"]" * 1200),
    *(b'{"a":' * 40 + b"0" + b"}" * 40, b'{"acct":"b"}', b'{"code":"other"}', b"", b"[1 2]", b"{1:2}", b'{"a" 1}'),
]  # fmt: skip
SCRAPS = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\0", b" ", b"\t", b"\r", b"\x0b", b"\xc2\xa0", b"0", b"9"),
    *(b".", b"-", b"e", b"E", b"u", b"e400", b"1e400", b"9" * 19, b"\\u0000", b"\\ud800", b"\xff", b"\xef\xbb\xbf"),
    *(b"}{", b'":"', b'","', b'"id":', b'"acct":', b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
]  # fmt: skip
ACCTS = ("a", "名字", "b" * 200, "c\\d", 3284681055)
PLAIN_ACCTS = ("a", "名字", "b" * 150, "3284681055")
KEYS = [
    *("acct", "amount", "reason", "fuben", "result", "task", "item", "num", "price", "corpid", "opname", "opno"),
    *("id", "op", "area", "ts", "data", "code", "users", "x", "名", "", "a" * 300, "server_name"),
]  # fmt: skip
FIELDS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "login_logcount": lambda draw: {},
    "signup_logcount": lambda draw: {},
    "other": lambda draw: {},
    "enter_game": lambda draw: {},
    "名字.x": lambda draw: {},
    "yuanbao_logchange": lambda draw: {"amount": draw.randint(-50, 50), "reason": draw.choice(["shop", "", 5])},
    "fuben_logchange": lambda draw: {"fuben": draw.choice(["f1", 7]), "result": draw.choice(["enter", "pass", "fail"])},
    "trunk_task_accept": lambda draw: {"task": draw.choice([1, 7, -3, "15"])},
    "shop_logbuy": lambda draw: {"item": draw.choice(["sword", 8]), "num": draw.randint(1, 3), "price": draw.randint(0, 99)},
}  # fmt: skip
CODES = list(FIELDS)
PLAIN_CODES = [code for code in CODES if code != "enter_game"]
PLAIN_TYPES: dict[str, Callable[[Any], Any]] = {"reason": str, "fuben": str, "item": str, "task": int}


class LineGenerator:
    """Draws lines of ``areas``, at about ``now`` (Unix seconds).

    Attributes:
        keys: names of members that damaged lines get.
    """

    def __init__(self, draw: random.Random, areas: list[str], now: int) -> None:
        self._draw = draw
        self._areas = areas
        self._now = now
        self._n = 0
        self.keys = KEYS
        self._damages = (
            self._with_value, self._with_unread, self._with_member, self._with_scrap, self._without_some,
            self._with_some_twice, self._torn, self._spaced,
        )  # fmt: skip

    def damaged(self, line: bytes, times: int) -> bytes:
        """Return the line damaged so many times."""
        for _ in range(times):
            line = self._draw.choice(self._damages)(line)
        return line.replace(b"\n", b"")

    def good(self, journaled: bool, plain: bool = False, polled: bool = False) -> bytes:
        """Return a line, without its newline.

        Args:
            journaled: whether it has a name, as in a spout's journal.
            plain: whether it is as the compiled code takes it, and of the last half hour, so that workers can read columns.
            polled: whether it may come from a spout that polls, if it is journaled; chunks with such lines are read by line.
        """
        draw = self._draw
        self._n += 1
        kind = draw.random()
        if polled and kind < 0.4:
            return self._payment() if kind < 0.2 else self._role()
        code = draw.choice(PLAIN_CODES if plain else CODES)
        data = {"corpid": 2001, "acct": draw.choice(PLAIN_ACCTS if plain else ACCTS), **FIELDS[code](draw)}
        if plain:
            data = {
                name: PLAIN_TYPES[name](value) if name in PLAIN_TYPES else value
                for name, value in data.items()
            }
        ts = self._now - draw.randrange(1800) if plain else draw.choice(self._times())
        area = draw.choice(self._areas)
        if not journaled and not plain and kind > 0.95:
            flat = {"ts": ts, "opname": code, "opno": 9, "area": area, "server_name": "server1009", **data}
            return msgspec.json.encode(flat)
        record: dict[str, Any] = {"op": {"code": code, "id": 1003}, "area": area, "ts": ts, "data": data}
        if kind > 0.6:
            data["note"] = draw.choice((1.5, [1, {"a": None}], "\t", True))
        if journaled:
            record = {"id": f"gamelog/s{self._n % 2}@00ff:{self._n}", **record}
            data["acct"] = str(data["acct"])
        return msgspec.json.encode(record)

    def _times(self) -> tuple[int, ...]:
        return self._now, EARLIEST, self._now + DAY, self._now - self._draw.randrange(10**7)

    def _payment(self) -> bytes:
        users = {"a": {"times": 1, "amount": 2.5}, "名": {"times": 0, "amount": 0}}
        record = {
            "id": f"payment/dl@1:{self._n}",
            "area": self._draw.choice(self._areas),
            "ts": self._now,
            "at": 5,
        }
        named = {"day": f"{datetime.fromtimestamp(self._now, UTC):%Y-%m-%d}"} if self._n % 2 else {}
        return msgspec.json.encode({**record, **named, "users": users})

    def _role(self) -> bytes:
        record = {"id": f"syncuser/dl@1:{self._n}", "area": self._draw.choice(self._areas), "ts": self._now}
        role = {"uid": "1", "acctid": "a", "grade": 3, "rest_yuanbao": 5, "name": "x", "score": None}
        return msgspec.json.encode({**record, **role})

    def _value(self) -> bytes:
        return self._draw.choice(self._draw.choice((NUMBERS, STRINGS, OTHERS)))

    def _with_value(self, line: bytes) -> bytes:
        """Return the line with another value in one place."""
        values = list(_VALUE.finditer(line))
        if not values:
            return line
        one = self._draw.choice(values)
        return line[: one.start()] + self._value() + line[one.end() :]

    def _with_member(self, line: bytes) -> bytes:
        """Return the line with one more member in an object, which may have it already."""
        braces = [n for n, byte in enumerate(line) if byte == ord("{")]
        if not braces:
            return line
        at = self._draw.choice(braces) + 1
        key = msgspec.json.encode(self._draw.choice(self.keys))
        if self._draw.random() < 0.1:
            key = key.replace(b"a", b"\\u0061")
        return line[:at] + key + b":" + self._value() + b"," + line[at:]

    def _with_unread(self, line: bytes) -> bytes:
        return line.replace(b'"corpid":2001', b'"x":' + self._value(), 1)

    def _with_scrap(self, line: bytes) -> bytes:
        at = self._draw.randint(0, len(line))
        return line[:at] + self._draw.choice(SCRAPS) + line[at + self._draw.randint(0, 2) :]

    def _without_some(self, line: bytes) -> bytes:
        at = self._draw.randint(0, len(line))
        return line[:at] + line[at + self._draw.choice((1, 1, 2, 8, 400)) :]

    def _with_some_twice(self, line: bytes) -> bytes:
        begin = self._draw.randint(0, len(line))
        end = begin + self._draw.choice((1, 2, 8, 400))
        return line[:end] + line[begin:]

    def _torn(self, line: bytes) -> bytes:
        """Return part of the line, and another one behind it."""
        return line[: self._draw.randint(0, len(line))] + self.good(self._draw.random() < 0.5)

    def _spaced(self, line: bytes) -> bytes:
        space = self._draw.choice((b" ", b"\t", b"  ", b"\r", b"\r\r"))
        byte = self._draw.choice((b",", b":", b"{", b"}", b'"'))
        return line.replace(byte, byte + space, self._draw.choice((1, 100)))


class Pool:
    """Good lines of one kind, of which some are replaced each time: to make all of them each time would cost too much."""

    SIZE, REPLACED = 2000, 100

    def __init__(self, draw: random.Random, make: Callable[[], bytes]) -> None:
        self._draw = draw
        self._make = make
        self._lines = [make() for _ in range(self.SIZE)]

    def sample(self, count: int) -> list[bytes]:
        """Return so many different lines, in any order."""
        for place in self._draw.sample(range(self.SIZE), self.REPLACED):
            self._lines[place] = self._make()
        return self._draw.sample(self._lines, count)
