"""Retention: accts that signed up on a day and log in later; accts that first paid on a day and pay again."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.core.rates import percent
from analytics.timers.facts import NOBODY, AcctSet, Facts, Numbers, is_bits
from analytics.timers.timer import Document, Timer, runs

LAST = 30
"""The last day after a cohort's own that is looked at."""

BITS = 64
"""Days that fit into one number, a bit each."""

MONTH = np.uint64((1 << LAST) - 1)
"""The bits of the days that are looked at."""

PLACES = np.arange(4, dtype=np.uint16) * 256
BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(
    np.int64
)
"""For every byte its eight bits, the lowest first."""

Cohort = Callable[[int], Numbers]
"""Returns the accts that joined on a day."""

Active = Callable[[int], AcctSet]
"""Returns the accts with an event on a day."""


def _login_documents(facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield retention by login, per sign-up day.

    | field | formula |
    | --- | --- |
    | `reg` | the cohort's size: distinct accts that signed up on the day |
    | `retention.n.count` | those of the cohort that logged in on the n-th day after, exactly that day |
    | `retention.n.rate` | 100 * `count` / `reg`, percent, two decimals |
    | `retention.n.rolling` | those of the cohort that logged in on the n-th day after or a later one, to the 30th |
    | `retention.n.rolling_rate` | 100 * `rolling` / `reg`, percent, two decimals |

    for n = 1 to 30, of days that have begun. The first is what the games industry calls classic, or day-n, retention.
    Rolling retention usually has no last day; here it ends on the 30th, so that it becomes final. The idea of following
    a cohort through time was taken from demography.
    """
    return _documents("reg", facts, days, facts.signups, lambda day: facts.login.get(day, NOBODY))


def _pay_documents(facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield retention by payment, per day of first payment.

    | field | formula |
    | --- | --- |
    | `pay_user` | accts whose first payment in the scope was on the day |
    | `retention.n.count` | those of them that paid on the n-th day after, exactly that day |
    | `retention.n.rate` | 100 * `count` / `pay_user`, percent, two decimals |
    | `retention.n.rolling`, `retention.n.rolling_rate` | the same of those that paid on the n-th day after or a later one, to the 30th |

    for n = 1 to 30, of days that have begun: classic and rolling retention, with payers for both.
    """
    return _documents("pay_user", facts, days, facts.first_payers, lambda day: facts.payments(day).accts)


def _documents(
    size: str, facts: Facts, days: Iterable[int], cohort: Cohort, active: Active
) -> Iterator[Document]:
    begun, ended = facts.clock.begun, facts.clock.ended
    for run in runs(days, BITS - LAST + 1):
        first = run[0] + 1
        seen = _bits(facts.accts, map(active, range(first, min(run[-1] + LAST, begun) + 1)))
        for day in run:
            for part, accts in enumerate(facts.divided(cohort(day), day)):
                bits = seen[accts] >> np.uint64(day + 1 - first)
                counts = _counts(bits, min(LAST, begun - day))
                fields: dict[str, Any] = {size: len(accts)}
                fields["retention"] = {
                    str(n): {
                        "count": count,
                        "rate": percent(count, len(accts)),
                        "rolling": later,
                        "rolling_rate": percent(later, len(accts)),
                    }
                    for n, (count, later) in enumerate(
                        zip(counts, _rolling(bits, len(counts)), strict=True), 1
                    )
                }
                fields["final"] = day + LAST <= ended
                yield Document(day, fields, not len(accts), part)


def _bits(accts: int, days: Iterable[AcctSet]) -> NDArray[np.uint64]:
    """Return a number per acct whose n-th bit says whether the acct is in the n-th of up to 64 ``days``.

    Worked out from eight days at a time, in a byte an acct: far less memory is gone through than with whole numbers.
    """
    octets, left = np.zeros((accts, BITS // 8), np.uint8), iter(days)
    for place in range(BITS // 8):
        octet = np.zeros(accts, np.uint8)
        for n, there in enumerate(islice(left, 8)):
            if is_bits(there):
                mask = np.unpackbits(there)[:accts]
                octet[: len(mask)] |= mask << np.uint8(n)
            elif len(there):
                octet[there] |= np.uint8(1 << n)
        octets[:, place] = octet
    return octets.view("<u8").ravel()


def _counts(bits: NDArray[np.uint64], days: int) -> list[int]:
    """Return for each of the lowest ``days`` (at most 32) bits how many of ``bits`` have it.

    Counted a byte at a time: how often each of its 256 values occurs says how often each of its bits is set.
    """
    octets = bits.astype("<u4").view(np.uint8).reshape(-1, 4)
    values = np.bincount((octets + PLACES).ravel(), minlength=4 * 256).reshape(4, 256)
    counts: list[int] = (values @ BITS_OF_BYTE).ravel().tolist()
    return counts[: max(days, 0)]


def _rolling(bits: NDArray[np.uint64], days: int) -> list[int]:
    """Return for each of the lowest ``days`` (at most 30) bits how many of ``bits`` have it or a higher one, up to the 30th."""
    highest = np.frexp((bits & MONTH).astype(np.float64))[1]
    counts: list[int] = np.bincount(highest, minlength=LAST + 1)[::-1].cumsum()[::-1].tolist()
    return counts[1 : days + 1]


loginretention = Timer(
    "loginretention",
    _login_documents,
    looks={"signup": range(1), "login": range(1, LAST + 1)},
    cohort="signup",
    numbers=("reg",),
)
paytraceday = Timer(
    "paytraceday",
    _pay_documents,
    looks={"first_pay": range(1), "pay": range(1, LAST + 1)},
    cohort="pay",
    numbers=("pay_user",),
)
