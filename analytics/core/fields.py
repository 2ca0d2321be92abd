"""What the documents of a bolt say, and what of it may be added up, according to its declaration. Pure."""

from collections.abc import Mapping
from typing import Any

from analytics.core.bolt import Bolt
from analytics.core.measures import Extreme

NumberValues = Mapping[str, float | None]
"""Field to value; None: it can't be said."""


class BoltFields:
    """The fields of a bolt's documents, without lists and tables.

    Attributes:
        keys: what tells documents of one area and period apart.
        numbers: numbers, first those of measures, which are 0 where they are missing, then derived ones.
        extremes: greatest and least values, which may be missing; ``others``: whatever else documents show, as texts.
        added: the numbers that may be added up over documents.
        derived: the numbers that ``finish`` computes from others; they may be missing, as where a divisor is 0.
    """

    def __init__(self, bolt: Bolt) -> None:
        measured = {
            name for field, measure in bolt.measures.items() for name in measure.save(field, measure.empty())
        }
        visible = bolt.visible
        self._finish = bolt.finish
        self._shown = {name: value for name, value in visible.items() if name in measured}
        numbers = [name for name, value in self._shown.items() if isinstance(value, int | float)]
        self.extremes = tuple(name for name, one in bolt.measures.items() if isinstance(one, Extreme))
        self._base: dict[str, float] = {
            name: 1009 + 10 * n for n, name in enumerate((*numbers, *self.extremes))
        }
        derived = self._derived(self._base)
        self.derived = tuple(name for name in visible if isinstance(derived.get(name), int | float))
        self.keys = tuple(bolt.by)
        self.numbers = (*numbers, *self.derived)
        self.others = tuple(
            name for name, value in visible.items()
            if name not in self.numbers and (value is None or isinstance(value, str))
        )  # fmt: skip
        self.added = tuple(name for name in numbers if name in bolt.added)
        self._needs = {name: self._needed(name) for name in self.derived}

    def of_sums(self, sums: Mapping[str, float]) -> NumberValues:
        """Return all numbers, given the sums of those that can be had: derived ones, too, if all that they need is there."""
        shown: dict[str, float | None] = dict.fromkeys(self.numbers)
        shown |= {name: whole(value) for name, value in sums.items()}
        there = [name for name in self.derived if self._needs[name] <= sums.keys()]
        if there:
            known = {name: value for name, value in shown.items() if value is not None}
            derived = self._derived(known)
            shown |= {name: derived[name] for name in there}
        return shown

    def _needed(self, derived: str) -> frozenset[str]:
        """Return the measured numbers that a derived one changes with."""
        value = self._derived(self._base)[derived]
        return frozenset(
            name
            for name in self._base
            if any(self._derived({**self._base, name: other})[derived] != value for other in _OTHERS)
        )

    def _derived(self, numbers: Mapping[str, float]) -> dict[str, Any]:
        return self._finish({**self._shown, **numbers}) if self._finish else {}


_OTHERS = (0, 3, 500_009)
"""Values by which it shows whether something depends on a number."""


def whole(value: float) -> float:
    """Return a sum without the noise of binary fractions, an integer where it is whole."""
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded
