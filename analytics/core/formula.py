"""Formulas over numbers of documents, as the configuration has them: ``percent(pvp.wins, pvp.fights)``. Pure."""

import ast
import re
from collections.abc import Mapping
from math import isfinite

from analytics.core.expressions import ExpressionError, Parsed, derived_of, parse

PERCENT = "percent"


def is_percent(parsed: Parsed) -> bool:
    return isinstance(parsed.tree, ast.Call) and ast.unparse(parsed.tree.func) == PERCENT


class Formula:
    """An expression of which every name is ``COLLECTION.FIELD``.

    Attributes:
        names: what it needs to know, in order.
        is_percent: whether its value is in percent.
    """

    def __init__(self, text: str) -> None:
        """Raise ExpressionError if ``text`` is no formula."""
        parsed = parse(text, frozenset({PERCENT}), dotted=True)
        kind = parsed.kind(dict.fromkeys(parsed.names, "number"))
        if kind not in ("int", "number"):
            raise ExpressionError(1, "expected a number, got a text or a condition")
        if not parsed.names:
            raise ExpressionError(1, "expected at least one COLLECTION.FIELD, got none")
        self.text = text
        self.names = tuple(parsed.names)
        self.is_percent = is_percent(parsed)
        self._compiled = derived_of(parsed, {PERCENT: _percent})

    def value(self, numbers: Mapping[str, float | None]) -> float | None:
        """Return the formula's value, four decimals, given that of each name.

        It has none (None) where a number is None, a divisor is 0, or the result is not finite.
        """
        found = self._compiled(numbers)
        if found is None or not isfinite(found):
            return None
        rounded = round(found, 2 if self.is_percent else 4)
        return int(rounded) if rounded == int(rounded) else rounded

    def column(self, name: str) -> int:
        """Return where a name stands first, counted from 1."""
        found = re.search(rf"\b{re.escape(name)}\b", self.text)
        return found.start() + 1 if found else 1


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole
