"""The examples of docs/metrics.md, computed: what happens is read from its tables, and the real bolts say the rest.

A table whose first column is ``day`` tells a scope's days (for timer bolts), one whose first column is ``record`` tells
records (for bolts). A table whose first column is a bolt's name in backticks says what that bolt makes of the
table of what happened that was told last: one row a document, `-` where a field, or a whole document, is not there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import zip_longest
from pathlib import Path

import numpy as np
from reference_run import run
from worlds import EPOCH, FIRST_WEEK, World

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.exchange import Exchange
from analytics.core.periods import zone
from analytics.core.timer_sources import READ_FOR_STARTS
from analytics.timers import TIMERS, start
from analytics.timers.facts import Clock, DaySessions, Facts
from analytics.timers.funnel import funnel_of
from analytics.timers.sessions import LOGIN, UNKNOWN, sessions_of

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
ABSENT = "-"
VALUES = ["a", "b", "other", "unknown"]
FIRST = "first column"
SHANGHAI = "Asia/Shanghai"
OP_CODES = {
    "login": "login_logcount",
    "signup": "signup_logcount",
    "createrole": "createrole_logcount",
    "online": "online_logcount",
    "logout": "logout_logcount",
}


@dataclass
class Table:
    """A table of the page: the ``section`` it stands in, its column names, and its rows, all of them text."""

    section: str
    columns: list[str]
    rows: list[list[str]]

    @property
    def names(self) -> list[str]:
        """What the first column's head has in backticks."""
        return re.findall(r"`(\w+)`", self.columns[0])

    def records(self) -> Iterator[dict[str, str]]:
        """Yield the rows by column name."""
        for row in self.rows:
            assert len(row) == len(self.columns), f"{self.section}: {row}"
            yield dict(zip(self.columns, row, strict=True))


def tables() -> list[Table]:
    """Return the page's tables in order."""
    found: list[Table] = []
    section, inside = "", False
    for line in PAGE.splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif not inside:
            found.append(Table(section, cells, []))
            inside = True
        elif not set(line) <= set("|- "):
            found[-1].rows.append(cells)
    return found


@dataclass
class Example:
    """What happened, and a table of what the bolt of that name makes of it."""

    happened: Table
    said: Table
    bolt: str


def examples() -> list[Example]:
    """Return every example of the page."""
    found = []
    happened = None
    for table in tables():
        if table.columns[0] in ("day", "record"):
            happened = table
        elif table.names and table.columns[0] != "field":
            assert happened is not None, table
            found += [Example(happened, table, bolt) for bolt in table.names]
    return found


def said(example: Example) -> list[list[str]]:
    """Return the rows of an example as the suite computes them; what a cell says in other words, in its words."""
    return [
        [
            _cell(document, name, cell)
            for name, cell in zip_longest(_fields(example.said), row or [], fillvalue="")
        ]
        for row, document in zip_longest(example.said.rows, documents_of(example, mark=True))
    ]


def documents_of(example: Example, mark: bool = False) -> list[dict]:
    """Return the documents that an example's rows speak of, in their order, and then those that no row does.

    ``mark``: with the content of the row's first cell, as the page would write it.
    """
    of_days = example.happened.columns[0] == "day"
    of_records = _of_visits if example.bolt == "sessionday" else _of_records
    documents = list(_of_days(example)) if of_days else of_records(example)
    return [{name: value for name, value in one.items() if mark or name != FIRST} for one in documents]


def _fields(table: Table) -> list[str]:
    return [FIRST, *(name.strip("`") for name in table.columns[1:])]


def _of_days(example: Example) -> Iterator[dict]:
    """Yield, per row of ``example.said``, the timer bolt's document."""
    timer = funnel_of([FIRST_WEEK]) if example.bolt == "funnel" else TIMERS[example.bolt]
    for row in example.said.records():
        first = row[example.said.columns[0]]
        facts = _world(example.happened, row.get("area", "*")).facts()
        part = VALUES.index(row["value"]) if "value" in row else 0
        documents = {one.part: one for one in timer.documents(facts, [date.fromisoformat(first).toordinal()])}
        document = documents.get(part)
        fields = {} if document is None or document.empty else document.fields
        yield {FIRST: first, "area": row.get("area", ABSENT), "value": row.get("value", ABSENT)} | fields


