"""The properties of accts that segments are made of: a bolt for the segments that a configuration names.

Of each day it keeps, for each acct, the property that the acct's first record has which has one. Which value an acct has on
a day follows from the days up to it: see :mod:`analytics.runtime.timers.assigned`.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import EarliestBy, Table
from analytics.core.periods import Zone
from analytics.core.schema import GAMELOG
from analytics.core.segments import PROPERTIES, Segment, Segments
from analytics.core.tuples import LONGEST_NAME, UNDECODABLE, RecordId, Ts


class Property(msgspec.Struct, gc=False):
    """What a record says of one acct and segment. ``source``: where the segment's property is taken from."""

    segment: str
    source: str
    acct: str
    order: tuple[int, int, str]
    value: str


def _users(table: Table) -> dict[str, Any]:
    return {"users": len(table)}


ACCTS = EarliestBy("acct", "order", ("value",), list_field="_accts", show=_users)
"""By acct, the order and the property of the day's first record that has one."""


def acctsegment(segments: Segments, games: Mapping[str, str]) -> Bolt | None:
    """Return the bolt that reads what the segments of all games are made of; None where there are none.

    ``games``: by the id of an area its game.
    """
    by_code: dict[str, dict[str, list[Segment]]] = defaultdict(lambda: defaultdict(list))
    for game, some in segments.items():
        for segment in some:
            by_code[segment.op_code][game].append(segment)
    if not by_code:
        return None
    return Bolt(
        name=PROPERTIES,
        reads={f"{GAMELOG}{code}": _reads(of_games, games) for code, of_games in by_code.items()},
        by={"segment": "segment", "from": "source"},
        measures={"accts": ACCTS},
        publishes=True,
        lenient=True,
    )


def _reads(of_games: Mapping[str, Sequence[Segment]], games: Mapping[str, str]) -> Reads:
    """Return how the records of an op code are read: whatever a spout has accepted, some rows or none come of it."""
    names = sorted({segment.field for some in of_games.values() for segment in some})
    members = {name: f"property_{place}" for place, name in enumerate(names)}
    nothing = msgspec.Raw(b"")
    data = msgspec.defstruct(
        "_Properties",
        [(member, msgspec.Raw, nothing) for member in ("acct", *members.values())],
        rename={member: name for name, member in members.items()},
        gc=False,
    )
    record = msgspec.defstruct(
        "_Record",
        [
            ("area", str),
            ("ts", Ts),
            ("id", RecordId, ":0"),
            ("data", data, msgspec.field(default_factory=data)),
        ],
        gc=False,
    )
    by_area = {
        area: [(segment.name, segment.source, members[segment.field]) for segment in of_games.get(game, ())]
        for area, game in games.items()
    }
    return Reads(record, rows=_rows(by_area))


def _rows(by_area: Mapping[str, Sequence[tuple[str, str, str]]]) -> Callable[[Any, Zone], list[Property]]:
    """Return what takes a record apart. ``by_area``: names of segments, their sources, and the members that have the property."""

    def rows(record: Any, zone: Zone) -> list[Property]:
        found = [
            (name, source, value)
            for name, source, member in by_area[record.area]
            if (value := _text(getattr(record.data, member)))
        ]
        acct = _text(record.data.acct) if found else ""
        if not acct:
            return []
        log, _, n = record.id.rpartition(":")
        order = record.ts, int(n), log
        return [Property(name, source, acct, order, value) for name, source, value in found]

    return rows


def _text(raw: msgspec.Raw) -> str:
    """Return a text, or an integer as text, of bounded length; "" for anything else."""
    try:
        value = msgspec.json.decode(raw) if raw else None
    except UNDECODABLE:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value[:LONGEST_NAME] if isinstance(value, str) and "\0" not in value else ""
