"""The digest: yesterday's key figures of each game, beside the same weekday of the week before."""

from collections.abc import Iterator
from dataclasses import dataclass

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
    hour, minute = map(int, config.digest.at.split(":"))
    for game, of in config.games.items():
        there = zone(of.timezone or config.timezone)
        today = there.start("day", int(now))
        if now - today >= hour * 3600 + minute * 60:
            yield DigestDay(game, there, sign(of), there.day_after(today, -1))


def text(reader: Reader, day: DigestDay) -> str | None:
    """Return the digest; None while the day is not final."""
    of_day = _kpi(reader, day, day.start)
    if of_day is None or not of_day.get("final"):
        return None
    before = _kpi(reader, day, day.zone.day_after(day.start, -7)) or {}
    lines = [f"{day.game}, {day.zone.local(day.start):%Y-%m-%d}"]
    for field, name in FIELDS.items():
        sign = day.currency if field in ("revenue", "arpu", "arppu") else ""
        value, then = of_day.get(field) or 0, before.get(field)
        change = f" ({(value / then - 1) * 100:+.0f} % against a week before)" if then else ""
        lines.append(f"{name}: {sign}{value:,.2f}{change}" if sign else f"{name}: {value:,.10g}{change}")
    return "\n".join(lines)


def _kpi(reader: Reader, day: DigestDay, start: int) -> Document | None:
    query = Query(f"kpi{TOTAL}", day.game, scope="game", since=start, until=start + 1)
    return next(reader.find(query, [*FIELDS, "final"], limit=1), None)
