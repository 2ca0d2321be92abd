"""When areas opened."""

from datetime import date

from analytics.store.reading import Query
from analytics.web.look import Look
from analytics.web.place import date_of


def openings(look: Look) -> dict[str, date]:
    """Return the day of the earliest record of each area of the place that has one, in the area's own zone."""
    place = look.place
    zones = {area.id: area.zone for area in look.data.areas.values()}

    def read(first: date, last: date) -> dict[date, dict[str, date]]:
        found = {}
        for area in place.areas or ("",):
            query = Query("serverstarttime", place.game, place.plat, (area,) if area else ())
            for one in look.data.reader.find(query, ["area", "day"]):
                found[one["area"]] = date_of(zones.get(one["area"], place.local), one["day"])
        return {last: found}

    key = ("openings", place.game, place.plat, place.areas)
    values, at = look.data.kept.get(key, [place.today], place.today, read)
    look.at = min(look.at, at)
    found: dict[str, date] = values[place.today]
    return found


def opening(look: Look) -> date | None:
    """Return the day on which the one area opened, or the first area of the game; None for several, or none yet."""
    if look.place.basis == "sum":
        return None
    members = {area.id for area in look.place.members}
    return min((day for area, day in openings(look).items() if area in members), default=None)
