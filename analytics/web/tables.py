"""The tables of all pages: which fields of which Struct they show, and how. What a field means is said by the Struct."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from analytics.web import shapes
from analytics.web.shapes import definition


@dataclass(frozen=True)
class Column:
    """A column: a field of the row, its heading in English, and how its values are shown.

    Attributes:
        bar: "" or "first" or "second": draw a bar in that colour beside the value.
    """

    field: str
    label: str
    kind: str = "count"
    bar: str = ""

    @property
    def key(self) -> str:
        """The name by which the API sorts by it."""
        return "area" if self.field == "server_name" else self.field

    @property
    def is_text(self) -> bool:
        """Whether values are words, which stand at the left."""
        return self.kind in ("text", "day")


@dataclass(frozen=True)
class Table:
    """A table. ``name`` is its CSV's, too; the first column names the row.

    Attributes:
        lists: who is behind a column's numbers: its field, the name of the list's CSV, and what the list is called.
    """

    name: str
    title: str
    struct: type[msgspec.Struct]
    columns: tuple[Column, ...]
    has_final: bool = False
    means: Mapping[str, str] = field(default_factory=dict)
    lists: tuple[tuple[str, str, str], ...] = ()

    def only(self, *fields: str) -> "Table":
        """Return the same table with its first column and these."""
        columns = (self.columns[0], *(one for one in self.columns if one.field in fields))
        return replace(self, columns=columns, lists=tuple(one for one in self.lists if one[0] in fields))

    def definition(self, column: Column) -> str:
        """Return what the column's numbers mean, in English; "" where its heading says all."""
        return self.means.get(column.field) or definition(self.struct, column.field)


DAY = Column("day", "Day", "day")
HOUR = Column("hour", "Hour", "text")

ACCTS = (
    ("dau", "active", "DAU"),
    ("reg", "signups", "Sign-ups"),
    ("reg", "roles", "Role creators"),
    ("payers", "payers", "Payers"),
)
"""Who is behind the numbers of a day."""

