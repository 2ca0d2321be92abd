"""Answers to questions in SQL over the journals."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics.config import Config, areas
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.export.duck import MEMORY_MB, connect
from analytics.export.files import SPOUTS, JournalFile, Spout, journal_files
from analytics.export.mapped import plain_files
from analytics.export.tables import DayRange, create, prepare

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS_AT_ONCE = 10_000
TRIES = 5
"""A journal that is gzipped or deleted between the listing and the reading makes one more necessary."""

AHEAD = timedelta(days=2)
"""A record's time lies a day ahead of when it was journaled at most, and no zone is a day away from UTC."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may take. ``threads`` 0: one for each processor."""

    memory_mb: int = MEMORY_MB
    threads: int = 0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The names of the columns, and the rows, some at a time."""

    columns: list[str]
    rows: Iterator[Sequence[tuple[Any, ...]]]


def files_of(config: Config, days: DayRange) -> dict[Spout, list[JournalFile]]:
    """Return the journals that may hold records of these days.

    Records come late, so no later journal can be left out; but none holds records of days that had not begun.
    """
    since = 0.0
    if days.since is not None:
        begin = datetime.combine(days.since, datetime.min.time(), UTC)
        since = (begin - AHEAD).timestamp()
    return {spout: journal_files(config, spout, since) for spout in SPOUTS}


@contextmanager
def answer(
    config: Config, sql: str, days: DayRange = DayRange(), limits: Limits = Limits()
) -> Iterator[QueryResult]:
    """Run one statement over the journals; rows come while it runs, where it lets them.

    Raises:
        AnalyticsError: the statement is wrong, is none that only reads, or DuckDB is not installed.
    """
    with (
        tempfile.TemporaryDirectory(prefix="analytics-query-") as spill,
        closing(connect(Path(spill), limits.memory_mb, limits.threads)) as connection,
    ):
        _refuse_writing(connection, sql)
        prepare(connection, areas(config), zone(config.timezone))
        yield _asked(connection, config, sql, days, Path(spill))


def _refuse_writing(connection: "DuckDBPyConnection", sql: str) -> None:
    import duckdb

    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise AnalyticsError(f"the query is wrong: {error}") from error
    allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 or statements[0].type not in allowed:
        kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise AnalyticsError(
            f"expected one SELECT, DESCRIBE or EXPLAIN, got {kinds}. Put the result into a file with --format csv > FILE"
        )


def _asked(
    connection: "DuckDBPyConnection", config: Config, sql: str, days: DayRange, folder: Path
) -> QueryResult:
    """Run the query over the journals that there are; again where one of them is gone by the time it is read.

    ``folder``: for copies of journals that a mapping reads.
    """
    import duckdb

    for left in reversed(range(TRIES)):
        files = files_of(config, days)
        files["gamelog"] = plain_files(config, files["gamelog"], folder / "plain")
        for spout in SPOUTS:
            connection.execute(f"DROP VIEW IF EXISTS {spout}; DROP VIEW IF EXISTS {spout}_lines")
        try:
            create(connection, files, days)
            connection.execute(sql)
            columns = [column[0] for column in connection.description or ()]
            first = connection.fetchmany(ROWS_AT_ONCE)
        except duckdb.Error as error:
            if left and any(not file.path.exists() for found in files.values() for file in found):
                continue
            raise AnalyticsError(f"the query failed: {error}") from error
        return QueryResult(columns, _rows(connection, first))
    raise AssertionError


def _rows(
    connection: "DuckDBPyConnection", first: Sequence[tuple[Any, ...]]
) -> Iterator[Sequence[tuple[Any, ...]]]:
    import duckdb

    rows = first
    while rows:
        yield rows
        try:
            rows = connection.fetchmany(ROWS_AT_ONCE)
        except duckdb.Error as error:
            raise AnalyticsError(f"the query failed after some rows: {error}. Ask again") from error


def step_back() -> None:
    """Let every process of the suite run first: this one only reads."""
    os.nice(10)
