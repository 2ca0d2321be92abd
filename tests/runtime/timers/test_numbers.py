"""Numbers of timer bolts from end to end: records, bolts, timers."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from forms import THOROUGH, long_form
from msgspec.structs import replace
from timer_harness import A, B, C, at, games, log, paid, some_weeks
from waiting import eventually

from analytics.broker.clients import Subscriber
from analytics.config import AreaSection, Game
from analytics.core.periods import zone
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.wanted import Wanted

GOLDEN = Path(__file__).parents[2] / "golden" / "activeday.json"
NEW_YORK = "America/New_York"


def test_golden_active_accts(new_suite: Any) -> None:
    case = json.loads(GOLDEN.read_text())
    games = {
        one["game"]: Game(areas={key: AreaSection(plat=one["plat"])}) for key, one in case["areas"].items()
    }
    suite = new_suite(games, case["now"])
    suite.start_worker()
    suite.start_timers()
    for one in case["tuples"]:
        suite.send(one["topic"], [one["tuple"]])
    suite.drain()
    [expected] = case["documents"]["activeday"]
    of_areas = suite.documents("activeday").values()
    assert [{name: one[name] for name in expected} for one in of_areas] == [expected]
    whole = suite.documents("activeday_total")["activeday_total", f"game:wsdx:{expected['ts']}"]
    assert (whole["scope"], whole["ac_user"], whole["new_ac_user"]) == ("game", 214, 109)
    assert "area" not in whole and "plat" not in whole


def test_a_game_is_distinct_over_its_areas_by_their_own_calendar(suite: Any) -> None:
    """Both areas' 3rd of March, hours apart, are the game's; who is in both is one."""
    suite.send("gamelog.login_logcount", [log("login", acct, at("2015-03-03")) for acct in "abc"])
    late = at("2015-03-03", 23, NEW_YORK)  # in Shanghai that is the 4th
    suite.send("gamelog.login_logcount", [log("login", acct, late, C) for acct in "cd"])
    suite.drain()
    found = suite.documents("activeday", "activeday_total")
    total = "activeday_total"
    assert found[total, f"game:dl:{at('2015-03-03', 0)}"]["ac_user"] == 4
    assert found[total, f"plat:dl:1:{at('2015-03-03', 0)}"]["ac_user"] == 3
    assert found[total, f"plat:dl:2:{at('2015-03-03', 0)}"]["ac_user"] == 2
    assert found["activeday", f"{A}:{at('2015-03-03', 0)}"]["ac_user"] == 3
    assert found["activeday", f"{C}:{at('2015-03-03', 0, NEW_YORK)}"]["ac_user"] == 2
    assert (total, f"game:dl:{at('2015-03-04', 0)}") not in found


def test_the_start_of_an_area(suite: Any) -> None:
    suite.send("gamelog.signup_logcount", [log("signup", "a", at("2015-03-05") + 7)])
    suite.send("gamelog.login_logcount", [log("login", "a", at("2015-03-06"))])
    suite.drain()
    [start] = suite.documents("serverstarttime").values()
    assert (start["area"], start["ts"], start["day"]) == (A, at("2015-03-05") + 7, at("2015-03-05", 0))
    assert start["final"]
    key = "kpi", f"{A}:{at('2015-03-06', 0)}"
    assert suite.documents("kpi")[key]["open_day"] == 1
    # A late record moves the start, and every day's distance from it, of area and game.
    suite.send("gamelog.createrole_logcount", [log("createrole", "a", at("2015-02-27"))])
    suite.drain()
    assert suite.documents("serverstarttime")["serverstarttime", A]["day"] == at("2015-02-27", 0)
    assert suite.documents("kpi")[key]["open_day"] == 7
    assert suite.documents("kpi_total")["kpi_total", f"game:dl:{at('2015-03-06', 0)}"]["open_day"] == 7


def test_a_record_of_long_ago_does_not_start_an_area_that_says_when_it_opened(new_suite: Any) -> None:
    """Without that day it does, and a call by hand puts it right once the day is there."""
    suite = new_suite()
    suite.start_worker()
    node = suite.start_timers()
    day = at("2015-03-06", 0)
    suite.send("gamelog.login_logcount", [log("login", "a", at("2015-03-05")), log("login", "b", day)])
    suite.send("gamelog.login_logcount", [log("login", "c", at("2014-10-05"))])
    suite.drain()
    key = "kpi", f"{A}:{day}"
    assert suite.documents("kpi")[key]["open_day"] == 152
    suite.stop(node)
    suite._games = games()
    area = suite._games["dl"].areas[A]
    suite._games["dl"].areas[A] = replace(area, opened="2015-03-01")
    by_hand(suite.config, suite.store, suite.publisher, Wanted(["serverstarttime"]), lambda: suite.now)
    assert suite.documents("serverstarttime")["serverstarttime", A]["ts"] == at("2015-03-05")
    assert suite.documents("kpi")[key]["open_day"] == 1
    assert suite.documents("kpi_total")["kpi_total", f"game:dl:{day}"]["open_day"] == 1

    suite.start_timers()
    suite.send(
        "gamelog.login_logcount", [log("login", "d", at("2014-10-06")), log("login", "d", at("2015-03-04"))]
    )
    suite.send("gamelog.signup_logcount", [log("signup", "d", at("2014-10-06"))])
    suite.drain()
    assert suite.documents("serverstarttime")["serverstarttime", A]["ts"] == at("2015-03-04")
    assert suite.documents("kpi")[key]["open_day"] == 2
    assert suite.unpublished() == []


def test_a_date_that_the_zone_skips_has_no_document(new_suite: Any) -> None:
    """Samoa went from the 29th of December 2011 to the 31st: what would be the 30th's is the 31st's."""
    apia = "Pacific/Apia"
    area = AreaSection(plat="1", timezone=apia)
    suite = new_suite({"dl": Game(timezone=apia, areas={A: area})}, at("2012-01-03", 12, apia))
    suite.start_worker()
    suite.start_timers()
    eventually(suite.is_saved)
    for day in ("2011-12-28", "2011-12-31"):
        suite.send("gamelog.signup_logcount", [log("signup", "a", at(day, 12, apia))])
        suite.send("gamelog.login_logcount", [log("login", "a", at(day, 12, apia))])
    suite.drain()
    found = suite.documents()
    for stem, total in ((A, ""), ("plat:dl:1", "_total"), ("game:dl", "_total")):
        first = found[f"loginretention{total}", f"{stem}:{at('2011-12-28', 0, apia)}"]
        assert [n for n, one in first["retention"].items() if one["count"]] == ["3"]
        last = found[f"kpi{total}", f"{stem}:{at('2011-12-31', 0, apia)}"]
        assert (last["open_day"], last["dau"]) == (3, 1)


def test_an_earlier_payment_moves_an_acct_to_another_cohort(suite: Any) -> None:
    """Payments of older days come last, the oldest at the very end: each cohort loses the acct in turn."""
    days = [at(f"2015-03-{day:02}", 0) for day in (10, 8, 5, 2)]
    for n, day in enumerate(days):
        suite.send("payment", [paid({"a": 1}, day)])
        if n != 1:  # two of them at once
            suite.drain()
    found = suite.documents("paytraceday", "paytraceday_total")
    cohorts = {
        day: found["paytraceday", f"{A}:{day}"]["pay_user"]
        for day in days
        if ("paytraceday", f"{A}:{day}") in found
    }
    assert {day for day, users in cohorts.items() if users} == {days[-1]}
    assert found["paytraceday_total", f"game:dl:{days[-1]}"]["pay_user"] == 1
    assert found["paytraceday", f"{A}:{days[-1]}"]["retention"]["8"]["count"] == 1


def test_what_changes_is_published_with_version_and_tuples(suite: Any) -> None:
    listener = Subscriber(suite.config.broker, ["activeday", "activeday_total"])
    eventually(lambda: listener.recv(1.0) is not None)  # the heartbeat: the subscription stands
    suite.send("gamelog.login_logcount", [log("login", acct, at("2015-03-03")) for acct in "abc"])
    suite.drain()
    tuples: list[dict[str, Any]] = []

    def heard() -> bool:
        message = listener.recv(1.0)
        if message is not None and hasattr(message, "body"):
            tuples.extend(map(msgspec.json.decode, message.body.split(b"\n")))
        return {one.get("area", one.get("scope")) for one in tuples} >= {A, "plat", "game"}

    eventually(heard)
    listener.close()
    newest = max((one for one in tuples if one.get("area") == A), key=lambda one: one["version"])
    document = suite.documents("activeday")["activeday", f"{A}:{at('2015-03-03', 0)}"]
    dates = {"date", "day", "zone"}
    assert document.keys() >= dates and {name: newest.get(name) for name in document.keys() - dates} == {
        name: value for name, value in document.items() if name not in dates
    }
    assert sum(one["tuples"] for one in tuples if one.get("area") == A) == 3
    assert not [name for name in newest if name.startswith("_") or name in {"updated", *dates}]


def test_a_list_in_parts(suite: Any) -> None:
    for begin in (0, 4_500):  # the second version moves what the first one listed to parts
        accts = [f"acct{n}" for n in range(begin, begin + 4_500)]
        suite.send("gamelog.login_logcount", [log("login", acct, at("2015-03-03")) for acct in accts])
        suite.drain()
    assert "parts" in suite.store.load("loginday", [f"{A}:{at('2015-03-03', 0)}"]).popitem()[1]
    assert suite.documents("activeday")["activeday", f"{A}:{at('2015-03-03', 0)}"]["ac_user"] == 9_000


def test_payments_are_worth_what_the_newest_snapshot_says(suite: Any) -> None:
    day = at("2015-03-03", 0)
    suite.send("gamelog.signup_logcount", [log("signup", "a", day)])
    suite.send("payment", [paid({"a": 1.5, "b": 2}, day, at=1)])
    suite.drain()
    suite.send("payment", [paid({"a": 3.25}, day, at=2)])
    suite.drain()
    kpi = suite.documents("kpi")["kpi", f"{A}:{day}"]
    assert (kpi["revenue"], kpi["payers"], kpi["reg"], kpi["new_pay_rate"]) == (5.25, 2, 1, 1.0)
    ltv = suite.documents("ltv")["ltv", f"{A}:{day}"]
    assert ltv["ltv"]["0"] == 3.25


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=long_form)])
def test_weeks_in_any_order_come_to_what_they_come_to_at_once(suite: Any, seed: int) -> None:
    some_weeks(suite, *(("2015-02-02", 45) if THOROUGH else ("2015-02-24", 20)), seed)
    suite.drain()
    found = suite.documents()
    assert found == suite.recomputed()
    assert {area for name, key in found for area in [key.split(":")[0]]} == {A, B, C, "game", "plat"}
    assert {one["final"] for one in found.values()} == {True, False}


def test_areas_that_nobody_claims_are_told(suite: Any) -> None:
    gone = "f" * 24
    node = next(node for node in suite._greenlets if node.name == "timers")
    line = {"id": "loginday@x:1", "area": gone, "ts": zone("UTC").day_of("2015-03-03"), "tuples": 1}
    suite.send("loginday", [{key: value for key, value in line.items() if key != "id"}])
    eventually(lambda: node.state()["unknown_areas"] == [gone])
