"""The page *progress*: where players stand in quests, dungeons and levels."""

from typing import Annotated

import msgspec
from msgspec import Meta

from analytics.web.shapes.common import Percent, View


class Quest(msgspec.Struct, frozen=True):
    """One quest of the main line, over all days of the scope.

    Accts are distinct in an area and day and added up over areas and days: who takes a quest again on another day
    counts again.
    """

    task: Annotated[int, Meta(description="the quest's id; players take them in this order")]
    accept_users: Annotated[int, Meta(description="accts that took it")]
    finish_users: Annotated[int, Meta(description="accts that finished it")]
    accept: Annotated[int, Meta(description="records: how often it was taken")]
    finish: Annotated[int, Meta(description="records: how often it was finished")]
    finish_rate: Annotated[
        Percent, Meta(description="percent: 100 × finish_users ÷ accept_users, two decimals")
    ]
    reach: Annotated[
        Percent, Meta(description="percent: 100 × accept_users ÷ those of the first quest, two decimals")
    ]
    stopped: Annotated[
        int,
        Meta(
            description="accts: finish_users less the accept_users of the next quest, never below 0: stopped between"
        ),
    ]
    unfinished: Annotated[
        int, Meta(description="accts: accept_users less finish_users, never below 0: stopped in it")
    ]


class Dungeon(msgspec.Struct, frozen=True):
    """One dungeon, over all days of the scope."""

    fuben: Annotated[str, Meta(description="the dungeon's id")]
    enter: Annotated[int, Meta(description="records: entered")]
    passed: Annotated[int, Meta(description="records: passed")]
    failed: Annotated[int, Meta(description="records: failed")]
    users: Annotated[
        int, Meta(description="accts: distinct in an area and day, added up over areas and days")
    ]
    pass_rate: Annotated[Percent, Meta(description="percent: 100 × passed ÷ (passed + failed), two decimals")]


class Level(msgspec.Struct, frozen=True):
    """Roles at one grade."""

    grade: int
    roles: Annotated[int, Meta(description="roles synced on the day that had this grade last on it")]
    share: Annotated[Percent, Meta(description="percent of all roles synced that day, two decimals")]


class Progress(View, frozen=True, kw_only=True):
    """The page *progress*."""

    quests: Annotated[list[Quest], Meta(description="every quest, by id")]
    dungeons: Annotated[list[Dungeon], Meta(description="every dungeon, most entered first")]
    levels: Annotated[list[Level], Meta(description="every grade that a role has, lowest first")]
    levels_day: Annotated[
        str | None,
        Meta(
            description="the day that `levels` speaks of: the last of the scope with synced roles; null: none has"
        ),
    ]
    roles: Annotated[int, Meta(description="roles synced that day")]
