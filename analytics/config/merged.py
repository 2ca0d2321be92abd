"""Merged areas: which area took over the players of which others, and what is wrong with that."""

from collections.abc import Iterator

from analytics.config.section import is_day
from analytics.config.sections import AreaSection, Config, Game


def united(game: Game) -> dict[str, str]:
    """Return, for each area of a game that is part of a united one, the area that all of its players are on by now."""
    into = {id: last for id in game.areas if (last := _last(game, id)) != id}
    return into | {last: last for last in into.values()}


def merged_faults(config: Config) -> Iterator[str]:
    """Yield every fault of merged areas as ``key: expected …, got …``."""
    for name, game in config.games.items():
        for id, area in game.areas.items():
            yield from _faults(game, f"games.{name}.areas.{id}", id, area)


def _faults(game: Game, key: str, id: str, area: AreaSection) -> Iterator[str]:
    if not area.merged_into:
        if area.merged_on:
            yield f'{key}.merged_into: expected the area that it was merged into, as merged_on = "{area.merged_on}", found none'
        return
    if not is_day(area.merged_on):
        yield f'{key}.merged_on: expected the first day in {area.merged_into} as YYYY-MM-DD, got "{area.merged_on}"'
    if area.merged_into not in game.areas or area.merged_into == id:
        yield f'{key}.merged_into: expected the id of another area of the same game, got "{area.merged_into}"'
        return
    following = game.areas[area.merged_into]
    if game.areas[_last(game, id)].merged_into in game.areas:
        yield f'{key}.merged_into: expected an area whose players stayed there in the end, got "{area.merged_into}", which leads round in a circle'
    elif following.merged_into and is_day(following.merged_on) and following.merged_on < area.merged_on:
        yield (
            f"{key}.merged_on: expected a day up to {following.merged_on}, on which {area.merged_into} itself was merged, "
            f'got "{area.merged_on}"'
        )


def _last(game: Game, id: str) -> str:
    """Return where a chain of mergers ends, or some area of it where it leads back to itself."""
    seen: set[str] = set()
    while id not in seen and (into := game.areas[id].merged_into) in game.areas:
        seen.add(id)
        id = into
    return id
