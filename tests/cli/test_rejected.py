"""``analytics rejected``: what could not be used, listed by reason and put in again."""

import os
import sys
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "spouts"))

from gamelogs import A, Running, accts, configured, exactly, line, lines
from waiting import eventually

from analytics.broker.broker import Broker
from analytics.cli.rebuild import rebuild
from analytics.cli.rejected import rejected
from analytics.cli.timers import timers
from analytics.cluster import LocalRegistry, NodeEntry
from analytics.config import AreaSection, Game, Interface, Source, fingerprint
from analytics.errors import AnalyticsError
from analytics.runtime.report import report
from analytics.spouts.gamelog import GamelogSpout
from analytics.spouts.rejected import Rejected, joint_reason, kind_of, waiting
from analytics.system.processes import process_started


def call(config, *words):
    done = CliRunner().invoke(rejected, words, obj=config, catch_exceptions=False, env={"COLUMNS": "400"})
    assert done.exit_code == 0
    return done.output


@pytest.fixture
def rejecting(tmp_path):
    """A suite whose configuration lacks the area of 300 of 301 rejected lines."""
    log = tmp_path / "game.log"
    unknown = lines(1, 300).replace(A.encode(), b"ffff00000000000000000000")
    log.write_bytes(unknown + b"broken\n" + lines(301, 310))
    config = configured(tmp_path, Source(name="s1", kind="file", path=str(log), poll_seconds=0.05, game="dl"))
    broker, spout = Running(Broker(config.broker, config.data)), Running(GamelogSpout(config))
    eventually(lambda: spout.node.state()["published"] == 10)
    spout.stop()
    yield config
    broker.vanish()


def test_it_lists_and_replays_what_was_mended(rejecting):
    config = rejecting
    listed = call(config)
    assert "301 rejected" in listed and "300" in listed and "$.area" in listed and "broken" in listed
    assert "accepted 0, accepted before 0, still rejected 301" in call(config, "--replay")
    games = {"dl": Game(areas={**config.games["dl"].areas, "f" * 4 + "0" * 20: AreaSection(plat="1")})}
    mended = msgspec.structs.replace(config, games=games)
    assert "accepted 300, accepted before 0, still rejected 1" in call(mended, "--replay")
    exactly(config, 1, 310)
    assert call(mended).splitlines()[-1].startswith("1 rejected")
    assert "accepted 0, accepted before 0, still rejected 1" in call(mended, "--replay")
    assert sum(accts(config).values()) == 310


def test_what_others_put_aside_stays_listed_with_what_to_do(rejecting):
    keeper = Rejected(rejecting)
    for _ in range(2):
        keeper.put(spout="main", source="gamelog/s1@1", reason="$.x: expected int, got 5", raw=line("a\xff"))
    keeper.put(spout="payment", source="payment/dl@1", reason="$.users: expected an object, got 5", raw=b"5")
    keeper.put(spout="syncuser", source="syncuser/dl@1", reason="$.uid: expected string, got 5", raw=b"{}")
    keeper.close()
    assert len(waiting(rejecting.data)) == 304
    said = call(rejecting, "--replay")
    assert "1 payments stay listed: correct the interface's answers" in said
    assert "1 roles stay listed: correct the interface's answers" in said
    assert "1 rejected by workers or a rebuild stay listed" in said and "`bin/analytics rebuild`" in said
    assert len(waiting(rejecting.data)) == 304


