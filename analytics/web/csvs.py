"""Every table as rows of texts and numbers, complete, one after the other, however many there are."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from analytics.web import shapes
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.views import OPTIONS, VIEWS, area_options, areas, economy, system
from analytics.web.views.accts import HEADINGS, LISTS, every_acct
from analytics.web.views.payment import every_payer

Given = Mapping[str, Sequence[str]]
Row = Sequence[Any]
Rows = Callable[[Data, Given], Iterator[Row]]
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


def _of_view(page: str, field: str, kind: type[msgspec.Struct]) -> Rows:
    def rows(data: Data, given: Given) -> Iterator[Row]:
        return structs(kind, getattr(VIEWS[page](data, given), field))

    return rows


def _triangle(data: Data, given: Given) -> Iterator[Row]:
    found: Any = VIEWS["retention"](data, given)
    yield ["day", "open_day", "size", "n", "count", "of", "rate", "final"]
    for cohort in found.cohorts:
        for cell in cohort.cells:
            yield [
                cohort.day,
                cohort.open_day,
                cohort.size,
                cell.n,
                cell.count,
                cell.size,
                cell.rate,
                cell.final,
            ]


def _ltv(data: Data, given: Given) -> Iterator[Row]:
    found: Any = VIEWS["payment"](data, given)
    yield ["day", "size", "n", "value", "final"]
    for cohort in found.ltv:
        for point in cohort.points:
            yield [cohort.day, cohort.size, point.n, point.value, cohort.final]


def _payers(data: Data, given: Given) -> Iterator[Row]:
    return structs(shapes.Acct, every_payer(data, data.place(Filters.parse(given))))


def _items(data: Data, given: Given) -> Iterator[Row]:
    return structs(shapes.Item, economy.items(Look(data, data.place(Filters.parse(given)))))


def _areas(data: Data, given: Given) -> Iterator[Row]:
    look = Look(data, data.place(Filters.parse(given, OPTIONS["areas"])))
    return structs(shapes.AreaRow, areas.every_row(look, *area_options(given)), ("dau_days", "revenue_days"))


def _accts(collection: str) -> Rows:
    def rows(data: Data, given: Given) -> Iterator[Row]:
        place = data.place(Filters.parse(given))
        yield HEADINGS
        yield from every_acct(data, place, collection)

    return rows


def _rejected(data: Data, given: Given) -> Iterator[Row]:
    Filters.parse(given)
    return structs(shapes.RejectedKind, system.rejected(data))


def _journals(data: Data, given: Given) -> Iterator[Row]:
    Filters.parse(given)
    return structs(shapes.JournalFile, system.journals(data.config.data))


CSVS: dict[tuple[str, str], Rows] = {
    ("overview", "days"): _of_view("overview", "days", shapes.Day),
    ("overview", "hours"): _of_view("overview", "hours", shapes.Hour),
    ("retention", "cohorts"): _triangle,
    ("retention", "average"): _of_view("retention", "average", shapes.Average),
    ("payment", "days"): _of_view("payment", "days", shapes.PayDay),
    ("payment", "top"): _payers,
    ("payment", "ltv"): _ltv,
    ("economy", "days"): _of_view("economy", "days", shapes.CoinsDay),
    ("economy", "hours"): _of_view("economy", "hours", shapes.CoinsHour),
    ("economy", "reasons"): _of_view("economy", "reasons", shapes.Reason),
    ("economy", "items"): _items,
    ("progress", "quests"): _of_view("progress", "quests", shapes.Quest),
    ("progress", "dungeons"): _of_view("progress", "dungeons", shapes.Dungeon),
    ("progress", "levels"): _of_view("progress", "levels", shapes.Level),
    ("areas", "areas"): _areas,
    ("system", "rejected"): _rejected,
    ("system", "journals"): _journals,
    **{("accts", name): _accts(listed.collection) for name, listed in LISTS.items()},
}
"""By page and table: the rows, headings first."""
