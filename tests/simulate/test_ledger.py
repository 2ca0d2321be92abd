"""The ledger against a recount: every document once more, by looking through all events of a small game."""

import math
from collections import Counter
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from analytics.simulate.channels import LISTED
from analytics.simulate.events import (
    ACCEPT,
    COIN,
    CREATEROLE,
    FINISH,
    FUBEN,
    LOGIN,
    PAY,
    REFUND,
    ROLE,
    SHOP,
    SIGNUP,
)
from analytics.simulate.ledger import Ledger
from analytics.simulate.subledgers import periods
from analytics.simulate.world import AreaWorld, WorldSettings, game_servers

FIRST = date(2026, 3, 2)
DAYS = 40
SETTINGS = WorldSettings(FIRST, seed=3, areas=4, players=40, days=DAYS, timezone="Europe/Berlin", merges=True)
ZONE = ZoneInfo(SETTINGS.timezone)
UNDONE = -1
TODAY = FIRST + timedelta(days=DAYS - 3)
"""The game goes on past it, so that some documents are final and some look at days that have not begun."""


def start(day):
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp())


def percent(part, whole):
    return round(100 * part / whole, 2) if whole else 0


def quotient(part, whole):
    return round(part / whole, 4) if whole else 0


@pytest.fixture(scope="module")
def world():
    """The servers, the ledger, and all events as (server, local day, ts, op, args)."""
    servers = game_servers(SETTINGS)
    ledger, rows = Ledger(servers, SETTINGS.timezone), []
    for server in servers:
        area = AreaWorld(SETTINGS, server)
        for _ in range(DAYS - 2):  # until the end of today
            day = area.next_day()
            ledger.note(server.id, day.start, day.events)
            rows += [
                (server, datetime.fromtimestamp(ts, ZONE).date(), ts, op, args) for ts, op, args in day.events
            ]
    return servers, ledger, netted(rows)


def netted(rows):
    """Return the rows with payments as revenue counts them.

    The first payment of an acct's day has the cents of all of them in the game's currency, less refunds. Where nothing is left
    they are ``UNDONE``.
    """
    sums = {}
    for server, day, _, op, args in rows:
        if op in (PAY, REFUND):
            sums.setdefault((server, day, args[1]), [0, 0])[op == REFUND] += args[2]
    left = {}
    for (server, day, acct), cents in sums.items():
        rate = Fraction("1.0873") if server.currency == "EUR" else 1
        left[server, day, acct] = round(cents[0] * rate) - round(cents[1] * rate)
    found, counted = [], set()
    for server, day, ts, op, args in rows:
        key = server, day, args[1]
        if op == PAY:
            cents = 0 if key in counted else left[key]
            counted.add(key)
            found.append((server, day, ts, PAY if left[key] else UNDONE, (ts, args[1], cents)))
        elif op != REFUND:
            found.append((server, day, ts, op, args))
    assert any(server.currency == "EUR" for server, *_ in sums) and min(left.values()) == 0
    return found


@pytest.fixture(scope="module")
def documents(world):
    return world[1].documents(start(TODAY) + 7 * 3600)


def names(server):
    return {"game": server.game, "area": server.id, "plat": server.plat}


def grouped(rows, key):
    """Return rows by what ``key`` makes of each; None leaves a row out."""
    result = {}
    for row in rows:
        if (of := key(*row)) is not None:
            result.setdefault(of, []).append(row)
    return result


def accts(rows, *ops):
    return {args[1] for _, _, _, op, args in rows if op in ops}


def test_coins(world, documents):
    ids = {
        "coinhour": lambda area, day, ts, reason: f"{area}:{ts // 3600 * 3600}",
        "coinday": lambda area, day, ts, reason: f"{area}:{start(day)}",
        "cointype": lambda area, day, ts, reason: f"{area}:{start(day)}:{reason}",
    }
    for collection, id_of in ids.items():
        groups = {}
        for row in world[2]:
            server, day, ts, op, args = row
            if op == COIN:
                groups.setdefault(id_of(server.id, day, ts, args[3]), []).append(row)
        expected = {}
        for id, some in groups.items():
            amounts = [args[2] for *_, args in some]
            expected[id] = names(some[0][0]) | {
                "ts": int(id.split(":")[1]),
                "count": sum(amount < 0 for amount in amounts),
                "amount": -sum(amount for amount in amounts if amount < 0),
                "users": len({args[1] for *_, args in some if args[2] < 0}),
                "gain_count": sum(amount > 0 for amount in amounts),
                "gain_amount": sum(amount for amount in amounts if amount > 0),
            }
            if collection == "cointype":
                expected[id]["reason"] = some[0][4][3]
        assert documents[collection] == expected and len(expected) > 50


