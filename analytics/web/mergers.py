"""Mergers of areas, marked on charts as annotations are."""

from collections.abc import Container
from datetime import date

from analytics.config import Config
from analytics.web.entries.annotations import Annotation
from analytics.web.translation import Translate


def mergers(
    config: Config, game: str, areas: Container[str], first: date, last: date, t: Translate
) -> list[Annotation]:
    """Return the mergers of these days that concern any of ``areas``."""
    known = config.games[game].areas
    return [
        Annotation(
            id=f"{game}:{one.merged_on}:{id}",
            game=game,
            area=one.merged_into,
            day=one.merged_on,
            kind="event",
            text=t(
                "{area} merged into {other}",
                area=one.name or one.server_name or id,
                other=known[one.merged_into].name or known[one.merged_into].server_name or one.merged_into,
            ),
        )
        for id, one in known.items()
        if str(first) <= one.merged_on <= str(last) and (id in areas or one.merged_into in areas)
    ]
