"""The simulated game: the same by the same seed, and believable."""

import json
from collections import Counter, defaultdict
from datetime import date, datetime
from zlib import crc32
from zoneinfo import ZoneInfo

import pytest

from analytics.simulate.events import LOGIN, PAY, REFUND, ROLE, SIGNUP, LineWriter
from analytics.simulate.ledger import Ledger
from analytics.simulate.world import AreaWorld, WorldSettings, game_servers, retention

FIRST = date(2026, 3, 2)


def play(settings, flat=False):
    """Return the ledger, the payments by (area, local date, acct), and each area's log lines, decoded."""
    servers = game_servers(settings)
    ledger, paid, logs = Ledger(servers, settings.timezone), Counter(), {}
    zone = ZoneInfo(settings.timezone)
    for server in servers:
        world, writer, log = AreaWorld(settings, server), LineWriter(server, flat), b""
        for _ in range(settings.days):
            day = world.next_day()
            ledger.note(server.id, day.start, day.events)
            log += writer.lines(day.events)
            for ts, op, args in day.events:
                assert day.start <= ts < day.end
                if op == PAY:
                    paid[server.id, datetime.fromtimestamp(ts, zone).date(), args[1]] += args[2]
                if op == REFUND:
                    paid[server.id, datetime.fromtimestamp(ts, zone).date(), args[1]] -= args[2]
        logs[server.id] = log
    return ledger, paid, logs


def test_the_same_seed_gives_the_same_bytes():
    settings = WorldSettings(FIRST, seed=7, areas=3, players=80, days=6)
    assert play(settings)[2] == play(settings)[2]
    other = WorldSettings(FIRST, seed=8, areas=3, players=80, days=6)
    assert set(play(settings)[2]).isdisjoint(play(other)[2])


def test_bytes_of_a_seed_stay_what_they_are():
    """A world that was simulated yesterday can be simulated again tomorrow, on another Python too."""
    settings = WorldSettings(FIRST, seed=1, areas=1, players=20, days=1)
    log = play(settings)[2].popitem()[1]
    assert (len(log), crc32(log)) == (8984, 3344285935)


@pytest.mark.parametrize("flat", [False, True])
def test_every_line_is_in_order_and_complete(flat):
    settings = WorldSettings(FIRST, areas=2, players=100, days=5)
    for area, log in play(settings, flat)[2].items():
        records = [json.loads(line) for line in log.splitlines()]
        times = [record["ts"] for record in records]
        assert times == sorted(times) and len(records) > 500
        for record in records:
            data = record if flat else record["data"]
            who = "online" if data["opname"] == "online_logcount" else "acct"
            assert who in data and data["server_name"] and data["corpid"]
            if flat:
                assert "area" not in record
            else:
                assert record["area"] == area and record["op"]["code"] == data["opname"]


def test_ledger_equals_a_recount_of_the_lines():
    settings = WorldSettings(FIRST, areas=3, players=150, days=8, timezone="Asia/Kolkata")
    ledger, paid, logs = play(settings)
    documents, zone = ledger.documents(), ZoneInfo(settings.timezone)
    names = {"login_logcount": "login", "signup_logcount": "signup", "createrole_logcount": "createrole"}
    hours, days, firsts, records = defaultdict(set), defaultdict(set), {}, 0
    for area, log in logs.items():
        for record in map(json.loads, log.splitlines()):
            records += 1
            if kind := names.get(record["op"]["code"]):
                local = datetime.fromtimestamp(record["ts"], zone).replace(minute=0, second=0)
                hour = f"{area}:{int(local.timestamp())}"
                hours[kind, hour].add(record["data"]["acct"])
                firsts.setdefault((kind, hour), record["ts"])
                days[kind, f"{area}:{int(local.replace(hour=0).timestamp())}"].add(record["data"]["acct"])
    assert ledger.records == records
    for kind in names.values():
        for period, counted in ((f"{kind}hour", hours), (f"{kind}day", days)):
            found = {key: set(document["userlist"]) for key, document in documents[period].items()}
            assert found == {key: accts for (of, key), accts in counted.items() if of == kind}
            assert all(len(d["userlist"]) == d["count"] for d in documents[period].values())
        for key, document in documents[f"{kind}hour"].items():
            assert document["first_ts"] == firsts[kind, key]
    cents = Counter()
    for document in documents["payorderdetail"].values():
        day = datetime.fromtimestamp(document["ts"], zone).date()
        cents[document["area"], day, document["acct"]] = round(document["pay_amout"] * 100)
    assert cents == paid and sum(cents.values()) > 0
    for key, document in documents["server"].items():
        assert document["active"] == len(days["login", key])
        assert document["pay_user"] == documents["paysummary"].get(key, {}).get("count", 0)


