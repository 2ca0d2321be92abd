"""*Overview*: today and yesterday, a month of activity, and the hours of two days."""

from dataclasses import replace
from datetime import date

from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look, Sums
from analytics.web.place import ONE_DAY, Place, start_of
from analytics.web.shapes import Day, Hour, Overview, Tile, definition
from analytics.web.shapes.overview import TileName
from analytics.web.views.figures import NOTHING, Figures, figures
from analytics.web.views.hours import clock_hours
from analytics.web.views.numbers import change

TILES: tuple[tuple[TileName, str], ...] = (
    ("dau", "accts"),
    ("reg", "accts"),
    ("payers", "accts"),
    ("revenue", "currency units"),
    ("arpu", "currency units an acct"),
    ("arppu", "currency units an acct"),
)


def view(data: Data, filters: Filters) -> Overview:
    """Return the page's numbers."""
    place = data.place(filters)
    # The tiles compare with the two days before the last, whatever the first day is.
    wider = Look(data, replace(place, first=min(place.first, place.last - 2 * ONE_DAY)))
    by_day = figures(wider)
    new = _new_users(wider)
    days = [_day(place, day, by_day.get(day, NOTHING), new.get(day, 0)) for day in place.days()]
    hours = list(_hours(wider))
    return Overview(
        scope=place.scope(), at=wider.at, tiles=list(_tiles(place, by_day)), days=days, hours=hours
    )


def _new_users(look: Look) -> dict[date, int]:
    """Return who signed up and logged in, by day."""
    if look.place.basis != "sum":
        return {day: found["new_ac_user"] for day, found in look.own("activeday", ["new_ac_user"]).items()}
    return {day: int(sums[()][0]) for day, sums in look.sums("activeday", [], ["new_ac_user"]).items()}


def _day(place: Place, day: date, one: Figures, new: int) -> Day:
    return Day(
        str(day), start_of(place.local, day), one.dau, new, max(0, one.dau - new), one.wau, one.mau, one.stickiness,
        one.reg, one.payers, one.revenue, one.arpu, one.arppu, place.ended(day),
    )  # fmt: skip


def _tiles(place: Place, by_day: dict[date, Figures]) -> list[Tile]:
    days = [place.last - n * ONE_DAY for n in range(3)]
    tiles = []
    for name, unit in TILES:
        today, yesterday, before = (getattr(by_day.get(day, NOTHING), name) for day in days)
        tiles.append(
            Tile(
                name,
                unit,
                definition(Day, name),
                today,
                yesterday,
                change(today, yesterday),
                change(yesterday, before),
                place.ended(days[0]),
                place.ended(days[1]),
            )
        )
    return tiles


def _hours(look: Look) -> list[Hour]:
    logins = look.hours("loginhour", ["count"])
    signups = look.hours("signuphour", ["count"])
    return [
        Hour(
            label,
            _count(logins, look.place.last, today),
            _count(logins, look.place.last - ONE_DAY, yesterday),
            _count(signups, look.place.last, today),
            _count(signups, look.place.last - ONE_DAY, yesterday),
        )
        for label, today, yesterday in clock_hours(look.place)
    ]


def _count(days: dict[date, Sums], day: date, hour: int | None) -> int | None:
    return None if hour is None else int(days.get(day, {}).get((hour,), (0,))[0])
