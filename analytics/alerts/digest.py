"""The digest: yesterday's key figures of each game, beside the same weekday of the week before, and a picture of the days before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.alerts.channels import Picture
from analytics.alerts.rules import WEEK_DAYS
from analytics.config import Config
from analytics.config.currencies import sign
from analytics.core.periods import Zone, zone
from analytics.store import Reader
from analytics.store.reading import Query
from analytics.store.store import TOTAL, Document

FIELDS = {
    "dau": "active accounts",
    "reg": "new accounts",
    "payers": "payers",
    "revenue": "revenue",
    "arpu": "ARPU",
    "arppu": "ARPPU",
}
MONEY = frozenset({"revenue", "arpu", "arppu"})
DRAWN = ("dau", "reg", "revenue")
"""The numbers that have a chart in the picture."""
SO_FAR = "so far"


@dataclass(frozen=True)
class DigestDay:
    """The day that the digest of a game is about."""

    game: str
    zone: Zone
    currency: str
    start: int


def due(config: Config, now: float) -> Iterator[DigestDay]:
    """Yield the days of which a digest may be sent now: yesterday of each game, once its hour has come."""
    if not config.digest.to:
        return
    for game, of in config.games.items():
        there = zone(of.timezone or config.timezone)
        today = there.start("day", int(now))
        # By the clock there: where it is changed today, as many hours have not passed since midnight.
        if f"{there.local(int(now)):%H:%M}" >= config.digest.at:
            yield DigestDay(game, there, sign(of), there.day_after(today, -1))


def days_before(reader: Reader, day: DigestDay, count: int) -> list[Document]:
    """Return the last ``count`` days, oldest first, the digest's own among them: fields, ``ts`` and ``final``; only ``ts`` of a day without a document.

    They are read at once, so that the text and the picture say the same.
    """
    starts = [day.zone.day_after(day.start, -n) for n in reversed(range(count))]
    query = Query(f"kpi{TOTAL}", day.game, scope="game", since=starts[0], until=day.start + 1)
    found = {one["ts"]: one for one in reader.find(query, [*FIELDS, "ts", "final"])}
    return [found.get(start, {"ts": start}) for start in starts]


def text(day: DigestDay, days: Sequence[Document]) -> str | None:
    """Return the digest; None while the day is not final. ``days``: of more than a week."""
    of_day, before = days[-1], days[-1 - WEEK_DAYS]
    if not of_day.get("final"):
        return None
    lines = [f"{day.game}, {_named(day, day.start)}"]
    for field, name in FIELDS.items():
        value, then = of_day.get(field) or 0, before.get(field)
        change = f" ({(value / then - 1) * 100:+.0f} % against a week before)" if then else ""
        lines.append(f"{name}: {_shown(day, field, value)}{change}")
    return "\n".join(lines)


def facts_of(day: DigestDay, days: Sequence[Document]) -> list[dict[str, Any]]:
    """Return the days of a digest for programs, with null where there is no document."""
    return [
        {"day": _named(day, one["ts"]), "final": bool(one.get("final"))}
        | {name: one.get(name) for name in DRAWN}
        for one in days
    ]


def picture(day: DigestDay, days: Sequence[Document], font: str = "") -> Picture:
    """Return the picture of these days, and its texts.

    Args:
        font: a font file of the configuration.
    """
    from analytics.alerts.fonts import Fonts  # with them comes Pillow, which only a digest needs
    from analytics.alerts.picture import Bar, BarChart, draw

    newest = days[-1]
    charts = []
    for field in DRAWN:
        dates = [day.zone.local(one["ts"]).date() for one in days]
        bars = [Bar(at, one.get(field), bool(one.get("final"))) for at, one in zip(dates, days, strict=True)]
        shown = _shown(day, field, newest.get(field) or 0)
        charts.append(BarChart(FIELDS[field].capitalize(), shown, bars, whole=field not in MONEY))
    span = f"{_named(day, days[0]['ts'])} to {_named(day, newest['ts'])}"
    names = ", ".join(FIELDS[field] for field in DRAWN[:-1]) + f" and {FIELDS[DRAWN[-1]]}"
    alt = f"Charts of {names} of {day.game}, {span}. On the last day: " + ", ".join(
        f"{FIELDS[field]} {_shown(day, field, newest.get(field) or 0)}" for field in DRAWN
    )
    return Picture(draw(f"{day.game}, {span}", charts, Fonts(font)), alt, _table(day, days))


def _table(day: DigestDay, days: Sequence[Document]) -> str:
    """Return what the picture shows, for those who see no pictures: newest day first."""
    rows = [["", *(FIELDS[field] for field in DRAWN), ""]]
    for one in reversed(days):
        cells = [_shown(day, field, one[field]) if one.get(field) is not None else "-" for field in DRAWN]
        is_open = len(one) > 1 and not one.get("final")
        rows.append([_named(day, one["ts"]), *cells, SO_FAR if is_open else ""])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:-1], widths[1:-1]), row[-1]]).rstrip()
        for row in rows
    )


def _named(day: DigestDay, start: int) -> str:
    return f"{day.zone.local(start):%Y-%m-%d}"


def _shown(day: DigestDay, field: str, value: float) -> str:
    sign = day.currency if field in MONEY else ""
    return f"{sign}{value:,.2f}" if sign else f"{value:,.10g}"
