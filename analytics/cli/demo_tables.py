"""What the demo shows: tables of at most 100 columns, made of nothing but stored documents."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import RenderableType
from rich.table import Table

from analytics.cli.console import right
from analytics.core.areas import Areas
from analytics.core.funnels import STEPS
from analytics.core.periods import Zone
from analytics.core.rates import percent
from analytics.core.segments import PROPERTIES
from analytics.simulate.channels import GAMES, SEGMENT
from analytics.store import Document, Store
from analytics.store.store import DIVIDED, TOTAL
from analytics.timers import TIMERS

WIDTH = 100
EVERY = 5
RETENTION = (1, 2, 3, 7, 14, 30)
WORTH = (0, 1, 3, 7, 14, 30)
QUESTS = 24
DUNGEONS = 20
LEVELS = 5
BAR = 30
PART_BAR = 10


@dataclass(frozen=True)
class Numbers:
    """The store, read for tables. ``first`` and ``last`` are the game's first and last day so far."""

    store: Store
    areas: Areas
    zone: Zone
    first: date
    last: date

    @cached_property
    def games(self) -> list[str]:
        return sorted({area.game for area in self.areas.values()})

    def of_game(self, collection: str, game: str) -> dict[date, Document]:
        """Return a whole game's documents by day."""
        found = self.store.find(f"{collection}_total", game=game)
        return {self.zone.local(one["ts"]).date(): one for one in found if one["scope"] == "game"}

    def days(self) -> list[date]:
        """Return every fifth day, the last one among them."""
        count = (self.last - self.first).days
        return [self.first + timedelta(days=n) for n in range(count % EVERY, count + 1, EVERY)]

    def sums(self, collection: str, key: str, fields: Sequence[str]) -> dict[Any, Counter[str]]:
        """Return the sums of ``fields`` over all areas and days, by the value of ``key``."""
        result: dict[Any, Counter[str]] = defaultdict(Counter)
        for one in self.store.find(collection):
            result[one[key]].update({field: one[field] for field in fields})
        return result


def area_table(numbers: Numbers) -> RenderableType:
    """Return each area: when it started, and what has happened in it since."""
    names = ("sign-ups", "roles", "payments", "revenue")
    table = _table(("game", "server", "started"), names)
    sums = numbers.sums("server", "area", ("reg", "create_role", "pay_count", "pay_amout"))
    started = {one["area"]: one["ts"] for one in numbers.store.find("serverstarttime")}
    for id, ts in sorted(started.items(), key=lambda one: one[1]):
        area, total = numbers.areas[id], sums[id]
        counts = [f"{total[name]:,}" for name in ("reg", "create_role", "pay_count")]
        start = f"{area.zone.local(ts):%Y-%m-%d %H:%M}"
        table.add_row(area.game, area.name, start, *counts, f"{total['pay_amout']:,.2f}")
    return table


def activity_table(numbers: Numbers) -> RenderableType:
    """Return who was active in each game, every few days."""
    table = _table(("game", "day"), ("DAU", "WAU", "MAU", "DAU ÷ MAU", "new", "old", "old %"))
    for game in numbers.games:
        kpi, activity = numbers.of_game("kpi", game), numbers.of_game("activeday", game)
        for day in numbers.days():
            if day in kpi and day in activity:
                one, split = kpi[day], activity[day]
                table.add_row(
                    game, f"{day}", f"{one['dau']:,}", f"{one['wau']:,}", f"{one['mau']:,}",
                    f"{one['stickiness']:.2f}", f"{split['new_ac_user']:,}", f"{split['old_ac_user']:,}",
                    f"{split['old_ac_rate']:.0f}",
                )  # fmt: skip
        table.add_section()
    return table


def retention_table(numbers: Numbers) -> RenderableType:
    """Return who came back, by cohort: exactly on the n-th day after signing up."""

    def rate(document: Document, n: int) -> str:
        found = document["retention"].get(str(n))
        return f"{found['rate']:.1f}" if found else ""

    return _cohorts(numbers, "loginretention", RETENTION, rate)


def worth_table(numbers: Numbers) -> RenderableType:
    """Return what a player has brought in so far, by cohort."""

    def worth(document: Document, n: int) -> str:
        found = document["ltv"].get(str(n))  # a day that is not over says nothing yet
        return "" if found is None else f"{found:.2f}"

    return _cohorts(numbers, "ltv", WORTH, worth)


