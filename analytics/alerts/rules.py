"""A rule and its judgement. Pure."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.config.alert_checks import FUNCTIONS
from analytics.config.alert_sections import AlertSection
from analytics.core.expressions import Parsed, derived_of, parse
from analytics.core.funnels import Funnel
from analytics.core.periods import PeriodName, Zone
from analytics.core.rates import percent

SETTLE_SECONDS = 180
"""After the end of a period, until it is judged: documents follow records within seconds, totals within two minutes."""

CALLS = {"percent": percent}
WEEK_DAYS = 7
HALF_DAY = 43_200
ENDED = "final"
"""The field with which a timer bolt says that a day has ended and its number is whole."""


@dataclass(frozen=True)
class Judgement:
    """Whether a rule applies. ``start`` is the newest period, ``expected`` the bound that its ``value`` broke or kept."""

    applies: bool
    start: int
    value: float
    expected: float
    why: str


class Rule:
    """A rule of the configuration, compiled.

    Args:
        period: of the collection's documents.
        funnel: the one of which it looks at a step. A day of sign-up is judged when its accts had all the time that the funnel gives.
    """

    def __init__(
        self, name: str, section: AlertSection, period: PeriodName, funnel: Funnel | None = None
    ) -> None:
        self.name = name
        self.section = section
        self.period: PeriodName = period
        self.step = funnel.key(section.step) if funnel else ""
        self.subject = f"{funnel.name}, {funnel.steps[section.step - 1]}" if funnel else section.collection
        self._waits_days = funnel.days if funnel else 0
        self._parsed: Parsed = parse(section.value, FUNCTIONS)
        self._value = derived_of(self._parsed, CALLS)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that the value reads."""
        return frozenset(self._parsed.names)

    def value(self, fields: Mapping[str, Any]) -> float | None:
        """Return the value of these fields, None where it has none, as when a divisor is 0."""
        found = self._value(fields)
        return None if found is None else float(found)

    def judged(self, zone: Zone, now: float, others: Iterable[Zone] = ()) -> list[int]:
        """Return the starts of the last ended periods, newest first.

        Args:
            others: a day has ended when it has in these zones, too.
        """
        settled = int(now) - SETTLE_SECONDS
        start = zone.start(self.period, settled)
        if self.period == "day":
            today = min(one.local(one.start("day", settled)).date() for one in (zone, *others))
            start = zone.day_after(zone.day_of(today.isoformat()), -self._waits_days)
        found = []
        for _ in range(self.section.periods):
            start = zone.start(self.period, start - 1)
            found.append(start)
        return found

    def compared(self, zone: Zone, start: int) -> list[int]:
        """Return the starts of the periods of earlier weeks that one is compared with."""
        if self.section.falls is None and self.section.rises is None:
            return []
        day = zone.start("day", start)
        days = [zone.day_after(day, -WEEK_DAYS * week) for week in range(1, self.section.weeks + 1)]
        return [zone.start(self.period, _at_clock(zone, one, _clock(zone, start))) for one in days]

    def judge(
        self, zone: Zone, values: Mapping[int, float | None], now: float, others: Iterable[Zone] = ()
    ) -> Judgement | None:
        """Return the judgement of what ended last; None while a number is not known, or there is nothing to compare it with."""
        starts = self.judged(zone, now, others)
        found = []
        for start in starts:
            value = values.get(start)
            if value is None:
                return None
            broken = next(self._broken(value, [values.get(one) for one in self.compared(zone, start)]), None)
            found.append((value, broken))
        value, newest = found[0]
        applies = all(broken is not None for _, broken in found)
        expected, why = newest if newest is not None else (0.0, "")
        return Judgement(applies, starts[0], value, expected, why)

    def _broken(self, value: float, before: Sequence[float | None]) -> Iterator[tuple[float, str]]:
        """Yield each bound that the value breaks, with words."""
        section = self.section
        if section.below is not None and value < section.below:
            yield section.below, "below"
        if section.above is not None and value > section.above:
            yield section.above, "above"
        known = [one for one in before if one is not None]
        if not known:
            return
        median = statistics.median(known)
        if section.falls is not None and value < median * (1 - section.falls / 100):
            yield median, f"more than {section.falls:g} % below the usual"
        if section.rises is not None and value > median * (1 + section.rises / 100):
            yield median, f"more than {section.rises:g} % above the usual"


def _clock(zone: Zone, ts: int) -> int:
    """Return what the clock shows, in seconds since it showed midnight."""
    local = zone.local(ts)
    return local.hour * 3600 + local.minute * 60 + local.second


def _at_clock(zone: Zone, day: int, clock: int) -> int:
    """Return when the clock of a day shows a time; where it skips that, about then."""
    guess = day + clock
    return guess + (clock - _clock(zone, guess) + HALF_DAY) % (2 * HALF_DAY) - HALF_DAY
