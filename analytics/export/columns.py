"""What each collection's documents say, as columns that each have one type. Pure.

A document writes a number as what it is: money as an integer where it is whole, else as a double; a count in 32 bits where
it fits. Other tools want one type for each column, so a column is converted to that of its kind.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from analytics.bolts import BOLTS
from analytics.config import Catalogue
from analytics.core.bolt import Bolt
from analytics.core.fields import BoltFields
from analytics.core.latest import Latest
from analytics.core.measures import Extreme
from analytics.core.segments import PROPERTIES
from analytics.store.store import DIVIDED, TOTAL, is_divided
from analytics.timers import TIMERS
from analytics.timers.start import NAME as START

Kind = Literal["text", "integer", "double", "money", "flag", "time"]
"""``money``: currency units as a double, and exactly as integer cents in ``<column>_cents``. ``time``: Unix seconds, and as a
date in ``<column>_date``."""

Columns = Mapping[str, Kind]

DOUBLES = {"acu", "arpu", "arppu", "playtime", "stickiness"}
MONEY = {"pay_amout", "gross", "refunds", "net", "revenue"}
TIMES = {"pcu_ts", "first_pay", "last_pay", "first_ts", "login_time", "birthday"}
TEXTS_OF_ROLES = {"name", "acctid"}

_OF_TIMERS = {
    "kpi": "dau wau mau stickiness payers revenue pay_rate arpu arppu reg new_payers new_pay_rate open_day",
    "onlineday": "acu pcu pcu_ts minutes",
    "sessionday": "sessions accts open seconds playtime median_minutes ended_by_login ended_by_limit",
    "payers": "payers non_payers minnows dolphins whales revenue minnow_revenue dolphin_revenue whale_revenue "
    "top1_revenue top5_revenue top10_revenue top1_rate top5_rate top10_rate repeat_rate churn_rate repeat_payers before lost_payers",
    "firstpay": "reg median_days",
    START: "",
}
"""The fields of timer bolts in the order of their columns, where that is not the order of their numbers."""


class Unfolded(msgspec.Struct, frozen=True):
    """A field that maps numbers, or names, to values: of each pair there is a row.

    ``key``: the column of the number, whose kind is ``of``. ``values``: columns, by the field of the value; of a plain value by "".
    ``beside``: columns, by further fields that map the same numbers or names to plain values.
    """

    field: str
    key: str
    values: dict[str, tuple[str, Kind]]
    of: Kind = "integer"
    beside: dict[str, tuple[str, Kind]] = {}


_COUNT_AND_RATE: dict[str, tuple[str, Kind]] = {"count": ("count", "integer"), "rate": ("rate", "double")}
_ROLLING: dict[str, tuple[str, Kind]] = {
    "rolling": ("rolling", "integer"),
    "rolling_rate": ("rolling_rate", "double"),
}
UNFOLDED: Mapping[str, Unfolded] = {
    "loginretention": Unfolded("retention", "n", _COUNT_AND_RATE | _ROLLING),
    "paytraceday": Unfolded("retention", "n", _COUNT_AND_RATE | _ROLLING),
    **dict.fromkeys(
        ("loginlong", "loginweek", "loginmonth", "paylong", "payweek", "paymonth"),
        Unfolded("retention", "n", _COUNT_AND_RATE),
    ),
    "firstpay": Unfolded("paid", "n", _COUNT_AND_RATE),
    "funnel": Unfolded(
        "steps",
        "funnel",
        {"step": ("step", "text"), **_COUNT_AND_RATE, "median_seconds": ("median_seconds", "integer")},
        "text",
    ),
    "ltv": Unfolded("ltv", "n", {"": ("ltv", "double")}),
    "onlineday": Unfolded("hours", "hour", {"acu": ("hour_acu", "double"), "pcu": ("hour_pcu", "integer")}),
    "sessionday": Unfolded("lengths", "minutes", {"": ("ended", "integer")}),
    "revenueday_currency": Unfolded(
        "gross_in",
        "currency",
        {"": ("gross", "money")},
        "text",
        {"refunds_in": ("refunds", "money"), "net_in": ("net", "money"), "converted": ("converted", "money")},
    ),
    "userlevel": Unfolded("levels", "level", {"": ("roles", "integer")}),
}
"""Of these collections a document becomes several rows."""

FURTHER: Mapping[str, str] = {"revenueday_currency": "revenueday"}
"""Rows of another kind that the documents of a collection make, too, and that collection; ``TOTAL`` may follow."""


def _of_timers(bolts: Catalogue) -> list[str]:
    """Return the collections of the timer bolts; with segments also those of their values."""
    ends = ("", DIVIDED) if PROPERTIES in bolts else ("",)
    return [f"{name}{end}" for end in ends for name, timer in TIMERS.items() if timer.of_segments or not end]


def collections(bolts: Catalogue) -> tuple[str, ...]:
    """Return the collections of areas."""
    return (*bolts, *_of_timers(bolts), START)


def totals(bolts: Catalogue) -> tuple[str, ...]:
    """Return the collections of plats and games."""
    return tuple(
        f"{name}{TOTAL}"
        for name in (*(bolt.name for bolt in bolts.values() if bolt.totals), *_of_timers(bolts))
    )


def ids(collection: str) -> tuple[str, ...]:
    """Return the columns that say where a document's numbers come from."""
    of_value = ("segment", "value") if is_divided(collection) else ()
    return (
        *(("scope", "game", "plat") if collection.endswith(TOTAL) else ("game", "plat", "area")),
        *of_value,
    )


