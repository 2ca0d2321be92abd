"""The views ``bi_<collection>``: documents as flat rows, which MongoDB makes when they are read. They store nothing."""

from collections.abc import Iterator
from typing import Any

from pymongo.database import Database

from analytics.bolts import BOLTS
from analytics.config import Catalogue
from analytics.errors import AnalyticsError
from analytics.export.columns import FURTHER, collections, source, totals
from analytics.export.pipelines import pipeline
from analytics.store.mongo import translated_errors
from analytics.store.store import TOTAL

PREFIX = "bi_"
MongoDatabase = Database[dict[str, Any]]


def names(bolts: Catalogue = BOLTS) -> dict[str, str]:
    """Return, by the view's name, the rows that it shows: those of a collection, or further ones of its documents."""
    further = (*FURTHER, *(f"{name}{TOTAL}" for name in FURTHER))
    return {f"{PREFIX}{rows}": rows for rows in (*collections(bolts), *totals(bolts), *further)}


def create_views(database: MongoDatabase, bolts: Catalogue = BOLTS) -> Iterator[str]:
    """Create the views that are missing and replace those that differ; yield the names of both.

    Raises:
        AnalyticsError: a collection has the name of a view, or the server or its user may not do it.
    """
    there, zones = _stored(database, bolts), zones_of(database)
    for name, rows in names(bolts).items():
        wanted = {"viewOn": source(rows), "pipeline": pipeline(rows, zones, bolts)}
        if (found := there.get(name)) == wanted:
            continue
        with translated_errors(name):
            if found is not None:  # collMod would need a right that the role readWrite lacks
                database.command("drop", name)
            database.command({"create": name, **wanted})
        yield name


def drop_views(database: MongoDatabase, bolts: Catalogue = BOLTS) -> Iterator[str]:
    """Remove the views; yield the names of those that were there."""
    for name in _stored(database, bolts):
        with translated_errors(name):
            database.command("drop", name)
        yield name


def zones_of(database: MongoDatabase) -> set[str]:
    """Return the time zones of all areas and games, and UTC."""
    with translated_errors("areas"):
        return {"UTC", *database.areas.distinct("zone"), *database.games.distinct("zone")}


def _stored(database: MongoDatabase, bolts: Catalogue) -> dict[str, dict[str, Any]]:
    """Return the views that are there, with what they show. Raise AnalyticsError where one is a collection."""
    with translated_errors(database.name):
        known = names(bolts)
        found = {one["name"]: one for one in database.list_collections() if one["name"] in known}
    if taken := [name for name, one in found.items() if one["type"] != "view"]:
        raise AnalyticsError(
            f"{database.name}.{taken[0]}: expected a view or nothing, found a collection. Rename or drop it"
        )
    return {
        name: {"viewOn": one["options"]["viewOn"], "pipeline": one["options"]["pipeline"]}
        for name, one in found.items()
    }
