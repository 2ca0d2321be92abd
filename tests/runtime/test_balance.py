"""The balance says where every record is, and notices where one is missing."""

from typing import Any

import pytest

from analytics.broker.wire import BrokerState, Head, SourceState
from analytics.core.bolt import CHANGES
from analytics.runtime.balance import balance, together
from analytics.runtime.draining import behind, depth

LOGINS = "gamelog.login_logcount"
BOLTS = {"loginhour": [LOGINS], "loginday": ["loginhour"], "paysummary": ["payment"]}
GAMELOG = {"read": 12, "journaled": 10, "rejected": 2, "repeated": 1, "published": 9, "idle": True}


def broker(**changes: Any) -> BrokerState:
    facts: dict[str, Any] = {
        "log": "l",
        "heads": {LOGINS: Head(3, 9, 9), "loginhour": Head(2, 4, 9), "payment": Head(1, 2, 2)},
        "sources": {"gamelog/a": SourceState(9, 2, 1), "payment/dl": SourceState(2, 0, 1)},
        "bolts": {"loginhour": {LOGINS: Head(3, 9, 9)}, "loginday": {"loginhour": Head(1, 3, 6)}},
        "blocked": "",
        "disk_bytes": 1,
        "free_bytes": 1,
        "repeated": 1,
    }
    return BrokerState(**{**facts, **changes})


def test_what_adds_up_has_no_faults() -> None:
    found = balance(broker(), {"gamelog": GAMELOG}, BOLTS)
    assert found.faults == []
    assert {one.name: (one.ever_accepted, one.ever_rejected) for one in found.spouts} == {
        "gamelog": (9, 2),
        "payment": (2, 0),
    }
    assert [(one.bolt, one.accounted, one.lag) for one in found.bolts] == [
        ("loginhour", 9, 0),
        ("loginday", 3, 1),
        ("paysummary", 0, 2),
    ]
    assert found.lag == 3


def test_a_spout_on_two_hosts_counts_as_one() -> None:
    one = {"read": 5, "journaled": 4, "rejected": 1, "published": 4, "idle": True, "sources": {}}
    other = {"read": 7, "journaled": 6, "rejected": 1, "repeated": 1, "published": 5, "idle": True}
    assert together(one, other) == GAMELOG
    assert balance(broker(), {"gamelog": together(one, other)}, BOLTS).faults == []
    assert not together(one, {**other, "idle": False})["idle"]


def test_lost_parts_of_logs_are_counted_over_all_hosts() -> None:
    one, other = {**GAMELOG, "lost": 2}, {**GAMELOG, "lost": 1}
    [found] = [one for one in balance(broker(), {"gamelog": together(one, other)}, {}).spouts if one.lost]
    assert (found.name, found.lost) == ("gamelog", 3)


@pytest.mark.parametrize(
    ("changes", "counts", "told"),
    [
        ({}, {"read": 13}, "gamelog: read 13, but journaled 10 and rejected 2"),
        ({}, {"published": 8}, "gamelog: journaled 10, but published only 8 and found 1 repeated"),
        ({}, {"published": 10}, "gamelog: published 10, but the filter accepted only 9"),
        (
            {"heads": {LOGINS: Head(3, 8, 8), "payment": Head(1, 2, 2)}},
            {},
            "broker: the filter accepted 11 records",
        ),
        ({"bolts": {"loginhour": {LOGINS: Head(4, 10, 10)}}}, {}, "loginhour: accounted for 10 records"),
    ],
)
def test_a_missing_record_is_noticed(changes: dict[str, Any], counts: dict[str, int], told: str) -> None:
    faults = balance(broker(**changes), {"gamelog": {**GAMELOG, **counts}}, BOLTS).faults
    assert any(fault.startswith(told) for fault in faults), faults


def test_what_is_on_its_way_is_no_fault() -> None:
    busy = {**GAMELOG, "read": 20, "idle": False}
    found = balance(broker(), {"gamelog": busy}, BOLTS)
    assert found.faults == []
    assert found.spouts[0].on_its_way == 8


def test_what_is_on_its_way_to_the_disk_is_no_fault() -> None:
    sources = {**broker().sources, "gamelog/a": SourceState(12, 2, 1)}
    found = balance(broker(sources=sources, staged={LOGINS: 3, "loginhour": 8}), {"gamelog": GAMELOG}, BOLTS)
    assert found.faults == []
    missing = balance(broker(sources=sources, staged={LOGINS: 2}), {"gamelog": GAMELOG}, BOLTS)
    assert len(missing.faults) == 1


def test_the_lag_is_told_in_seconds_too() -> None:
    waiting = {"loginday": {"loginhour": 2.5}, "paysummary": {"payment": 40.0}, "gone": {"payment": 99.0}}
    found = balance(broker(waiting=waiting), {"gamelog": GAMELOG}, BOLTS)
    assert [one.waiting for one in found.bolts] == [0.0, 2.5, 40.0]
    assert found.lag_seconds == 40.0


def test_a_spout_that_does_not_run_is_known_by_its_records() -> None:
    found = balance(broker(), {}, BOLTS)
    assert found.faults == []
    assert [(one.name, one.read, one.ever_accepted) for one in found.spouts] == [
        ("gamelog", 0, 9),
        ("payment", 0, 2),
    ]


def test_the_depth_of_the_graph_of_bolts() -> None:
    assert depth({}) == 0
    assert depth(BOLTS) == 2
    assert depth({**BOLTS, "server": ["loginday", "paysummary"]}) == 3
    of_bolts = {**BOLTS, "own_totals": ["loginday"], "timers": [CHANGES]}
    assert depth(of_bolts) == depth(BOLTS) + 2
    assert depth({"loginhour": ["gamelog.login"], "timers": [CHANGES]}) == 2


def test_who_is_behind() -> None:
    state = broker()
    assert behind(state.heads, state.bolts, BOLTS) == {"loginday on loginhour": 1, "paysummary on payment": 2}
    assert behind({}, {}, BOLTS) == {}
