"""Documents of a real MongoDB with pseudonyms: lists and their parts, ids and the parts of those, positions, and totals by acct."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from databases import Database

from analytics.bolts import BOLTS
from analytics.config import Config
from analytics.core.bolt import Bolt
from analytics.core.latest import Latest
from analytics.core.measures import Count
from analytics.errors import AnalyticsError
from analytics.forget.documents import DocumentChange, named_elsewhere
from analytics.store import Store, Write, open_store

A, B = "a:1", "zq7"
NAMES = {A: B}
OWN = Bolt(
    name="pvp",
    reads=BOLTS["shop"].reads,
    by={"acct": "data.acct", "item": "data.item"},
    measures={"count": Count(), "last": Latest("data.acct", "ts")},
    totals=True,
)
BOLTS_AND_OWN = {**BOLTS, "pvp": OWN}


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with closing(open_store(Config(mongodb=database.section))) as opened:
        yield opened


def document(id_: str, version: int | None = 3, **fields: Any) -> dict[str, Any]:
    at = {} if version is None else {"_v": version, "_at": {"log": "x", "topics": {"t": 1}}}
    return {"_id": id_, **at, **fields}


def parts(of: str, **lists: list[Any]) -> dict[str, Any]:
    return document(f"{of}#2", None, part_of=of, part=2, **lists)


def ends(of: str) -> dict[str, Any]:
    return {"count": 1, "first": f"{of}#2", "last": f"{of}#2"}


def documents(acct: str, version: int, key: str, plain: str) -> dict[str, list[dict[str, Any]]]:
    """Return what is stored of ``acct``. ``key``: how ids write it before their end, ``plain``: at their end."""
    user = f"s1:{plain}"
    return {
        "loginday": [
            document("s1:17", version, userlist=["b", acct], parts=ends("s1:17")),
            parts("s1:17", userlist=["a:12", acct, "c"]),
            document("s1:18", userlist=["a", "1"], type=A),
        ],
        "sessionhour": [
            document(
                "s1:17", version, _logins=[f"17 {acct}", "17 b"], _logouts=[f"17 -1 {acct}", f"9 7 x {A}"]
            )
        ],
        "paysummary": [document("s1:17", version, userlist=[acct], _payments=[[acct, [1, 1, "x"], 1, 200]])],
        "payorderdetail": [document(f"s1:17:{plain}", version, acct=acct), document("s1:17:b", acct="b")],
        "userpay": [
            document(user, version, acct=acct, _roles=[["u", [1], 7]], parts=ends(user)),
            parts(user, _roles=[[A, [1], 7]]),
        ],
        "usercenter": [document(f"s1:{A}", version, uid=A, name=A, acctid=acct)],
        "pvp": [document(f"s1:17:{key}:{A}", version, acct=acct, item=A, last=acct, _last=[17, acct])],
        "pvp_total": [document(f"plat:dl:p:17:{key}:{A}", version, acct=acct, item=A, count=1)],
        "positions": [
            document("payorderdetail", written=[[f"s1:17:{plain}", 3, 1.0], ["s1:17:b", 3, 1.0]]),
            document("loginday", written=[["s1:17", 3, 1.0]]),
            document("lost_writes:userpay", None, what=f"document '{user}' is missing"),
        ],
    }


def stored(store: Store) -> dict[str, list[dict[str, Any]]]:
    found = {name: [*store.load(name, [*store.ids(name)]).values()] for name in store.collections()}
    return {
        name: sorted(
            [{key: value for key, value in one.items() if key != "updated"} for one in some],
            key=lambda one: str(one["_id"]),
        )
        for name, some in found.items()
    }


def in_order(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(some, key=lambda one: str(one["_id"])) for name, some in found.items()}


def test_accts_change_where_they_are_and_nowhere_else(store: Store) -> None:
    before = documents(A, 3, "a%3A1", A)
    for name, some in before.items():
        store.write(name, [Write(one["_id"], one, None) for one in some])
    looked = DocumentChange(store, BOLTS_AND_OWN, NAMES.get, write=False)
    looked.run()
    assert stored(store) == in_order(before)
    change = DocumentChange(store, BOLTS_AND_OWN, NAMES.get, write=True)
    change.run()
    assert stored(store) == in_order(documents(B, 4, B, B))
    assert change.changed == looked.changed
    again = DocumentChange(store, BOLTS_AND_OWN, NAMES.get, write=True)
    again.run()
    assert not +again.changed


def test_a_document_that_another_process_writes_is_not_written_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("coinday", [Write("s1:17", document("s1:17", 3, _users=[A]), None)])
    load = store.load

    def late(collection: str, ids: Any) -> Any:
        found = load(collection, ids)
        if collection == "coinday":
            store.write("coinday", [Write("s1:17", document("s1:17", 4, _users=[A, "b"]), 3)])
        return found

    monkeypatch.setattr(store, "load", late)
    with pytest.raises(AnalyticsError, match="another process"):
        DocumentChange(store, BOLTS, NAMES.get, write=True).run()
    assert load("coinday", ["s1:17"])["s1:17"]["_users"] == [A, "b"]


def test_what_people_wrote_and_former_bolts_kept_is_reported(store: Store) -> None:
    for name, fields in {
        "annotations": {"text": A},
        "former": {"_list": [{"x": [A]}]},
        "audit_log": {"who": A},
    }.items():
        store.write(
            name, [Write("1", {"_id": "1", **fields}, None), Write("2", {"_id": "2", "text": "a:12"}, None)]
        )
    assert named_elsewhere(store, BOLTS, NAMES.get) == {"annotations": 1, "former": 1}
