"""Whether documents are as the configuration says: the game and plat of areas, where days begin, which accts are excluded, and
at which rates payments are converted."""

from collections.abc import Iterator
from itertools import islice

import gevent.pool

from analytics.config import Config, areas, groups
from analytics.errors import AnalyticsError
from analytics.runtime.exclusion_notes import ExclusionNotes
from analytics.runtime.rate_notes import RateNotes
from analytics.runtime.timers.scopes import Scope, all_scopes
from analytics.store import Store
from analytics.store.store import Document

SAMPLED = ("loginday", "kpi")
"""Collections of which some documents are looked at. All that have a day come from the same records."""

SEASON = 91 * 86_400
SEASONS = 4
"""Zones that differ only in summer, say, show it within a year."""

AT_ONCE = 8
SHOWN = 5
ADVICE = "call `bin/analytics {derive}` to derive them again as the configuration says"
BACK = ", or change the configuration back"


def contradictions(config: Config, store: Store) -> list[str]:
    """Return what documents say and the configuration does not: a sentence for each area and whole game, for excluded accts and for rates.

    Raises:
        Unavailable: the store does not answer.
    """
    claimed = areas(config)
    scopes = [scope for scope in all_scopes(config, claimed) if scope.kind in ("area", "game")]
    pool = gevent.pool.Pool(AT_ONCE)
    failed: list[AnalyticsError] = []

    def check(scope: Scope) -> str:
        try:
            return "" if failed else _of_scope(scope, store)
        except AnalyticsError as error:  # gevent would print what it raises, once for each area
            failed.append(error)
            return ""

    found = list(filter(None, pool.imap(check, scopes)))
    if failed:
        raise failed[0]
    bolts = [bolt for members in groups(config).values() for bolt in members]
    return [*found, *ExclusionNotes(config, store).sentences(bolts), *RateNotes(config, store).sentences()]


def summary(config: Config, found: list[str]) -> str:
    """Return the first of several contradictions, how many more there are, and what to do."""
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    advice = ADVICE.format(derive="engine backfill" if config.engine.kind else "rebuild")
    # Of excluded accts, what came in meanwhile is missing then; of rates, it is converted at others.
    back = "" if any(".excluded: " in one or ".rates: " in one for one in found) else BACK
    return f"{'; '.join(found[:SHOWN])}{more}: {advice}{back}"


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
    game = scope.game if scope.is_total else None
    for name in SAMPLED:
        since = None
        for _ in range(SEASONS):
            found = next(
                islice(
                    store.find(
                        scope.collection(name), area=scope.area or None, game=game, since=since, batch=1
                    ),
                    1,
                ),
                None,
            )
            if found is None or not isinstance(found.get("ts"), int):
                break
            yield found
            since = found["ts"] + SEASON
