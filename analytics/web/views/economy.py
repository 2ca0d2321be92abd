"""*Economy*: coins spent and gained, for what, and what the shop sells."""

from datetime import date

from analytics.core.rates import percent
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look, Sums
from analytics.web.place import ONE_DAY, Place, start_of
from analytics.web.shapes import CoinsDay, CoinsHour, Economy, Item, Reason
from analytics.web.views.hours import clock_hours

TOP = 50
COINS = ("amount", "count", "gain_amount", "gain_count", "users")
SOLD = ("amount", "num", "count", "users")
NO_COINS = (0,) * len(COINS)


def view(data: Data, filters: Filters) -> Economy:
    """Return the page's numbers."""
    look = Look(data, data.place(filters))
    by_day = look.sums("coinday", [], COINS)
    sold = items(look)
    return Economy(
        days=[_day(look.place, day, by_day.get(day, {})) for day in look.place.days()],
        hours=_hours(look),
        reasons=_reasons(look),
        items=sold[:TOP],
        item_count=len(sold),
        scope=look.place.scope(),
        at=look.at,
    )


def items(look: Look) -> list[Item]:
    """Return every item that was sold, what took in most first."""
    total = look.total(look.sums("shop", ["item"], SOLD))
    taken = sum(int(sums[0]) for sums in total.values())
    found = []
    for (item,), sums in total.items():
        amount, num, count, buyers = map(int, sums)
        found.append(Item(str(item), amount, num, count, buyers, percent(amount, taken)))
    return sorted(found, key=lambda one: (-one.amount, one.item))


def _day(place: Place, day: date, sums: Sums) -> CoinsDay:
    spent, spent_count, gained, gain_count, users = map(int, sums.get((), NO_COINS))
    start = start_of(place.local, day)
    return CoinsDay(str(day), start, spent, spent_count, gained, gain_count, users, place.ended(day))


def _hours(look: Look) -> list[CoinsHour]:
    by_day = look.hours("coinhour", ["amount", "gain_amount"])
    last = look.place.last

    def coins(day: date, hour: int | None) -> tuple[int | None, int | None]:
        if hour is None:
            return None, None
        spent, gained = by_day.get(day, {}).get((hour,), (0, 0))
        return int(spent), int(gained)

    return [
        CoinsHour(label, *coins(last, today), *coins(last - ONE_DAY, yesterday))
        for label, today, yesterday in clock_hours(look.place)
    ]


def _reasons(look: Look) -> list[Reason]:
    total = look.total(look.sums("cointype", ["reason"], COINS))
    spent = sum(int(sums[0]) for sums in total.values())
    found = []
    for (reason,), sums in total.items():
        out, out_count, gained, gain_count, users = map(int, sums)
        found.append(Reason(str(reason), out, out_count, gained, gain_count, users, percent(out, spent)))
    return sorted(found, key=lambda one: (-one.spent, -one.gained, one.reason))
