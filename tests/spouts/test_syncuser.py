"""The syncuser spout, from a real HTTP interface through a real broker."""

import inspect
import json
import random
import sys

import pytest
from polling import RunningBroker, Spouts, step_until
from roles import (
    AREAS,
    BEGIN,
    DL,
    WSDX,
    Hall,
    check_names,
    journal,
    newest,
    role,
    rounds,
)

from analytics.config import Config, Roles
from analytics.errors import AnalyticsError
from analytics.forget.states import rename_states
from analytics.spouts import poller
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.spouts.rejected import read
from analytics.spouts.roles import sorted_out
from analytics.spouts.syncuser import SyncuserSpout


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(poller, "FIRST_DELAY", 0.01)


@pytest.fixture
def broker(tmp_path):
    running = RunningBroker(tmp_path / "broker")
    yield running
    running.stop()


@pytest.fixture(params=[False, True], ids=["since", "after"])
def hall(request):
    running = Hall(strict=request.param)
    yield running
    running.stop()


@pytest.fixture
def spout(tmp_path, broker, hall):
    """Starts a spout that asks the hall; it is stopped at the end."""

    def make(**settings):
        interface = Roles(**{"url": hall.template, "clock_url": hall.clock_url} | settings)
        return SyncuserSpout(Config(data=tmp_path / "data", broker=broker.section, syncuser=interface), AREAS)

    made = Spouts(make)
    yield made
    made.close()


def test_a_role_becomes_a_tuple_of_the_contracts_shape(spout, hall, broker, tmp_path):
    hall.put(role("141560631361753593", grade=7))
    hall.put(role("2", plat=2001, acctid=77, game="dl", extra=[1]) | {"name": None}, area=DL)
    node = spout()
    rounds(node, hall)
    one, two = sorted(broker.tuples("syncuser"), key=lambda one: one["area"])
    assert one.pop("id").startswith("syncuser/wsdx@") and one.pop("at") > 0
    where = {"game": "wsdx", "area": WSDX, "plat": "1059"}
    assert one == where | role("141560631361753593", grade=7)
    assert (two["plat"], two["acctid"], two["game"]) == ("2001", "77", "dl") and "name" not in two
    assert "extra" not in two
    assert sorted(map(json.loads, journal(tmp_path / "data")), key=str) == sorted(
        broker.tuples("syncuser"), key=str
    )


def test_all_pages_are_asked_for_at_first_and_then_what_changed(spout, hall, broker):
    hall.put(*(role(str(n), BEGIN + n) for n in range(10)))
    node = spout(overlap_seconds=5)
    rounds(node, hall, 3)
    assert len(broker.tuples("syncuser")) == 10 and newest(broker.tuples("syncuser")).keys() == {
        (WSDX, str(n)) for n in range(10)
    }
    assert hall.passes()[0] == 0 and set(hall.passes()[1:]) == {BEGIN + 9 - 5}
    assert set(hall.passes(DL)) == {0}, "an area without roles is asked for all"
    hall.put(role("3", BEGIN + 60, grade=9), role("new", BEGIN + 61))
    rounds(node, hall, 3)
    more = broker.tuples("syncuser")[10:]
    assert {(one["uid"], one["grade"]) for one in more} == {("3", 9), ("new", 3)} and len(more) == 2
    assert hall.passes()[-1] == BEGIN + 61 - 5


