"""Rows of texts and numbers as CSV, one after the other, however many there are."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from types import NoneType
from typing import Any
from urllib.parse import urlencode

import msgspec

Row = Sequence[Any]
ROWS_A_PIECE = 500
"""Some 50 KB: a download of a million rows starts at once and takes no memory."""

SHEET = "sheet"
"""The parameter that asks for CSV as spreadsheets open it."""
BOM = "\ufeff"
_BEGINNING = "(?:[\t\r\n]|[\\s\0-\x1f\ufeff\u200b-\u200f\u2060]*[=+\\-@＝＋－＠])"
_FORMULA = re.compile(_BEGINNING)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NUMERIC = re.compile(r"[.,]?[0-9]", re.ASCII)
_TO_QUOTE = re.compile('[",\r\n]')
_NOTHING = '""'
"""A row of one empty cell: an empty line would be no row."""
_LONGEST_QUOTED = 255
"""Characters that a text within a spreadsheet's formula may have."""


def pieces(rows: Iterable[Row], sheet: bool = False) -> Iterator[str]:
    """Yield CSV. A text that a spreadsheet would take for a formula gets an apostrophe in front.

    Args:
        sheet: begin with a byte order mark, by which Excel knows UTF-8, and write texts that it would take for numbers, as
            ids are, so that they stay texts: ``="0012"``. Days stay days.
    """
    if sheet:
        yield BOM
    cell = _sheet_cell if sheet else _cell
    remaining = iter(rows)
    while some := list(islice(remaining, ROWS_A_PIECE)):
        # By columns, since most of them are numbers or repeat few texts.
        columns = [_column(values, cell) for values in zip(*some, strict=True)]
        yield "".join([f"{line or _NOTHING}\r\n" for line in map(",".join, zip(*columns, strict=True))])


def _column(values: Sequence[Any], cell: Callable[[Any], str]) -> Iterable[str]:
    """Return the cells of a column, quoted for CSV."""
    kinds = set(map(type, values))
    if kinds <= {int, float}:
        return map(str, values)
    if kinds == {str} and cell is _cell and "".join(values).isalnum():
        return values
    if kinds <= {str, NoneType} or kinds == {bool}:  # not both: 1 and True would be one text
        texts = {value: cell(value) for value in set(values)}
        return map(texts.__getitem__, values)
    return map(cell, values)


def _cell(value: Any) -> str:
    """Return a value quoted for CSV; a text that may be a formula gets an apostrophe."""
    if isinstance(value, str):
        if value.isalnum():
            return value
        return _quoted(f"'{value}" if _FORMULA.match(value) else value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return _cell(urlencode(value))  # a filter, as addresses have it
    return "" if value is None else _quoted(str(value))


def _sheet_cell(value: Any) -> str:
    """Return a value quoted for CSV; a text that a spreadsheet would take for a number becomes a formula of that text."""
    number = isinstance(value, str) and _NUMERIC.match(value) and not _DAY.fullmatch(value)
    if not number or len(value) > _LONGEST_QUOTED:
        return _cell(value)
    text = value.replace('"', '""')
    return _quoted(f'="{text}"')


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _TO_QUOTE.search(text) else text


def structs(
    kind: type[msgspec.Struct], rows: Iterable[msgspec.Struct], without: Sequence[str] = ()
) -> Iterator[Row]:
    """Yield the names of a Struct's fields, then each row's values."""
    names = [name for name in kind.__struct_fields__ if name not in without]
    yield names
    yield from map(attrgetter(*names), rows)
