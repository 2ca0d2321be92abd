"""United areas: a player who moved stays one player, and a change of what is merged reaches every document."""

from typing import Any

from msgspec.structs import replace
from timer_harness import A, C, at, channel, games, log, paid, some_weeks
from waiting import eventually


def merged(into: str = A) -> dict[str, Any]:
    """Return the games with one area merged into another, and a segment."""
    of = games()
    areas = of["dl"].areas
    areas = areas | {C: replace(areas[C], merged_into=into, merged_on="2015-03-11" if into else "")}
    return of | {"dl": replace(of["dl"], areas=areas, segments=channel(["a"], True))}


def started(new_suite: Any, of: dict[str, Any]) -> Any:
    suite = new_suite(of)
    suite.start_worker()
    suite.start_timers()
    eventually(suite.is_saved)
    return suite


def united(suite: Any, *collections: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = suite.documents(*collections)
    return {key: one for key, one in found.items() if str(one.get("scope")).startswith("united:")}


def test_a_player_who_moved_continues(new_suite: Any) -> None:
    suite = started(new_suite, merged())
    first, later = at("2015-03-09"), at("2015-03-12")
    suite.send("gamelog.signup_logcount", [log("signup", "ann", first, C)])
    suite.send("gamelog.login_logcount", [log("login", "ann", first, C), log("login", "ann", later, A)])
    suite.send("payment", [paid({"ann": 6.0}, at("2015-03-09", 0, "America/New_York"), C)])
    suite.send("payment", [paid({"ann": 4.0}, at("2015-03-12", 0), A)])
    suite.drain()
    [cohort] = united(suite, "loginretention_total").values()
    assert (cohort["scope"], cohort["game"], cohort["reg"]) == (f"united:{A}", "dl", 1)
    assert cohort["retention"]["3"]["count"] == 1
    worth = united(suite, "ltv_total")
    assert [one["ltv"]["3"] for one in worth.values() if one["reg"]] == [10.0]
    alone = [one for one in suite.documents("loginretention").values() if one["reg"]]
    assert [one["retention"]["3"]["count"] for one in alone] == [0]


def test_what_is_merged_changes(new_suite: Any) -> None:
    suite = started(new_suite, merged())
    some_weeks(suite, "2015-03-10", 5, seed=1)
    suite.drain()
    of_both = united(suite)
    assert {name for name, _ in of_both} >= {"kpi_total", "kpi_segment_total", "coinhour_total", "ltv_total"}
    assert of_both == united_again(suite)

    def restart(into: str) -> None:
        [timers] = [node for node in suite._greenlets if node.name == "timers"]
        suite.stop(timers)
        suite._games |= merged(into)
        again = suite.start_timers()
        eventually(lambda: again.state()["runs"] > 0)

    restart("")
    assert united(suite) == {}
    restart(A)
    assert united(suite) == of_both


def united_again(suite: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the united areas' documents as a node that has never run before makes them."""
    of_both = {str(one.get("scope")) for one in united(suite).values()}
    return {key: one for key, one in suite.recomputed().items() if str(one.get("scope")) in of_both}
