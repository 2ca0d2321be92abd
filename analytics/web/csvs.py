"""Rows of texts and numbers as CSV, one after the other, however many there are."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

Row = Sequence[Any]
ROWS_A_PIECE = 500
"""Some 50 KB: a download of a million rows starts at once and takes no memory."""

SHEET = "sheet"
"""The parameter that asks for CSV as spreadsheets open it."""
BOM = "\ufeff"
_BEGINNING = "(?:[\t\r\n]|[\\s\0-\x1f\ufeff\u200b-\u200f\u2060]*[=+\\-@＝＋－＠])"
_FORMULA = re.compile(_BEGINNING)
_UNSAFE = re.compile(f'(?:\\A|[,"\n])(?:{_BEGINNING}|True|False)')
"""In a piece of CSV: a cell that may be a formula, or is a truth value. Other cells may look so, too."""

_SUSPICIOUS = (*"=+@", *map(chr, {*range(33)} - {10, 13}), ",-", '"-', "\n-", '"\n', '"\r', "True", "False")
"""ASCII without any of these has no such cell, but for its first one: each is found at the speed of memory."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NUMERIC = re.compile(r"[.,]?[0-9]", re.ASCII)
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
    remaining = iter(rows)
    while some := list(islice(remaining, ROWS_A_PIECE)):
        text = _written([map(_quoted, row) for row in some] if sheet else some)
        # One look at a piece costs a fraction of one at each cell, and most pieces need nothing.
        yield _written(map(_safe, row) for row in some) if not sheet and _may_be_unsafe(text) else text


def _may_be_unsafe(text: str) -> bool:
    plain = text.isascii() and text[:1] != "-" and not any(part in text for part in _SUSPICIOUS)
    return not plain and _UNSAFE.search(text) is not None


def _written(rows: Iterable[Iterable[Any]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


def _safe(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _quoted(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    number = isinstance(value, str) and _NUMERIC.match(value) and not _DAY.fullmatch(value)
    if not number or len(value) > _LONGEST_QUOTED:
        return _safe(value)
    text = value.replace('"', '""')
    return f'="{text}"'


def structs(
    kind: type[msgspec.Struct], rows: Iterable[msgspec.Struct], without: Sequence[str] = ()
) -> Iterator[Row]:
    """Yield the names of a Struct's fields, then each row's values."""
    names = [name for name in kind.__struct_fields__ if name not in without]
    yield names
    yield from map(attrgetter(*names), rows)