def test_dungeons_quests_and_items(world, documents):
    _, _, rows = world

    def recount(collection, ops, fields):
        groups = grouped(
            rows,
            lambda server, day, ts, op, args: f"{server.id}:{start(day)}:{args[2]}" if op in ops else None,
        )
        expected = {
            id: names(some[0][0]) | {"ts": start(some[0][1])} | fields(some, some[0][4][2])
            for id, some in groups.items()
        }
        assert documents[collection] == expected and len(expected) > 50

    def results(some, fuben):
        counts = Counter(args[3] for *_, args in some)
        return {
            "fuben": fuben,
            "enter": counts["enter"],
            "pass": counts["pass"],
            "fail": counts["fail"],
            "users": len(accts(some, FUBEN)),
        }

    def quests(some, task):
        began, ended = accts(some, ACCEPT), accts(some, FINISH)
        return {
            "task": task,
            "accept": sum(op == ACCEPT for _, _, _, op, _ in some),
            "finish": sum(op == FINISH for _, _, _, op, _ in some),
            "accept_users": len(began),
            "finish_users": len(ended),
            "finish_rate": percent(len(ended), len(began)),
        }

    def bought(some, item):
        return {
            "item": item,
            "count": len(some),
            "num": sum(args[3] for *_, args in some),
            "amount": sum(args[4] for *_, args in some),
            "users": len(accts(some, SHOP)),
        }

    recount("gamecopy", {FUBEN}, results)
    recount("mainline", {ACCEPT, FINISH}, quests)
    recount("shop", {SHOP}, bought)


def test_what_payers_have_paid_used_and_left(world, documents):
    expected = {}
    for (server, acct), some in grouped(
        world[2], lambda server, day, ts, op, args: (server, args[1])
    ).items():
        relevant = [row for row in some if row[3] in (PAY, UNDONE, COIN, ROLE)]
        if not relevant:
            continue
        cents = [args[2] for _, _, _, op, args in some if op == PAY]
        days = sorted({start(day) for _, day, _, op, _ in some if op == PAY})
        left = {args[2]: args[5] for _, _, _, op, args in some if op == ROLE}
        expected[f"{server.id}:{acct}"] = names(server) | {
            "acct": acct,
            "pay_count": sum(op in (PAY, UNDONE) for _, _, _, op, _ in some),
            "pay_amout": sum(cents) / 100,
            "pay_days": len(days),
            "first_pay": days[0] if days else None,
            "last_pay": days[-1] if days else None,
            "rest_yuanbao": sum(left.values()),
            "used_yuanbao": -sum(args[2] for _, _, _, op, args in some if op == COIN and args[2] < 0),
        }
    assert documents["userpay"] == expected
    assert sum(one["pay_days"] > 1 for one in expected.values()) > 1


def test_roles_are_told_by_the_day_on_which_they_were_so(world):
    servers, _, _ = world
    ledger = Ledger(servers, SETTINGS.timezone)
    area = servers[0].id
    day = start(FIRST)
    noon = {"uid": "1", "ts": day + 43_200, "grade": 2, "acctid": "a"}
    evening, next_day = noon | {"ts": day + 80_000, "grade": 3}, noon | {"ts": day + 90_000, "grade": 5}
    other = {"uid": "2", "ts": day + 5, "grade": 3}
    for answer in ([noon, other], [evening], [noon], [next_day]):
        ledger.answered(area, answer)
    levels = ledger.documents(day)["userlevel"]
    assert levels == {
        f"{area}:{day}": names(servers[0]) | {"ts": day, "levels": {"3": 2}, "users": 2},
        f"{area}:{day + 86_400}": names(servers[0]) | {"ts": day + 86_400, "levels": {"5": 1}, "users": 1},
    }