OVERVIEW_DAYS = Table(
    "days",
    "Days",
    shapes.Day,
    (
        DAY,
        Column("dau", "DAU"),
        Column("new_users", "New"),
        Column("old_users", "Old"),
        Column("reg", "Sign-ups"),
        Column("wau", "WAU"),
        Column("mau", "MAU"),
        Column("stickiness", "DAU ÷ MAU", "quotient"),
        Column("payers", "Payers"),
        Column("revenue", "Revenue", "money"),
        Column("arpu", "ARPU", "each"),
        Column("arppu", "ARPPU", "each"),
    ),
    has_final=True,
    lists=ACCTS,
)
OVERVIEW_HOURS = Table(
    "hours",
    "By hour",
    shapes.Hour,
    (
        HOUR,
        Column("logins_today", "Log-ins"),
        Column("logins_yesterday", "Log-ins, day before"),
        Column("signups_today", "Sign-ups"),
        Column("signups_yesterday", "Sign-ups, day before"),
    ),
)
PAY_DAYS = Table(
    "days",
    "Days",
    shapes.PayDay,
    (
        DAY,
        Column("revenue", "Revenue", "money"),
        Column("payers", "Payers"),
        Column("pay_rate", "Pay rate", "quotient"),
        Column("arpu", "ARPU", "each"),
        Column("arppu", "ARPPU", "each"),
        Column("dau", "DAU"),
        Column("reg", "Sign-ups"),
        Column("new_payers", "New payers"),
        Column("new_pay_rate", "New pay rate", "quotient"),
    ),
    has_final=True,
    lists=ACCTS,
)
TOP_ACCTS = Table(
    "top",
    "Who paid most",
    shapes.Acct,
    (
        Column("acct", "Acct", "text"),
        Column("area", "Area", "text"),
        Column("pay_amout", "Paid", "money", bar="first"),
        Column("pay_count", "Payments"),
        Column("pay_days", "Days with payments"),
        Column("first_pay", "First payment", "day"),
        Column("last_pay", "Last payment", "day"),
        Column("used_yuanbao", "Coins spent"),
        Column("rest_yuanbao", "Coins left"),
    ),
)
COIN_DAYS = Table(
    "days",
    "Days",
    shapes.CoinsDay,
    (
        DAY,
        Column("spent", "Spent"),
        Column("gained", "Gained"),
        Column("spent_count", "Times spent"),
        Column("gain_count", "Times gained"),
        Column("spenders", "Spenders"),
    ),
    has_final=True,
)
COIN_HOURS = Table(
    "hours",
    "By hour",
    shapes.CoinsHour,
    (
        HOUR,
        Column("spent_today", "Spent"),
        Column("spent_yesterday", "Spent, day before"),
        Column("gained_today", "Gained"),
        Column("gained_yesterday", "Gained, day before"),
    ),
)
REASONS = Table(
    "reasons",
    "Coins by reason",
    shapes.Reason,
    (
        Column("reason", "Reason", "text"),
        Column("spent", "Spent", bar="first"),
        Column("share", "Share", "percent"),
        Column("gained", "Gained", bar="second"),
        Column("spent_count", "Times spent"),
        Column("gain_count", "Times gained"),
        Column("spenders", "Spenders"),
    ),
)
ITEMS = Table(
    "items",
    "Best-selling items",
    shapes.Item,
    (
        Column("item", "Item", "text"),
        Column("amount", "Coins taken in", bar="first"),
        Column("share", "Share", "percent"),
        Column("num", "Pieces"),
        Column("count", "Purchases"),
        Column("buyers", "Buyers"),
    ),
)
QUESTS = Table(
    "quests",
    "Quests",
    shapes.Quest,
    (
        Column("task", "Quest", "text"),
        Column("accept_users", "Accepted", bar="first"),
        Column("finish_users", "Finished", bar="second"),
        Column("reach", "Reach", "percent"),
        Column("finish_rate", "Finish rate", "percent"),
        Column("unfinished", "Stopped in it"),
        Column("stopped", "Stopped after it"),
        Column("accept", "Times accepted"),
        Column("finish", "Times finished"),
    ),
)
DUNGEONS = Table(
    "dungeons",
    "Dungeons",
    shapes.Dungeon,
    (
        Column("fuben", "Dungeon", "text"),
        Column("enter", "Entered", bar="first"),
        Column("passed", "Passed"),
        Column("failed", "Failed"),
        Column("pass_rate", "Pass rate", "percent"),
        Column("users", "Accts"),
    ),
)
LEVELS = Table(
    "levels",
    "Levels",
    shapes.Level,
    (
        Column("grade", "Level", "text"),
        Column("roles", "Roles", bar="first"),
        Column("share", "Share", "percent"),
    ),
    means={"grade": "the level that a role had last on that day"},
)
AREA_COLUMNS = (
    Column("server_name", "Area", "text"),
    Column("plat", "Plat", "text"),
    Column("opened", "Opened", "day"),
    Column("open_day", "Open day"),
    Column("dau", "DAU"),
    Column("change", "Change", "change"),
    Column("reg", "Sign-ups"),
    Column("payers", "Payers"),
    Column("revenue", "Revenue", "money"),
    Column("arppu", "ARPPU", "each"),
)
AREAS = Table("areas", "Areas", shapes.AreaRow, AREA_COLUMNS)
AVERAGE = Table(
    "average",
    "Weighted average",
    shapes.Average,
    (
        Column("n", "Days after", "text"),
        Column("rate", "Rate", "percent"),
        Column("count", "Came back"),
        Column("size", "Accts"),
    ),
    means={"n": "days after the cohort's day, 1 to 30"},
)
LTV_DAYS = (0, 1, 3, 7, 14, 30, 60, 90)
LTV = Table(
    "ltv",
    "Lifetime value",
    shapes.LtvCohort,
    (
        Column("day", "Cohort", "day"),
        Column("size", "Accts"),
        *(Column(f"day{n}", f"LTV {n}", "each") for n in LTV_DAYS),
    ),
    has_final=True,
    means={f"day{n}": definition(shapes.LtvPoint, "value") for n in LTV_DAYS},
)
