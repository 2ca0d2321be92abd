"""*Progress*: where players stand in quests, dungeons and levels."""

from collections import Counter
from datetime import date
from typing import Any

from analytics.core.rates import percent
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.shapes import Dungeon, Level, Progress, Quest


def view(data: Data, filters: Filters) -> Progress:
    """Return the page's numbers."""
    look = Look(data, data.place(filters))
    day, levels = _levels(look)
    return Progress(
        quests=_quests(look),
        dungeons=_dungeons(look),
        levels=levels,
        levels_day=None if day is None else str(day),
        roles=sum(level.roles for level in levels),
        scope=look.place.scope(),
        at=look.at,
    )


def _quests(look: Look) -> list[Quest]:
    fields = ("accept_users", "finish_users", "accept", "finish")
    total = look.total(look.sums("mainline", ["task"], fields))
    rows = sorted((int(task), *map(int, sums)) for (task,), sums in total.items())
    quests = []
    for place, (task, accepted, finished, accept, finish) in enumerate(rows):
        following = rows[place + 1][1] if place + 1 < len(rows) else finished
        quests.append(
            Quest(
                task,
                accepted,
                finished,
                accept,
                finish,
                percent(finished, accepted),
                percent(accepted, rows[0][1]),
                stopped=max(0, finished - following),
                unfinished=max(0, accepted - finished),
            )
        )
    return quests


def _dungeons(look: Look) -> list[Dungeon]:
    total = look.total(look.sums("gamecopy", ["fuben"], ["enter", "pass", "fail", "users"]))
    found = []
    for (fuben,), sums in total.items():
        enter, passed, failed, users = map(int, sums)
        found.append(Dungeon(str(fuben), enter, passed, failed, users, percent(passed, passed + failed)))
    return sorted(found, key=lambda one: (-one.enter, one.fuben))


def _levels(look: Look) -> tuple[date | None, list[Level]]:
    """Return the last day with synced roles, and how many of them had which grade."""
    synced = look.sums("userlevel", [], ["users"])
    day = max((day for day, sums in synced.items() if sums[()][0]), default=None)
    if day is None:
        return None, []
    grades: Counter[int] = look.folded("userlevel", ["levels"], _add_levels, [day]).get(day, Counter())
    total = sum(grades.values())
    return day, [Level(grade, grades[grade], percent(grades[grade], total)) for grade in sorted(grades)]


def _add_levels(so_far: Any, document: dict[str, Any], day: date) -> Counter[int]:
    found: Counter[int] = Counter() if so_far is None else so_far
    for grade, roles in document["levels"].items():
        found[int(grade)] += roles
    return found
