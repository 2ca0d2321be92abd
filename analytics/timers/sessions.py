"""How long accts played: sessions, made of logins and logouts."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.core.periods import MINUTE
from analytics.timers.facts import NO_SESSIONS, DaySessions, Facts
from analytics.timers.timer import Document, Timer

UPTO = (*range(1, 61), *range(65, 241, 5), *range(270, 1441, 30), 3000)
"""Minutes: the upper bounds by which the lengths of sessions are counted."""

_BOUNDS = MINUTE * np.array(UPTO)

LOGIN, UNKNOWN = -2, -1
"""What stands in place of the seconds that a logout says: it is a login; it says none."""

ENDED, BY_LOGIN, BY_LIMIT, OPEN = range(4)
"""How a session ended: by a logout; by the next login, or by the limit, as its logout was lost; it has not ended."""

GAP_SECONDS, LIMIT_SECONDS = 300, 12 * 3600
"""What the configuration has where it says nothing else."""


def sessions_of(
    accts: NDArray[np.uint32],
    times: NDArray[np.int64],
    seconds: NDArray[np.int64],
    span: tuple[int, int],
    end: int,
    over: bool,
    gap: int = GAP_SECONDS,
    limit: int = LIMIT_SECONDS,
) -> DaySessions:
    """Return the sessions of an area that began on a day.

    A stretch is the time from a login to the acct's next record, or the ``seconds`` before a logout that has no login.
    Stretches with no more than ``gap`` seconds between them are one session.

    Args:
        accts, times, seconds: of each login and logout of the day, the one before and the one after. ``seconds``: what a
            logout says, ``UNKNOWN`` or, of a login, ``LOGIN``.
        span: when the day begins and ends, in Unix seconds.
        end: when the day after ends.
        over: whether that has passed. If not, a login without a further record is open until ``limit`` has passed at the
            area's newest record.
    """
    if not np.any(seconds != LOGIN):
        return NO_SESSIONS  # an area that logs no logouts says nothing of sessions
    order = _order(accts, times, seconds)
    stretches = _stretches(accts[order], times[order], seconds[order], end, over, limit)
    if not len(stretches.accts):
        return NO_SESSIONS
    another = np.concatenate([[True], stretches.accts[1:] != stretches.accts[:-1]])
    firsts = np.flatnonzero(another | (stretches.begins - stretches.before > gap))
    lengths = np.add.reduceat(stretches.ends - stretches.begins, firsts)
    lasts = np.concatenate([firsts[1:], [len(another)]]) - 1
    began = stretches.begins[firsts]
    today = (began >= span[0]) & (began < span[1])
    return DaySessions(stretches.accts[firsts][today], lengths[today], stretches.ways[lasts][today])


def _order(
    accts: NDArray[np.uint32], times: NDArray[np.int64], seconds: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the order of records by acct and time.

    Of one second, the logout of an earlier login comes first, then a login, then a logout that belongs to it.
    """
    ranks = np.where(seconds == LOGIN, 1, np.where(seconds > 0, 0, 2))
    since = times - times.min()
    keys = (accts.astype(np.int64) * (since.max() + 1) + since) * 3 + ranks  # far quicker than several keys
    order: NDArray[np.int64] = np.argsort(keys)
    alike = keys[order[1:]] == keys[order[:-1]]
    if np.any(alike & (seconds[order[1:]] != seconds[order[:-1]])):
        order = np.lexsort((seconds, keys))
    return order


class _Stretches(NamedTuple):
    """Whose stretches they are, when each began and ended and what ended it, and the time of the acct's record before."""

    accts: NDArray[np.uint32]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    ways: NDArray[np.uint8]
    before: NDArray[np.int64]


