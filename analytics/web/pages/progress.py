"""*Progress*: where players stand in quests, dungeons and levels."""

from collections import Counter
from datetime import date
from typing import Annotated

import msgspec

from analytics.core.rates import percent
from analytics.web.answers import PageAnswer, Percent, RowName, means
from analytics.web.charts import Chart, Series
from analytics.web.data import Data
from analytics.web.display import NOTHING, count
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel
from analytics.web.reading.arithmetic import counts
from analytics.web.tables import Table
from analytics.web.translation import Translate


class QuestRow(msgspec.Struct, frozen=True, kw_only=True):
    """One quest of the main line, over all days of the scope.

    Accts are distinct in an area and day and added up over areas and days: who takes a quest again on another day
    counts again.
    """

    task: Annotated[RowName, means("The quest's id. Players take quests in this order.", "Quest")]
    accept_users: Annotated[int, means("The accts that took the quest.", "Accepted")]
    finish_users: Annotated[int, means("The accts that finished the quest.", "Finished")]
    accept: Annotated[int, means("How often the quest was taken.", "Times accepted")]
    finish: Annotated[int, means("How often the quest was finished.", "Times finished")]
    finish_rate: Annotated[Percent, means("The accts that finished the quest, as a share of those that took it.", "Finish rate")]  # fmt: skip
    reach: Annotated[Percent, means("The accts that took the quest, as a share of those that took the first one.", "Reach")]  # fmt: skip
    stopped: Annotated[int, means("The accts that finished the quest and did not take the next one.", "Stopped after it")]  # fmt: skip
    unfinished: Annotated[int, means("The accts that took the quest and did not finish it.", "Stopped in it")]


class DungeonRow(msgspec.Struct, frozen=True, kw_only=True):
    """One dungeon, over all days of the scope."""

    fuben: Annotated[str, means("The dungeon's id.", "Dungeon")]
    enter: Annotated[int, means("How often the dungeon was entered.", "Entered")]
    passed: Annotated[int, means("How often it was passed.", "Passed")]
    failed: Annotated[int, means("How often it was failed.", "Failed")]
    users: Annotated[int, means("The accts that entered: each counted once in an area and a day, then added up.", "Accts")]  # fmt: skip
    pass_rate: Annotated[Percent, means("The share of passes among all passes and failures.", "Pass rate")]


class LevelRow(msgspec.Struct, frozen=True, kw_only=True):
    """Roles at one grade."""

    grade: Annotated[RowName, means("The last level that a role had on the day.", "Level")]
    roles: Annotated[int, means("The roles that were synced on the day and had this level last.", "Roles")]
    share: Annotated[Percent, means("The share of all roles that were synced on the day.", "Share")]


class ProgressAnswer(PageAnswer, frozen=True, kw_only=True):
    """The page *progress*."""

    quests: Annotated[list[QuestRow], means("every quest, by id")]
    dungeons: Annotated[list[DungeonRow], means("every dungeon, most entered first")]
    levels: Annotated[list[LevelRow], means("every grade that a role has, lowest first")]
    levels_day: Annotated[str | None, means("the day of `levels`: the last of the scope with synced roles; null: none has")]  # fmt: skip
    roles: Annotated[int, means("roles synced that day")]


MOST_LEVELS = 1000
"""A range of more levels than any game has: only those that a role has are shown then."""
QUEST = {name: name for name in ("accept_users", "finish_users", "accept", "finish")}
DUNGEON = {"enter": "enter", "pass": "passed", "fail": "failed", "users": "users"}
"""The fields of documents that are added up, and what answers call them."""


def view(data: Data, filters: Filters) -> ProgressAnswer:
    look = Look(data, data.place(filters))
    day, levels = _levels(look)
    return ProgressAnswer(
        quests=_quests(look),
        dungeons=_dungeons(look),
        levels=levels,
        levels_day=None if day is None else str(day),
        roles=sum(level.roles for level in levels),
        scope=look.place.scope(),
        at=look.at,
    )


