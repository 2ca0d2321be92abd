"""Logins, sign-ups and payments by day, of areas and whole games, plats and united areas."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from analytics.simulate.events import LOGIN, SIGNUP
from analytics.simulate.funnel import STEPS
from analytics.simulate.subledgers.accts import AcctLedger
from analytics.simulate.subledgers.common import Calendar, Fields, Servers
from analytics.simulate.subledgers.payments import PaymentLedger
from analytics.simulate.subledgers.sessions import Session

PAYMENT = STEPS[-1]
AcctSets = dict[int, set[str]]


@dataclass
class LedgerScope:
    """An area, or all ``areas`` of a plat, game or united area as one. Days are ordinals, payments in cents.

    ``id`` begins its documents' ids, ``part`` ends them; ``names`` are their fields that name it. ``first`` is the time of its
    first event, in Unix seconds, and ``first_day`` its day; None before the first event.
    ``reached``: by step of the funnel and day, when each acct first reached it.
    """

    id: str
    names: Fields
    areas: list[str] = field(default_factory=list)
    login: AcctSets = field(default_factory=lambda: defaultdict(set))
    signup: AcctSets = field(default_factory=lambda: defaultdict(set))
    paid: dict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    sessions: dict[int, list[Session]] = field(default_factory=lambda: defaultdict(list))
    reached: dict[tuple[str, int], dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    first: int | None = None
    first_day: int | None = None
    part: str = ""

    @property
    def is_area(self) -> bool:
        """Whether this is an area, not a whole."""
        return "area" in self.names

    def on(self, day: int) -> "LedgerScope":
        """Return the scope of a document of ``day``: the last day of its period."""
        return self

    def only(self, accts: Iterable[str]) -> set[str]:
        """Return those of ``accts`` that belong to the scope."""
        return set(accts)

    def payers(self, days: Iterable[int]) -> set[str]:
        """Return the accts that paid on any of ``days``."""
        return self.only(acct for day in days for acct in self.paid.get(day, ()))

    def cents(self, accts: Iterable[str], days: Iterable[int]) -> int:
        """Return the cents that ``accts`` paid on ``days``."""
        wanted = set(accts)
        return sum(cents for day in days for acct, cents in self.paid.get(day, {}).items() if acct in wanted)

    def logged_in(self, days: Iterable[int]) -> set[str]:
        """Return the accts that logged in on any of ``days``."""
        return self.only(acct for day in days for acct in self.login.get(day, ()))

    def signed_up(self, days: Iterable[int]) -> set[str]:
        """Return the accts that signed up on any of ``days``."""
        return self.only(acct for day in days for acct in self.signup.get(day, ()))

    def days(self, last: int) -> range:
        """Return every day from the first with an event to ``last``."""
        return range(min([*self.login, *self.signup, *self.paid], default=last + 1), last + 1)


def scopes(
    servers: Servers,
    calendar: Calendar,
    accts: AcctLedger,
    payments: PaymentLedger,
    sessions: Mapping[str, Mapping[int, list[Session]]],
    steps: Mapping[str, Mapping[tuple[str, int], Mapping[str, int]]],
) -> list[LedgerScope]:
    """Return every area, plat, game and united area."""
    areas = {area: LedgerScope(area, server.names, [area]) for area, server in servers.items()}
    totals: dict[str, LedgerScope] = {}
    of: dict[str, list[LedgerScope]] = {}
    for area, server in servers.items():
        of[area] = [areas[area]]
        for id_, names in server.totals:
            of[area].append(totals.setdefault(id_, LedgerScope(id_, names)))
            of[area][-1].areas.append(area)
    for area in servers:
        first = accts.first(area)
        for scope in of[area]:
            known = [ts for ts in (scope.first, first) if ts is not None]
            scope.first = min(known, default=None)
            scope.first_day = None if scope.first is None else calendar.day(scope.first)
    for area, by_day in sessions.items():
        for scope in of[area]:
            for day, some in by_day.items():
                scope.sessions[day] += some
    for area, by_step in steps.items():
        for scope in of[area]:
            for step, times in by_step.items():
                for acct, ts in times.items():
                    scope.reached[step][acct] = min(ts, scope.reached[step].get(acct, ts))
    for area, ts in accts.days() | payments.days():
        day = calendar.day(ts)
        for scope in of[area]:
            scope.login[day] |= accts.of_day(LOGIN, area, ts)
            scope.signup[day] |= accts.of_day(SIGNUP, area, ts)
            for acct, cents in payments.payers(area, ts).items():
                scope.paid[day][acct] += cents
                scope.reached[PAYMENT, day][acct] = ts
    return [*areas.values(), *totals.values()]