def test_of_a_second_that_was_told_of_none_is_lost_and_none_comes_twice(spout, hall, broker):
    node = spout(overlap_seconds=1)
    for n in range(12):  # all in two seconds, asked about in between
        hall.put(role(str(n), BEGIN + n // 6))
        rounds(node, hall, 1)
    hall.put(role("0", BEGIN + 1, grade=4))
    rounds(node, hall, 1)
    hall.put(role("0", BEGIN + 1, grade=5))
    rounds(node, hall, 2)
    found = broker.tuples("syncuser")
    assert len(found) == 14 and [one["grade"] for one in found if one["uid"] == "0"] == [3, 4, 5]
    check_names(found)


def test_what_is_unchanged_is_not_published_again_not_after_a_restart_nor_where_all_is_asked(
    spout, hall, broker
):
    hall.put(*(role(str(n), BEGIN + n) for n in range(10)))
    for _ in range(3):
        node = spout(full_every_seconds=0.01)
        rounds(node, hall, 3)
        spout.stop(node)
        assert len(broker.tuples("syncuser")) == 10
        for uid, one in reversed(list(hall.roles[WSDX].items())):
            hall.roles[WSDX][uid] = dict(reversed(hall.roles[WSDX].pop(uid).items())) | {
                "extra": len(hall.asked)
            }
            assert one
    assert set(hall.passes()) == {0} and node.state()["unchanged"] >= 20 and node.state()["full"] >= 3


def test_what_was_missed_is_found_when_all_is_asked_for(spout, hall, broker):
    hall.put(role("1", BEGIN + 3600))
    node = spout(full_every_seconds=3600)
    rounds(node, hall)
    hall.put(role("late", BEGIN))  # written long after its time
    rounds(node, hall, 3)
    assert [one["uid"] for one in broker.tuples("syncuser")] == ["1"]
    spout.stop(node)
    node = spout(full_every_seconds=0.01)
    rounds(node, hall)
    assert [one["uid"] for one in broker.tuples("syncuser")] == ["1", "late"]


def test_a_url_without_since_asks_for_all(spout, hall, broker):
    hall.put(role("1", BEGIN + 3600))
    node = spout(url=hall.url + "/roles?area={area}&page={page}")
    rounds(node, hall)
    hall.put(role("early", BEGIN))
    rounds(node, hall)
    assert [one["uid"] for one in broker.tuples("syncuser")] == ["1", "early"]


def test_a_time_ahead_of_the_interfaces_own_does_not_move_since_beyond_that(spout, hall, broker):
    hall.put(role("fast", hall.now + 3600))
    node = spout(overlap_seconds=1)
    rounds(node, hall)
    hall.put(role("right", hall.now))
    rounds(node, hall)
    assert [one["uid"] for one in broker.tuples("syncuser")] == ["fast", "right"]
    assert hall.passes()[-1] == hall.now - 1


def test_what_a_clock_ahead_of_time_has_moved_on_is_asked_for_again(spout, hall, broker):
    hall.now += 3 * 86400
    hall.put(role("fast", hall.now))
    node = spout()
    rounds(node, hall)
    hall.now -= 3 * 86400
    hall.put(role("right", hall.now - 3600))
    rounds(node, hall, 2)
    assert [one["uid"] for one in broker.tuples("syncuser")] == ["fast", "right"]


def test_an_answer_that_breaks_off_does_not_move_since(spout, hall, broker):
    hall.put(*(role(str(n), BEGIN + 100 - n) for n in range(9)))  # the newest first
    hall.broken = lambda area, since, page: b'{"roles": [' if page.startswith("3") else None
    node = spout()
    step_until(node, lambda: WSDX in node.state()["errors"])
    rounds(node, hall)
    assert "expected JSON, got" in node.state()["last_error"]
    assert len(broker.tuples("syncuser")) == 6 and set(hall.passes()) == {0}, (
        "whole pages count, the answer does not"
    )
    hall.broken = lambda area, since, page: None
    step_until(node, lambda: not node.state()["errors"])
    rounds(node, hall)
    assert len(broker.tuples("syncuser")) == 9 and hall.passes()[-1] == BEGIN + 100 - 60
    check_names(broker.tuples("syncuser"))


@pytest.mark.parametrize(
    "body", [b"<html>Maintenance</html>", b"", b'{"roles": [{"uid": "a', b'{"roles": NaN}']
)
def test_a_broken_answer_is_shown_and_mended_by_the_next(spout, hall, broker, body):
    hall.put(role("1"))
    hall.put(role("2"), area=DL)
    hall.broken = lambda area, since, page: body if area == WSDX else None
    node = spout()
    step_until(node, lambda: WSDX in node.state()["errors"])
    assert "expected JSON, got" in node.state()["errors"][WSDX] == node.state()["last_error"]
    rounds(node, hall)
    assert [one["area"] for one in broker.tuples("syncuser")] == [DL]
    hall.broken = lambda area, since, page: None
    step_until(node, lambda: not node.state()["errors"])
    rounds(node, hall)
    assert [one["area"] for one in broker.tuples("syncuser")] == [DL, WSDX] and node.state()["rejected"] == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"roles": {}}, "$.roles: expected an array, got {}"),
        ({"users": []}, "$.roles: expected an array, got nothing"),
        ([1], "$: expected an object, got [1]"),
        ({"roles": [], "next": "1"}, '$.next: expected another page or null, got "1"'),
    ],
)
def test_an_answer_of_another_shape_is_put_aside_once(spout, hall, tmp_path, body, reason):
    hall.broken = lambda area, since, page: json.dumps(body).encode() if area == WSDX else None
    node = spout()
    rounds(node, hall, 4)
    assert node.state()["last_error"] == reason and node.state()["rejected"] == 1
    spout.stop(node)
    rounds(spout(), hall, 3)
    (one,) = read(tmp_path / "data")
    assert one.reason == f"{reason} (area {WSDX})" and one.spout == "syncuser" and one.raw


