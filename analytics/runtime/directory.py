"""The collections ``areas`` and ``games``: who documents are about, for other tools to join with.

The node ``timers`` writes them when it starts, from the configuration. What the configuration no longer names stays, as its
documents do, with ``configured: false``.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from analytics.config import Config, areas
from analytics.core.areas import Area
from analytics.core.periods import zone
from analytics.core.portions import portions
from analytics.store import Document, Store, Write

AREAS, GAMES = "areas", "games"
IDS_AT_ONCE = 1_000
"""As one query of the store has at most."""

_OWN = ("_id", "_v", "updated")


def write_directory(config: Config, store: Store) -> int:
    """Bring both collections up to date; return how many documents were written.

    Each write is on condition of the version that was read: of two nodes the later one finds nothing left to do.

    Raise Unavailable if the store does not answer. Call again.
    """
    claimed = areas(config)
    return _write(store, AREAS, {area.id: _of_area(area) for area in claimed.values()}) + _write(
        store, GAMES, {name: _of_game(config, name) for name in config.games}
    )


def _of_area(area: Area) -> Document:
    return {
        "area": area.id,
        "name": area.name or area.id,
        "game": area.game,
        "plat": area.plat,
        "zone": area.zone.name,
        "server_name": area.server_name,
        "corpid": area.corpid,
        "opened": f"{area.zone.local(area.opened):%Y-%m-%d}" if area.opened else None,
        "configured": True,
    }


def _of_game(config: Config, name: str) -> Document:
    game = config.games[name]
    return {
        "game": name,
        "zone": zone(game.timezone or config.timezone).name,
        "plats": sorted({area.plat for area in game.areas.values()}),
        "areas": len(game.areas),
        "configured": True,
    }


def _write(store: Store, collection: str, wanted: Mapping[str, Document]) -> int:
    ids = [id for id in store.ids(collection) if isinstance(id, str)]
    ids += [id for id in wanted if id not in set(ids)]
    written = 0
    for some in portions(ids, IDS_AT_ONCE):
        stored = store.load(collection, some)
        writes = list(_writes(stored, {id: wanted.get(id) for id in some}))
        if writes:
            written += len(writes) - len(store.write(collection, writes))
    return written


def _writes(stored: Mapping[str, Document], wanted: Mapping[str, Document | None]) -> Iterator[Write]:
    """Yield a write for each document that says something else than what is wanted (None: it is not configured)."""
    now = datetime.now(UTC)
    for id, fields in wanted.items():
        old = stored.get(id, {})
        said = {name: value for name, value in old.items() if name not in _OWN}
        new = {**said, "configured": False} if fields is None else fields
        if new != said:
            version = int(old.get("_v", 0))
            yield Write(id, {**new, "updated": now, "_v": version + 1}, version)
