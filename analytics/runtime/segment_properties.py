"""Whether the properties that segments are made of have been counted, and only those."""

from collections.abc import Iterator
from itertools import islice

from analytics.config import Config, segments
from analytics.core.segments import PROPERTIES
from analytics.store import Store

AREAS_SAMPLED = 20
"""Areas of each game whose documents are looked at."""

COUNTED = ("loginday", "signupday")
"""An area that has documents of these has received records."""


def segment_contradictions(config: Config, store: Store) -> Iterator[str]:
    """Yield, one sentence for each segment, what the configuration names and documents lack, or the other way round.

    Raises:
        Unavailable: the store does not answer.
    """
    wanted = segments(config)
    if not wanted:
        return  # there is no bolt whose documents could be corrected
    for game, section in config.games.items():
        configured = {(one.name, one.source) for one in wanted.get(game, ())}
        sampled = list(islice(section.areas, AREAS_SAMPLED))
        stored = {found for area in sampled for found in _stored(store, area)}
        if configured - stored and any(_has_records(store, area) for area in sampled):
            for name, source in sorted(configured - stored):
                yield f"segment {name} of {game}: no documents have {source}, and there are others of its areas"
        for name, source in sorted(stored - configured):
            yield f"segment {name} of {game}: documents have {source}, which the configuration does not name"


def _stored(store: Store, area: str) -> Iterator[tuple[str, str]]:
    """Yield names and sources of the properties that documents of an area have."""
    for id_ in store.ids(PROPERTIES, f"{area}:"):
        _, _, *rest = id_.partition("#")[0].split(":", 3)
        if len(rest) == 2:
            yield rest[0], rest[1]


def _has_records(store: Store, area: str) -> bool:
    return any(True for name in COUNTED for _ in islice(store.find(name, area=area, batch=1), 1))