BAD = [
    ({"grade": "abc"}, '$.grade: expected int, got "abc"'),
    ({"grade": -1}, "$.grade: expected int from 0 to 100000, got -1"),
    ({"grade": True}, "$.grade: expected int, got true"),
    ({"grade": 1.5}, "$.grade: expected int, got 1.5"),
    ({"rest_yuanbao": None}, "$.rest_yuanbao: expected int, got null"),
    ({"rest_yuanbao": 2**63}, "$.rest_yuanbao: expected an integer of 64 bits, got 9223372036854775808"),
    ({"score": 10**30}, f"$.score: expected an integer of 64 bits, got {10**30}"),
    ({"login_time": "now"}, '$.login_time: expected int, got "now"'),
    ({"birthday": [1]}, "$.birthday: expected int, got [1]"),
    ({"uid": ""}, '$.uid: expected 1 to 200 characters, got ""'),
    ({"uid": 10**30}, f"$.uid: expected string, got {10**30}"),
    ({"acctid": None}, "$.acctid: expected string, got null"),
    ({"name": "a\0b"}, '$.name: expected characters other than NUL, got "a\\u0000b"'),
    ({"ts": 5}, "$.ts: expected Unix seconds between 2000 and a day ahead, got 5"),
    ({"ts": 10**11}, f"$.ts: expected Unix seconds between 2000 and a day ahead, got {10**11}"),
    ({"area": DL}, f'$.area: expected "{WSDX}", which was asked for, got "{DL}"'),
    ({"game": "dl"}, '$.game: expected "wsdx", which was asked for, got "dl"'),
]


def test_a_bad_role_is_put_aside_once_and_keeps_no_other_back(spout, hall, broker, tmp_path):
    hall.size = 50
    for n, (fields, _) in enumerate(BAD):
        hall.roles[WSDX][n] = role(f"bad{n}") | {"ts": BEGIN} | fields
    hall.roles[WSDX]["no object"] = role("x") | {"ts": BEGIN}
    hall.put(role("good"), role("left"))
    page = hall._page(WSDX, 0, "1")["roles"] + ["no object"]
    del page[-2]["grade"]
    hall.broken = lambda area, since, page_: {"roles": page} if area == WSDX else None
    node = spout(full_every_seconds=0.01)
    rounds(node, hall, 4)
    spout.stop(node)
    node = spout(full_every_seconds=0.01)
    rounds(node, hall, 3)
    found = {one.reason for one in read(tmp_path / "data")}
    expected = [
        *(reason for _, reason in BAD),
        "$.grade: expected int, got nothing",
        '$: expected an object, got "no object"',
    ]
    assert found == {f"{reason} (area {WSDX})" for reason in expected}
    assert len(list(read(tmp_path / "data"))) == len(expected) == node.state()["rejected"]
    assert sorted(one["uid"] for one in broker.tuples("syncuser")) == ["good", "x"]
    assert node.state()["read"] == node.state()["journaled"] + node.state()["rejected"]
    assert WSDX in node.state()["errors"]


