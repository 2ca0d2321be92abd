"""How many players were online: on average, and at most."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.core.online import HOLD_MINUTES
from analytics.core.periods import MINUTE
from analytics.timers.facts import Facts, HeadCounts
from analytics.timers.timer import Document, Timer


def head_counts(
    span: tuple[int, int],
    hours: tuple[int, ...],
    areas: Iterable[Sequence[NDArray[Any]]],
    several_zones: bool = False,
) -> HeadCounts:
    """Return how many players were online in some areas together.

    Args:
        span: when the day begins and when the next one does, in Unix seconds.
        hours: when its hours begin.
        areas: of each area the minutes since 1970 with a head count, in order, and the highest count of each.
        several_zones: whether any area is in another zone than the day.
    """
    first, last = (ts // MINUTE for ts in span)
    counts, known = np.zeros(last - first, np.int64), np.zeros(last - first, np.bool_)
    for minutes, highest in areas:
        near = (minutes > first - HOLD_MINUTES) & (minutes < last)
        minutes, highest = minutes[near], highest[near]
        if len(minutes):
            holds = np.minimum(np.diff(minutes, append=last), HOLD_MINUTES)
            places = np.repeat(minutes - first, holds) + _counted(holds)
            counts[places[places >= 0]] += np.repeat(highest, holds)[places >= 0]
            known[places[places >= 0]] = True
    counts[~known] = -1
    return HeadCounts(first, counts, hours, several_zones)


def _counted(lengths: NDArray[Any]) -> NDArray[np.int64]:
    """Return 0, 1, 2 … as many as each of ``lengths`` says, one after the other."""
    ends = np.cumsum(lengths)
    counted: NDArray[np.int64] = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    return counted


def _documents(facts: Facts, days: Iterable[int]) -> Iterator[Document]:
    """Yield the players online per day of the scope's own zone.

    Of each minute the highest head count of each area counts. It holds until the area's next one, at most 10 minutes. The
    number of a plat or game in a minute is the sum over its areas.

    | field | formula |
    | --- | --- |
    | `minutes` | the minutes of the day in which the number is known of any area |
    | `acu` | the sum of the numbers of these minutes / `minutes`, two decimals |
    | `pcu`, `pcu_ts` | the highest of these numbers; when the first minute with it began |
    | `hours.n.acu`, `hours.n.pcu` | the same of each hour, n: when it began |

    Average and peak concurrent users (ACU, PCU) are how publishers of online games report what servers carry. The peak of
    a game is the peak of the sum, not the sum of peaks: areas are fullest at different times.
    """
    for day in days:
        if day > facts.clock.begun:
            continue
        online = facts.online(day)
        counts = online.counts[online.counts >= 0]
        peak = int(counts.max()) if len(counts) else 0
        fields = {
            "acu": round(int(counts.sum()) / len(counts), 2) if len(counts) else 0,
            "pcu": peak,
            "pcu_ts": _first_minute(online, peak) if len(counts) else None,
            "minutes": len(counts),
            "hours": _hours(online) if len(counts) else {},
            "final": day + online.several_zones <= facts.clock.ended,
        }
        yield Document(day, fields, not len(counts))


def _hours(online: HeadCounts) -> dict[str, dict[str, float]]:
    """Return average and peak of each hour in which the number is known."""
    begins = np.array(online.hours) // MINUTE - online.first
    known = online.counts >= 0
    sums = np.add.reduceat(np.where(known, online.counts, 0), begins).tolist()
    minutes = np.add.reduceat(known.astype(np.int64), begins).tolist()
    peaks = np.maximum.reduceat(online.counts, begins).tolist()
    return {
        str(start): {"acu": round(sum_ / of, 2), "pcu": peak}
        for start, sum_, of, peak in zip(online.hours, sums, minutes, peaks, strict=True)
        if of
    }


def _first_minute(online: HeadCounts, peak: int) -> int:
    """Return when the first minute with that number began, in Unix seconds."""
    return MINUTE * (online.first + int(np.argmax(online.counts == peak)))


onlineday = Timer(
    "onlineday",
    _documents,
    # Of the day before, a count may still hold; and a plat's or game's areas may be in other zones.
    looks={"online": range(-1, 2)},
    of_segments=False,
    numbers=("acu", "pcu", "minutes"),
)
