"""The areas that the configuration's games claim."""

from analytics.config.sections import Config
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone


def areas(config: Config) -> Areas:
    """Return every configured area; its time zone is its own, else its game's, else the configuration's."""
    return Areas(
        Area(
            id=id,
            game=name,
            plat=area.plat,
            zone=zone(area.timezone or game.timezone or config.timezone),
            corpid=str(area.corpid),
            server_name=area.server_name,
        )
        for name, game in config.games.items()
        for id, area in game.areas.items()
    )