@pytest.mark.parametrize("field", ["area", "game", "uid", "name"])
def test_what_has_as_many_levels_as_can_be_read_is_rejected(field):
    """What calls deeper can't write as many again: a role like that ended the spout."""
    nested = []
    for _ in range(sys.getrecursionlimit() - len(inspect.stack()) - 5):
        nested = [nested]
    found, ((reason, raw),) = sorted_out([role("good"), role("bad") | {field: nested}], AREAS[WSDX], 2**31)
    assert [one["uid"] for one in found] == ["good"] and reason.startswith(f"$.{field}: expected")
    assert b"of too many levels" in raw


def test_of_a_role_that_a_page_tells_twice_the_newer_state_counts(spout, hall, broker):
    page = [role("1", BEGIN + 5, grade=9), role("1", BEGIN), role("2", grade=1), role("2", grade=2)]
    hall.broken = lambda area, since, _: {"roles": page} if area == WSDX else None
    node = spout(full_every_seconds=0.01)
    rounds(node, hall, 4)
    assert sorted((one["uid"], one["grade"]) for one in broker.tuples("syncuser")) == [("1", 9), ("2", 2)]


def test_of_a_role_that_a_page_names_on_two_days_each_day_has_its_state(spout, hall, broker):
    page = [role("1", BEGIN + 86_400, grade=9), role("1", BEGIN, grade=4), role("1", BEGIN + 9, grade=5)]
    hall.broken = lambda area, since, _: {"roles": page} if area == WSDX else None
    hall.now = BEGIN + 86_400
    node = spout(full_every_seconds=0.01)
    rounds(node, hall, 4)
    found = [one for one in broker.tuples("syncuser") if one["area"] == WSDX]
    assert [(one["ts"], one["grade"]) for one in found] == [(BEGIN + 9, 5), (BEGIN + 86_400, 9)]
    spout.stop(node)
    rounds(spout(full_every_seconds=0.01), hall, 2)
    assert len(broker.tuples("syncuser")) == 2


def test_a_role_that_moves_says_which_acct_it_left(spout, hall, broker):
    hall.put(role("1", acctid="a"), role("2", acctid="a"))
    node = spout()
    rounds(node, hall)
    hall.put(role("1", BEGIN + 9, acctid="b"))
    rounds(node, hall)
    spout.stop(node)
    hall.put(role("1", BEGIN + 20, acctid="c"), role("2", BEGIN + 20, acctid="a"))
    rounds(spout(full_every_seconds=0.01), hall, 2)
    found = [(one["uid"], one["acctid"], one.get("left")) for one in broker.tuples("syncuser")]
    assert sorted(found, key=str) == [
        ("1", "a", None),
        ("1", "b", "a"),
        ("1", "c", "b"),
        ("2", "a", None),
        ("2", "a", None),
    ]


def test_a_state_from_before_a_role_moved_counts_no_coins(spout, hall, broker):
    pages = {"1": {"roles": [role("1", BEGIN + 9, acctid="b")], "next": "2"}}
    pages["2"] = {"roles": [role("1", acctid="a")], "next": None}
    hall.broken = lambda area, since, page: pages[page] if area == WSDX else None
    rounds(spout(full_every_seconds=1e9), hall)
    found = [one for one in broker.tuples("syncuser") if one["area"] == WSDX][:2]
    assert [(one["acctid"], one.get("left")) for one in found] == [("b", None), ("a", "a")]


def test_a_role_that_two_pages_tell_the_same_of_is_published_once(spout, hall, broker):
    last = {"roles": [role("1"), role("2")], "next": None}
    hall.broken = lambda area, since, page: last if page == "2" else {"roles": [role("1")], "next": "2"}
    node = spout()
    rounds(node, hall, 2)
    assert sorted((one["area"], one["uid"]) for one in broker.tuples("syncuser")) == [
        (area, uid) for area in AREAS for uid in "12"
    ]


