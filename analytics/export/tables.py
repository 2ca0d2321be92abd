"""The tables ``gamelog``, ``payment`` and ``syncuser`` over journals, as views of DuckDB.

A journal holds what was read, so a record that was read twice, after a crash or in a replay, has two lines with one ``id``.
Documents count it once, and so do the tables; ``gamelog_lines`` and its like show every line. A last line that is torn, and
what is no record, is in neither.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from analytics.core.areas import Areas
from analytics.core.periods import Zone
from analytics.export.calendar import macros
from analytics.export.duck import quoted
from analytics.export.files import JournalFile, Spout

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LONGEST_LINE = 32 << 20
"""Bytes; a snapshot of payments is cut into lines of about 4 MB."""

_PAID = "times BIGINT, amount DOUBLE, refunded DOUBLE, currency VARCHAR"
_COLUMNS: dict[Spout, dict[str, str]] = {
    "gamelog": {"op": "STRUCT(code VARCHAR)", "data": "JSON"},
    "payment": {
        "at": "BIGINT",
        "day": "VARCHAR",
        "users": f"MAP(VARCHAR, STRUCT({_PAID}, other_currencies STRUCT({_PAID})[]))",
    },
    "syncuser": {
        **dict.fromkeys(("uid", "acctid", "name", "left"), "VARCHAR"),
        **dict.fromkeys(("at", "grade", "rest_yuanbao", "birthday", "score", "login_time"), "BIGINT"),
    },
}
"""What is read of a line, besides ``id``, ``area`` and ``ts``."""

_SHOWN: dict[Spout, str] = {
    "gamelog": "op.code AS code, data->>'$.acct' AS acct, data",
    # SQL has other meanings for "at" and "left".
    "payment": '"at" AS asked, users',
    "syncuser": '"at" AS asked, uid, acctid, name, grade, rest_yuanbao, birthday, score, login_time, '
    '"left" AS left_acct',
}

_DAYS: dict[Spout, str] = {
    # A payment names its day, whatever zone its area has by now; those of earlier versions do not.
    "payment": "coalesce(TRY_CAST(line.day AS DATE), day_of(ts, zone_or_default(zone)))",
}
"""The day of a line, where that is not the day that ``ts`` lies in."""

_ROWS: dict[Spout, str] = {
    # An amount is of whole cents as the spout writes it.
    "payment": "* EXCLUDE (users, one, paid), one.key AS acct, paid.times AS times, "
    "CAST(round(paid.amount * 100) AS BIGINT) AS cents, "
    "CAST(round(coalesce(paid.refunded, 0) * 100) AS BIGINT) AS refunded_cents, paid.currency AS currency",
}
"""What a table's row says of a line, where that is not all of it."""


@dataclass(frozen=True, slots=True)
class DayRange:
    """From which day to which, both included, each in its area's zone; None: no bound."""

    since: date | None = None
    until: date | None = None

    def condition(self) -> str:
        """Return it as a condition of SQL on the column ``day``; empty where all days are meant."""
        bounds = ((">=", self.since), ("<=", self.until))
        return " AND ".join(f"day {sign} DATE '{bound}'" for sign, bound in bounds if bound is not None)


def prepare(connection: "DuckDBPyConnection", areas: Areas, default: Zone) -> None:
    """Create the table ``areas`` and what cuts days. ``default``: the zone of areas that no game claims any more."""
    for statement in macros([default, *(area.zone for area in areas.values())]):
        connection.execute(statement)
    connection.execute(
        "CREATE TABLE areas (area VARCHAR, game VARCHAR, plat VARCHAR, zone VARCHAR, server_name VARCHAR)"
    )
    rows = [[area.id, area.game, area.plat, area.zone.name, area.server_name] for area in areas.values()]
    if rows:
        connection.executemany("INSERT INTO areas VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute(f"CREATE MACRO zone_or_default(zone) AS coalesce(zone, {quoted(default.name)})")


def create(
    connection: "DuckDBPyConnection",
    files: Mapping[Spout, Sequence[JournalFile]],
    days: DayRange = DayRange(),
) -> None:
    """Create the views of these journals. A row is of a day that ``days`` names."""
    for spout, journals in files.items():
        shown = _ROWS.get(spout, "*")
        where = f" WHERE {condition}" if (condition := days.condition()) else ""
        for name, lines in ((f"{spout}_lines", _lines(spout, journals)), (spout, _once(spout, journals))):
            rows = f"SELECT {shown} FROM ({lines}){_unnested(spout)}{where}"
            connection.execute(f"CREATE VIEW {name} AS {rows}")


def _unnested(spout: Spout) -> str:
    if spout != "payment":
        return ""
    names = [one.split()[0] for one in _PAID.split(", ")]
    first = ", ".join(f"{name} := one.value.{name}" for name in names)
    return (
        ", unnest(map_entries(users)) AS of_acct(one)"
        f", unnest(list_concat([struct_pack({first})], one.value.other_currencies)) AS of_currency(paid)"
    )


def _once(spout: Spout, files: Iterable[JournalFile]) -> str:
    """Return the lines, of those with one ``id`` only the first that is found: they are equal."""
    names = [name.rpartition(" AS ")[2].strip('" ') for name in _SHOWN[spout].split(", ")]
    shown = ["source", "n", "game", "plat", "area", "ts", "hour", "day", *names]
    firsts = ", ".join(f'first("{name}") AS "{name}"' for name in shown)
    return f"SELECT id, {firsts} FROM ({_lines(spout, files)}) GROUP BY id"


def _lines(spout: Spout, files: Iterable[JournalFile]) -> str:
    # Lines that can't be read come as rows of nulls.
    return (
        "SELECT id, left(id, length(id) - length(split_part(id, ':', -1)) - 1) AS source, "
        "CAST(split_part(id, ':', -1) AS BIGINT) AS n, areas.game, areas.plat, line.area, ts, "
        "hour_of(ts, zone_or_default(zone)) AS hour, "
        f"{_DAYS.get(spout, 'day_of(ts, zone_or_default(zone))')} AS day, "
        f"{_SHOWN[spout]} FROM {_read(spout, files)} AS line LEFT JOIN areas ON areas.area = line.area "
        "WHERE id IS NOT NULL AND ts IS NOT NULL AND line.area IS NOT NULL"
    )


def _read(spout: Spout, files: Iterable[JournalFile]) -> str:
    columns = {"id": "VARCHAR", "area": "VARCHAR", "ts": "BIGINT"} | _COLUMNS[spout]
    types = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
    paths = ", ".join(quoted(str(file.path)) for file in files)
    if not paths:
        nulls = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items())
        return f"(SELECT {nulls} WHERE false)"
    return (
        f"read_json([{paths}], columns = {{{types}}}, format = 'newline_delimited', "
        f"ignore_errors = true, maximum_object_size = {LONGEST_LINE})"
    )