def _stretches(
    accts: NDArray[np.uint32],
    times: NDArray[np.int64],
    seconds: NDArray[np.int64],
    end: int,
    over: bool,
    limit: int,
) -> _Stretches:
    """Return the stretches of records that are in order. Arguments as above."""
    is_login, same = seconds == LOGIN, accts[1:] == accts[:-1]
    had, has = np.concatenate([[False], same]), np.concatenate([same, [False]])
    before, after = np.concatenate([[0], times[:-1]]), np.concatenate([times[1:], [0]])
    after_login = np.concatenate([[False], is_login[:-1]]) & had
    before_login = np.concatenate([is_login[1:], [False]])
    near = has & (after - times <= limit)
    paired = after_login & (times - before <= limit)
    # Where the login's own stretch went on to its limit, that of a lone logout begins there at the earliest.
    earliest = np.where(had, before + limit * after_login, times - limit)
    begins = np.where(is_login, times, np.maximum(times - np.minimum(seconds, limit), earliest))
    ends = np.where(is_login, np.where(near, after, np.minimum(times + limit, end)), times)
    ways = np.where(is_login, np.where(near, np.where(before_login, BY_LOGIN, ENDED), BY_LIMIT), ENDED)
    if not over:
        opened = is_login & ~near & (times + limit > times.max())
        ways[opened], ends[opened] = OPEN, times[opened]
    there = is_login | (~paired & (seconds >= 0))
    return _Stretches(accts[there], begins[there], ends[there], ways[there].astype(np.uint8), before[there])


def _documents(facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield the sessions per day on which they began.

    | field | formula |
    | --- | --- |
    | `sessions`, `accts` | the sessions that began on the day; the distinct accts that had them |
    | `open` | those of the sessions that have not ended |
    | `seconds` | the lengths of the others, added up |
    | `playtime` | `seconds` / `accts`, two decimals |
    | `lengths.n` | how many of the others lasted n minutes or less, but longer than the n before |
    | `median_minutes` | the least n by which half of them had ended; null: none has |
    | `ended_by_login`, `ended_by_limit` | those of the others whose logout was lost, by what ended them |

    A session is what web analytics calls a visit. Playtime per active acct is common in games. A histogram of lengths can
    be added up over areas and days, and so its median can be had of any of them.
    """
    for day in days:
        if day > facts.clock.begun:
            continue
        sessions = facts.sessions(day)
        for part, some in enumerate(facts.divided_sessions(sessions, day)):
            fields = {**(_fields(some) if len(some.accts) else _OF_NONE), "final": day < facts.clock.ended}
            yield Document(day, fields, not len(some.accts), part)


def _fields(some: DaySessions) -> dict[str, Any]:
    """Return what a document says of the sessions that began on its day."""
    over = some.ways != OPEN
    lengths = some.seconds[over]
    histogram = np.bincount(np.searchsorted(_BOUNDS, lengths), minlength=len(UPTO))
    accts, seconds = len(np.unique(some.accts)), int(lengths.sum())
    return {
        "sessions": len(over),
        "accts": accts,
        "open": len(over) - len(lengths),
        "seconds": seconds,
        "playtime": round(seconds / accts, 2) if accts else 0,
        "median_minutes": median(dict(zip(UPTO, histogram.tolist(), strict=True))),
        "ended_by_login": int(np.count_nonzero(some.ways == BY_LOGIN)),
        "ended_by_limit": int(np.count_nonzero(some.ways == BY_LIMIT)),
        "lengths": {str(UPTO[n]): int(histogram[n]) for n in np.flatnonzero(histogram)},
    }


def median(lengths: Mapping[int, int]) -> int | None:
    """Return the least upper bound by which half of the sessions had ended. ``lengths``: by upper bound, ascending, how many."""
    half, so_far = sum(lengths.values()) / 2, 0
    for upto, count in lengths.items():
        so_far += count
        if count and so_far >= half:
            return upto
    return None


_OF_NONE = _fields(NO_SESSIONS)
"""Of most areas whose game does not log logouts: worked out once."""

sessionday = Timer(
    "sessionday",
    _documents,
    looks={"session": range(-1, 2)},
    numbers=(
        "sessions", "accts", "open", "seconds", "playtime", "ended_by_login", "ended_by_limit",
    ),
    added=("sessions", "open", "seconds", "ended_by_login", "ended_by_limit"),
)  # fmt: skip
