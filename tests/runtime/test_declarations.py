"""A configuration's own bolts in a worker: killed, sent things again and late, added later, and changed."""

import os
import time
from datetime import date
from pathlib import Path
from random import Random

import gevent
import msgspec
import pytest
from failing_bolt import HALVES
from msgspec.structs import replace
from own_bolts_suite import CHANGED, PVP, TOPIC, Suite, fights, sections
from runtime_harness import NOON
from waiting import eventually

from analytics.bolts import BOLTS
from analytics.broker.clients import Refill
from analytics.broker.wire import Head
from analytics.cli import check
from analytics.cli.rebuild import _report_problems
from analytics.config import (
    Config,
    SegmentSection,
    TimersSection,
    catalogue,
    fingerprint,
)
from analytics.rebuild import repair
from analytics.runtime import declarations
from analytics.runtime.declarations import Declarations, Declared, journal_days, reaches_back
from analytics.runtime.service import control
from analytics.store import Write


def test_killed_and_sent_again_it_counts_each_record_once(suite: Suite) -> None:
    random = Random(7)
    suite.start()
    for n in range(6):
        suite.send(fights(random, 40))
        if n % 2:
            again = random.randint(1, len(suite.sent) - 20)
            suite.send(suite.sent[again - 1 : again + 19], begin=again)
        gevent.sleep(random.random() / 10)
        suite.kill()
        suite.start()
    eventually(lambda: suite.documents() == suite.expected())
    assert suite.disagreements() == []
    assert Declarations(suite.config, suite.store).load()["pvp"].since == 0


