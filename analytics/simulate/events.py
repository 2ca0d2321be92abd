"""The events of the simulated game, and their log lines.

An event is ``(ts, op, args)``: Unix seconds, the kind, and ``args`` in the order in which the kind's line
names them: ``(ts, acct, …)``, of ``ONLINE`` ``(ts, players)``. ``PAY`` (ts, acct, cents), ``REFUND`` (ts, acct, cents, and when it
was paid) and ``ROLE`` (ts, acct, and the role as it is now) have no log line: the payment and role interfaces report them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from analytics.simulate.currencies import currency_of

KINDS = 13
SIGNUP, CREATEROLE, LOGIN, COIN, FUBEN, ACCEPT, FINISH, SHOP, ONLINE, LOGOUT, PAY, ROLE, REFUND = range(KINDS)

Event = tuple[int, int, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class GameServer:
    """One area of the simulated game.

    Attributes:
        opens: the index of the simulated day on which it opens.
        merged_into: the area in which its players play from the day ``merged_on`` (YYYY-MM-DD) on; "": they stay.
        united: the area that is left of a merger, for each of its areas; "": it is part of none.
    """

    id: str
    index: int
    game: str
    plat: str
    corpid: int
    server_name: str
    opens: int
    merged_into: str = ""
    merged_on: str = ""
    united: str = ""

    @property
    def totals(self) -> list[tuple[str, dict[str, Any]]]:
        """What it is a part of: how the ids of documents of that begin, and the fields that name it."""
        found = [
            (f"game:{self.game}", {"scope": "game", "game": self.game}),
            (f"plat:{self.game}:{self.plat}", {"scope": "plat", "game": self.game, "plat": self.plat}),
        ]
        if self.united:
            found.append(
                (f"united:{self.game}:{self.united}", {"scope": f"united:{self.united}", "game": self.game})
            )
        return found

    @property
    def currency(self) -> str:
        """What its players pay in."""
        return currency_of(self.game, self.index)

    @property
    def names(self) -> dict[str, Any]:
        """Game, area and plat, as documents name them."""
        return {"game": self.game, "area": self.id, "plat": self.plat}

    def key(self, ts: int) -> dict[str, Any]:
        """Return the common fields of documents of the period that starts at ``ts``."""
        return self.names | {"ts": ts}


@dataclass(frozen=True, slots=True)
class Op:
    """How one kind of event is logged: op code, number, type, and the further fields as a template."""

    code: str
    number: int
    type: str
    fields: str = ""
    of_acct: bool = True


LOGGED = {
    SIGNUP: Op("signup_logcount", 1001, "signup", ', "channel": "%s"'),
    CREATEROLE: Op("createrole_logcount", 1002, "createrole"),
    LOGIN: Op("login_logcount", 1003, "signin"),
    COIN: Op("yuanbao_logchange", 1101, "yuanbao", ', "amount": %d, "reason": "%s"'),
    FUBEN: Op("fuben_logchange", 1201, "fuben", ', "fuben": "%s", "result": "%s"'),
    ACCEPT: Op("trunk_task_accept", 1301, "task", ', "task": %d'),
    FINISH: Op("trunk_task_finish", 1302, "task", ', "task": %d'),
    SHOP: Op("shop_logbuy", 1401, "shop", ', "item": "%s", "num": %d, "price": %d'),
    ONLINE: Op("online_logcount", 1501, "online", ', "online": %d', of_acct=False),
    LOGOUT: Op("logout_logcount", 1004, "signout", ', "seconds": %d'),
}

_TUPLE = (
    '{"op": {"code": "%(code)s", "id": %(number)d}, "area": "%(area)s", "ts": %%d, '
    '"data": {"corpid": %(corpid)d, "type": "%(type)s", "server_name": "%(server)s", '
    '"opno": %(number)d, "opname": "%(code)s"'
)
_FLAT = (
    '{"ts": %%d, "corpid": %(corpid)d, "server_name": "%(server)s", "opno": %(number)d, '
    '"opname": "%(code)s", "type": "%(type)s"'
)
_ACCT = ', "acct": "%s"'


class LineWriter:
    """Writes the events of one area as lines of its log: tuples, or flat records without ``area``."""

    def __init__(self, server: GameServer, flat: bool = False) -> None:
        self._templates = [_template(server, LOGGED[op], flat) if op in LOGGED else "" for op in range(KINDS)]

    def lines(self, events: Iterable[Event]) -> bytes:
        """Return the log lines of ``events``, each with its newline."""
        templates = self._templates
        return "".join([templates[op] % args for _, op, args in events if op < PAY]).encode()


def _template(server: GameServer, op: Op, flat: bool) -> str:
    head = (_FLAT if flat else _TUPLE) % {
        "code": op.code,
        "number": op.number,
        "type": op.type,
        "area": server.id,
        "corpid": server.corpid,
        "server": server.server_name,
    }
    return head + (_ACCT if op.of_acct else "") + op.fields + ("}\n" if flat else "}}\n")
