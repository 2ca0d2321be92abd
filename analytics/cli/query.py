"""``analytics query``: SQL over the journals, for questions that no document answers."""

import csv
from datetime import date, datetime
from itertools import islice
from typing import Any

import click
import msgspec
from rich.table import Table

from analytics.cli.choosing import DAY
from analytics.cli.console import UNCUT, console, text
from analytics.cli.streams import data_stream, until_reader_leaves
from analytics.config import Config
from analytics.export.duck import MEMORY_MB
from analytics.export.query import Limits, QueryResult, answer, step_back
from analytics.export.tables import DayRange

TABLE_ROWS = 100
_encoder = msgspec.json.Encoder(enc_hook=str)


@click.command()
@click.argument("sql")
@click.option("--from", "since", type=DAY, help="Only records of this day or later, in the area's zone.")
@click.option("--to", "until", type=DAY, help="Only records of this day or earlier.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@click.option(
    "--memory", type=click.IntRange(min=64), default=MEMORY_MB, show_default=True, help="MB for DuckDB."
)
@click.option("--threads", type=click.IntRange(min=0), default=0, help="0: one for each processor.")
@click.pass_obj
def query(
    config: Config,
    sql: str,
    since: datetime | None,
    until: datetime | None,
    form: str,
    memory: int,
    threads: int,
) -> None:
    """Answer one SELECT of DuckDB's SQL over the journals, whether the suite runs or not.

    The tables are gamelog, payment, syncuser (each record once), gamelog_lines, payment_lines, syncuser_lines (as the
    journals hold them, with repeats; quicker), and areas. `DESCRIBE gamelog` shows the columns. With --from only
    journals that can hold such records are read. Needs the extra `export`.
    """
    step_back()
    days = DayRange(since and since.date(), until and until.date())
    with until_reader_leaves(), answer(config, sql, days, Limits(memory, threads)) as found:
        _WRITERS[form](found)


def _write_table(found: QueryResult) -> None:
    rows = list(islice((row for rows in found.rows for row in rows), TABLE_ROWS + 1))
    table = Table()
    for place, name in enumerate(found.columns):
        numeric = all(isinstance(row[place], int | float | None) for row in rows)
        table.add_column(text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows[:TABLE_ROWS]:
        table.add_row(*[text(_shown(value)) for value in row])
    console(UNCUT).print(table)
    if len(rows) > TABLE_ROWS:
        click.echo(f"the first {TABLE_ROWS} rows; all with --format json or csv", err=True)


def _write_json(found: QueryResult) -> None:
    out = data_stream()
    for rows in found.rows:
        for row in rows:
            out.write(_encoder.encode(dict(zip(found.columns, row, strict=True))).decode() + "\n")


def _write_csv(found: QueryResult) -> None:
    writer = csv.writer(data_stream(), lineterminator="\n")
    writer.writerow(found.columns)
    for rows in found.rows:
        writer.writerows([_shown(value) for value in row] for row in rows)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float | date):
        return str(value)
    return _encoder.encode(value).decode().strip('"')


_WRITERS = {"table": _write_table, "json": _write_json, "csv": _write_csv}
