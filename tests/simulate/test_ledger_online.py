"""The ledger's players online and sessions are what bolts and timer bolts make of the lines."""

import json
from collections import defaultdict
from datetime import date, timedelta

from analytics.bolts import BOLTS
from analytics.config import AreaSection, Config, Game, areas
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.runtime.timers.facts import FactsReader
from analytics.runtime.timers.scopes import all_scopes
from analytics.simulate.events import LineWriter
from analytics.simulate.ledger import Ledger
from analytics.simulate.world import AreaWorld, WorldSettings, game_servers
from analytics.store import MemoryStore, Write
from analytics.timers import TIMERS

FIRST, DAYS = date(2026, 3, 26), 6
SETTINGS = WorldSettings(FIRST, seed=3, areas=3, players=60, days=DAYS, timezone="Europe/Berlin")
"""Clocks change on the fourth day."""

NOW = zone(SETTINGS.timezone).day_of(str(FIRST + timedelta(days=DAYS - 1))) + 60_000
HOURS, KINDS = ("onlinehour", "sessionhour"), {"onlineday": "online", "sessionday": "session"}


def test_the_ledger_and_the_suite_say_the_same() -> None:
    servers = game_servers(SETTINGS)
    games = {server.game: Game(areas={}) for server in servers}
    for server in servers:
        games[server.game].areas[server.id] = AreaSection(plat=server.plat)
    config = Config(timezone=SETTINGS.timezone, games=games)
    ledger, runner = (
        Ledger(servers, SETTINGS.timezone),
        Reference(map(BOLTS.__getitem__, HOURS), areas(config)),
    )
    for server in servers:
        world, writer = AreaWorld(SETTINGS, server), LineWriter(server)
        for _ in range(DAYS):
            day = world.next_day()
            events = [event for event in day.events if event[0] <= NOW]
            ledger.note(server.id, day.start, events)
            by_topic = defaultdict(list)
            for record in map(json.loads, writer.lines(events).splitlines()):
                by_topic[f"gamelog.{record['op']['code']}"].append(record | {"id": "x:1"})
            for topic, records in by_topic.items():
                runner.put(topic, records)
    expected = ledger.documents(NOW)
    store = MemoryStore()
    for name in HOURS:
        assert runner.documents(name) == expected[name] != {}
        documents = runner.collections[name].items()
        store.write(name, [Write(id_, one | {"_id": id_, "_v": 1}, 0) for id_, one in documents])
    found = {f"{name}{total}": {} for name in KINDS for total in ("", "_total")}
    facts, first = FactsReader(store, areas(config)), FIRST.toordinal()
    for scope in all_scopes(config, areas(config)):
        days = range(first - 1, first + DAYS + 2)
        facts.load([(scope, {kind: set(days) for kind in KINDS.values()})])
        of_scope = facts.facts(scope, scope.clock(NOW), None, None)
        for name in KINDS:
            for one in TIMERS[name].documents(of_scope, days[1:-1]):
                if not one.empty:
                    document = scope.names | {"ts": scope.key_fields(one.first)["ts"]} | one.fields
                    found[scope.collection(name)][scope.id_of(one.first)] = document
    assert found == {name: expected[name] for name in found}
    sessions = expected["sessionday_total"].values()
    assert all(sum(one[name] for one in sessions) for name in ("open", "ended_by_login", "ended_by_limit"))
