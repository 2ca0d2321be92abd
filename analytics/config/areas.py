"""The areas that the configuration's games claim."""

from hashlib import sha256

import msgspec

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


def fingerprint(config: Config) -> str:
    """Return a text that differs where games, areas or time zones do: they decide which records count, and where."""
    text = msgspec.json.encode((config.timezone, config.games), order="sorted")
    return sha256(text).hexdigest()[:16]
