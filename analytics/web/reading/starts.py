"""When areas opened."""

from datetime import date, timedelta

from analytics.store.reading import Query
from analytics.web.look import Look
from analytics.web.place import date_of


def openings(look: Look) -> dict[str, date]:
    """Return the day of the earliest record of each area of the place that has one, in the area's own zone."""
    place = look.place
    query = Query("serverstarttime", place.game, place.plat, place.named)
    zones = {area.id: area.zone for area in place.members}
    found = look.data.reader.find(query, ["area", "day"])
    return {one["area"]: date_of(zones[one["area"]], one["day"]) for one in found if one["area"] in zones}


def opening(look: Look) -> date | None:
    """Return the day on which the one area opened, or the first area of the game, plat or united area; None for several, or none yet."""
    place = look.place
    if not place.is_whole:
        return min(openings(look).values(), default=None) if place.basis == "area" else None
    query = Query("kpi_total", place.game, place.plat, scope=place.total)
    for one in look.data.reader.find(query, ["ts", "open_day"], by="ts", descending=True, limit=1):
        if one["open_day"] is not None:
            return date_of(place.local, one["ts"]) - timedelta(days=one["open_day"])
    return None
