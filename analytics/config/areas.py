"""The configured areas."""

from hashlib import sha256

import msgspec

from analytics.config.excluded import exclusion
from analytics.config.merged import united
from analytics.config.sections import AreaSection, Config
from analytics.core.areas import Area, Areas
from analytics.core.exclusion import Exclusion
from analytics.core.periods import Zone, zone


def areas(config: Config) -> Areas:
    """Return every configured area. Its time zone is its own, its game's, or the configuration's."""
    return Areas(
        _area(
            id,
            area,
            name,
            zone(area.timezone or game.timezone or config.timezone),
            excluded,
            into.get(id, ""),
        )
        for name, game in config.games.items()
        for excluded, into in [(exclusion(game.excluded), united(game))]
        for id, area in game.areas.items()
    )


def _area(
    id: str, area: AreaSection, game: str, local: Zone, excluded: Exclusion | None, united: str
) -> Area:
    return Area(
        id=id,
        game=game,
        plat=area.plat,
        zone=local,
        corpid=str(area.corpid),
        server_name=area.server_name,
        name=area.name or area.server_name,
        opened=local.day_of(area.opened) if area.opened else 0,
        excluded=excluded,
        united=united,
    )


def fingerprint(config: Config) -> str:
    """Return a hash of games, areas, time zones and own bolts, which decide which records count, where, and as what."""
    own = (config.bolts, config.bolt_files) if config.bolts or config.bolt_files else ()
    text = msgspec.json.encode((config.timezone, config.games, *own), order="sorted")
    return sha256(text).hexdigest()[:16]
