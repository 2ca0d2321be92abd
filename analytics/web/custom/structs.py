"""The Structs of a bolt's page, made from its declaration: rows, the answer, and what the page takes beside the filter."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from analytics.core.bolt import Bolt
from analytics.core.fields import BoltFields
from analytics.web.answers import Date, Final, PageAnswer, labelled, means
from analytics.web.comparing import COMPARE
from analytics.web.custom.bolt_reading import TOP
from analytics.web.filters import NAMES
from analytics.web.translation import msg

ROWS = 50
"""Documents of a page if nobody says otherwise."""

MOST_PAGES, MOST_ROWS = 100, 100
"""Of documents: the server reads those of earlier pages, too."""

ALL = "all"
"""The choice not to divide the chart."""

PARAMETERS = (*NAMES, COMPARE, "field", "split", "page", "size", "sheet", "lang")
COLUMNS = ("day", "time", "area", "plat", "final")
"""Names that a key or field can't have there: it gets "_" behind its own."""

Number = Annotated[float, labelled("", "number")]
Fields = Sequence[tuple[Any, ...]]
_LITERAL: Any = Literal
"""``Literal`` for choices that a declaration has."""


class BoltLine(msgspec.Struct, frozen=True):
    """A line of the chart: the chosen field by period."""

    name: Annotated[
        str | None, means('the key\'s value; "": everything; null: all values that have no line of their own')
    ]
    values: Annotated[
        list[float | None],
        means("one for each of `periods`; null: it can't be said, or the period has not begun"),
    ]


class BoltHour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the clock, of the last day of the scope and of the day before; null: has not begun."""

    hour: Annotated[str, means("The start of the hour, 00:00 to 23:00, in the time zone that the page names.", "Hour")]  # fmt: skip
    value_today: Annotated[int | None, labelled(msg("The day"))]
    value_yesterday: Annotated[int | None, labelled(msg("The day before"))]


class BoltAnswer(PageAnswer, frozen=True, kw_only=True):
    """What the pages of all bolts have in common. A bolt's own answer adds rows of its fields."""

    field: Annotated[str, means('the field of `lines` and `hours`; "" without any')]
    split: Annotated[str, means('the key by whose values `lines` is divided; "" by none')]
    lines: list[BoltLine]
    hours: Annotated[list[BoltHour], means("the chosen field by hour, if the bolt counts hours")]
    unsaid: Annotated[
        list[str],
        means(
            "fields that are null in `periods`: they count what is distinct in one document, or follow from such counts"
        ),
    ]
    too_wide: Annotated[
        bool,
        means(
            "whether nothing was added up, since the bolt has no totals and the areas and days are many; the CSVs have the sums"
        ),
    ]
    page: Annotated[int, means("this page of `documents`, from 1")]
    more: Annotated[bool, means("whether `documents` has a further page")]


