"""The configured areas."""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec

from analytics.config.currencies import exchange
from analytics.config.excluded import exclusion
from analytics.config.merged import united
from analytics.config.sections import AreaSection, Config
from analytics.core.areas import Area, Areas
from analytics.core.exchange import Exchange
from analytics.core.exclusion import Exclusion
from analytics.core.periods import Zone, zone


class _OfGame(NamedTuple):
    """What the areas of a game have in common."""

    name: str
    excluded: Exclusion | None
    united: Mapping[str, str]
    exchange: Exchange | None


def areas(config: Config) -> Areas:
    """Return every configured area. Its time zone is its own, its game's, or the configuration's."""
    return Areas(
        _area(id, area, of_game, zone(area.timezone or game.timezone or config.timezone))
        for name, game in config.games.items()
        for of_game in [_OfGame(name, exclusion(game.excluded), united(game), exchange(game, name))]
        for id, area in game.areas.items()
    )


def _area(id: str, area: AreaSection, of_game: _OfGame, local: Zone) -> Area:
    return Area(
        id=id,
        game=of_game.name,
        plat=area.plat,
        zone=local,
        corpid=str(area.corpid),
        server_name=area.server_name,
        name=area.name or area.server_name,
        opened=local.day_of(area.opened) if area.opened else 0,
        excluded=of_game.excluded,
        united=of_game.united.get(id, ""),
        exchange=of_game.exchange.of(area.currency) if of_game.exchange is not None else None,
    )


def fingerprint(config: Config) -> str:
    """Return a hash of games, areas, time zones, own bolts and funnels, which decide which records count, where, and as what."""
    own = (config.bolts, config.bolt_files) if config.bolts or config.bolt_files else ()
    steps = (config.funnels,) if config.funnels else ()
    text = msgspec.json.encode((config.timezone, config.games, *own, *steps), order="sorted")
    return sha256(text).hexdigest()[:16]
