"""Journals as Parquet, by day and area: ``journals/gamelog/day=2026-11-28/area=…/20261128.parquet``.

Journals that were begun on one day are one unit, and of each day and area that they concern there is a file with the
unit's name: late records are in files of later units. A unit whose files are complete has a note, ``_units/20261128.json``
beside the days, which names the journals and how long they were. Nothing is done again for a unit while its note holds; so an
export that was killed goes on where it was.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics.config import Config, areas
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.export.duck import quoted
from analytics.export.files import SPOUTS, JournalFile, Spout, journal_files
from analytics.export.mapped import plain_files
from analytics.export.tables import create, prepare
from analytics.export.target import Target

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DATE_LETTERS = len("20261128")
ROW_GROUP = 100_000
"""Rows; DuckDB holds one group in memory for each file that it writes."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written. ``skipped``: why a unit was left as it is, if it was."""

    name: str
    rows: int = 0
    skipped: str = ""


def export_journals(config: Config, connection: "DuckDBPyConnection", target: Target) -> Iterator[Exported]:
    """Write what the journals hold that the target does not; yield each file once it is there."""
    prepare(connection, areas(config), zone(config.timezone))
    for spout in SPOUTS:
        found = journal_files(config, spout)
        for unit, journals in groupby(found, key=lambda file: file.begun[:DATE_LETTERS]):
            yield from _export_unit(config, connection, target, spout, unit, list(journals))


def _export_unit(
    config: Config,
    connection: "DuckDBPyConnection",
    target: Target,
    spout: Spout,
    unit: str,
    journals: list[JournalFile],
) -> Iterator[Exported]:
    note_name = f"journals/{spout}/_units/{unit}.json"
    note: dict[str, Any] = target.json(note_name) or {"journals": {}, "files": []}
    sizes = {file.stem: file.size for file in journals}
    if sizes.items() <= note["journals"].items():
        return
    if gone := sorted(note["journals"].keys() - sizes.keys()):
        # Only all journals of a unit give its files again.
        yield Exported(
            note_name,
            skipped=f"{gone[0]} was exported and is gone, while others of that day have grown. Put it back into the data folder",
        )
        return
    plain = target.work / "plain"
    _load(connection, spout, plain_files(config, journals, plain) if spout == "gamelog" else journals)
    shutil.rmtree(plain, ignore_errors=True)
    written = []
    found = connection.execute("SELECT day, area, count(*) FROM unit GROUP BY ALL ORDER BY ALL").fetchall()
    for day, area, rows in found:
        name = f"journals/{spout}/day={day}/area={area}/{unit}.parquet"
        of_file = f"SELECT * EXCLUDE (day, area) FROM unit WHERE day = DATE '{day}' AND area = {quoted(area)}"
        write_parquet(connection, of_file, target.work / "part.parquet")
        target.put(target.work / "part.parquet", name)
        written.append(name)
        yield Exported(name, rows)
    for name in sorted(set(note["files"]) - set(written)):
        target.remove(name)
    target.put_json({"journals": sizes, "files": written}, note_name)


def _load(connection: "DuckDBPyConnection", spout: Spout, journals: list[JournalFile]) -> None:
    """Read journals into the table ``unit``: each record once, in an order that is always the same."""
    import duckdb

    connection.execute(
        f"DROP TABLE IF EXISTS unit; DROP VIEW IF EXISTS {spout}; DROP VIEW IF EXISTS {spout}_lines"
    )
    order = "day, area, ts, source, n" + (", acct" if spout == "payment" else "")
    try:
        create(connection, {spout: journals})
        connection.execute(f"CREATE TEMP TABLE unit AS SELECT * FROM {spout} ORDER BY {order}")
    except duckdb.Error as error:
        named = ", ".join(file.path.name for file in journals[:3])
        raise AnalyticsError(
            f"journals could not be read ({named} …): {error}. If one was gzipped or deleted meanwhile, call this again"
        ) from error


def write_parquet(connection: "DuckDBPyConnection", sql: str, path: Path) -> None:
    """Write the rows of a SELECT, in their order, to a file of this machine."""
    connection.execute(
        f"COPY ({sql}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )
