"""Documents of segments are right in the end: whatever dies, however late a first record comes, whatever is configured."""

import random
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from forms import long_form, thorough
from msgspec.structs import replace
from timer_harness import A, B, C, at, channel, games, log, some_weeks
from waiting import eventually

Divided = Callable[..., Any]
KPI = ("dau", "mau", "payers", "reg")


@pytest.fixture
def divided(new_suite: Any) -> Divided:
    """Starts a suite whose games have a segment."""

    def start() -> Any:
        of = {name: replace(game, segments=channel(["a", "b"], True)) for name, game in games().items()}
        suite = new_suite(of)
        suite.start_worker()
        suite.start_timers()
        eventually(suite.is_saved)
        return suite

    return start


def signup(acct: str, property_: Any, ts: int, area: str = A) -> dict[str, Any]:
    one = log("signup", acct, ts, area)
    return one | {"data": one["data"] | {"channel": property_}}


def some_properties(suite: Any, first: str, seed: int) -> None:
    rng = random.Random(seed)
    some = [
        signup(name, rng.choice(["a", "b", "x", None]), at(first) + rng.randrange(8 * 86400), area)
        for area in (A, B, C)
        for n in range(40)
        for name in [f"{area[-1]}{n}" if n % 3 else f"shared{n}"]
        if rng.random() < 0.7
    ]
    suite.send("gamelog.signup_logcount", some)


def counting(documents: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the documents without those of values that count nobody any more."""
    return {
        key: one
        for key, one in documents.items()
        if "value" not in one or any(one.get(name) for name in ("ac_user", "pay_user", *KPI))
    }


@pytest.mark.parametrize(
    ("collection", "moment"),
    [
        ("kpi_segment", "before"),
        pytest.param("ltv_segment_total", "after", marks=thorough),
        pytest.param("kpi_segment", "after", marks=long_form),
        pytest.param("ltv_segment_total", "before", marks=long_form),
    ],
)
def test_killed_while_values_are_written(divided: Divided, moment: str, collection: str) -> None:
    suite = divided()
    some_weeks(suite, "2015-03-10", 6, seed=1)
    some_properties(suite, "2015-03-10", seed=1)
    suite.drain()
    there = gevent.event.Event()

    def block(written: str, writes: Any) -> None:
        if written == collection:
            there.set()
            gevent.sleep(3600)

    setattr(suite.store, moment, block)
    some_properties(suite, "2015-03-08", seed=2)
    assert there.wait(600)
    for node in list(suite._greenlets):
        suite.kill(node)
    suite.store.before = suite.store.after = lambda collection, writes: None
    suite.start_timers()
    suite.start_worker()
    suite.drain()
    assert suite.unpublished() == []
    assert counting(suite.documents()) == counting(suite.recomputed())
    assert {one["value"] for one in suite.documents("kpi_segment").values()} == {"a", "b", "other", "unknown"}


def test_a_late_record_changes_the_value_from_its_day_on(divided: Divided) -> None:
    suite = divided()
    suite.send("gamelog.signup_logcount", [signup("ann", "b", at("2015-03-10"))])
    suite.send(
        "gamelog.login_logcount", [log("login", "ann", at(f"2015-03-{day}")) for day in ("08", "10", "14")]
    )
    suite.drain()
    assert values(suite, "dau") == {"08": "unknown", "10": "b", "14": "b"}
    assert values(suite, "reg") == {"10": "b"}
    suite.send("gamelog.signup_logcount", [signup("ann", "a", at("2015-03-09"))])
    suite.drain()
    assert values(suite, "dau") == {"08": "unknown", "10": "a", "14": "a"}
    assert values(suite, "reg") == {"09": "a", "10": "a"}
    # One of the same day, a second earlier; and in the game, one of another area.
    suite.send("gamelog.signup_logcount", [signup("ann", "zzz", at("2015-03-09") - 1)])
    suite.send("gamelog.signup_logcount", [signup("ann", "b", at("2015-03-08", 12, "America/New_York"), C)])
    suite.drain()
    assert values(suite, "dau") == {"08": "unknown", "10": "other", "14": "other"}
    assert values(suite, "dau", "kpi_segment_total", "game:dl:") == {"08": "b", "10": "b", "14": "b"}
    assert counting(suite.documents()) == counting(suite.recomputed())


def values(suite: Any, field: str, collection: str = "kpi_segment", of: str = A) -> dict[str, str]:
    """Return, by day of March, the value whose document counts the one acct that there is."""
    days = {at(f"2015-03-{day:02}", 0): f"{day:02}" for day in range(1, 20)}
    found = [
        (days[one["ts"]], one["value"])
        for (_, id_), one in suite.documents(collection).items()
        if id_.startswith(of) and one[field]
    ]
    assert len(found) == len(dict(found))
    return dict(found)


def test_other_values_are_computed_and_those_of_before_removed(divided: Divided) -> None:
    suite = divided()
    some_weeks(suite, "2015-03-12", 4, seed=1)
    some_properties(suite, "2015-03-10", seed=1)
    suite.drain()
    [timers] = [node for node in suite._greenlets if node.name == "timers"]
    suite.stop(timers)
    suite._games |= {
        "dl": replace(suite._games["dl"], segments=channel(["a", "x"])),
        "wsdx": replace(suite._games["wsdx"], segments={}),
    }
    timers = suite.start_timers()
    eventually(lambda: timers.state()["runs"] > 0)
    found = suite.documents()
    assert {one["value"] for one in found.values() if "value" in one} == {"a", "x", "unknown"}
    assert {one["game"] for one in found.values() if "value" in one} == {"dl"}
    assert counting(found) == counting(suite.recomputed())