def test_a_replay_waits_for_bolts_that_know_the_areas(rejecting):
    """They would reject for good what the replay puts in."""
    config = rejecting
    games = {"dl": Game(areas={**config.games["dl"].areas, "f" * 4 + "0" * 20: AreaSection(plat="1")})}
    corrected = msgspec.structs.replace(config, games=games)
    registry = LocalRegistry(config.data)
    bolts = NodeEntry(
        name="worker-main", role="bolts", host="here", pid=os.getpid(), started=process_started(), version="1",
        since=0, beat=time.time() + 3600, games=fingerprint(config),
    )  # fmt: skip
    registry.beat(bolts)
    for command, words in ((rejected, ["--replay"]), (rebuild, []), (timers, [])):
        with pytest.raises(AnalyticsError, match=r"worker-main: running with other games.*reload"):
            CliRunner().invoke(command, words, obj=corrected, catch_exceptions=False)
    assert "worker-main: running with other games" in report(corrected).warnings[-1]
    assert len(waiting(config.data)) == 301
    assert "still rejected 301" in call(config, "--replay"), "nothing was changed there"
    registry.beat(msgspec.structs.replace(bolts, games=fingerprint(corrected)))
    assert "accepted 300" in call(corrected, "--replay")


def test_dismissed_records_leave_the_list_and_say_why(rejecting):
    config = rejecting
    assert "1 dismissed" in call(config, "--reason", "JSON", "--dismiss", "a torn line, seen by ann")
    listed = call(config)
    assert "300 rejected" in listed and "broken" not in listed
    gone = call(config, "--dismissed")
    assert "1 dismissed" in gone and "broken" in gone and "ann" in gone
    assert "still rejected 300" in call(config, "--replay")
    source = next(iter(waiting(config.data).values())).source
    assert "0 dismissed" in call(config, "--source", "gamelog/other@1", "--dismiss", "x")
    assert "300 dismissed" in call(config, "--source", source, "--dismiss", "x")
    assert call(config) == "0 rejected\n"


def test_sources_show_where_their_records_come_from(rejecting):
    [one, *_] = waiting(rejecting.data).values()
    assert Path(one.path).name == "game.log"
    assert one.path in sources(call(rejecting))
    keeper = Rejected(rejecting)
    keeper.put(spout="payment", source="payment/dl@1", reason="$: expected JSON, got text", raw=b"<html>")
    keeper.close()
    interface = Interface(url="http://127.0.0.1/payment")
    assert interface.url in sources(call(msgspec.structs.replace(rejecting, payment=interface)))


def sources(listed):
    """Return the column of sources as one text: long ones are folded."""
    return "".join(line.split("│")[3].strip() for line in listed.splitlines() if line.startswith("│"))


def test_nothing_rejected(tmp_path):
    assert call(configured(tmp_path)) == "0 rejected\n"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (
            '$.data.level: expected int from 1 to 100, got "a, got b"',
            "$.data.level: expected int from 1 to 100",
        ),
        ("Expected `int`, got `str` - at `$.data.level`", "Expected `int` - at `$.data.level`"),
        ("Expected `int` >= 0 - at `$.data.level`", "Expected `int` >= 0 - at `$.data.level`"),
    ],
)
def test_a_kind_of_reason_keeps_its_field(reason, kind):
    assert kind_of(reason) == kind


@pytest.mark.parametrize(
    ("found", "joint"),
    [
        (["nothing"] * 3, ", got nothing"),
        (["nothing", '"many"', '"many"'], ', got "many" or nothing'),
        ([*"aabcd"], ", got a or b or c or others"),
    ],
)
@pytest.mark.parametrize("field", ["", " - at `$.data.points`"])
def test_reasons_of_one_kind_name_what_was_found(found, joint, field):
    reasons = [f"$.data.points: expected int, got {one}{field}" for one in found]
    assert joint_reason(reasons) == f"$.data.points: expected int{joint}{field}"


def test_the_list_names_what_was_found(tmp_path):
    config = configured(tmp_path)
    keeper = Rejected(config)
    for n, one in enumerate(["nothing", '"many"', "nothing"]):
        reason = f"$.data.points: expected int, got {one}"
        keeper.put(spout="gamelog", source="gamelog/s1@1", reason=reason, raw=b"{}", n=n)
    keeper.close()
    assert '$.data.points: expected int, got nothing or "many"' in call(config)
