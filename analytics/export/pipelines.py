"""Aggregations that turn a collection's documents into flat rows whose columns have one type each. Pure.

MongoDB runs them, as views or for an export.
"""

from collections.abc import Iterable
from typing import Any

from analytics.bolts import BOLTS
from analytics.config import Catalogue
from analytics.export.columns import Kind, columns, has_ts, ids, unfolded
from analytics.store.store import TOTAL
from analytics.timers.start import NAME as START

Stage = dict[str, Any]
NO_AREA = "*"
"""Before every area's id. The parts of long lists have no area."""

_MILLISECONDS = 1_000
_CENTS = 100


def documents(collection: str) -> Stage:
    """Return the stage that finds a collection's documents, but no parts of lists."""
    return {"$match": {"scope": {"$gt": ""}} if collection.endswith(TOTAL) else {"area": {"$gt": NO_AREA}}}


def pipeline(collection: str, zones: Iterable[str], bolts: Catalogue = BOLTS) -> list[Stage]:
    """Return the stages that make rows of a collection's documents.

    Args:
        zones: the names of all time zones there are: not every server takes one from a field.
        bolts: those of the configuration.
    """
    shown: Stage = {"_id": 1, **dict.fromkeys(ids(collection), 1)}
    if collection.endswith(TOTAL):
        shown["plat"] = {"$ifNull": ["$plat", None]}  # a total of a game has none
    stages = [documents(collection)]
    if has_ts(collection, bolts):
        # As it is stored, a search by it finds the collection's index.
        shown |= {
            "ts": 1,
            "date": _date("ts"),
            "day": {"$ifNull": ["$day", None]},
            "zone": {"$ifNull": ["$zone", None]},
        }
        if collection == START:  # its own ``day`` is a number
            shown["day"] = _day(zones)
    for name, kind in columns(collection, bolts).items():
        shown |= _column(name, kind, f"${name}")
    if pairs := unfolded(collection):
        stages += [{"$set": {"pair": {"$objectToArray": f"${pairs.field}"}}}, {"$unwind": "$pair"}]
        shown["_id"] = {"$concat": ["$_id", ":", "$pair.k"]}
        shown[pairs.key] = _as("long", "$pair.k") if pairs.of == "integer" else "$pair.k"
        for field, (name, kind) in pairs.values.items():
            shown |= _column(name, kind, f"$pair.v.{field}" if field else "$pair.v")
        for field, (name, kind) in pairs.beside.items():
            shown |= _column(name, kind, _of_pair(field))
    return [*stages, {"$project": shown}]


def types(collection: str, bolts: Catalogue = BOLTS) -> dict[str, str]:
    """Return the columns of :func:`pipeline` in their order, with the types of SQL that hold them."""
    found = dict.fromkeys(("_id", *ids(collection)), "VARCHAR")
    if has_ts(collection, bolts):
        found |= {"ts": "BIGINT", "date": "TIMESTAMP", "day": "DATE", "zone": "VARCHAR"}
    for name, kind in columns(collection, bolts).items():
        found |= _types(name, kind)
    if pairs := unfolded(collection):
        found[pairs.key] = "BIGINT" if pairs.of == "integer" else "VARCHAR"
        for name, kind in (*pairs.values.values(), *pairs.beside.values()):
            found |= _types(name, kind)
    return found


def _day(zones: Iterable[str]) -> Stage:
    """Return the local date of ``ts``; null where the zone is none of ``zones``."""
    local = {"date": _date("ts"), "format": "%Y-%m-%d"}
    branches = [
        {"case": {"$eq": ["$zone", zone]}, "then": {"$dateToString": {**local, "timezone": zone}}}
        for zone in sorted(zones)
    ]
    return {"$switch": {"branches": branches, "default": None}}


def _of_pair(field: str) -> Stage:
    """Return what another field maps the key of a pair to. Servers before MongoDB 7.2 take no expression as a field's name."""
    same = {"$filter": {"input": {"$objectToArray": f"${field}"}, "cond": {"$eq": ["$$this.k", "$pair.k"]}}}
    return {"$arrayElemAt": [{"$map": {"input": same, "in": "$$this.v"}}, 0]}


def _column(name: str, kind: Kind, value: Any) -> Stage:
    if kind == "time":
        return {name: _as("long", value), f"{name}_date": _date(value.removeprefix("$"))}
    if kind == "money":
        cents = {"$round": [{"$multiply": [value, _CENTS]}, 0]}
        return {name: _as("double", value), f"{name}_cents": _as("long", cents)}
    if kind in ("text", "flag"):
        return {name: {"$ifNull": [value, None]}}
    return {name: _as("long" if kind == "integer" else "double", value)}


def _date(name: str) -> Stage:
    return _as("date", {"$multiply": [_as("long", f"${name}"), _MILLISECONDS]})


def _as(kind: str, value: Any) -> Stage:
    """Return a conversion. A sum past 64 bits stays the double that it is stored as."""
    return {"$convert": {"input": value, "to": kind, "onNull": None, "onError": value}}


def _types(name: str, kind: Kind) -> dict[str, str]:
    if kind == "money":
        return {name: "DOUBLE", f"{name}_cents": "BIGINT"}
    if kind == "time":
        return {name: "BIGINT", f"{name}_date": "TIMESTAMP"}
    return {name: {"text": "VARCHAR", "flag": "BOOLEAN", "integer": "BIGINT", "double": "DOUBLE"}[kind]}
