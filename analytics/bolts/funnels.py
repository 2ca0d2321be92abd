"""When accts reach the steps of funnels: a bolt for the steps that a configuration names.

Of each day it keeps, for each step, when each acct first reached it that day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from analytics.bolts.progress import Quest
from analytics.core.bolt import Bolt, Reads
from analytics.core.funnels import CREATEROLE, SIGNUP, STEP, STEPS
from analytics.core.latest import EarliestBy, Table
from analytics.core.periods import Zone
from analytics.core.schema import GAMELOG
from analytics.core.tuples import Acct, Gamelog, Syncuser


class Reached(msgspec.Struct, gc=False):
    """A step that an acct has reached, and when, in Unix seconds."""

    step: str
    acct: str
    ts: int


def _users(table: Table) -> dict[str, Any]:
    return {"users": len(table)}


def acctstep(steps: Sequence[str]) -> Bolt:
    """Return the bolt for some steps, each written as :data:`~analytics.core.funnels.STEP` says."""
    tasks: dict[str, dict[int, str]] = defaultdict(dict)
    levels: list[tuple[int, str]] = []
    reads: dict[str, Reads] = {}
    for step in steps:
        match = STEP.fullmatch(step)
        assert match is not None, step
        if step in (SIGNUP, CREATEROLE):
            reads[f"{GAMELOG}{step}_logcount"] = Reads(Gamelog[Acct], rows=_always(step))
        elif match["task"]:
            tasks[match["deed"]][int(match["task"])] = step
        else:
            levels.append((int(match["level"]), step))
    for deed, some in tasks.items():
        reads[f"{GAMELOG}trunk_task_{deed}"] = Reads(Gamelog[Quest], rows=_of_tasks(some))
    if levels:
        reads["syncuser"] = Reads(Syncuser, rows=_of_levels(levels))
    return Bolt(
        name=STEPS,
        reads=reads,
        by={"step": "step"},
        measures={"accts": EarliestBy("acct", "ts", (), list_field="_accts", show=_users)},
        publishes=True,
    )


def _always(step: str) -> Callable[[Any, Zone], Iterable[Reached]]:
    return lambda record, zone: [Reached(step, record.data.acct, record.ts)]


def _of_tasks(steps: dict[int, str]) -> Callable[[Any, Zone], Iterable[Reached]]:
    def rows(record: Any, zone: Zone) -> list[Reached]:
        step = steps.get(record.data.task)
        return [] if step is None else [Reached(step, record.data.acct, record.ts)]

    return rows


def _of_levels(levels: Sequence[tuple[int, str]]) -> Callable[[Any, Zone], Iterable[Reached]]:
    def rows(role: Syncuser, zone: Zone) -> list[Reached]:
        return [Reached(step, role.acctid, role.ts) for level, step in levels if role.grade >= level]

    return rows
