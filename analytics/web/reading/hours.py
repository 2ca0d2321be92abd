"""The hours of two days beside each other, by what a clock on the wall shows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from analytics.web.look import Look
from analytics.web.place import ONE_DAY, Place, start_of
from analytics.web.reading.arithmetic import change


def hours_of_two_days(look: Look, collection: str, fields: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield for each hour of the clock its ``hour``, and ``NAME_today`` and ``NAME_yesterday`` for each field: NAME to its field.

    They are None where an hour has not begun.
    """
    by_hour = look.hours(collection, list(fields.values()))
    for label, *starts in clock_hours(look.place):
        row: dict[str, Any] = {"hour": label}
        for when, start in zip(("today", "yesterday"), starts, strict=True):
            sums = by_hour.get((start,), (0,) * len(fields))
            row |= {
                f"{name}_{when}": None if start is None else int(sum_)
                for name, sum_ in zip(fields, sums, strict=True)
            }
        yield row


def change_until_now(hours: Iterable[tuple[int | None, int | None]]) -> float | None:
    """Return by how many percent the hours of a day that have ended exceed the same hours of the day before.

    Args:
        hours: of each hour of the clock a number of the day and one of the day before; None where it has not begun. The last one of the day
            that has begun goes on.

    Returns:
        None if no hour has ended, or nothing was counted in those of the day before.
    """
    begun = [(today, before or 0) for today, before in hours if today is not None]
    today, before = (sum(numbers) for numbers in zip(*begun[:-1], strict=True)) if len(begun) > 1 else (0, 0)
    return change(today, before)


def clock_hours(place: Place) -> Iterator[tuple[str, int | None, int | None]]:
    """Yield each hour as the clock shows it, and its start on the last day and on the one before (None: there is none).

    Hours that have not begun are none. Where clocks are put back an hour comes twice.
    """
    today, yesterday = _hours(place, place.last), _hours(place, place.last - ONE_DAY)
    for label, times in sorted({*today, *yesterday}):
        yield label, today.get((label, times)), yesterday.get((label, times))


def _hours(place: Place, day: date) -> dict[tuple[str, int], int]:
    """Return, by what the clock shows and how often it has shown it before, the hours of ``day`` that have begun."""
    hour, end = start_of(place.local, day), start_of(place.local, day + ONE_DAY)
    shown: Counter[str] = Counter()
    found = {}
    while hour < end and hour <= place.now:
        label = f"{place.local.local(hour):%H:%M}"
        found[label, shown[label]] = hour
        shown[label] += 1
        hour = place.local.next("hour", hour)
    return found
