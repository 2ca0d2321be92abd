"""How many players are online, as a game server counts them: the highest head count of each minute, per area and hour."""

from typing import Annotated, Any

import msgspec

from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import LatestBy, Table
from analytics.core.online import held
from analytics.core.periods import MINUTE
from analytics.core.tuples import Gamelog

MOST_ONLINE = 10**9
"""More than any area has players; sums over areas still fit 64 bits."""


class HeadCount(msgspec.Struct, gc=False):
    """How many players an area counts at the moment."""

    online: Annotated[int, msgspec.Meta(ge=0, le=MOST_ONLINE)]


def _minute(row: Gamelog[HeadCount]) -> int:
    return row.ts // MINUTE


def _shown(table: Table) -> dict[str, Any]:
    """``table``: minute to (highest head count,)."""
    if not table:
        return {"acu": 0, "pcu": 0, "pcu_ts": 0, "minutes": 0}
    ordered = sorted(table)
    weights = held(ordered)
    peak = max(online for (online,) in table.values())
    player_minutes = sum(weight * table[minute][0] for minute, weight in zip(ordered, weights, strict=True))
    return {
        "acu": round(player_minutes / sum(weights), 2),
        "pcu": peak,
        "pcu_ts": MINUTE * next(minute for minute in ordered if table[minute][0] == peak),
        "minutes": sum(weights),
    }


onlinehour = Bolt(
    name="onlinehour",
    reads={"gamelog.online_logcount": Reads(Gamelog[HeadCount])},
    period="hour",
    measures={"counts": LatestBy(_minute, "data.online", (), list_field="_counts", show=_shown)},
    publishes=True,
)