def scopes(world):
    """Yield id, names and rows of each area and of each whole game, plat and united area."""
    servers, _, rows = world
    for server in servers:
        yield server.id, names(server), [row for row in rows if row[0] is server]
    for game in {server.game for server in servers}:
        of_game = [row for row in rows if row[0].game == game]
        yield f"game:{game}", {"scope": "game", "game": game}, of_game
        for plat in {server.plat for server in servers if server.game == game}:
            of_plat = [row for row in of_game if row[0].plat == plat]
            yield f"plat:{game}:{plat}", {"scope": "plat", "game": game, "plat": plat}, of_plat
    merged, left = servers[3], servers[1]
    assert (merged.merged_into, merged.game) == (left.id, left.game)
    united = [row for row in rows if row[0] in (merged, left)]
    yield f"united:{left.game}:{left.id}", {"scope": f"united:{left.id}", "game": left.game}, united


def test_players_of_a_merged_area_go_on_in_the_other(world):
    servers, _, rows = world
    merged, left = servers[3], servers[1]
    moved = [
        row
        for row in rows
        if row[0] in (merged, left) and row[3] == ROLE and f"{merged.index:05d}" in row[4][2][:9]
    ]
    days = {server.id: {day for one, day, *_ in moved if one is server} for server in (merged, left)}
    assert str(max(days[merged.id])) < merged.merged_on <= str(min(days[left.id]))
    assert len(days[left.id]) > 3 and not any(
        one is merged and str(day) >= merged.merged_on for one, day, *_ in rows
    )


def check(documents, collection, world, fields):
    """Compare a collection with what ``fields`` says of each scope's events and each day up to today."""
    expected = {}
    for id, known, rows in scopes(world):
        by_day = grouped(rows, lambda server, day, ts, op, args: day)
        for n in range(-7, DAYS + 5):
            day = FIRST + timedelta(days=n)
            found = fields(by_day, day)
            if found is not None:
                expected[f"{id}:{start(day)}"] = known | {"ts": start(day)} | found
    assert documents[collection] | documents[f"{collection}_total"] == expected
    assert {one["final"] for one in expected.values()} <= {True, False} and len(expected) > 10


def during(by_day, first, days):
    return [row for n in range(days) for row in by_day.get(first + timedelta(days=n), [])]


@pytest.mark.parametrize(
    ("collection", "is_first", "length"),
    [
        ("activeday", lambda day: True, lambda day: 1),
        ("activeweek", lambda day: day.weekday() == 0, lambda day: 7),
        (
            "activemonth",
            lambda day: day.day == 1,
            lambda day: ((day + timedelta(days=31)).replace(day=1) - day).days,
        ),
    ],
)
def test_activity(world, documents, collection, is_first, length):
    def fields(by_day, day):
        rows = during(by_day, day, length(day)) if is_first(day) else []
        active, new = accts(rows, LOGIN), accts(rows, LOGIN) & accts(rows, SIGNUP)
        if not active:
            return None
        return {
            "ac_user": len(active),
            "new_ac_user": len(new),
            "old_ac_user": len(active - new),
            "new_ac_rate": percent(len(new), len(active)),
            "old_ac_rate": percent(len(active - new), len(active)),
            "final": day + timedelta(days=length(day)) <= TODAY,
        }

    check(documents, collection, world, fields)


@pytest.mark.parametrize(
    ("collection", "field", "back", "ahead"),
    [("kpi", "dau", 0, 0), ("kpi", "mau", 29, 0), ("activeweek", "ac_user", 0, 6)],
)
@pytest.mark.parametrize("total", ["", "_total"])
def test_channels(world, documents, total, collection, field, back, ahead):
    """An acct has the channel of its first sign-up that names one, from that day on, in a game by its sign-ups in all areas."""
    _, _, rows = world
    for of, some in grouped(rows, lambda server, *_: server.game if total else server.id).items():
        divided = some[0][0].game == "dl"
        first = {}
        for server, day, ts, op, args in some:
            if op == SIGNUP and args[2]:
                first[args[1]] = min(first.get(args[1], (date.max,)), (day, ts, server.id, args[2]))
        by_day, values = grouped(some, lambda _, day, *__: day), Counter()
        for day in {
            day - timedelta(days=day.weekday() if ahead else 0) for day in by_day if divided and day <= TODAY
        }:
            last = day + timedelta(days=ahead)
            for acct in accts(during(by_day, day - timedelta(days=back), back + ahead + 1), LOGIN):
                since, *_, channel = first.get(acct, (date.max, ""))
                value = "unknown" if since > last else channel if channel in LISTED else "other"
                values[f"{start(day)}:channel:{value}"] += 1
        stem = f"game:{of}" if total else of
        found = {
            id.removeprefix(f"{stem}:"): one[field]
            for id, one in documents[f"{collection}_segment{total}"].items()
            if id.startswith(f"{stem}:") and one[field] and one["ts"] <= start(max(by_day))
        }
        assert found == values and (len(values) > 15 or not divided)