def source(rows: str) -> str:
    """Return the collection whose documents make some rows: that of their name, unless they are ``FURTHER`` ones."""
    name = rows.removesuffix(TOTAL)
    return f"{FURTHER[name]}{rows.removeprefix(name)}" if name in FURTHER else rows


def unfolded(collection: str) -> Unfolded | None:
    """Return what makes several rows of a document; None where it is one row."""
    return UNFOLDED.get(collection.removesuffix(TOTAL).removesuffix(DIVIDED))


def columns(collection: str, bolts: Catalogue = BOLTS) -> Columns:
    """Return what a document of the collection says besides its ids, ``ts`` and lists."""
    if collection.endswith(TOTAL):
        of_area = columns(collection.removesuffix(TOTAL), bolts)
        return {name: kind for name, kind in of_area.items() if name != "first_ts"} | {"final": "flag"}
    if collection in FURTHER:
        return {}
    if (timer := collection.removesuffix(DIVIDED)) in (*TIMERS, START):
        names = _OF_TIMERS[timer].split() if timer in _OF_TIMERS else TIMERS[timer].numbers
        return {name: _kind(name) for name in names} | {"final": "flag"}
    return _of_bolt(BOLTS[collection]) if collection in BOLTS else _of_own(bolts[collection])


def has_ts(collection: str, bolts: Catalogue = BOLTS) -> bool:
    """Return whether the documents have a time."""
    return collection not in bolts or bolts[collection].period is not None or collection == "usercenter"


def _of_bolt(bolt: Bolt) -> Columns:
    found: dict[str, Kind] = {name: _kind_of_key(bolt, of) for name, of in bolt.by.items()}
    found |= dict.fromkeys(bolt.constants, "text")
    for name, measure in bolt.measures.items():
        if isinstance(measure, Extreme):
            found[name] = _kind(name)
    for name, value in bolt.show([measure.empty() for measure in bolt.measures.values()]).items():
        if not name.startswith("_") and name != "ts" and not isinstance(value, dict):
            found[name] = "text" if name in TEXTS_OF_ROLES else _kind(name, value)
    return found


def _of_own(bolt: Bolt) -> Columns:
    """Return the columns of a bolt of the configuration, whose names mean nothing here."""
    fields = BoltFields(bolt)
    found: dict[str, Kind] = {name: _kind_of_key(bolt, of) for name, of in bolt.by.items()}
    found |= dict.fromkeys([*bolt.constants, *fields.others], "text")
    found |= {
        name: one.kind
        for name, one in bolt.measures.items()
        if name in fields.others and isinstance(one, Latest)
    }
    shown = bolt.show([measure.empty() for measure in bolt.measures.values()])
    for name in fields.numbers:
        found[name] = "integer" if isinstance(shown[name], int) and name not in fields.derived else "double"
    return found | dict.fromkeys(fields.extremes, "integer")


def _kind(name: str, empty: Any = 0) -> Kind:
    if name in TIMES:
        return "time"
    if name in MONEY or name.endswith("_revenue"):
        return "money"
    if isinstance(empty, str):
        return "text"
    return "double" if name in DOUBLES or name.endswith("_rate") or isinstance(empty, float) else "integer"


def _kind_of_key(bolt: Bolt, of: Any) -> Kind:
    """Return the kind of what an attribute path leads to in the bolt's tuples; a text where it is unknown."""
    for reads in bolt.reads.values():
        found: Any = msgspec.inspect.type_info(reads.tuple_type)
        for name in of.split(".") if isinstance(of, str) else ():
            fields = getattr(found, "fields", ())
            found = next((field.type for field in fields if field.name == name), None)
        while isinstance(found, msgspec.inspect.Metadata):
            found = found.type
        if isinstance(found, msgspec.inspect.IntType):
            return "integer"
    return "text"