class FieldNames:
    """Names for fields of documents as attributes and parameters, each its own and none of ``taken``."""

    def __init__(self, taken: Sequence[str], fields: Sequence[str]) -> None:
        self._of: dict[str, str] = {}
        used = {*taken}
        for field in fields:
            name = re.sub(r"\W", "_", field)
            name = name if name.isidentifier() else f"_{name}"
            while name in used:
                name += "_"
            used.add(name)
            self._of[field] = name

    def __getitem__(self, field: str) -> str:
        return self._of[field]

    def row(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by attribute."""
        return {name: values.get(field) for field, name in self._of.items()}


class BoltStructs:
    """The Structs of a bolt's page.

    Attributes:
        period: a row of numbers by period; ``key``: by key; ``cell``: by both; ``document``: one document.
        names: attributes of the bolt's keys and fields; ``parameters``: parameters that choose values of keys.
    """

    def __init__(self, bolt: Bolt) -> None:
        fields = self.fields = BoltFields(bolt)
        self.bolt = bolt
        self.names = FieldNames(COLUMNS, [*fields.keys, *fields.numbers, *fields.extremes, *fields.others])
        self.parameters = FieldNames(PARAMETERS, fields.keys)
        self._stem = re.sub(r"[^0-9A-Za-z]", "_", bolt.name)
        number = Number | None
        numbers = self._numbers()
        keys = self._typed(fields.keys, Annotated[str | int, labelled("", "text")])
        extremes = self._typed(fields.extremes, number)
        others = self._typed(fields.others, Annotated[Any, labelled("", "text")])
        day, times = self._times()
        area: Fields = [("area", Annotated[str, labelled("Area", "text")])]
        plat: Fields = [("plat", str)]
        said = [*keys, *numbers, *extremes, *others]
        self.period = self._struct("Period", "One period.", [*day, *numbers, ("final", Final)])
        self.key = self._struct("Key", "One key, over all days of the scope.", [*keys, *numbers])
        self.cell = self._struct("Cell", "One period and key.", [*day, *keys, *numbers])
        self.document = self._struct("Document", "One document.", [*times, *area, *plat, *said])
        self.shown = " ".join(name for name in self.document.__struct_fields__ if name != "plat")
        self.answer = self._answer()
        self.options = self._options()

    @property
    def has_keys(self) -> bool:
        """Whether there is a table by key."""
        return bool(self.bolt.period and self.fields.keys and self.fields.added)

    def _times(self) -> tuple[Fields, Fields]:
        """Return the columns of a period's first day, and those of a document's time."""
        period = self.bolt.period
        if period is None:
            return [], []
        label = {"week": msg("Week of"), "month": msg("Month of")}.get(period, "")
        day = [("day", Annotated[Date, labelled(label)] if label else Date)]
        time = [("time", Annotated[str, labelled("Hour", "text")])] if period == "hour" else []
        return day, [*day, *time]

    def _typed(self, fields: Sequence[str], kind: Any) -> Fields:
        return [(self.names[field], Annotated[kind, labelled(field)]) for field in fields]

    def _numbers(self) -> Fields:
        return [
            (self.names[field], Annotated[float | None, labelled(field, self.kind(field))])
            for field in self.fields.numbers
        ]

    def kind(self, field: str) -> str:
        """Return how pages show the values of a number."""
        return "percent" if field in self.bolt.percents else "number"

    def _answer(self) -> type[msgspec.Struct]:
        rows: list[Any] = [("documents", list[self.document], "those of this page, the newest first")]  # type: ignore[name-defined]
        if self.bolt.period:
            rows.append(("periods", list[self.period], "every period of the scope"))  # type: ignore[name-defined]
        if self.has_keys:
            says = f"the {TOP} keys with the most of the chosen field, or of the first that can be added up"
            rows.append(("keys", list[self.key], says))  # type: ignore[name-defined]
        fields = [(name, Annotated[kind, means(says)]) for name, kind, says in rows]
        return self._struct("Answer", f"The page of the bolt {self.bolt.name}.", fields, BoltAnswer)

    def _options(self) -> type[msgspec.Struct]:
        fields, literal = self.fields, _LITERAL
        found: list[tuple[Any, ...]] = []
        if self.bolt.period and fields.numbers:
            kind = literal[fields.numbers]
            first = (fields.added or fields.numbers)[0]
            found.append(("field", Annotated[kind, means("the field that the chart shows")], first))
            if fields.keys:
                kind = literal[(*fields.keys, ALL)]
                says = f'the key by whose values the chart is divided; "{ALL}": by none'
                found.append(("split", Annotated[kind, means(says)], fields.keys[0]))
        for key in fields.keys:
            found.append(
                (self.parameters[key], Annotated[str, means(f"only documents whose {key} is this")], "")
            )
        number = Meta(ge=1, le=MOST_PAGES, description="the page of the documents, from 1")
        found.append(("page", Annotated[int, number], 1))
        number = Meta(ge=1, le=MOST_ROWS, description=f"documents a page, up to {MOST_ROWS}")
        found.append(("size", Annotated[int, number], ROWS))
        return self._struct("Options", "What the page takes beside the filter.", found)

    def _struct(
        self, part: str, says: str, fields: Fields, base: type[msgspec.Struct] = msgspec.Struct
    ) -> type[msgspec.Struct]:
        return struct_of(f"{self._stem}_{part}", says, fields, base)


def struct_of(
    name: str, says: str, fields: Fields, base: type[msgspec.Struct] = msgspec.Struct
) -> type[msgspec.Struct]:
    """Return a Struct, by a name that no other page's has; ``says`` is its docstring."""
    return msgspec.defstruct(
        name, fields, bases=(base,), namespace={"__doc__": says}, module=__name__, frozen=True, kw_only=True
    )
