"""The tuples that bolts read, typed with just the fields they need: the fewer, the faster to decode."""

from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from operator import attrgetter
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from analytics.core.periods import Zone

D = TypeVar("D")

EARLIEST = 946_684_800
"""2000-01-01 UTC."""

LATEST = 32_503_679_999
"""The last second of the year 2999, UTC."""

EARLIEST_START = EARLIEST - 32 * 86_400
"""No hour, day, week or month that a record lies in begins earlier, in any zone."""

Ts = Annotated[int, msgspec.Meta(ge=EARLIEST, le=LATEST)]
"""Unix seconds from 2000 to the year 3000: what periods can be worked out for."""

PeriodStart = Annotated[int, msgspec.Meta(ge=EARLIEST_START, le=LATEST)]
"""The start of a period that a :data:`Ts` lies in, in Unix seconds. It may lie before the earliest ``Ts``."""

UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for a text that is no tuple. The last one: it is nested too deep."""

LONGEST_NAME = 200
"""Characters of an id."""

Name = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
"""An id that players or their servers chose. Its length is bounded, so that so many of them fit a document. Logs may write it
as a number."""

AcctName = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
"""An acct, as a game log names it."""

NumberId = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1, extra={"from_text": True})]
"""An id that is an integer of 64 bits. Logs may write it as text."""

WITHOUT_NUL = r"^[^\x00]*$"

Text = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME, pattern=WITHOUT_NUL)]
"""What an interface calls something."""

Player = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME, pattern=WITHOUT_NUL)]
"""The id of an acct or role that an interface gives."""

Amount = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer of 64 bits, as much as the store takes."""

Asked = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
"""When a spout asked for it, in Unix milliseconds."""

Day = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
"""A day by name, as ``YYYY-MM-DD``."""

MOST_SECONDS_OFF = 2 * 86_400
"""No moment of a day is further from its midnight in UTC, in any zone."""

RecordId = Annotated[str, msgspec.Meta(pattern=r":[0-9]{1,18}$")]
"""A record's name, ``<source>:<n>``."""

MOST_TIMES = 10**9
"""More often than anybody pays in a day."""

MOST_MONEY = 10**12
"""More than anybody pays in a day, in currency units; sums of it still fit 64 bits in cents."""


MOST_GRADE = 100_000
"""More levels than any game has; a document that counts the roles of each can hold so many."""


Grade = Annotated[int, msgspec.Meta(ge=0, le=MOST_GRADE)]
"""A level."""


class Acct(msgspec.Struct, gc=False):
    """What every game log record says: who."""

    acct: AcctName


class Gamelog(msgspec.Struct, Generic[D], gc=False):
    """One game log record of topic ``gamelog.<op code>``. ``ts`` in Unix seconds."""

    area: str
    ts: Ts
    data: D

    acct = property(attrgetter("data.acct"))


class NamedGamelog(Gamelog[D], Generic[D], gc=False):
    """The same with its name, for bolts to which it matters which record is the newest."""

    id: RecordId = ":0"

    @property
    def order(self) -> tuple[int, int, str]:
        """Later records compare greater; of one ``ts`` those that their log has later."""
        return self.ts, *_named(self.id)


class PaidAmount(msgspec.Struct, gc=False):
    """Payments of a day so far in one currency: how often and how much, and how much of that was refunded, in currency units.

    ``currency``: its name; None: the area's.
    """

    times: Annotated[int, msgspec.Meta(ge=0, le=MOST_TIMES)]
    amount: Annotated[float, msgspec.Meta(ge=0, le=MOST_MONEY)]
    refunded: Annotated[float, msgspec.Meta(ge=0, le=MOST_MONEY)] | None = None
    currency: Text | None = None

    def __post_init__(self) -> None:
        if self.refunded is not None and self.refunded > self.amount:
            raise ValueError(f"expected refunded of at most the amount, {self.amount}, got {self.refunded}")


class Converted(msgspec.Struct, array_like=True, gc=False):
    """What an acct paid in one currency, and its refunds, in cents of it and of the game's currency. ``rate``: as text."""

    currency: str
    gross: int
    refunds: int
    gross_converted: int
    refunds_converted: int
    rate: str