def _of_visits(example: Example) -> list[dict]:
    """Return the documents of sessions, long after."""
    where, rows = _zone(example.happened), list(example.happened.records())
    names = sorted({row["acct"] for row in rows})
    accts = np.array([names.index(row["acct"]) for row in rows], np.uint32)
    times = np.array([_at(row["at"], where) for row in rows])
    said = {"login": LOGIN, "logout": UNKNOWN}
    seconds = np.array(
        [int(row["seconds"]) if row["seconds"] != ABSENT else said[row["record"]] for row in rows]
    )

    def sessions(day: int) -> DaySessions:
        first, second, third = (where.day_of(str(date.fromordinal(day + n))) for n in range(3))
        return sessions_of(accts, times, seconds, (first, second), third, over=True)

    facts = Facts(len(names), Clock(1_000_000, 1_000_000), sessions=sessions)
    found = []
    for first in (row[0] for row in example.said.rows):
        [one] = TIMERS[example.bolt].documents(facts, [date.fromisoformat(first).toordinal()])
        found.append({FIRST: first} | ({} if one.empty else one.fields))
    return found


def _world(happened: Table, area: str) -> World:
    """Return what happened in ``area``, or in all of them (`*`): a day of each is one day of the game."""
    told = [row for row in happened.records() if area in (row.get("area", "*"), "*")]
    world = World(begun=0, ended=0)
    today: dict[str | None, int] = {}
    for row in told:
        text, _, mark = row["day"].partition(" ")
        day = date.fromisoformat(text).toordinal()
        today[row.get("area")] = (
            max(day, today.get(row.get("area"), 0)) if mark else today.get(row.get("area"), 0)
        )
        signs_up, logs_in = _accts(row.get("signs up", ABSENT)), _accts(row.get("logs in", ABSENT))
        world.signs_up.setdefault(day, set()).update(signs_up)
        world.logs_in.setdefault(day, set()).update(logs_in)
        for clock, _, online in (one.partition(" ") for one in _listed(row.get("online", ABSENT))):
            hour, minute = map(int, clock.split(":"))
            at = (day - EPOCH) * 1440 + 60 * hour + minute
            world.online.setdefault(row.get("area", "*"), []).append((at, int(online)))
        for acct, step, clock in (re.split(" (.*) ", one) for one in _listed(row.get("reaches", ABSENT))):
            hour, minute = map(int, clock.split(":"))
            ts = (day - EPOCH) * 86_400 + 3600 * hour + 60 * minute
            world.reached.setdefault((step, day), []).append((acct, ts))
        for acct, _, amount in (one.partition(" ") for one in _listed(row.get("pays", ABSENT))):
            paid = world.pays.setdefault(day, {})
            paid[acct] = paid.get(acct, 0) + round(100 * float(amount))
        for acct, _, property_ in (one.partition(" ") for one in _listed(row.get("channel", ABSENT))):
            world.many = len(VALUES)
            world.values.setdefault(acct, (day, VALUES.index(property_ if property_ in VALUES else "other")))
        if signs_up | logs_in:
            world.start_day = min(day, world.start_day or day)
    world.begun, world.ended = max(today.values()), min(today.values()) - 1
    return world


def _accts(cell: str) -> set[str]:
    return set() if cell == ABSENT else set(cell.split())


def _listed(cell: str) -> list[str]:
    return [] if cell == ABSENT else cell.split(", ")


