"""What is added up over the areas of a plat or a game, as the bolts declare it. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from analytics.core.bolt import Bolt
from analytics.timers.timer import TimerPeriod, first_of, last_of

NAME = "rollup"
"""The family of timer bolts that writes these sums."""


AREA_FIELDS = ("dau", "wau", "mau", "payers", "revenue", "reg", "new_payers")
"""The columns of ``areas_total``, fields of ``kpi``."""


_NOISE = 1e-12
"""Of a sum of some thousand floats, the part that may be wrong."""


class Rollup:
    """How the documents of a bolt become those of a plat or a game.

    Every number that the bolt's measures show of no rows at all is summed, and in every table of numbers each entry. What
    ``finish`` derives is derived from the sums. Distinct accts are summed, too: an acct counts once in each area.

    Attributes:
        numbers: fields that are summed.
        tables: fields that hold a table; its entries are summed.
    """

    def __init__(self, bolt: Bolt) -> None:
        self.bolt = bolt
        self._period: TimerPeriod = bolt.period if bolt.period in ("week", "month") else "day"
        shown: dict[str, Any] = {}
        for name, measure in bolt.measures.items():
            shown |= measure.save(name, measure.empty())
        visible = {name: value for name, value in shown.items() if not name.startswith("_")}
        self.numbers = tuple(name for name, value in visible.items() if isinstance(value, int))
        self.tables = tuple(name for name, value in visible.items() if isinstance(value, dict))

    def first(self, day: int) -> int:
        """Return the ordinal of the day under which the totals of a day are computed: the first one of its week or month."""
        return first_of(self._period, day)

    def last(self, first: int) -> int:
        """Return the last day of the period whose totals are computed under ``first``."""
        return last_of(self._period, first)

    def fields(self, sums: Sequence[float], tables: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Return a total's fields besides its key and ``final``, given the sums of ``numbers`` in order, and of ``tables``."""
        shown: dict[str, Any] = dict(zip(self.numbers, map(_whole, sums), strict=True))
        for name in self.tables:
            shown[name] = {
                entry: _whole(value) for entry, value in sorted(tables.get(name, {}).items(), key=_place)
            }
        if self.bolt.finish:
            shown |= self.bolt.finish(shown)
        return {**self.bolt.constants, **shown}


def rollups(bolts: Iterable[Bolt]) -> dict[str, Rollup]:
    """Return, by name, how the documents become totals of those bolts that have some."""
    return {bolt.name: Rollup(bolt) for bolt in bolts if bolt.totals}


def added(totals: dict[str, Counter[str]], tables: Mapping[str, Mapping[str, float]]) -> None:
    """Add a document's tables to ``totals``."""
    for name, entries in tables.items():
        totals.setdefault(name, Counter()).update(entries)


def _whole(value: float) -> float:
    """Return a sum as stores take it: an integer where it is whole and fits 64 bits, else a float.

    Money has two decimals. Its sums are off by what floats lack, far less than a cent; other fractions stay as they are.
    """
    cents = round(value, 2)
    if abs(value - cents) <= _NOISE * (1 + abs(value)):
        value = cents
    return int(value) if isfinite(value) and value == int(value) and abs(value) < 2**63 else float(value)


def _place(entry: tuple[str, float]) -> tuple[bool, int, str]:
    name = entry[0]
    return (False, int(name), "") if name.isdecimal() else (True, 0, name)