class Paid(PaidAmount, gc=False):
    """One account's payments of a day so far. ``other_currencies``: those in further currencies.

    ``converted`` is what the suite adds where a game has rates: everything else is in the game's currency then.
    """

    other_currencies: list[PaidAmount] = []
    converted: list[Converted] = []

    @property
    def amounts(self) -> list[PaidAmount]:
        return [self, *self.other_currencies]


class Payment(msgspec.Struct):
    """A snapshot of one area's payments of the day that starts at ``ts``, taken ``at`` (Unix milliseconds).

    ``day``: the same day by name, which is right where the area's zone was changed since; None: earlier versions did not say it.
    """

    area: str
    ts: PeriodStart
    users: dict[Player, Paid]
    at: Asked = 0
    id: RecordId = ":0"
    day: Day | None = None

    def __post_init__(self) -> None:
        expect_near(self.ts, self.day)

    @property
    def order(self) -> tuple[int, int, str]:
        """Later snapshots compare greater; the record's name decides where no time is given."""
        return self.at, *_named(self.id)


def expect_near(ts: int, day: str | None) -> None:
    """Raise ValueError unless ``ts`` may be a moment of a day in some zone. None: no day is named."""
    if day is not None:
        midnight = datetime.combine(date.fromisoformat(day), time(), UTC).timestamp()
        if abs(midnight - ts) > MOST_SECONDS_OFF:
            raise ValueError(f"expected the day that begins at ts, {ts}, got {day}")


class PaidRow(msgspec.Struct):
    """One account of a payment tuple. ``day``: its start; ``cents``: what it paid less what was refunded, in integer cents, as are
    ``gross`` and ``refunds``. ``currencies``: lists of the values of :class:`Converted`."""

    acct: str
    day: int
    times: int
    cents: int
    order: tuple[int, int, str]
    gross: int = 0
    refunds: int = 0
    currencies: list[list[Any]] = []


def paid_rows(payment: Payment, zone: Zone) -> list[PaidRow]:
    day, order = zone.start("day", payment.ts), payment.order
    return [_paid_row(acct, day, paid, order) for acct, paid in payment.users.items()]


def _paid_row(acct: str, day: int, paid: Paid, order: tuple[int, int, str]) -> PaidRow:
    # Most say nothing else, and every bolt that reads payments makes its own rows.
    times, gross, refunds = paid.times, cents(paid.amount), cents(paid.refunded) if paid.refunded else 0
    for one in paid.other_currencies:
        times += one.times
        gross += cents(one.amount)
        refunds += cents(one.refunded or 0)
    currencies = [list(msgspec.structs.astuple(one)) for one in paid.converted] if paid.converted else []
    return PaidRow(acct, day, times, gross - refunds, order, gross, refunds, currencies)


def cents(amount: Decimal | float) -> int:
    """Return an amount of currency units in cents; fractions of a cent are rounded half to even.

    A float stands for the shortest decimal number that reads as it: 1.005 is half a cent above 1.
    """
    exact = amount if isinstance(amount, Decimal) else Decimal(repr(amount))
    return int((exact * 100).to_integral_value(ROUND_HALF_EVEN))


class Syncuser(msgspec.Struct):
    """One role as the game server had it at ``ts``. Times in Unix seconds; ``at`` as a payment's.

    What nobody counts may be missing: None. ``left``: the acct at which the role was seen before, where it is at another
    one now; ``acctid`` itself where the role was already seen at another one at a later ``ts``.
    """

    area: str
    ts: Ts
    uid: Player
    grade: Grade
    rest_yuanbao: Amount
    acctid: Player
    name: Text | None = None
    birthday: Amount | None = None
    score: Amount | None = None
    login_time: Amount | None = None
    left: Player | None = None
    at: Asked = 0
    id: RecordId = ":0"

    acct = property(attrgetter("acctid"))

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Newer states compare greater; of one ``ts`` the one asked for later, then the record's name."""
        return self.ts, self.at, *_named(self.id)


def _named(id_: str) -> tuple[int, str]:
    """Return a record's number and source: records of one source compare as they came."""
    source, _, n = id_.rpartition(":")
    return int(n), source


class Period(msgspec.Struct):
    """What every hour or day bolt publishes: its document's count so far.

    ``version`` is the document's: of two tuples of one document the higher one is right. ``tuples`` is how
    many spout tuples this change accounts for.
    """

    area: str
    ts: PeriodStart
    count: int
    version: int
    tuples: int
