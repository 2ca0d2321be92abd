"""Records that a rebuild can't use are rejected ones: each is listed once, and until it counts or is dismissed."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from own_bolts_suite import PVP, Suite, fights, sections
from waiting import eventually

from analytics.bolts import BOLTS
from analytics.cli.rebuild import _report_problems
from analytics.config import Config, catalogue
from analytics.core.areas import Areas
from analytics.core.fold import UnusableLine
from analytics.rebuild import unusable
from analytics.rebuild.run import Rebuild
from analytics.rebuild.selection import RebuildResult, Selection
from analytics.rebuild.unusable import RejectedRecords
from analytics.spouts.rejected import dismissed_now, keep, reject, waiting

BAD = (31, 32)
"""The numbers of records that have a text as ``points``."""


def with_bad_records(suite: Suite) -> list[dict[str, Any]]:
    """Have records journaled that no worker has seen, two of which the bolt ``pvp`` can't use; return the others."""
    suite.restart({})
    records = fights(Random(3), 30)
    suite.send(records)
    suite.send(
        [one | {"data": one["data"] | {"points": wrong}} for one, wrong in zip(records, "xy", strict=False)]
    )
    suite.restart(sections(pvp=PVP, rows=PVP | {"by": [], "period": "week"}), without_queue=True)
    return records


def listed(suite: Suite) -> list[tuple[str, str, str]]:
    return sorted(
        (one.spout, one.source, one.raw.partition(",")[0]) for one in waiting(suite.config.data).values()
    )


def rebuild(suite: Suite, **wanted: Any) -> RebuildResult:
    """Rebuild everything that the suite runs."""
    everything = catalogue(suite.config)
    selection = replace(Selection(tuple(everything), (), everything), **wanted)
    return Rebuild(suite.config, suite.store, suite.publisher, selection).run()


def test_each_is_listed_once_however_often_and_what_for_it_is_met(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    with_bad_records(suite)
    outcome = rebuild(suite, bolts=("pvp",), dry=True)
    assert (outcome.listed, listed(suite)) == (0, []), "a dry run adds nothing"
    assert outcome.nowhere.reasons().total() == 2
    outcome = suite.rebuild("pvp")
    assert outcome.listed == 2
    _report_problems(outcome)
    assert "2 records of these are new on the list of `bin/analytics rejected`" in capsys.readouterr().err
    expected = [("rebuild", "gamelog/test", f'{{"id":"gamelog/test:{n}"') for n in BAD]
    assert listed(suite) == expected
    assert {one.reason for one in waiting(suite.config.data).values()} == {
        "Expected `int`, got `str` - at `$.data.points`"
    }
    for outcome in (suite.rebuild("pvp"), suite.rebuild("rows", "pvp"), rebuild(suite)):
        assert outcome.nowhere.reasons().total() == 2
        assert (outcome.listed, outcome.resolved, listed(suite)) == (0, 0, expected)


def test_those_that_a_worker_has_listed_stay_as_they_are(suite: Suite) -> None:
    suite.start()
    records = fights(Random(3), 30)
    suite.send(records)
    suite.send([one | {"data": one["data"] | {"points": "x"}} for one in records[:2]])
    eventually(lambda: len(listed(suite)) == 2)
    before = listed(suite)
    assert before[0][0] == "worker-main"
    assert rebuild(suite).listed == 0
    assert listed(suite) == before


def test_a_dismissed_one_is_not_listed_again_and_a_corrected_one_counts_once(suite: Suite) -> None:
    records = with_bad_records(suite)
    suite.rebuild("pvp")
    first, second = waiting(suite.config.data).values()
    corrected = fights(Random(4), 1)
    suite.send(corrected)
    keep(suite.config, dismissed_now([first], "sent again"))
    for _ in range(2):
        assert rebuild(suite).listed == 0
        assert list(waiting(suite.config.data).values()) == [second]
        assert suite.documents() == suite.expected(records=records + corrected)


def test_they_leave_the_list_when_they_count(suite: Suite) -> None:
    with_bad_records(suite)
    suite.rebuild("pvp")
    without = PVP | {"measures": {name: one for name, one in PVP["measures"].items() if name != "points"}}  # type: ignore[attr-defined]
    suite.restart(sections(pvp=without))
    assert suite.rebuild("pvp").resolved == 0 and len(listed(suite)) == 2, (
        "only all bolts know that all can use them"
    )
    assert rebuild(suite, dry=True).resolved == 0 and len(listed(suite)) == 2
    assert (rebuild(suite).resolved, listed(suite)) == (2, [])
    assert (
        suite.documents() == suite.expected()
        and sum(one["fights"] for one in suite.documents().values()) == 32
    )


LINE = b'{"id":"gamelog/m@1:%d","op":{"code":"login_logcount"},"area":"a","ts":1,"data":{"acct":5}}'


def test_one_that_a_mapping_makes_another_line_of_is_the_same(tmp_path: Path) -> None:
    """What is listed is the line of that time, which no bolt can ever use."""
    config = Config(data=tmp_path)
    keep(config, [reject("worker-main", "gamelog/m@1", "Expected `str`", LINE % n) for n in (1, 2, 3)])
    found = RejectedRecords(config)
    found.refuse([UnusableLine(LINE.replace(b"5", b"6") % 1, "Expected `str`")])
    assert found.list_refused() == 0
    for n in (1, 2):
        found.derived(("gamelog/m@1", n))
    assert found.end_counted(BOLTS, Areas([])) == 1
    assert [one.original() for one in waiting(tmp_path).values()] == [LINE % 1, LINE % 3], (
        "the third was in no journal"
    )


def test_there_is_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unusable, "MOST_LISTED", 2)
    config = Config(data=tmp_path)
    for expected in (2, 1, 0):
        found = RejectedRecords(config)
        found.refuse([UnusableLine(LINE % n, "Expected `str`") for n in (1, 2, 3)])
        assert found.list_refused() == expected
