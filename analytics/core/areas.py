"""Areas: which game and plat a game server belongs to, and in which time zone it lives."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.core.exclusion import Exclusion
from analytics.core.periods import Zone

if TYPE_CHECKING:
    from analytics.core.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Area:
    """One game server. ``name``: what people call it, "" where nothing says so. ``corpid`` and ``server_name`` are how its own logs name it, where they do. ``opened``: Unix seconds before
    which it can't have started; 0: unknown. ``excluded``: the accts whose records do not count; None: all do. ``united``: of merged areas, the one that the players of all of them are on by now, which is itself one of them; "": it was never merged.
    ``exchange``: what turns its payments into the game's currency; None: they are in it."""

    id: str
    game: str
    plat: str
    zone: Zone
    corpid: str = ""
    server_name: str = ""
    name: str = ""
    opened: int = 0
    excluded: Exclusion | None = None
    united: str = ""
    exchange: "Exchange | None" = None


class Areas(Mapping[str, Area]):
    """All areas that a game claims, by id."""

    def __init__(self, areas: Iterable[Area]) -> None:
        self._by_id = {area.id: area for area in areas}
        self._by_server = {
            (area.corpid, area.server_name): area for area in self._by_id.values() if area.server_name
        }

    def __getitem__(self, key: str) -> Area:
        return self._by_id[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def of_server(self, corpid: str, server_name: str) -> Area | None:
        """Return the area whose logs say ``corpid`` and ``server_name``, or None."""
        return self._by_server.get((corpid, server_name))
