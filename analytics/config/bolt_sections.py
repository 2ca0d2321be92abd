"""The tables of a bolt in the configuration."""

from typing import ClassVar, Literal

from analytics.config.section import Section

FieldKind = Literal["text", "int", "number", "flag", "text?", "int?", "number?", "flag?"]
"""What a field of a record is; with ``?`` it may be missing or null."""


class CountSection(Section, frozen=True):
    """Counts the records for which ``where`` holds. ``on``: of these op codes alone."""

    where: str = ""
    on: str | list[str] = []


class ValueSection(Section, frozen=True):
    """Looks at the value of ``of``, a field or an expression, in the records for which ``where`` holds."""

    of: str
    where: str = ""
    on: str | list[str] = []


class MeasureSection(Section, frozen=True):
    """One measure: exactly one key, and ``per`` with ``latest``, ``values`` with ``tally``."""

    elsewhere: ClassVar = {
        "where": """put it inside the measure, as { sum = { of = "points", where = "result == 'win'" } }""",
        "of": 'put it inside the measure, as { sum = { of = "points" } }',
        "on": 'put it inside the measure, as { sum = { of = "points", on = "pvp_log" } }',
    }

    count: CountSection | None = None
    sum: str | ValueSection | None = None
    distinct: str | ValueSection | None = None
    min: str | ValueSection | None = None
    max: str | ValueSection | None = None
    latest: str | ValueSection | None = None
    per: str = ""
    tally: str | ValueSection | None = None
    values: list[str] = []


class BoltSection(Section, frozen=True):
    """A bolt: see docs/how-to/add-a-bolt.md. ``measures`` and ``derived``: by the field of the document.

    ``totals`` None: where a measure adds up over areas.
    """

    reads: str | list[str]
    measures: dict[str, str | MeasureSection]
    period: Literal["hour", "day", "week", "month"] = "day"
    by: list[str] = []
    fields: dict[str, FieldKind] = {}
    derived: dict[str, str] = {}
    totals: bool | None = None