def _cohorts(
    numbers: Numbers, collection: str, columns: Sequence[int], cell: Callable[[Document, int], str]
) -> RenderableType:
    """Return a triangle: cohorts by days after, as far as the game has got."""
    table = _table(("game", "signed up on"), ("accts", *(f"day {n}" for n in columns)))
    for game in numbers.games:
        found = numbers.of_game(collection, game)
        for day in numbers.days():
            if day in found:
                cells = [
                    cell(found[day], n) if day + timedelta(days=n) <= numbers.last else "" for n in columns
                ]
                table.add_row(game, f"{day}", f"{found[day]['reg']:,}", *cells)
        table.add_section()
    return table


def economy_tables(numbers: Numbers) -> RenderableType:
    """Return where coins come from and go to, and what is bought."""
    coins = _table(("reason",), ("gained", "times", "spent", "times"))
    sums = numbers.sums("cointype", "reason", ("gain_amount", "gain_count", "amount", "count"))
    for reason, total in sorted(sums.items(), key=lambda one: -one[1]["gain_amount"] - one[1]["amount"]):
        counts = (total[name] for name in ("gain_amount", "gain_count", "amount", "count"))
        coins.add_row(reason, *(f"{count:,}" if count else "" for count in counts))
    items = _table(("item",), ("sold for", "purchases", "pieces"))
    sold = numbers.sums("shop", "item", ("amount", "count", "num"))
    for item, total in sorted(sold.items(), key=lambda one: -one[1]["amount"]):
        items.add_row(item, *(f"{total[name]:,}" for name in ("amount", "count", "num")))
    return Columns([coins, items], padding=(0, 3))


def progress_tables(numbers: Numbers) -> RenderableType:
    """Return the quest funnel and the dungeons' results."""
    quests = _table(("quest",), ("accepted", "finished", "%"))
    quests.add_column()
    funnel = sorted(numbers.sums("mainline", "task", ("accept", "finish")).items())[:QUESTS]
    most = max((total["accept"] for _, total in funnel), default=1)
    for task, total in funnel:
        accepted, finished = total["accept"], total["finish"]
        rate = f"{percent(finished, accepted):.0f}"
        quests.add_row(str(task), f"{accepted:,}", f"{finished:,}", rate, _bar(accepted, most, PART_BAR))
    dungeons = _table(("dungeon",), ("entered", "passed", "failed", "%"))
    results = numbers.sums("gamecopy", "fuben", ("enter", "pass", "fail"))
    for fuben, total in sorted(results.items(), key=lambda one: -one[1]["enter"])[:DUNGEONS]:
        counts = [f"{total[name]:,}" for name in ("enter", "pass", "fail")]
        dungeons.add_row(fuben, *counts, f"{percent(total['pass'], total['pass'] + total['fail']):.0f}")
    return Columns([quests, dungeons], padding=(0, 3))