def _quests(look: Look) -> list[QuestRow]:
    total = look.sums("mainline", ["task"], list(QUEST))
    rows = sorted((int(task), counts(QUEST, sums)) for (task,), sums in total.items())
    quests = []
    for place, (task, one) in enumerate(rows):
        accepted, finished = one["accept_users"], one["finish_users"]
        following = rows[place + 1][1]["accept_users"] if place + 1 < len(rows) else finished
        quest = QuestRow(
            task=task,
            finish_rate=percent(finished, accepted),
            reach=percent(accepted, rows[0][1]["accept_users"]),
            stopped=max(0, finished - following),
            unfinished=max(0, accepted - finished),
            **one,
        )
        quests.append(quest)
    return quests


def _dungeons(look: Look) -> list[DungeonRow]:
    total = look.sums("gamecopy", ["fuben"], list(DUNGEON))
    found = []
    for (fuben,), sums in total.items():
        one = counts(DUNGEON, sums)
        rate = percent(one["passed"], one["passed"] + one["failed"])
        found.append(DungeonRow(fuben=str(fuben), pass_rate=rate, **one))
    return sorted(found, key=lambda one: (-one.enter, one.fuben))


def _levels(look: Look) -> tuple[date | None, list[LevelRow]]:
    """Return the last day with synced roles, and how many of them had which grade."""
    synced = look.by_day("userlevel", ["users"])
    day = max((day for day, (users,) in synced.items() if users), default=None)
    if day is None:
        return None, []
    grades: Counter[int] = Counter()
    for document, _ in look.documents("userlevel", ["levels"], day, day):
        grades.update({int(grade): roles for grade, roles in document["levels"].items()})
    total = sum(grades.values())
    return day, [
        LevelRow(grade=grade, roles=grades[grade], share=percent(grades[grade], total))
        for grade in sorted(grades)
    ]


def _synced(answer: ProgressAnswer, t: Translate) -> str:
    return t("{n} roles, synced on {day}", n=count(answer.roles), day=answer.levels_day or NOTHING)


def _every_level(answer: ProgressAnswer) -> list[LevelRow]:
    """Return the levels from the lowest to the highest that a role has, also those between that no role has."""
    found = {one.grade: one for one in answer.levels}
    if not found or max(found) - min(found) > MOST_LEVELS:
        return answer.levels
    grades = range(min(found), max(found) + 1)
    return [found.get(grade) or LevelRow(grade=grade, roles=0, share=0) for grade in grades]


QUESTS = Table(
    "quests",
    "Quests",
    QuestRow,
    "task accept_users finish_users reach finish_rate unfinished stopped accept finish",
    bars="accept_users finish_users",
)
DUNGEONS = Table("dungeons", "Dungeons", DungeonRow, "fuben enter passed failed pass_rate users", bars="enter")  # fmt: skip
LEVELS = Table("levels", "Levels", LevelRow, "grade roles share", bars="roles", rows=_every_level)
QUEST_FUNNEL = Chart(
    "quests",
    "Quest funnel",
    "task",
    (Series("accept_users", "Accepted", 6), Series("finish_users", "Finished", 1)),
    form="before",
    x_title="Quest",
)
DUNGEON_RESULTS = Chart("dungeons", "Dungeons", "fuben", (Series("passed", "Passed", 2), Series("failed", "Failed", 4)), form="stacked")  # fmt: skip
ROLES_BY_LEVEL = Chart("levels", "Levels", "grade", (Series("roles", "Roles", 5),), form="stacked", x_title="Level", rows=_every_level)  # fmt: skip

PAGE = DashboardPage(
    name="progress",
    title="Progress",
    answer=ProgressAnswer,
    view=view,
    icon="M2 3h12l-4.5 5.5V14l-3-2V8.5z",
    tables=(QUESTS, DUNGEONS, LEVELS),
    panels=(
        Panel(QUESTS, QUEST_FUNNEL, open=True, note="accts of each day, added up"),
        Panel(DUNGEONS, DUNGEON_RESULTS, "half", open=True),
        Panel(LEVELS, ROLES_BY_LEVEL, "half", open=True, note=_synced),
    ),
)
