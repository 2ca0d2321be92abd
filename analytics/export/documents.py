"""Documents as Parquet, by collection and month: ``documents/loginhour/month=2026-11/documents.parquet``.

The rows and columns are those of the views (``analytics.export.pipelines``); long lists are left out. Beside each file a note
says which versions of its documents it holds. A month of which nothing has changed since is not written again, so an export
that was killed goes on where it was.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from analytics.config import Catalogue
from analytics.export.columns import collections, has_ts, totals
from analytics.export.duck import quoted
from analytics.export.journals import Exported, write_parquet
from analytics.export.pipelines import Stage, documents, pipeline, types
from analytics.export.target import Target
from analytics.export.views import MongoDatabase, zones_of
from analytics.store import POSITIONS
from analytics.store.mongo import translated_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_MS = 600_000
BATCH = 2_000
FOR_EVER = 1 << 62
_encode = msgspec.json.Encoder(enc_hook=str).encode


@dataclass(frozen=True, slots=True)
class _ExportFile:
    """Documents that go into one file: those of a UTC month, or all where they have no time."""

    collection: str
    name: str
    where: Mapping[str, Any]
    begin: int = FOR_EVER


def export_documents(
    database: MongoDatabase, connection: "DuckDBPyConnection", target: Target, bolts: Catalogue
) -> Iterator[Exported]:
    """Write what documents say now where the target does not have it; yield each file once it is there."""
    for collection in (*collections(bolts), *totals(bolts)):
        with translated_errors(POSITIONS):
            dropped = database[POSITIONS].find_one({"_id": f"dropped:{collection}"}) or {}
        for part, versions in _parts(database, collection, bolts):
            note = part.name.replace("documents.parquet", "_note.json")
            exported = target.json(note)
            if exported == versions or (exported and part.begin < dropped.get("until", 0)):
                continue  # a month whose documents are being dropped stays as it was exported
            rows = _write(database, connection, part, target.work / "part.parquet", bolts)
            target.put(target.work / "part.parquet", part.name)
            target.put_json(versions, note)
            yield Exported(part.name, rows)


def _parts(
    database: MongoDatabase, collection: str, bolts: Catalogue
) -> Iterator[tuple[_ExportFile, dict[str, Any]]]:
    """Yield the parts of a collection, each with what tells that a document of it has changed."""
    month = {
        "$dateToString": {"date": {"$toDate": {"$multiply": [{"$toLong": "$ts"}, 1000]}}, "format": "%Y-%m"}
    }
    dated = has_ts(collection, bolts)
    found: Stage = {
        "_id": month if dated else None,
        "documents": {"$sum": 1},
        "versions": {"$sum": {"$toLong": "$_v"}},
        "updated": {"$max": "$updated"},
    }
    stages = [documents(collection), {"$group": found}, {"$sort": {"_id": 1}}]
    for one in _asked(database, collection, stages):
        # One that was removed, and another that came instead, leave both sums as they were.
        updated = one["updated"].isoformat() if one["updated"] else ""
        versions = {"documents": one["documents"], "versions": one["versions"], "updated": updated}
        if not dated:
            yield _ExportFile(collection, f"documents/{collection}/documents.parquet", {}), versions
            continue
        first = datetime.fromisoformat(f"{one['_id']}-01").replace(tzinfo=UTC)
        following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        begin, end = int(first.timestamp()), int(following.timestamp())
        name = f"documents/{collection}/month={one['_id']}/documents.parquet"
        yield _ExportFile(collection, name, {"ts": {"$gte": begin, "$lt": end}}, begin), versions


def _write(
    database: MongoDatabase, connection: "DuckDBPyConnection", part: _ExportFile, path: Path, bolts: Catalogue
) -> int:
    """Write the rows of a part's documents, sorted by id; return how many there are."""
    lines = path.with_name("rows.json")
    rows = 0
    with lines.open("wb") as file:
        stages = [{"$match": part.where}, *pipeline(part.collection, zones_of(database), bolts)]
        for row in _asked(database, part.collection, stages):
            file.write(_encode({name: _plain(value) for name, value in row.items()}) + b"\n")
            rows += 1
    columns = ", ".join(
        f"{quoted(name)}: {quoted(kind)}" for name, kind in types(part.collection, bolts).items()
    )
    read = f"read_json({quoted(str(lines))}, columns = {{{columns}}}, format = 'newline_delimited')"
    write_parquet(connection, f"SELECT * FROM {read} ORDER BY _id", path)
    lines.unlink()
    return rows


def _plain(value: Any) -> Any:
    return value.replace(tzinfo=None).isoformat(sep=" ") if isinstance(value, datetime) else value


def _asked(database: MongoDatabase, collection: str, stages: list[Stage]) -> Iterator[dict[str, Any]]:
    with translated_errors(collection):
        found = database[collection].aggregate(stages, batchSize=BATCH, maxTimeMS=MOST_MS, allowDiskUse=True)
        with closing(found):
            yield from found
