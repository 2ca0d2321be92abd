"""The worked cases must come out exactly."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.reference import Reference

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.json") if path.stem != "periods")
SUMS = {
    "activeday": "caf40e281c7aea00b66f592228723901d2cdbea2323bb44c2b31a03b7d71c57b",
    "createrole": "d45e2f741925d2676945501c1e08c1bdcd79dc9c12ec5e7d54f48b48245849be",
    "login": "560ac398a060e35422bc345cfae924b995d60748bfe06b8b7e87d1316dc3d08e",
    "payment": "ef7a7eff5d8fa828e25040538bfa68045556bcd1401555ef5b7dcec59d723eb4",
    "payment_again": "9be44684446ab9268d0a77d72dad5109317694a5ec0c6fecfb9805983da8eaec",
    "periods": "22b11bfb3a13a049b7bb145b20f0d5a08a5cfdaef435e50abc88ffcc3131f39e",
    "server": "80cffad7b039d73325d0167a56b3bb9caea3ecb8032c4e375a762e5f303308c8",
    "signup": "c95149a410515a649d695807b14382157a678b8f70c2fbe95cb7c50e9e836049",
    "transfer_count": "a563a394ffaa780921c4d1b258f58ed67a94625d56b22e5c61d2edab85bbf328",
}
UNLISTED = {"first_ts", "updated", "parts", "rest_yuanbao", "used_yuanbao"}


def play(name):
    """Return a golden case and the runner that has seen its tuples, with ids by position."""
    case = json.loads((GOLDEN / f"{name}.json").read_text())
    shared_zone = zone(case["timezone"])
    areas = Areas(Area(id_, one["game"], one["plat"], shared_zone) for id_, one in case["areas"].items())
    runner = Reference(BOLTS.values(), areas)
    for n, one in enumerate(case["tuples"]):
        runner.put(one["topic"], [{"id": f"golden:{n}"} | one["tuple"]])
    return case, runner


def comparable(value):
    """Return lists as sets that keep repeats visible; numbers by what they print as, so 113 is not 113.0."""
    if isinstance(value, list):
        return sorted(json.dumps(item) for item in value)
    return json.dumps(value)


def check(case, runner, collection):
    """The collection has the expected documents, no others, and in them no public field beyond those listed."""
    expected = case["documents"][collection]
    actual = list(runner.documents(collection).values())
    key = ["area", *(["ts"] if BOLTS[collection].period else []), *BOLTS[collection].by]
    by_key = {tuple(one[name] for name in key): one for one in actual}
    assert len(by_key) == len(actual) == len(expected)
    for one in expected:
        found = by_key[tuple(one[name] for name in key)]
        assert {name: comparable(found.get(name)) for name in one} == {
            name: comparable(value) for name, value in one.items()
        }
        assert found.keys() - one.keys() <= UNLISTED


@pytest.mark.parametrize("name", SUMS)
def test_golden_cases_are_unchanged(name):
    assert hashlib.sha256((GOLDEN / f"{name}.json").read_bytes()).hexdigest() == SUMS[name]


def test_every_golden_case_is_known():
    assert {path.stem for path in GOLDEN.glob("*.json")} == SUMS.keys()


@pytest.mark.parametrize("name", CASES)
def test_documents(name):
    case, runner = play(name)
    for collection in case["documents"].keys() & BOLTS.keys():
        check(case, runner, collection)


def test_login_handle_data():
    case, runner = play("login")
    check(case, runner, "loginhour")
    check(case, runner, "loginday")


def test_signup_handle_data():
    case, runner = play("signup")
    check(case, runner, "signuphour")
    check(case, runner, "signupday")


def test_createrole_handle_data():
    case, runner = play("createrole")
    check(case, runner, "createrolehour")
    check(case, runner, "createroleday")


def test_payorderuser_handle_data():
    case, runner = play("payment")
    check(case, runner, "paysummary")
    check(case, runner, "payorderdetail")
    case, runner = play("payment_again")
    check(case, runner, "paysummary")


def test_transfer_count():
    """Every spout tuple is accounted for by a day bolt, and every one of theirs by server."""
    case, runner = play("transfer_count")
    spouts = Counter(one["topic"].split(".")[0] for one in case["tuples"])
    assert spouts == case["all_spout_count"]
    published = {
        "login": runner.tuples["loginday"],
        "signup": runner.tuples["signupday"],
        "createrole": runner.tuples["createroleday"],
        "payorderuser": runner.tuples["paysummary"],
        "server": runner.tuples["server"],
    }
    assert published == case["all_bolt_count"]
    for what in ("login", "signup", "createrole"):
        assert runner.tuples[f"{what}hour"] == runner.tuples[f"{what}day"]


def test_active_accts_and_new_ones_can_be_read_from_the_day_documents():
    """The case of the active accts: its tuples give the lists that the timer bolt unites."""
    case, runner = play("activeday")
    (expected,) = case["documents"]["activeday"]
    key = f"{expected['area']}:{expected['ts']}"
    active = set(runner.documents("loginday")[key]["userlist"])
    assert len(active) == expected["ac_user"]
    signed_up = set(runner.documents("signupday")[key]["userlist"])
    assert len(active & signed_up) == expected["new_ac_user"]
