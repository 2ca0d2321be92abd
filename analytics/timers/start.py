"""When an area started: the earliest record that any of its servers' logs has. Pure; who reads and writes is elsewhere."""

from collections.abc import Iterable
from typing import Any

from analytics.core.periods import Zone

NAME = "serverstarttime"


def earliest(known: int | None, first_ts: Iterable[int]) -> int | None:
    """Return the start, given the one known so far (None: none) and any further ``first_ts``; None while there is none.

    A start never moves to a later time by this: where records were taken away, begin with None and all that are left.
    """
    return min((ts for ts in (known, *first_ts) if ts is not None), default=None)


def fields(start: int, zone: Zone, now: int) -> dict[str, Any]:
    """Return the document's fields besides its key, for a start at ``start`` (Unix seconds).

    | field | formula |
    | --- | --- |
    | `ts` | the earliest `first_ts`: the time of the earliest login, sign-up or role creation, since `opened` where the area's configuration names that day |
    | `day` | the start of the day that `ts` lies in, in the area's zone |
    | `final` | whether that day has ended at ``now`` |

    A record that comes in late can still move the start of an earlier day, as it can change any final number.
    """
    day = zone.start("day", start)
    return {"ts": start, "day": day, "final": zone.next("day", day) <= now}
