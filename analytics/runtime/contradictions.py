"""Whether documents are as the configuration says: the game and plat of areas, where days begin, which accts are excluded, and
at which rates payments are converted."""

from collections.abc import Iterator
from typing import NamedTuple

from analytics.config import Config, areas, groups
from analytics.runtime.exclusion_notes import ExclusionNotes
from analytics.runtime.rate_notes import RateNotes
from analytics.runtime.timers.scopes import Scope, all_scopes
from analytics.store import Store
from analytics.store.store import Document
from analytics.system.tasks import share

SAMPLED = ("loginday", "kpi")
"""Collections of which some documents are looked at. All that have a day come from the same records."""

SEASON = 91 * 86_400
SEASONS = 4
"""Zones that differ only in summer, say, show it within a year."""

AT_ONCE = 8
SHOWN = 5
ADVICE = "call `bin/analytics {derive}` to derive them again as the configuration says"
BACK = ", or change the configuration back"


class Contradiction(NamedTuple):
    """What documents say and the configuration does not.

    Attributes:
        goes_back: whether all is right once the configuration is changed back. It is not where records that came in meanwhile
            were left out or converted otherwise.
    """

    text: str
    goes_back: bool = True


def contradictions(config: Config, store: Store) -> list[Contradiction]:
    """Return one for each area and whole game, for excluded accts and for rates. Raise Unavailable if the store does not answer."""
    claimed = areas(config)
    scopes = [scope for scope in all_scopes(config, claimed) if scope.kind in ("area", "game")]
    texts: dict[Scope, str] = {}

    def check(scope: Scope) -> None:
        texts[scope] = _of_scope(scope, store)

    share(iter(scopes), check, AT_ONCE)
    found = [Contradiction(text) for scope in scopes if (text := texts[scope])]
    bolts = [bolt for members in groups(config).values() for bolt in members]
    noted = [*ExclusionNotes(config, store).sentences(bolts), *RateNotes(config, store).sentences()]
    return [*found, *(Contradiction(text, goes_back=False) for text in noted)]


def summary(config: Config, found: list[Contradiction]) -> str:
    """Return the first of several contradictions, how many more there are, and what to do."""
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    advice = ADVICE.format(derive="engine backfill" if config.engine.kind else "rebuild")
    back = BACK if all(one.goes_back for one in found) else ""
    return f"{'; '.join(one.text for one in found[:SHOWN])}{more}: {advice}{back}"


def _of_scope(scope: Scope, store: Store) -> str:
    for document in _sample(scope, store):
        said = {} if scope.is_total else {"game": scope.game, "plat": scope.plat}
        other = [
            f'{name} "{document.get(name)}" where the configuration says "{value}"'
            for name, value in said.items()
            if document.get(name) != value
        ]
        ts = document.get("ts")
        if isinstance(ts, int) and scope.zone.start("day", ts) != ts:
            other.append(f"that a day begins at {scope.zone.local(ts):%H:%M} in {scope.zone.name}")
        if other:
            which = f"the whole of {scope.game}" if scope.is_total else f"area {scope.area}"
            return f"{which}: documents say {' and '.join(other)}"
    return ""


def _sample(scope: Scope, store: Store) -> Iterator[Document]:
    """Yield the oldest documents of a scope, and some of the seasons after them."""
    area, game = (None, scope.game) if scope.is_total else (scope.area, None)
    for name in SAMPLED:
        since = None
        for _ in range(SEASONS):
            found = store.first(scope.collection(name), area=area, game=game, since=since)
            if found is None or not isinstance(found.get("ts"), int):
                break
            yield found
            since = found["ts"] + SEASON
