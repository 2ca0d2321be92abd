"""What bolts publish: every tuple under an id of its own, long lists in several, each incoming tuple counted once."""

import json

import pytest
from runtime_harness import Kept

from analytics.broker.wire import Part
from analytics.runtime import outlet
from analytics.runtime.outlet import Outlet


def test_long_lists_travel_in_several_tuples_that_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "ITEMS_A_TUPLE", 2)
    monkeypatch.setattr(outlet, "LINES_A_BATCH", 3)
    publisher = Kept()
    accts = {"area": "a", "userlist": ["1", "2", "3", "4", "5"], "tuples": 7}
    Outlet(publisher, "s").publish(
        "loginday", [accts, {"area": "b", "userlist": [], "tuples": 1}], ["userlist", "_x"]
    )
    lines = [
        json.loads(line) for one in publisher.batches for body in one.bodies for line in body.split(b"\n")
    ]
    assert [line["id"] for line in lines] == [f"loginday@s:{n}" for n in range(1, 5)]
    assert [(line["area"], line["userlist"], line["tuples"]) for line in lines] == [
        ("a", ["1", "2"], 7),
        ("a", ["3", "4"], 0),
        ("a", ["5"], 0),
        ("b", [], 1),
    ]
    parts = [part for one in publisher.batches for part in one.header.parts]
    assert parts == [Part("loginday", 3, 7), Part("loginday", 1, 1)]


def test_a_tuple_without_lists_is_one_line() -> None:
    publisher = Kept()
    Outlet(publisher, "s").publish("kpi", [{"dau": 3, "userlist": "not a list field here", "tuples": 0}])
    [batch] = publisher.batches
    assert json.loads(batch.bodies[0]) == {
        "id": "kpi@s:1",
        "dau": 3,
        "userlist": "not a list field here",
        "tuples": 0,
    }