def test_who_is_new_returned_and_lost(world, documents):
    def fields(by_day, day):
        here = accts(during(by_day, day - timedelta(days=6), 7), LOGIN)
        before = accts(during(by_day, day - timedelta(days=7), 7), LOGIN)
        new = (here - before) & accts(during(by_day, day - timedelta(days=6), 7), SIGNUP)
        if day > TODAY or not (here or before):
            return None
        return {
            "active": len(here),
            "before": len(before),
            "new": len(new),
            "retained": len(here & before),
            "returned": len(here - before - new),
            "lost": len(before - here),
            "final": day < TODAY,
        }

    check(documents, "lifecycle", world, fields)


def later(by_day, day, cohort, op):
    counts = {}
    for n in range(1, 31):
        if day + timedelta(days=n) <= TODAY:
            count = len(cohort & accts(by_day.get(day + timedelta(days=n), []), op))
            rest = min(31 - n, (TODAY - day).days - n + 1)
            later = len(cohort & accts(during(by_day, day + timedelta(days=n), rest), op))
            counts[str(n)] = {"count": count, "rate": percent(count, len(cohort))}
            counts[str(n)] |= {"rolling": later, "rolling_rate": percent(later, len(cohort))}
    return {"retention": counts, "final": day + timedelta(days=30) < TODAY}


def test_who_comes_back(world, documents):
    def fields(by_day, day):
        cohort = accts(by_day.get(day, []), SIGNUP)
        return {"reg": len(cohort)} | later(by_day, day, cohort, LOGIN) if cohort else None

    check(documents, "loginretention", world, fields)


def test_who_pays_again(world, documents):
    def fields(by_day, day):
        before = accts([row for of, rows in by_day.items() if of < day for row in rows], PAY)
        cohort = accts(by_day.get(day, []), PAY) - before
        return {"pay_user": len(cohort)} | later(by_day, day, cohort, PAY) if cohort else None

    check(documents, "paytraceday", world, fields)


def cohort_of(by_day, size, first, days):
    """Return who signed up, or paid for the first time, during some days."""
    if size == "reg":
        return accts(during(by_day, first, days), SIGNUP)
    before = accts([row for of, rows in by_day.items() if of < first for row in rows], PAY)
    return accts(during(by_day, first, days), PAY) - before


@pytest.mark.parametrize(("size", "op"), [("reg", LOGIN), ("pay_user", PAY)])
@pytest.mark.parametrize("period", ["week", "month"])
def test_who_comes_back_in_later_weeks_and_months(world, documents, period, size, op):
    def following(day):
        return day + timedelta(days=7) if period == "week" else (day + timedelta(days=31)).replace(day=1)

    def fields(by_day, day):
        if (day.weekday() if period == "week" else day.day - 1) or day > TODAY:
            return None
        cohort = cohort_of(by_day, size, day, (following(day) - day).days)
        later, begin = {}, day
        for n in range(1, 9 if period == "week" else 4):
            begin = following(begin)
            if begin <= TODAY:
                rows = during(by_day, begin, (following(begin) - begin).days)
                count = len(cohort & accts(rows, op))
                later[str(n)] = {"count": count, "rate": percent(count, len(cohort))}
        return {size: len(cohort), "retention": later, "final": following(begin) <= TODAY} if cohort else None

    check(documents, f"{'login' if size == 'reg' else 'pay'}{period}", world, fields)


