"""Where players stand: how they fare in dungeons (``fuben``), and which quests they take and finish."""

from typing import Any, Literal

import msgspec

from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Count, Distinct, Tally
from analytics.core.rates import percent
from analytics.core.tuples import AcctName, Gamelog, Name, NumberId


class Dungeon(msgspec.Struct, gc=False):
    """What became of an acct in a dungeon."""

    acct: AcctName
    fuben: Name
    result: Literal["enter", "pass", "fail"]


class Quest(msgspec.Struct, gc=False):
    """An acct and the quest that it took, or finished."""

    acct: AcctName
    task: NumberId


ACCEPT, FINISH = "gamelog.trunk_task_accept", "gamelog.trunk_task_finish"


def _finish_rate(shown: dict[str, Any]) -> dict[str, Any]:
    return {"finish_rate": percent(shown["finish_users"], shown["accept_users"])}


gamecopy = Bolt(
    name="gamecopy",
    reads={"gamelog.fuben_logchange": Reads(Gamelog[Dungeon])},
    by={"fuben": "data.fuben"},
    measures={
        "results": Tally("data.result", ("enter", "pass", "fail")),
        "users": Distinct("data.acct", list_field="_users"),
    },
    totals=True,
)

# A quest may be finished on a later day than it was taken: a day's rate can be above 100.
mainline = Bolt(
    name="mainline",
    reads={ACCEPT: Reads(Gamelog[Quest]), FINISH: Reads(Gamelog[Quest])},
    by={"task": "data.task"},
    measures={
        "accept": Count(on=ACCEPT),
        "finish": Count(on=FINISH),
        "accept_users": Distinct("data.acct", list_field="_accept_users", on=ACCEPT),
        "finish_users": Distinct("data.acct", list_field="_finish_users", on=FINISH),
    },
    finish=_finish_rate,
    percents=["finish_rate"],
    totals=True,
)
