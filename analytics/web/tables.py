"""Tables: which fields of which Struct they show. The Struct says what a field means, and how it is called and shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import msgspec

from analytics.web.answers import definition, heading
from analytics.web.rights import ACCT_FIELDS


@dataclass(frozen=True)
class Column:
    """A column: a field of the row, its heading in English, how its values are shown, and what they mean.

    Attributes:
        bar: "" or "first" or "second": draw a bar in that colour beside the value.
    """

    field: str
    label: str
    kind: str = "count"
    meaning: str = ""
    bar: str = ""

    @property
    def key(self) -> str:
        """The name by which the API sorts by it."""
        return "area" if self.field == "server_name" else self.field

    @property
    def is_text(self) -> bool:
        """Whether values are words, which stand at the left."""
        return self.kind in ("text", "day")


@dataclass(frozen=True)
class Table:
    """A table. ``name`` is its CSV's, too, and the answer's field with its rows; the first column names the row.

    Attributes:
        shown: the names of the fields that are columns, with blanks between. The Struct has their headings: see
            :func:`analytics.web.answers.means`.
        bars: the names of fields with a bar beside the value, in the first colour and the second.
        has_final: whether a last column says if a row is final.
        lists: the accts behind a column's numbers: its field, the name of the list's CSV, and what the list is called.
        accts: "all": each row is about one, so the page is about single accts; "some": a text may name one; "": as fields are called.
        rows: makes the rows of an answer that has no such field, and ``more`` are columns that the Struct does not have.
    """

    name: str
    title: str
    struct: type[msgspec.Struct]
    shown: str
    bars: str = ""
    has_final: bool = False
    lists: tuple[tuple[str, str, str], ...] = ()
    rows: Callable[[Any], Sequence[Any]] | None = None
    more: tuple[Column, ...] = ()
    accts: Literal["", "some", "all"] = ""

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        return (*map(self._column, self.fields), *self.more)

    @property
    def names_accts(self) -> bool:
        """Whether a row names an acct, or may."""
        return bool(self.accts) or not ACCT_FIELDS.isdisjoint(self.struct.__struct_fields__)

    @property
    def fields(self) -> list[str]:
        """The fields that are columns."""
        return self.shown.split()

    def only(self, *fields: str) -> "Table":
        """Return the same table with its first column and these."""
        shown = [one for one in self.fields if one in (self.fields[0], *fields)]
        return replace(
            self, shown=" ".join(shown), lists=tuple(one for one in self.lists if one[0] in fields)
        )

    def rows_of(self, answer: Any) -> Sequence[Any]:
        """Return the rows that an answer has for it."""
        found: Sequence[Any] = self.rows(answer) if self.rows else getattr(answer, self.name)
        return found

    def _column(self, field: str) -> Column:
        label, kind = heading(self.struct, field)
        bars = dict(zip(self.bars.split(), ("first", "second"), strict=False))
        return Column(field, label, kind, definition(self.struct, field), bars.get(field, ""))


ACCTS = (
    ("dau", "active", "DAU"),
    ("reg", "signups", "Sign-ups"),
    ("reg", "roles", "Role creators"),
    ("payers", "payers", "Payers"),
)
"""The lists of accts behind the numbers of a day."""