def test_players_return_by_the_curve():
    assert [round(retention(age), 3) for age in (1, 7, 30)] == [0.4, 0.18, 0.08]
    settings = WorldSettings(FIRST, areas=1, players=6000, days=31)
    world = AreaWorld(settings, game_servers(settings)[0])
    joined, back = {}, Counter()
    for index in range(31):
        seen = set()
        for _, op, args in world.next_day().events:
            if op == SIGNUP:
                joined[args[1]] = index
            if op == LOGIN:
                seen.add(args[1])
        back[index] = sum(joined[acct] == 0 for acct in seen)
    cohort = sum(index == 0 for index in joined.values())
    assert cohort > 1000
    for age, share in ((1, 0.40), (7, 0.18), (30, 0.08)):
        assert abs(back[age] / cohort - share) < 0.05, age


def test_coins_are_never_spent_before_they_are_had_and_quests_come_in_order():
    settings = WorldSettings(FIRST, areas=1, players=200, days=10)
    (log,) = play(settings)[2].values()
    coins, accepted, finished = Counter(), Counter(), Counter()
    for record in map(json.loads, log.splitlines()):
        data, acct = record["data"], record["data"].get("acct")
        if "amount" in data:
            coins[acct] += data["amount"]
            assert coins[acct] >= 0
        elif record["op"]["code"] == "trunk_task_accept":
            assert data["task"] == accepted[acct] + 1 == finished[acct] + 1
            accepted[acct] += 1
        elif record["op"]["code"] == "trunk_task_finish":
            assert data["task"] == accepted[acct]
            finished[acct] += 1
        elif "num" in data:
            assert data["num"] >= 1 and data["price"] > 0
        elif "result" in data:
            assert data["result"] in ("enter", "pass", "fail")
    assert finished and coins


def test_some_pay_and_some_play_in_several_areas():
    settings = WorldSettings(FIRST, areas=4, players=800, days=10)
    ledger, paid, _ = play(settings)
    accts = defaultdict(set)
    for document in ledger.documents()["signupday"].values():
        accts[document["area"]].update(document["userlist"])
    payers = {(area, acct) for area, _, acct in paid}
    assert 0.005 < len(payers) / sum(map(len, accts.values())) < 0.06
    servers = game_servers(settings)
    assert accts[servers[0].id] & accts[servers[2].id]
    assert accts[servers[0].id].isdisjoint(accts[servers[1].id])
    assert [server.opens for server in servers] == [0, 1, 2, 3]


def test_days_of_a_clock_change_stay_whole():
    settings = WorldSettings(date(2026, 3, 28), areas=1, players=300, days=3, timezone="Europe/Berlin")
    world = AreaWorld(settings, game_servers(settings)[0])
    days = [world.next_day() for _ in range(3)]
    assert [(day.end - day.start) // 3600 for day in days] == [24, 23, 24]
    assert all(day.start <= ts < day.end for day in days for ts, _, _ in day.events)


def test_roles_are_as_they_were_last():
    settings = WorldSettings(FIRST, areas=1, players=60, days=4)
    server = game_servers(settings)[0]
    world, ledger, newest = AreaWorld(settings, server), Ledger([server], settings.timezone), {}
    for _ in range(4):
        day = world.next_day()
        ledger.note(server.id, day.start, day.events)
        newest.update({args[2]: args for _, op, args in day.events if op == ROLE})
    roles = ledger.roles(server.id)
    assert {role["uid"]: (role["ts"], role["grade"]) for role in roles} == {
        uid: (args[0], args[4]) for uid, args in newest.items()
    }
    since = roles[len(roles) // 2]["ts"]
    assert ledger.roles(server.id, since) == [role for role in roles if role["ts"] >= since]
