"""The numbers that rules look at, read from documents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from analytics.alerts.rules import ENDED, Judgement, Rule
from analytics.config import Config, areas, catalogue
from analytics.config.alert_sections import AlertSection
from analytics.core.periods import PeriodName, Zone, zone
from analytics.errors import AnalyticsError
from analytics.store import Reader
from analytics.store.reading import Query
from analytics.store.store import TOTAL
from analytics.timers import TIMERS

Values = dict[int, float | None]


@dataclass(frozen=True)
class WatchedScope:
    """What a number is of: a game, a plat or an area of it. ``id`` is the area's or plat's, "" of a whole game.

    Attributes:
        zone: names the days; ``zones`` are those of the areas, whose days make up one of the game or plat.
        merged: Unix seconds from which an area's players play in another one; 0: they don't.
    """

    game: str
    scope: str
    id: str
    name: str
    zone: Zone
    zones: frozenset[Zone] = frozenset()
    merged: int = 0

    @property
    def key(self) -> str:
        """The place as a text, for ids."""
        return f"{self.game}:{self.scope}:{self.id}"


def judged(reader: Reader, rule: Rule, place: WatchedScope, now: float) -> Judgement | None:
    """Return a rule's judgement of a place; None while that is not known. No rule applies to an area that was merged into another."""
    found = rule.judge(place.zone, read(reader, rule, place, now), now, place.zones)
    if found is not None and place.merged and found.start >= place.merged:
        return replace(found, applies=False)
    return found


def places(config: Config, section: AlertSection) -> Iterator[WatchedScope]:
    """Yield what a rule looks at."""
    for game, of in config.games.items():
        if section.games and game not in section.games:
            continue
        own = zone(of.timezone or config.timezone)
        of_game = [area for area in areas(config).values() if area.game == game]
        if section.scope == "game":
            yield WatchedScope(game, "game", "", f"game {game}", own, frozenset(one.zone for one in of_game))
        elif section.scope == "plat":
            for plat in sorted({area.plat for area in of_game}):
                zones = frozenset(area.zone for area in of_game if area.plat == plat)
                yield WatchedScope(game, "plat", plat, f"plat {plat} of {game}", own, zones)
        else:
            for area in of_game:
                if not section.areas or area.id in section.areas:
                    merged_on = of.areas[area.id].merged_on
                    merged = area.zone.day_of(merged_on) if merged_on else 0
                    name = f"area {area.name or area.id} of {game}"
                    yield WatchedScope(game, "area", area.id, name, area.zone, merged=merged)


def period_of(config: Config, collection: str) -> PeriodName | None:
    """Return the period of a collection's documents; None if there is no such collection, or none of hours or days."""
    if collection in TIMERS:
        return "day"
    bolt = catalogue(config).get(collection)
    return bolt.period if bolt is not None and bolt.period in ("hour", "day") else None


def read(reader: Reader, rule: Rule, place: WatchedScope, now: float) -> Values:
    """Return a rule's value in each period that it needs.

    A period without documents counts as 0 for bolts, which count what comes in, and as not known yet for timer bolts. So
    does a day that is not final.
    """
    judged = rule.judged(place.zone, now, place.zones)
    wanted = {one for start in judged for one in (start, *rule.compared(place.zone, start))}
    by_timer = rule.section.collection in TIMERS
    found: Values = {}
    for start in sorted(wanted):
        fields = _fields(reader, rule, place, start, by_timer)
        if fields is not None:
            found[start] = rule.value(fields)
        elif start in judged and not by_timer:
            found[start] = rule.value(dict.fromkeys(rule.fields, 0.0))
        else:
            found[start] = None
    return found


def _fields(
    reader: Reader, rule: Rule, place: WatchedScope, start: int, by_timer: bool
) -> Mapping[str, float] | None:
    """Return the fields of one period, added up over its documents; None if there are none that are whole."""
    query = Query(rule.section.collection, place.game, since=start, until=start + 1)
    if place.scope == "area":
        query = replace(query, areas=(place.id,))
    else:
        query = replace(query, collection=f"{query.collection}{TOTAL}", plat=place.id, scope=place.scope)
    if rule.step:
        return _of_step(reader, rule, query)
    total: dict[str, float] = {}
    asked = [*rule.fields, *([ENDED] if by_timer else [])]
    for document in reader.find(query, asked):
        if by_timer and not document.get(ENDED):
            return None
        if by_timer and (unknown := rule.fields - document.keys()):
            raise AnalyticsError(
                f"{rule.section.collection} has no field {min(unknown)}; see docs/metrics.md"
            )
        for name in rule.fields:
            total[name] = total.get(name, 0.0) + (document.get(name) or 0)
    return total or None


def _of_step(reader: Reader, rule: Rule, query: Query) -> Mapping[str, float] | None:
    """Return what a document says of a step of a funnel; None if there is none, or not with that funnel yet."""
    document = next(reader.find(query, ["reg", "steps"], limit=1), None)
    step = (document or {}).get("steps", {}).get(rule.step)
    return None if document is None or step is None else {"reg": document["reg"], **step}
