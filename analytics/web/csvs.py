"""Rows of texts and numbers as CSV, one after the other, however many there are."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

Row = Sequence[Any]
ROWS_A_PIECE = 500
SHEET = "sheet"
"""The parameter that asks for CSV as spreadsheets open it."""
BOM = "\ufeff"
_FORMULA = re.compile("[\t\r\n]|[\\s\0-\x1f\ufeff\u200b-\u200f\u2060]*[=+\\-@＝＋－＠]")
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
    buffer = io.StringIO(BOM if sheet else "", newline="")
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer, lineterminator="\r\n")
    for number, row in enumerate(rows):
        writer.writerow([_quoted(value) if sheet else _safe(value) for value in row])
        if number % ROWS_A_PIECE == ROWS_A_PIECE - 1:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _safe(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _quoted(value: Any) -> Any:
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
    for row in rows:
        yield [getattr(row, name) for name in names]
