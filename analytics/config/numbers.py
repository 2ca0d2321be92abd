"""Formulas over numbers of documents, ``[numbers.NAME]``: read, and checked against the collections that there are."""

import re
from collections.abc import Iterator, Mapping

from analytics.config.section import nearest
from analytics.config.sections import Config
from analytics.core.bolt import Bolt
from analytics.core.expressions import ExpressionError
from analytics.core.fields import BoltFields
from analytics.core.formula import Formula

EXAMPLE = 'for example "cointype.amount / kpi.dau"'
TAKEN = ("day", "final")
"""Columns of every table of numbers."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def number_faults(config: Config, bolts: Mapping[str, Bolt]) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``."""
    for name, number in config.numbers.items():
        key = f"numbers.{name}"
        if not _NAME.fullmatch(name) or name in TAKEN:
            yield f'{key}: expected a name of letters, digits and "_", other than {" and ".join(TAKEN)}, got "{name}"'
        if not slug(number.page):
            yield f'{key}.page: expected a title with letters or digits, for example "Numbers", got "{number.page}"'
        try:
            formula = Formula(number.value)
        except ExpressionError as error:
            yield f"{key}.value: column {error.column}: {error}; {EXAMPLE}"
            continue
        for operand in formula.names:
            if fault := _fault(operand, bolts):
                yield f"{key}.value: column {formula.column(operand)}: {fault}; {EXAMPLE}"


def slug(title: str) -> str:
    """Return what the address of a page makes of its title: ``Arena stats`` becomes ``arena-stats``."""
    return re.sub(r"[\W_]+", "-", title).strip("-").lower()


def _fault(name: str, bolts: Mapping[str, Bolt]) -> str:
    """Return why a number can't be read by day; "" if it can."""
    from analytics.timers import TIMERS  # with it comes numpy, which few commands need

    collection, field = name.split(".")
    if collection in TIMERS:
        period, numbers = TIMERS[collection].period, TIMERS[collection].numbers
        reason = ""
    elif collection in bolts:
        bolt, fields = bolts[collection], BoltFields(bolts[collection])
        period, numbers = bolt.period, fields.numbers  # type: ignore[assignment]
        reason = "" if field not in numbers else _uncountable(bolt, fields, field)
    else:
        return f"expected a collection, got {collection}; {nearest(collection, sorted([*bolts, *TIMERS]))}"
    if field not in numbers:
        return f"expected a number of {collection}, got {field}; {nearest(field, sorted(numbers))}"
    if period not in ("hour", "day"):
        return f"expected a collection with a document for each hour or day, got {collection}, which has none"
    return reason


def _uncountable(bolt: Bolt, fields: BoltFields, field: str) -> str:
    """Return why a day's documents of one area don't say a number: several of them count what is distinct in each."""
    added = fields.of_sums(dict.fromkeys(fields.added, 1))[field] is not None
    if added or (bolt.period == "day" and not bolt.by):
        return ""
    several = "hour" if bolt.period == "hour" else " and ".join(bolt.by)
    return (
        f"expected a number that can be added up over each {several}, got {field} of {bolt.name}, "
        "which is about what is distinct in one document"
    )