def level_table(numbers: Numbers) -> RenderableType:
    """Return how many roles stand at which level: all of them, and those of the last day."""
    table = _table(("grades",), ("all roles", "synced on the last day"))
    table.add_column()
    roles = Counter(one["grade"] // LEVELS for one in numbers.store.find("usercenter"))
    synced: Counter[int] = Counter()
    for one in numbers.store.find("userlevel"):
        if numbers.zone.local(one["ts"]).date() == numbers.last:
            for grade, count in one["levels"].items():
                synced[int(grade) // LEVELS] += count
    most = max(roles.values(), default=1)
    for step in sorted(roles):
        grades = f"{max(1, step * LEVELS)} – {step * LEVELS + LEVELS - 1}"
        count = roles[step]
        table.add_row(
            grades, f"{count:,}", f"{synced[step]:,}" if synced[step] else "", _bar(count, most, BAR)
        )
    return table


def payment_table(numbers: Numbers) -> RenderableType:
    """Return who paid, and how much a head, every few days."""
    names = ("payers", "first-time", "revenue", "ARPU", "ARPPU", "pay rate", "new pay rate")
    table = _table(("game", "day"), names)
    for game in numbers.games:
        kpi, first = numbers.of_game("kpi", game), numbers.of_game("paytraceday", game)
        for day in numbers.days():
            if one := kpi.get(day):
                new = first[day]["pay_user"] if day in first else 0
                table.add_row(
                    game, f"{day}", f"{one['payers']:,}", f"{new:,}", f"{one['revenue']:,.2f}",
                    f"{one['arpu']:.2f}", f"{one['arppu']:.2f}", f"{100 * one['pay_rate']:.1f} %",
                    f"{100 * one['new_pay_rate']:.1f} %",
                )  # fmt: skip
        table.add_section()
    return table


def channel_table(numbers: Numbers) -> RenderableType:
    """Return what became of the players from each channel, in the games that are divided by it."""
    table = _table(("game", SEGMENT), ("sign-ups", *(f"day {n} %" for n in RETENTION), "revenue"))
    for game in sorted(GAMES & {*numbers.games}):
        sums: dict[str, Counter[str]] = defaultdict(Counter)
        for name in ("loginretention", "kpi"):
            for one in numbers.store.find(f"{name}{DIVIDED}{TOTAL}", game=game):
                if one["scope"] == "game" and one["segment"] == SEGMENT:
                    sums[one["value"]].update(
                        _of_cohort(one) if "retention" in one else {"revenue": one["revenue"]}
                    )
        for value, total in sorted(sums.items(), key=lambda one: -one[1]["reg"]):
            shares = [(total[f"back {n}"], total[f"cohort {n}"]) for n in RETENTION]
            cells = (f"{percent(back, cohort):.1f}" if cohort else "" for back, cohort in shares)
            table.add_row(game, value, f"{total['reg']:,}", *cells, f"{total['revenue']:,.2f}")
    return table


def _of_cohort(document: Document) -> dict[str, int]:
    """Return a cohort's accts, and for each n that has passed, these again and how many came back."""
    found = {"reg": document["reg"]}
    for n, one in document["retention"].items():
        found |= {f"cohort {n}": document["reg"], f"back {n}": one["count"]}
    return found


def funnel_table(numbers: Numbers) -> RenderableType:
    """Return the funnel of each game, all cohorts together."""
    table = _table(("game", "step"), ("accts", "% of sign-ups"))
    for game in numbers.games:
        found: Counter[tuple[str, str]] = Counter()
        documents = numbers.of_game("funnel", game).values()
        reg = sum(one["reg"] for one in documents)
        for one in documents:
            found.update({(key, step["step"]): step["count"] for key, step in one["steps"].items()})
        for (_, step), count in sorted(found.items()):
            table.add_row(game, step, f"{count:,}", f"{percent(count, reg):.1f}")
    return table


@dataclass(frozen=True)
class Chapter:
    """A table with a word on how to read it, and the collections that it is made of or that belong to its subject."""

    title: str
    text: str
    table: Callable[[Numbers], RenderableType]
    collections: tuple[str, ...]


CHAPTERS = (
    Chapter(
        "Areas", "the game servers, and all that has happened in each", area_table,
        (
            "serverstarttime", "server", "loginhour", "loginday", "signuphour", "signupday", "createrolehour",
            "createroleday", "areas_total",
        ),
    ),
    Chapter(
        "Activity", "accts that logged in on a day, and in the 7 and 30 days up to it; new: signed up that day",
        activity_table, ("kpi", "activeday", "activeweek", "activemonth", "lifecycle", "onlinehour", "onlineday", "sessionhour", "sessionday"),
    ),
    Chapter(
        "Retention", "% of a day's sign-ups that logged in on the n-th day after", retention_table,
        ("loginretention", "loginlong", "loginweek", "loginmonth"),
    ),
    Chapter(
        "Economy", "yuanbao by reason, and what it buys", economy_tables,
        ("cointype", "coinday", "coinhour", "shop"),
    ),
    Chapter(
        "Quests and dungeons", f"the first {QUESTS} quests, and how far players get; the most visited dungeons",
        progress_tables, ("mainline", "gamecopy"),
    ),
    Chapter("Levels", "roles by grade", level_table, ("usercenter", "userlevel")),
    Chapter(
        "Payments", "ARPU: revenue per active acct, ARPPU: per payer; new: of those who signed up that day",
        payment_table, ("paysummary", "payorderdetail", "revenueday", "paytraceday", "paylong", "payweek", "paymonth", "payers", "userpay"),
    ),
    Chapter(
        "Lifetime value", "what a day's sign-ups have paid through the n-th day after, per head", worth_table,
        ("ltv", "firstpay"),
    ),
    Chapter(
        "Funnel", "the accts that signed up, and those of them that reached each step within 7 days",
        funnel_table, (STEPS, "funnel"),
    ),
    Chapter(
        "Channels", "the accts of a game divided by where they signed up from; % of sign-ups that logged in on the n-th day after",
        channel_table, (PROPERTIES, *(f"{name}{DIVIDED}" for name, timer in TIMERS.items() if timer.of_segments)),
    ),
)  # fmt: skip
"""All tables, in the order in which they are shown; together they name every collection of the suite's own."""


def _table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    return Table(*texts, *right(*numbers), box=box.SIMPLE_HEAD, pad_edge=False)


def _bar(count: int, most: int, width: int) -> str:
    return "▇" * max(1, round(width * count / most)) if count else ""