@pytest.mark.parametrize(("size", "op"), [("reg", LOGIN), ("pay_user", PAY)])
def test_who_comes_back_on_single_later_days(world, monkeypatch, size, op):
    collection = f"{'login' if size == 'reg' else 'pay'}long"
    monkeypatch.setitem(periods.OF_DAYS, collection, periods._returns(size, (5, 10, 20), rolling=False))
    documents = world[1].documents(start(TODAY))

    def fields(by_day, day):
        cohort = cohort_of(by_day, size, day, 1)
        counts = {
            n: len(cohort & accts(by_day.get(day + timedelta(days=n), []), op))
            for n in (5, 10, 20)
            if day + timedelta(days=n) <= TODAY
        }
        later = {str(n): {"count": count, "rate": percent(count, len(cohort))} for n, count in counts.items()}
        final = day + timedelta(days=20) < TODAY
        return {size: len(cohort), "retention": later, "final": final} if cohort and later else None

    check(documents, collection, world, fields)


def test_key_figures(world, documents):
    def fields(by_day, day):
        today = by_day.get(day, [])
        dau = len(accts(today, LOGIN))
        wau = len(accts(during(by_day, day - timedelta(days=6), 7), LOGIN))
        mau = len(accts(during(by_day, day - timedelta(days=29), 30), LOGIN))
        payers, reg = accts(today, PAY), accts(today, SIGNUP)
        cents = sum(args[2] for _, _, _, op, args in today if op == PAY)
        if day > TODAY or not (dau or mau):
            return None
        return {
            "dau": dau,
            "wau": wau,
            "mau": mau,
            "stickiness": quotient(dau, mau),
            "payers": len(payers),
            "pay_rate": quotient(len(payers), dau),
            "revenue": cents / 100,
            "arpu": quotient(cents, 100 * dau),
            "arppu": quotient(cents, 100 * len(payers)),
            "reg": len(reg),
            "new_payers": len(payers & reg),
            "new_pay_rate": quotient(len(payers & reg), len(reg)),
            "open_day": (day - min(by_day)).days,
            "final": day < TODAY,
        }

    check(documents, "kpi", world, fields)


def test_what_a_player_is_worth(world, documents):
    def fields(by_day, day):
        cohort = accts(by_day.get(day, []), SIGNUP)
        worth = {}
        for n in (*range(31), 60, 90):
            if day + timedelta(days=n) < TODAY:
                paid = [row[4] for row in during(by_day, day, n + 1) if row[3] == PAY and row[4][1] in cohort]
                worth[str(n)] = quotient(sum(args[2] for args in paid), 100 * len(cohort))
        return {"reg": len(cohort), "ltv": worth, "final": False} if cohort else None

    check(documents, "ltv", world, fields)


def test_who_paid_how_much_in_a_month(world, documents):
    def paid_in(by_day, first, days):
        found = {}
        for _, of, _, op, args in during(by_day, first, days):
            if op == PAY:
                found.setdefault(args[1], []).append((of, args[2]))
        return found

    def fields(by_day, day):
        if day.day > 1 or day > TODAY:
            return None
        days = ((day + timedelta(days=31)).replace(day=1) - day).days
        earlier = (day - timedelta(days=1)).replace(day=1)
        paid, before = paid_in(by_day, day, days), paid_in(by_day, earlier, (day - earlier).days)
        active = accts(during(by_day, day, days), LOGIN)
        if not (paid or before or active):
            return None
        sums = sorted((sum(cents for _, cents in some) for some in paid.values()), reverse=True)
        again = sum(len({of for of, _ in some}) > 1 for some in paid.values())
        said = {
            "payers": len(paid),
            "revenue": sum(sums) / 100,
            "non_payers": len(active - paid.keys()),
            "repeat_payers": again,
            "repeat_rate": percent(again, len(paid)),
            "before": len(before),
            "lost_payers": len(before.keys() - paid.keys()),
            "churn_rate": percent(len(before.keys() - paid.keys()), len(before)),
            "final": day + timedelta(days=days) <= TODAY,
        }
        bounds = {"minnow": range(1_000), "dolphin": range(1_000, 10_000), "whale": range(10_000, 10**9)}
        for tier, within in bounds.items():
            own = [cents for cents in sums if cents in within]
            said |= {f"{tier}s": len(own), f"{tier}_revenue": sum(own) / 100}
        for top in (1, 5, 10):
            most = sum(sums[: math.ceil(len(sums) * top / 100)])
            said |= {f"top{top}_revenue": most / 100, f"top{top}_rate": percent(most, sum(sums))}
        return said

    check(documents, "payers", world, fields)