def test_while_the_broker_is_away_answers_wait_and_none_is_lost(spout, hall, broker, tmp_path):
    node = spout()
    rounds(node, hall, 1)
    broker.stop()
    for n in range(12):
        hall.put(role(str(n), BEGIN + n))
        node.step()
    assert node.state()["published"] == 0
    spout.stop(node)  # what was journaled and never acknowledged is for the next process
    broker.__init__(tmp_path / "broker", broker.section)
    node = spout()
    rounds(node, hall, 3)
    found = broker.tuples("syncuser")
    assert {one["uid"] for one in found} == {str(n) for n in range(12)} and len(found) == 12
    check_names(found)
    assert sorted(map(json.loads, journal(tmp_path / "data")), key=str) == sorted(found, key=str)
    spout.stop(node)
    rounds(spout(full_every_seconds=0.01), hall, 2)
    assert len(broker.tuples("syncuser")) == 12, "what arrived late is known too"


@pytest.mark.parametrize(
    "lost", [["syncuser.json"], ["syncuser.sqlite*"], ["syncuser.json", "syncuser.sqlite*"]]
)
def test_a_lost_state_loses_no_role_and_brings_none_twice(spout, hall, broker, tmp_path, lost):
    hall.put(*(role(str(n), BEGIN + n) for n in range(10)))
    node = spout()
    rounds(node, hall)
    hall.put(role("3", BEGIN + 20, grade=8))
    rounds(node, hall)
    spout.stop(node)
    before = broker.tuples("syncuser")
    assert len(before) == 11
    for pattern in lost:
        for path in (tmp_path / "data" / "state").glob(pattern):
            path.unlink()
    node = spout()
    rounds(node, hall, 3)
    assert broker.tuples("syncuser") == before and node.state()["repeated"] in (0, 11)
    hall.put(role("4", BEGIN + 21))
    rounds(node, hall)
    assert [one["uid"] for one in broker.tuples("syncuser")[11:]] == ["4"]


def test_a_second_one_on_the_same_data_is_refused(spout):
    spout()
    with pytest.raises(AnalyticsError, match="another syncuser spout"):
        spout()


def test_a_damaged_file_of_known_roles_is_told_with_what_to_do(spout, tmp_path):
    file = tmp_path / "data" / "state" / "syncuser.sqlite"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(AnalyticsError, match=r"syncuser\.sqlite: .*move it away"):
        spout()


def test_whatever_changes_while_pages_are_asked_for_is_there_in_the_end(spout, hall, broker):
    draw = random.Random(3)
    hall.size = 4
    node = spout(overlap_seconds=1)
    for step in range(150):
        for _ in range(draw.randrange(4)):
            hall.now = BEGIN + 7200 + step // 10
            hall.put(
                role(str(draw.randrange(60)), hall.now, score=draw.randrange(1000)),
                area=draw.choice([WSDX, DL]),
            )
        node.step()
    rounds(node, hall, 3)
    expected = {(area, uid): one for area, roles in hall.roles.items() for uid, one in roles.items()}
    assert newest(broker.tuples("syncuser")) == expected
    check_names(broker.tuples("syncuser"))


def test_a_role_of_a_forgotten_acct_goes_on_as_its_pseudonym(spout, hall, broker, tmp_path):
    """It has left nobody, and its state is published once more at most."""
    hall.put(role("1", acctid="ann"), role("2", acctid="ben"))
    node = spout()
    rounds(node, hall)
    spout.stop(node)
    forgotten = Forgotten.new().with_names({"ann": "xyz"})
    forgotten.save(tmp_path / "data" / FILE)
    assert rename_states(tmp_path / "data", forgotten.of) == 1
    hall.put(role("1", acctid="ann", grade=9, ts=BEGIN + 5))
    node = spout()
    rounds(node, hall, 3)
    (after,) = broker.tuples("syncuser")[2:]
    assert (after["uid"], after["acctid"], after["grade"], after.get("left")) == ("1", "xyz", 9, None)
