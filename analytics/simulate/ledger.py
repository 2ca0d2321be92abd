"""The simulated game's ledger: what happened, and the documents that the suite has to produce."""

import time
from collections.abc import Iterable, Sequence

from analytics.simulate.events import CREATEROLE, LOGIN, PAY, SIGNUP, Event, GameServer
from analytics.simulate.subledgers.accts import AcctLedger
from analytics.simulate.subledgers.channels import ChannelLedger
from analytics.simulate.subledgers.common import Calendar, Documents, Fields, money
from analytics.simulate.subledgers.funnels import StepLedger
from analytics.simulate.subledgers.online import OnlineLedger
from analytics.simulate.subledgers.payments import DayPaid, LedgerOrder, PaymentLedger
from analytics.simulate.subledgers.periods import period_documents
from analytics.simulate.subledgers.play import CoinLedger, ProgressLedger
from analytics.simulate.subledgers.roles import RoleLedger
from analytics.simulate.subledgers.scopes import scopes
from analytics.simulate.subledgers.sessions import SessionLedger
from analytics.simulate.subledgers.totals import totals


class Ledger:
    """All events so far. Enter each area's events in order of time, each once.

    Args:
        timezone: of all areas.
    """

    def __init__(self, servers: Iterable[GameServer], timezone: str) -> None:
        self._servers = {server.id: server for server in servers}
        self._calendar = Calendar(timezone)
        self._accts = AcctLedger(self._servers)
        self._payments = PaymentLedger(self._servers)
        self._channels = ChannelLedger(self._servers)
        self._coins = CoinLedger()
        self._deeds = ProgressLedger()
        self._roles = RoleLedger(self._servers, self._calendar)
        self._online = OnlineLedger(self._servers, self._calendar)
        self._sessions = SessionLedger(self._servers, self._calendar)
        self._steps = StepLedger(self._servers, self._calendar)
        self.records = 0

    def note(self, area: str, day: int, events: Sequence[Event]) -> None:
        """Enter events of ``area`` on the day that starts at ``day``."""
        self._accts.note(area, day, events)
        self._payments.note(area, day, events)
        self._channels.note(area, day, events)
        self._coins.note(area, day, events)
        self._deeds.note(area, day, events)
        self._roles.note(area, events)
        self._online.note(area, events)
        self._sessions.note(area, events)
        self._steps.note(area, events)
        self.records += sum(op < PAY for _, op, _ in events)

    def payments(self, area: str, day: int) -> dict[str, DayPaid]:
        """Return the payments of a day so far, in the area's currency, by acct, sorted."""
        return self._payments.said(area, day)

    def orders(self, area: str, day: int) -> list[LedgerOrder]:
        """Return the orders that were paid on a day so far, as they came."""
        return self._payments.orders(area, day)

    def roles(self, area: str, since: int = 0) -> list[Fields]:
        """Return, as syncuser tuples, the roles of ``area`` that changed at ``since`` or later."""
        return self._roles.changed(area, since)

    def answered(self, area: str, roles: Iterable[Fields]) -> None:
        """Enter an answer of the role interface, with all its pages."""
        listed = list(roles)
        self._roles.answered(area, listed)
        self._steps.answered(area, listed)

    def documents(self, now: float | None = None) -> Documents:
        """Return the documents that the suite has to produce: collection to ``_id`` to fields, lists sorted.

        Args:
            now: Unix seconds, which decide which days have begun and ended; None: the present.
        """
        today = self._calendar.day(int(time.time() if now is None else now))
        sessions = {area: self._sessions.by_day(area, today) for area in self._servers}
        steps = {area: self._steps.by_day(area) for area in self._servers}
        days = scopes(self._servers, self._calendar, self._accts, self._payments, sessions, steps)
        parts = self._channels.parts(days, self._calendar)
        documents: Documents = {
            **self._accts.documents(),
            **self._payments.documents(),
            **self._channels.documents(),
            "server": self._server_documents(),
            **self._coins.documents(self._servers),
            **self._deeds.documents(self._servers),
            **self._roles.documents(),
            "userpay": self._payer_documents(),
            **self._online.documents(today),
            **self._sessions.documents(),
            **self._steps.documents(),
            **period_documents([*days, *parts], self._calendar, today),
        }
        return {**documents, **totals(documents, self._servers, self._calendar, today)}

    def _server_documents(self) -> dict[str, Fields]:
        return {
            f"{area}:{day}": self._servers[area].key(day)
            | {
                "active": len(self._accts.of_day(LOGIN, area, day)),
                "reg": len(self._accts.of_day(SIGNUP, area, day)),
                "create_role": len(self._accts.of_day(CREATEROLE, area, day)),
                "pay_user": len(self._payments.payers(area, day)),
            }
            | self._payments.totals(area, day)
            for area, day in self._accts.days() | self._payments.days()
        }

    def _payer_documents(self) -> dict[str, Fields]:
        """Return userpay: what each acct has paid, has spent, and has left."""
        paid: dict[tuple[str, str], dict[int, DayPaid]] = {}
        for area, day in self._payments.days():
            for acct, one in self._payments.of_day(area, day).items():
                paid.setdefault((area, acct), {})[day] = one
        rest, used = self._roles.rest(), self._coins.used
        result: dict[str, Fields] = {}
        for area, acct in paid.keys() | rest.keys() | used.keys():
            days = paid.get((area, acct), {})
            left = [day for day, one in days.items() if one.net]
            result[f"{area}:{acct}"] = {
                **self._servers[area].names,
                "acct": acct,
                "pay_count": sum(one.times for one in days.values()),
                "pay_amout": money(sum(one.net for one in days.values())),
                "pay_days": len(left),
                "first_pay": min(left, default=None),
                "last_pay": max(left, default=None),
                "rest_yuanbao": rest[area, acct],
                "used_yuanbao": used[area, acct],
            }
        return result