def test_how_long_accts_take_to_pay(world, documents):
    def fields(by_day, day):
        cohort = accts(by_day.get(day, []), SIGNUP)
        if not cohort:
            return None
        ended = [n for n in range(91) if day + timedelta(days=n) < TODAY]
        paid = [accts(during(by_day, day, n + 1), PAY) & cohort for n in ended]
        table = {
            str(n): {"count": len(paid[n]), "rate": percent(len(paid[n]), len(cohort))}
            for n in (*range(31), 60, 90)
            if n in ended
        }
        half = len(paid[-1]) / 2 if paid else 0
        median = next(n for n in ended if len(paid[n]) >= half) if half else None
        return {"reg": len(cohort), "paid": table, "median_days": median, "final": False}

    check(documents, "firstpay", world, fields)


def test_how_far_accts_get(world, documents):
    """No role was asked for, so that nobody has reached a level, and no payment counts."""
    ops = {CREATEROLE: 1, FINISH: 2}

    def fields(by_day, day):
        began, firsts = {}, {}
        for _, on, ts, op, args in during(by_day, day, 10):
            if op == SIGNUP and on == day:
                began[args[1]] = min(ts, began.get(args[1], ts))
            elif op in ops and (op == CREATEROLE or args[2] == 5):
                key = ops[op], args[1]
                firsts[key] = min(ts, firsts.get(key, ts))
        if not began:
            return None
        waited, table = dict.fromkeys(began, 0), {}
        for n, step in enumerate(["signup", "createrole", "task:5 finish", "level:5", "first payment"]):
            times = {acct: firsts.get((n, acct), math.inf) - began[acct] if n else 0 for acct in waited}
            waited = {acct: max(waited[acct], ts) for acct, ts in times.items() if ts <= 7 * 86_400}
            median = sorted(waited.values())[(len(waited) - 1) // 2] if waited else None
            shown = {"count": len(waited), "rate": percent(len(waited), len(began)), "median_seconds": median}
            table[f"first_week-{n + 1}"] = {"step": step} | shown
        return {"reg": len(began), "steps": table, "final": day + timedelta(days=9) < TODAY}

    check(documents, "funnel", world, fields)
    assert any(one["steps"]["first_week-3"]["count"] for one in documents["funnel"].values())


def test_when_areas_started(world, documents):
    expected = {}
    for server, rows in grouped(world[2], lambda server, *_: server).items():
        first, day = min((ts, day) for _, day, ts, op, _ in rows if op in (LOGIN, SIGNUP, CREATEROLE))
        expected[server.id] = names(server) | {"ts": first, "day": start(day), "final": day < TODAY}
    assert documents["serverstarttime"] == expected


def test_a_role_interface_and_the_books_say_the_same(world):
    servers, ledger, rows = world
    newest = {}
    for server, _, ts, op, args in rows:
        if op == ROLE:
            newest[f"{server.id}:{args[2]}"] = (ts, args[1], args[4], args[5])
    assert newest == {
        id: (one["ts"], one["acctid"], one["grade"], one["rest_yuanbao"])
        for id, one in ledger.documents(start(TODAY))["usercenter"].items()
    }
    assert sum(len(ledger.roles(server.id)) for server in servers) == len(newest)


def test_revenue_is_net_of_refunds(documents):
    for id, one in documents["revenueday"].items():
        assert one["net"] == documents["paysummary"][id]["pay_amout"]
        assert round(one["gross"] - one["refunds"], 2) == one["net"]
    for scope in ("game", "plat"):
        found = [one for one in documents["revenueday_total"].values() if one["scope"] == scope]
        for field in ("gross", "refunds", "net"):
            expected = sum(one[field] for one in documents["revenueday"].values())
            assert round(sum(one[field] for one in found), 2) == round(expected, 2) > 0
        assert {currency for one in found for currency in one["net_in"]} == {"USD", "EUR"}


def test_totals_are_the_sums_over_areas(documents):
    coins = documents["cointype_total"].values()
    for scope in ("game", "plat"):
        for field in ("amount", "users", "gain_count"):
            expected = sum(one[field] for one in documents["cointype"].values())
            assert sum(one[field] for one in coins if one["scope"] == scope) == expected > 0
    for table in documents["areas_total"].values():
        of_areas = [documents["kpi"][f"{area}:{table['ts']}"] for area in table["areas"]]
        assert table["dau"] == [one["dau"] for one in of_areas]
        assert table["revenue"] == [one["revenue"] for one in of_areas]