def test_a_rebuild_says_which_earlier_records_a_new_bolt_can_not_use(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.restart({})
    suite.send(records := fights(Random(3), 30))
    bad = [one | {"data": one["data"] | {"points": wrong}} for one, wrong in zip(records, "xy", strict=False)]
    suite.send(bad)
    suite.restart(sections(pvp=PVP, rows=PVP | {"by": [], "period": "week"}), without_queue=True)
    outcome = suite.rebuild("pvp", "rows")
    reason = "Expected `int` - at `$.data.points`"
    assert outcome.nowhere.reasons() == {reason: 2}, "each once, though bolts of two periods read it"
    assert suite.documents() == suite.expected(records=records)
    _report_problems(outcome)
    said, example, *_ = capsys.readouterr().err.splitlines()
    assert said == f"rebuild: 2 journaled records can't be used, and counted nowhere: {reason}"
    assert "gamelog/test:31" in example or "gamelog/test:32" in example


def test_one_that_is_added_later_has_its_past_after_a_rebuild(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(8)
    suite.restart({})
    suite.send(fights(random, 50))
    monkeypatch.setattr(declarations, "reaches_back", lambda bolt, refill: False)
    suite.restart(sections(pvp=PVP, rows=PVP | {"by": [], "period": "week"}), without_queue=True)
    before = len(suite.sent)
    suite.send(fights(random, 10))
    eventually(lambda: suite.documents() == suite.expected(records=suite.sent[before:]))
    for path in suite.config.data.glob("gamelog_*"):
        os.utime(path, (NOON, NOON))
    lacking = suite.disagreements()
    assert [one.partition(":")[0] for one in lacking] == ["bolt pvp", "bolt rows"]
    assert (
        "lacks what came in before, on 1 day of which there are journals, 2015-01-08; "
        "`bin/analytics rebuild --bolt pvp` counts it" in lacking[0]
    )
    suite.rebuild("pvp")
    assert suite.documents() == suite.expected()
    assert [one.partition(":")[0] for one in suite.disagreements()] == ["bolt rows"]
    suite.rebuild("rows")
    assert suite.documents("rows") == suite.expected("rows")
    assert suite.disagreements() == []


def test_one_that_was_changed_agrees_after_a_rebuild(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(9)
    suite.start()
    suite.send(fights(random, 60))
    eventually(lambda: suite.documents() == suite.expected())
    agreed = fingerprint(suite.config)
    suite.restart(sections(pvp=CHANGED))
    assert fingerprint(suite.config) != agreed
    suite.send(fights(random, 20))
    eventually(lambda: sum(one["fights"] for one in suite.documents().values()) == 80)
    assert suite.documents() != suite.expected()
    said: list[str] = []
    for module in (check, control):
        monkeypatch.setattr(module, "open_store", lambda config, timeout: suite.store)
    monkeypatch.setattr(check, "runs", lambda config, node: True)
    control.report_contradictions(suite.config, said.append)
    [finding] = check._own_bolts(suite.config)
    assert isinstance(finding, check.Finding) and said == [f"warning: {finding.text}"]
    assert (
        "counted by another declaration than it has now; `bin/analytics rebuild --bolt pvp` derives them again"
        in said[0]
    )
    suite.rebuild("pvp")
    assert suite.documents() == suite.expected()
    assert check._own_bolts(suite.config) == "pvp: counted as they are declared"


def test_check_says_what_is_not_counted_yet(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.restart({})
    suite.send(fights(Random(5), 7))
    suite.kill()
    monkeypatch.setattr(check, "open_store", lambda config, timeout: suite.store)
    monkeypatch.setattr(check, "runs", lambda config, node: True)
    tables = sections(pvp=PVP, misspelt=PVP | {"reads": "pvp_lgo"}, other=PVP | {"reads": "fishing"})
    suite.config = replace(suite.config, bolts=tables)
    waiting = "pvp, misspelt, other: not counted yet; `bin/analytics restart` begins"
    assert check._own_bolts(suite.config) == [check.Finding(check.Grade.WARNING, waiting)]
    suite.restart(tables)
    eventually(lambda: suite.documents() == suite.expected())
    assert check._own_bolts(suite.config) == "pvp, misspelt, other: counted as they are declared"
    assert check._op_codes(suite.config) == [
        check.Finding(
            check.Grade.WARNING,
            "bolt misspelt: no record of op code pvp_lgo came in so far; did you mean pvp_log, of which there are 7?",
        ),
        check.Finding(check.Grade.OK, "bolt other: no record of op code fishing came in so far"),
    ]
    suite.config = replace(suite.config, bolts=sections(pvp=PVP))
    assert check._op_codes(suite.config) == "records of each came in"


def test_a_segment_that_is_added_later_lacks_its_past_until_a_rebuild(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.send(fights(Random(11), 20))
    for path in suite.config.data.glob("gamelog_*"):
        os.utime(path, (NOON, NOON))
    segment = SegmentSection(from_="pvp_log.data.bracket", values=["2v2"])
    games = {"dl": replace(suite.config.games["dl"], segments={"bracket": segment})}
    suite.config = replace(suite.config, games={**suite.config.games, **games})
    monkeypatch.setattr(declarations, "reaches_back", lambda bolt, refill: False)
    suite.restart({}, without_queue=True)
    suite.send(fights(Random(12), 20))
    eventually(lambda: suite.documents("acctsegment") != {})
    [lacking] = suite.disagreements()
    assert "bolt acctsegment: it counts what comes in since it first ran, and lacks" in lacking
    suite.rebuild("acctsegment")
    assert suite.documents("acctsegment") == suite.expected("acctsegment")
    assert suite.disagreements() == []
    other = replace(
        games["dl"], segments={"bracket": segment, "result": replace(segment, from_="pvp_log.data.result")}
    )
    suite.config = replace(suite.config, games={**suite.config.games, "dl": other})
    [changed] = suite.disagreements()
    assert "counted by another declaration than it has now" in changed


@pytest.mark.parametrize("renamed", ["segment", "bolt"])
def test_documents_of_a_former_key_go_with_a_rebuild(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, renamed: str
) -> None:
    """However many they are: the declaration says why no record supports them. Without that, they are left alone."""
    monkeypatch.setattr(repair, "FEW", 0)
    segment = SegmentSection(from_="pvp_log.data.bracket", values=["2v2"])
    games = [
        {**suite.config.games, "dl": replace(suite.config.games["dl"], segments={name: segment})}
        for name in ("bracket", "arena")
    ]
    suite.config = replace(suite.config, games=games[0])
    suite.restart(sections(pvp=PVP))
    suite.send(fights(Random(11), 40))
    name = "acctsegment" if renamed == "segment" else "pvp"
    eventually(lambda: {} != suite.documents(name) == suite.expected(name))
    before = suite.documents(name)
    if renamed == "segment":
        suite.config = replace(suite.config, games=games[1])
        suite.restart(sections(pvp=PVP))
    else:
        suite.restart(sections(pvp=PVP | {"by": ["result"]}))
    [changed] = suite.disagreements()
    assert f"`bin/analytics rebuild --bolt {name}` derives them again" in changed
    suite.rebuild(name)
    assert suite.documents(name) == suite.expected(name)
    assert not suite.documents(name).keys() & before.keys()
    assert suite.disagreements() == []
    suite.store.write(name, [Write(id_, {**one, "_v": 1}, 0) for id_, one in before.items()])
    suite.rebuild(name)
    assert suite.documents(name).keys() > before.keys()


def test_totals_that_a_declaration_has_more_are_computed(suite: Suite) -> None:
    """Although no document of an area differs then."""
    suite.restart(sections(pvp=PVP | {"totals": False}))
    suite.send(fights(Random(13), 20))
    eventually(lambda: {} != suite.documents() == suite.expected())
    suite.restart(sections(pvp=PVP))
    assert len(suite.disagreements()) == 1 and suite.documents("pvp_total") == {}
    suite.config = replace(suite.config, timers=TimersSection())
    suite.rebuild("pvp")
    found = suite.documents("pvp_total").values()
    assert sum(one["fights"] for one in found if one["scope"] == "game") == 20
    assert suite.disagreements() == []


def test_a_declaration_that_counted_nothing_yet_may_change(suite: Suite) -> None:
    notes = Declarations(suite.config, suite.store)
    refill = Refill(suite.config.broker)
    notes.note_first_runs(catalogue(suite.config), refill)
    changed = Declarations(replace(suite.config, bolts=sections(pvp=CHANGED)), suite.store)
    assert notes.load() != {} and notes.load().keys() == {"pvp"}
    changed.note_first_runs(catalogue(suite.config), refill)
    assert changed.load()["pvp"] == Declared(changed._own["pvp"], 0)
    refill.close()


def test_a_queue_that_holds_all_lacks_nothing(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    refill = Refill(suite.config.broker)
    pvp = catalogue(suite.config)["pvp"]
    assert reaches_back(pvp, refill)
    suite.send(fights(Random(1), 3))
    assert reaches_back(pvp, refill)
    read, state = Refill.read, Refill.state
    page = msgspec.structs.replace(refill.read({TOPIC: 0}, 1)[0], oldest={TOPIC: 2})
    monkeypatch.setattr(Refill, "read", lambda self, after, most: (page, []))
    assert not reaches_back(pvp, refill)
    shared = msgspec.structs.replace(refill.state(), heads={"gamelog.~": Head(1, 1, 1)})
    monkeypatch.setattr(Refill, "read", read)
    monkeypatch.setattr(Refill, "state", lambda self: shared)
    assert not reaches_back(pvp, refill)
    monkeypatch.setattr(Refill, "state", state)
    refill.close()


def test_days_of_journals(tmp_path: Path) -> None:
    config = Config(data=tmp_path, timezone="Asia/Shanghai")
    day = 86_400
    for name, written in (
        ("gamelog_201501072330.txt", NOON), ("gamelog_201501051200.txt.gz", NOON - 3 * day), ("gamelog_201501091200-2.txt", NOON + day),
        ("payment_201412011200.txt", NOON), ("rejected_201412011200.txt", NOON),
    ):  # fmt: skip
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (written, written))
    days = [date(2015, 1, 5), date(2015, 1, 7), date(2015, 1, 8), date(2015, 1, 9)]
    assert journal_days(config, ["gamelog"], int(time.time())) == days
    assert journal_days(config, ["gamelog"], NOON) == days[:3]
    assert journal_days(config, ["gamelog"], 0) == []
    assert journal_days(replace(config, data=tmp_path / "none"), ["gamelog"], NOON) == []


def test_built_in_bolts_are_noted_nowhere(suite: Suite) -> None:
    refill = Refill(suite.config.broker)
    Declarations(Config(), suite.store).note_first_runs(BOLTS, refill)
    assert suite.store.load("positions", [f"declared:{name}" for name in BOLTS]) == {}
    refill.close()


def test_a_function_that_fails_is_named_and_nothing_is_lost_when_it_is_corrected(suite: Suite) -> None:
    tables, path = sections(pvp=PVP), "/etc/analytics/bolts/halves.py"
    suite.config = replace(suite.config, bolt_files={path: HALVES})
    suite.restart(tables)
    records = fights(Random(4), 30)
    suite.send(records[:10] + [one | {"data": one["data"] | {"points": 0}} for one in records[10:]])
    eventually(suite._greenlet.ready)
    assert suite._greenlet.exception.__notes__ == ["in bolt halves (halves.py, line 11)"]
    corrected = HALVES.replace("row.data.points\n", "(row.data.points or 1)\n")
    suite.config = replace(suite.config, bolt_files={path: corrected})
    suite.restart(tables)
    eventually(lambda: {} != suite.documents("halves") == suite.expected("halves"))
    eventually(lambda: suite.documents() == suite.expected())
