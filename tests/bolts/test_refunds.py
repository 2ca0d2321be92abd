"""Who paid nothing, or was refunded, is no payer: in no count, list or day, also where lists lie in parts."""

from random import Random
from typing import Any

import pytest
from delivery import deliver, listed
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_run import run

from analytics.bolts import BOLTS
from analytics.core.agree import ListChanged, differences
from analytics.core.areas import Area, Areas
from analytics.core.derive import Derivation, rewritten
from analytics.core.periods import zone
from analytics.core.settle import PART_SIZE, Position

AREA = "549140c8dbdb67794fc0fa3b"
AREAS = Areas([Area(AREA, "dl", "2001", zone("Asia/Shanghai"))])
DAY = 1420646400
KEY = (AREA, DAY)


def paid(at: int, users: dict[str, tuple[int, float]], day: int = DAY) -> tuple[str, dict[str, Any]]:
    found = {acct: {"times": times, "amount": amount} for acct, (times, amount) in users.items()}
    return "payment", {"id": f"payment/dl@1:{at}", "at": at, "area": AREA, "ts": day, "users": found}


def test_a_refunded_acct_is_no_payer() -> None:
    records = [
        paid(1, {"ann": (1, 6), "bob": (2, 15), "nil": (0, 0)}),
        paid(2, {"ann": (0, 0), "bob": (1, 7.5)}),
        paid(3, {"ann": (1, 1)}, DAY + 86_400),
    ]
    runner = run(BOLTS.values(), AREAS, records)
    summary = runner.documents("paysummary")[f"{AREA}:{DAY}"]
    assert (summary["count"], summary["userlist"]) == (1, ["bob"])
    assert (summary["pay_count"], summary["pay_amout"]) == (1, 7.5)
    assert runner.documents("server")[f"{AREA}:{DAY}"]["pay_user"] == 1
    payers = {one["acct"]: one for one in runner.documents("userpay").values()}
    fields = ("pay_days", "first_pay", "last_pay")
    assert [payers["ann"][name] for name in fields] == [1, DAY + 86_400, DAY + 86_400]
    assert [payers["nil"][name] for name in fields] == [0, None, None]


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 2**32))
def test_payers_come_and_go(seed: int) -> None:
    random = Random(seed)
    snapshots = [
        {f"a{n}": (1, random.choice([0, 0, 1.5])) for n in random.sample(range(9), random.randint(0, 9))}
        for _ in range(random.randint(1, 20))
    ]
    newest: dict[str, float] = {}
    for users in snapshots:
        newest |= {acct: amount for acct, (_, amount) in users.items()}
    records = [paid(at, users) for at, users in enumerate(snapshots, 1)]
    payers = sorted(acct for acct, amount in newest.items() if amount)
    (found,) = deliver(BOLTS["paysummary"], AREAS, records, random)
    assert found["count"] == len(payers)
    assert sorted(listed(BOLTS["paysummary"], AREAS, records, random, "userlist")) == payers


@pytest.mark.parametrize("count", [3, PART_SIZE + 1])
def test_a_rebuild_finds_whom_a_list_should_not_name(count: int) -> None:
    derivation = Derivation([BOLTS["paysummary"]], AREAS)
    users = ",".join(f'"a{n}":{{"times":1,"amount":{n}}}' for n in range(count))
    derivation.fold(
        "payment", 0, b'{"area":"%b","ts":%d,"users":{%b}}' % (AREA.encode(), DAY, users.encode())
    )
    bolt = BOLTS["paysummary"]
    states = derivation.documents["paysummary"][KEY].at(None)
    assert states is not None
    one = rewritten(bolt, KEY, states, AREAS, version=2, at=Position("log", {"payment": 1}))
    assert differences(bolt, KEY, states, AREAS, one.document, one.parts) == {}
    one.document["userlist"] = [name for name in one.document["userlist"] if name != "a1"] + ["a0", "a2"]
    more = [] if count > PART_SIZE else ["a1"]
    fewer = ["a0", "a2", "a2"] if count > PART_SIZE else ["a0", "a2"]
    found = differences(bolt, KEY, states, AREAS, one.document, one.parts)["userlist"]
    assert isinstance(found, ListChanged) and found.more == more and set(found.fewer) == set(fewer)
