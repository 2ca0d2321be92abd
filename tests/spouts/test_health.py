"""A source from which nothing can be used is not healthy, though it can be read."""

import json
import time

import pytest
from gamelogs import A, configured, exactly, line, lines
from waiting import eventually

from analytics.broker.broker import Broker
from analytics.config import Source
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.spouts.gamelog import GamelogSpout
from analytics.spouts.records import convert
from analytics.spouts.rules import Rules
from analytics.spouts.sources import health
from analytics.spouts.sources.health import Health


@pytest.mark.parametrize(
    ("before", "rejected", "seconds", "healthy"),
    [
        (0, 0, 1000, True),
        (0, 3, 0, True),
        (0, 3, 1000, False),
        (5, 3, 1000, True),
        (5, 20, 0, False),
    ],
)
def test_a_source_of_which_everything_is_rejected(before, rejected, seconds, healthy, monkeypatch):
    one = Health("s1")
    one.converted(before, [], {})
    one.converted(0, ["$.op: expected object, got 7"] * rejected, {})
    now = time.monotonic()
    monkeypatch.setattr(health.time, "monotonic", lambda: now + seconds)
    state = one.state()
    assert state["healthy"] is healthy
    assert healthy or "$.op: expected object, got 7; see `bin/analytics rejected`" in state["last_error"]
    one.converted(1, ["$.op"], {})
    assert one.state()["healthy"]


@pytest.mark.parametrize(
    ("code", "alike"),
    [
        ("login_logcount", ""),
        ("anything.else", ""),
        ("enter_game", ""),
        ("Login_LogCount", "login_logcount"),
        ("login-logcount", "login_logcount"),
        ("ENTER_GAME", "enter_game"),
    ],
)
@pytest.mark.parametrize("plain", [True, False])
def test_op_codes_that_differ_little_from_those_that_count(code, alike, plain):
    areas = Areas([Area(A, "dl", "2001", zone("UTC"))])
    rules = Rules(areas, {"dl": {"enter_game": "login_logcount"}})
    text = (
        line("u1", code)
        if plain
        else json.dumps({**json.loads(line("u1", code)), "x": "\\"}).encode() + b"\n"
    )
    convert(text, "gamelog/s1@1", 1, rules, 1_700_000_000)
    assert rules.alike == ({code: alike} if alike else {})


def test_status_says_so(tmp_path, started):
    log = tmp_path / "game.log"
    log.write_bytes(lines(1, 5))
    config = configured(tmp_path, Source(name="s1", kind="file", path=str(log), poll_seconds=0.05))
    started(Broker(config.broker, config.data))
    spout = started(GamelogSpout(config))

    def source():
        return spout.node.state()["sources"]["s1"]

    exactly(config, 1, 5)
    assert source()["healthy"]
    with log.open("ab") as file:
        file.write(line("u6", area="unknown") * 30)
    eventually(lambda: not source()["healthy"])
    assert "each of the last 30 records was rejected: $.area: expected" in source()["last_error"]
    with log.open("ab") as file:
        file.write(line("u7") + line("u8", "Login_LogCount"))
    eventually(lambda: 'op code "Login_LogCount" counts nowhere' in source()["last_error"])
    assert not source()["healthy"]
