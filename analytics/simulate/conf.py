"""A configuration of a suite that counts a simulated game."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analytics.simulate import channels, funnel
from analytics.simulate.currencies import OWN, sections
from analytics.simulate.events import GameServer
from analytics.simulate.game import LOG_NAME


@dataclass(frozen=True)
class SuiteOptions:
    """The options of the configured suite.

    ``ports``: the first of its four ports. ``dashboard``: the dashboard's port; 0: none. ``since``: the game's first day, so
    that a suite that starts later misses none. ``store``: the embedded server. ``engine``: the keys of ``[engine]``.
    """

    data: Path
    database: str = "analytics"
    ports: int = 0
    poll_seconds: float = 0.5
    since: str = ""
    dashboard: int = 0
    uri: str = ""
    store: str = "auto"
    engine: Mapping[str, Any] = field(default_factory=dict)


def configuration(
    servers: list[GameServer], url: str, timezone: str, suite: SuiteOptions, token_env: str = ""
) -> str:
    """Return a configuration whose sources and interfaces are the simulated game at ``url``."""
    tables: list[tuple[str, dict[str, Any]]] = [
        ("", {"data": str(suite.data.resolve()), "timezone": timezone}),
        ("mongodb", {"database": suite.database, **({"uri": suite.uri} if suite.uri else {})}),
    ]
    if suite.ports:
        names = ("receiver_port", "sender_port", "refill_port")
        tables.append(("broker", {name: suite.ports + index for index, name in enumerate(names)}))
        tables.append(("store", {"port": suite.ports + 3, "engine": suite.store}))
        if suite.engine:
            tables.append(("engine", dict(suite.engine)))
        tables.append(("dashboard", {"port": suite.dashboard}))
    poll: dict[str, Any] = {"every_seconds": max(1.0, suite.poll_seconds), "clock_url": f"{url}/clock"}
    if token_env:
        poll["token_env"] = token_env
    query = "area={area}&page={page}"
    first = {"since": suite.since} if suite.since else {}
    tables.append(("payment", {"url": f"{url}/payment?day={{day}}&{query}", **poll, **first}))
    tables.append(("syncuser", {"url": f"{url}/syncuser?since={{since}}&{query}", **poll}))
    for server in servers:
        tables.append(("[gamelog.sources]", _source(server, url, suite)))
    for game in sorted({server.game for server in servers}):
        abroad = any(server.currency != OWN[game] for server in servers if server.game == game)
        tables += sections(game, abroad)
    for game in sorted(channels.GAMES & {server.game for server in servers}):
        tables.append((f"games.{game}.segments.{channels.SEGMENT}", channels.SECTION))
    tables.append((f"funnels.{funnel.NAME}", funnel.SECTION))
    for server in servers:
        area: dict[str, Any] = {
            "plat": server.plat,
            "corpid": server.corpid,
            "server_name": server.server_name,
        }
        if server.merged_into:
            area |= {"merged_into": server.merged_into, "merged_on": server.merged_on}
        if server.currency != OWN[server.game]:
            area["currency"] = server.currency
        tables.append((f"games.{server.game}.areas.{server.id}", area))
    return "\n".join(_table(name, values) for name, values in tables)


def _source(server: GameServer, url: str, suite: SuiteOptions) -> dict[str, Any]:
    return {
        "name": server.server_name,
        "kind": "http",
        "game": server.game,
        "url": f"{url}/logs/{server.id}/{LOG_NAME}",
        "poll_seconds": suite.poll_seconds,
    }


def _table(name: str, values: dict[str, Any]) -> str:
    # JSON's strings and numbers are TOML's too.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()]
    return "".join([f"[{name}]\n" if name else "", *lines])
