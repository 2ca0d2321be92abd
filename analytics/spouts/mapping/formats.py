"""One line of a log becomes its fields: JSON, logfmt, CSV, or text that a pattern matches. Pure."""

import csv
import re
from collections.abc import Callable, Sequence

from analytics.config import Mapped
from analytics.core.schema import shown
from analytics.errors import RecordError
from analytics.spouts import normalizing
from analytics.spouts.normalizing import Record

Parse = Callable[[bytes, str], Record | None]
"""``parse(line, header)``: the fields of a line, None where it is no record and none was expected.

``header`` is the first line of the log, where that names the columns. Raises RecordError.
"""

PAIR = re.compile(r'([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|(\S*)))?')
_ESCAPE = re.compile(r"\\(.)")
_MEANT = {"n": "\n", "t": "\t", "r": "\r"}


def parser(section: Mapped) -> Parse:
    """Return how the lines of a source are taken apart."""
    if section.format == "json":
        return _json_behind if section.prefix else _json
    if section.format == "logfmt":
        return _logfmt
    if section.format == "csv":
        return _Csv(section.columns, section.separator)
    return _pattern(section)


def _json(line: bytes, header: str) -> Record:
    return normalizing.decode(line)


def _json_behind(line: bytes, header: str) -> Record:
    """Read the JSON object after any text."""
    begin = line.find(b"{")
    if begin < 0:
        raise RecordError(f"line: expected a JSON object after any text, got {shown(_text(line))}")
    return normalizing.decode(line[begin:])


def _logfmt(line: bytes, header: str) -> Record:
    found: Record = {}
    for pair in PAIR.finditer(_text(line)):
        name, quoted, bare = pair.groups()
        if quoted is not None:
            found[name] = _ESCAPE.sub(lambda escape: _MEANT.get(escape[1], escape[1]), quoted)
        elif bare is not None:
            found[name] = bare
    if not found:
        raise RecordError(
            f'line: expected pairs like key=value or key="some words", got {shown(_text(line))}'
        )
    return found


class _Csv:
    """``columns`` empty: the log's first line names them; else that line means nothing."""

    def __init__(self, columns: Sequence[str], separator: str) -> None:
        self._columns = list(columns)
        self._are_given = bool(columns)
        self._separator = separator
        self._header = ""

    def __call__(self, line: bytes, header: str) -> Record | None:
        text = _text(line)
        if header != self._header and not self._are_given:
            self._columns, self._header = cells_of(header, self._separator), header
        cells = cells_of(text, self._separator)
        if not self._columns:
            raise RecordError(
                "line: expected a header before it that names the columns, got none; name them in columns"
            )
        if cells == self._columns:
            return None  # the header
        if len(cells) != len(self._columns):
            listed = ", ".join(self._columns)
            raise RecordError(
                f"line: expected {len(self._columns)} columns ({listed}), got {len(cells)}: {shown(text)}"
            )
        return dict(zip(self._columns, cells, strict=True))


def cells_of(text: str, separator: str) -> list[str]:
    """Return the cells of a line of CSV. Raise RecordError if it is none."""
    try:
        rows = list(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error as error:
        raise RecordError(f"line: expected CSV, got {shown(text)} ({error})") from error
    return rows[0] if rows else []


def _pattern(section: Mapped) -> Parse:
    search = re.compile(section.pattern).search

    def parse(line: bytes, header: str) -> Record | None:
        text = _text(line)
        match = search(text)
        if match is not None:
            return {name: value for name, value in match.groupdict().items() if value is not None}
        if section.unmatched == "skip":
            return None
        raise RecordError(f"line: expected text that the source's pattern matches, got {shown(text)}")

    return parse


def _text(line: bytes) -> str:
    if b"\0" in line:
        raise RecordError(f"line: expected text without NUL bytes, got one at byte {line.index(0)}")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        found = line[error.start : error.start + 4]
        raise RecordError(f"line: expected UTF-8, got {found!r} at byte {error.start}") from error