def _of_records(example: Example) -> list[dict]:
    """Return the bolt's documents in the order of their rows; where a row is of none, that is told."""
    where = _zone(example.happened)
    exchange = Exchange("game", "CNY", "CNY", {"USD": [("2024-01-01", "7.125")]})
    areas = Areas([Area("one", "game", "plat", where, exchange=exchange)])
    runner = run(
        BOLTS.values(), areas, [_record(row, n, where) for n, row in enumerate(example.happened.records())]
    )
    if example.bolt == start.NAME:
        documents = [_start(runner, where, row) for row in example.said.records()]
    else:
        documents = list(runner.documents(example.bolt).values())
        for document in documents:
            document[FIRST] = _written(document["ts"], where) if BOLTS[example.bolt].period else "-"
    return _in_order(example, documents)


def _in_order(example: Example, documents: list[dict]) -> list[dict]:
    """Return ``documents`` in the order in which the rows speak of them; those of which none does, last."""
    rows = example.said.rows
    fields = _fields(example.said)
    ordered = []
    for row in rows:
        alike = [
            [_cell(one, name, cell) == cell for name, cell in zip(fields, row, strict=True)]
            for one in documents
        ]
        # The first of those that most of the row's cells speak of: where the page is right, all of them.
        best = max(range(len(alike)), key=lambda n: sum(alike[n]), default=None)
        ordered.append(documents.pop(best) if best is not None else {})
    return ordered + documents


def _start(runner, where, row: dict[str, str]) -> dict:
    (now,) = [cell for name, cell in row.items() if start.NAME in name]
    first = [one["first_ts"] for name in READ_FOR_STARTS for one in runner.documents(name).values()]
    fields = start.fields(start.earliest(None, first), where, _at(now, where))
    return {FIRST: now, "ts": _written(fields["ts"], where), "day": _written(fields["day"], where)} | {
        "final": fields["final"]
    }


def _zone(happened: Table):
    (at,) = [name for name in happened.columns if name.startswith("at")]
    return zone(at[4:-1] if "(" in at else SHANGHAI)


def _at(text: str, where) -> int:
    """Return a local time, or with a `Z` one of UTC, as Unix seconds."""
    tz = UTC if text.endswith("Z") else where.local(0).tzinfo
    return int(datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=tz).timestamp())


def _written(ts: int, where) -> str:
    """Return how the page writes an instant: a local time, without the hour where a day begins."""
    if ts == where.start("day", ts):
        return where.local(ts).date().isoformat()
    return f"{where.local(ts):%Y-%m-%d %H:%M}"


def _record(row: dict[str, str], n: int, where) -> tuple[str, dict]:
    """Return the tuple that a row of a table of records stands for."""
    kind, *at = row.values()
    data = {name: _value(value) for name, value in row.items() if value != ABSENT}
    ts = _at(at[0], where)
    base = {"area": "one", "ts": ts, "id": f"page:{n + 1}"}
    if kind == "payment":
        users = dict(one.split(" ", 1) for one in _listed(row["users"]))
        return "payment", base | {"users": {acct: _paid(what) for acct, what in users.items()}}
    if kind == "syncuser":
        return "syncuser", base | {name: str(data[name]) for name in ("uid", "acctid")} | {
            "grade": data["grade"],
            "rest_yuanbao": data.get("rest_yuanbao", 0),
        }
    return f"gamelog.{OP_CODES.get(kind, kind)}", base | {"data": data}


def _paid(text: str) -> dict[str, object]:
    """Return what an answer says of an acct: "2 for 8.50 USD less 3"."""
    times, _, amounts = text.partition(" for ")
    amount, _, refunded = amounts.partition(" less ")
    number, _, currency = amount.partition(" ")
    more = {"refunded": float(refunded)} if refunded else {}
    return {"times": int(times), "amount": float(number), "currency": currency} | more


def _value(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _cell(document: dict, name: str, told: str) -> str:
    """Return a field as the page would write it; as ``told`` where that is another way of writing the same."""
    value: object = document
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return ABSENT
        value = value[part]
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return told if re.fullmatch(r"-?\d+(\.\d+)?", told) and float(told) == value else repr(value)
    if isinstance(value, list):
        return told if sorted(value) == sorted(_accts(told)) else " ".join(value)
    return str(value)
