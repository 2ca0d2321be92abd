"""The timers' documents equal the second opinion at every moment, however the months come in."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import pytest
from databases import Database
from forms import LONG, long_form, thorough
from near_suite import NearSuite
from plain_numbers import (
    DAY,
    Fields,
    Record,
    World,
    by_values,
    date_of,
    day_start,
    emptied,
    of_days,
    of_records,
    of_steps,
    sums,
)
from raw_months import AUTUMN, SPRING, Months, divided_world, moments, sent, world
from sameness import differences, public

from analytics.runtime.timers.collections import WRITTEN
from analytics.store import MongoStore

SLICES = 7 if LONG else 2
PLAYERS = 24 if LONG else 4
BY_HAND = replace(AUTUMN if LONG else replace(AUTUMN, first=date(2018, 10, 22)), players=PLAYERS)
"""In the short form the last two weeks, with most changes of clocks."""

Begun = Callable[..., NearSuite]


@pytest.fixture
def begun(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begun]:
    """Starts the suite at a moment."""
    suites: list[NearSuite] = []
    store = MongoStore(database.uri, database.name)
    close = store.close

    def begin(now: int, there: World | None = None) -> NearSuite:
        suites.append(NearSuite(there or world(), tmp_path / "data", monkeypatch, now, store))
        return suites[-1]

    yield begin
    for suite in suites:
        suite.stop()
    close()


@pytest.mark.parametrize(
    ("seed", "months", "there"),
    [
        pytest.param(11, AUTUMN, world(), id="autumn", marks=long_form),
        pytest.param(12, SPRING, divided_world(), id="spring, with segments", marks=thorough),
    ],
)
def test_timers_keep_up(seed: int, months: Months, there: World, begun: Begun):
    """After each slice of records, at the moment at which they came; timers start again now and then."""
    random = Random(seed)
    left, arrived = sent(seed, replace(months, players=PLAYERS)), []
    steps = moments(months, random, SLICES)
    suite = begun(steps[0], there)
    for moment in steps:
        now = [one.record for one in left if one.at <= moment]
        left = [one for one in left if one.at > moment]
        arrived += now
        random.shuffle(now)
        if restarts := random.random() < 0.3:
            suite.stop_timers()
        runs = -1 if restarts else suite.timers.state()["runs"]
        suite.now = moment
        if restarts:
            suite.start_timers()
            runs = 0
        suite.send(now)
        suite.settled(runs)
        expected = of_days(there, arrived, moment) | sums(there, arrived, moment)
        of_values, may_be_of_values = by_values(there, arrived, moment)
        expected |= of_values
        found = {name: public(suite.documents(name)) for name in expected}
        may_stand = emptied(there, arrived, moment) | may_be_of_values
        assert differences(expected, found, may_stand) == [], f"at {moment}"
    assert not left
    assert all(one["final"] for documents in expected.values() for one in documents.values())
    streams = of_records(world(), arrived) | of_steps(world(), arrived)
    found = {
        name: {id_: suite.store.whole(name, one) for id_, one in suite.documents(name).items()}
        for name in streams
    }
    assert differences(streams, {name: public(documents) for name, documents in found.items()}) == []


def test_payments_that_come_when_nothing_else_changes(begun: Begun):
    """Whose first payment moves to an earlier day leaves the later day's cohort: of the area, or only of its game."""
    there = world()
    moment = day_start("UTC", AUTUMN.last) + 100 * 86400
    one, other = [id_ for id_, place in there.areas.items() if place.game == "dl"][:2]
    # Area, day of October, acct. What each one is about has long ended, so that no new day makes it computed again.
    slices = [
        [(one, 20, "a"), (one, 20, "b"), (other, 20, "c")],
        [(one, 10, "a")],
        [(other, 11, "b")],
        [(one, 5, "c"), (other, 12, "c"), (one, 19, "b"), (one, 2, "d")],
        [(one, 1, "d"), (one, 3, "d")],
    ]
    suite, arrived = begun(moment), []
    for some in slices:
        runs = suite.timers.state()["runs"]
        new = [snapshot(len(arrived) + n, *what) for n, what in enumerate(some, 1)]
        arrived += new
        suite.send(new)
        suite.settled(runs if arrived != new else 0)
        expected = {
            name: of_days(there, arrived, moment)[name]
            for name in ("paytraceday", "paytraceday_total", "kpi", "kpi_total")
        }
        found = {name: public(suite.documents(name)) for name in expected}
        assert differences(expected, found, emptied(there, arrived, moment)) == []


def snapshot(number: int, area: str, day: int, acct: str) -> Record:
    """Return a snapshot of one acct's payments of a day of October."""
    ts = day_start(world().areas[area].zone, date(2018, 10, day))
    users = {acct: {"times": 1, "amount": 6.5}}
    return "payment", {"id": f"payment/late:{number}", "area": area, "ts": ts, "users": users, "at": number}


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(None, id="all"),
        pytest.param(("2018-10-01", "2018-10-29"), id="some", marks=thorough),
    ],
)
def test_timers_by_hand(days: tuple[str, str] | None, begun: Begun):
    """From nothing, for all days or some, at a moment in the midst of them."""
    moment = day_start("UTC", AUTUMN.last - 3 * DAY) + 50_000
    records = [one.record for one in sent(13, BY_HAND) if one.at <= moment]
    suite = begun(moment)
    suite.send(records)
    suite.settled(0)
    suite.stop_timers()
    expected = of_days(world(), records, moment) | sums(world(), records, moment)
    since, until = map(date.fromisoformat, days) if days else (None, None)
    if days:
        del expected["serverstarttime"]  # no day's; and where it was not known, all days are computed anew
    for name in expected:
        suite.store.delete(name, list(suite.documents(name)))
    suite.by_hand({WRITTEN[name] for name in expected}, since, until)
    if since and until:
        expected = {
            name: {id_: one for id_, one in documents.items() if since <= local_date(one) <= until}
            for name, documents in expected.items()
        }
    assert all(documents for name, documents in expected.items() if "long" not in name)
    assert differences(expected, {name: public(suite.documents(name)) for name in expected}) == []


def local_date(document: Fields) -> date:
    """Return the day on which a document's period begins."""
    there = world()
    zone = there.zones[document["game"]] if "scope" in document else there.areas[document["area"]].zone
    return date_of(zone, document["ts"])
