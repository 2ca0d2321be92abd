"""What every store must do, run on each of them."""

import secrets
import time
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from forms import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.errors import AnalyticsError, Unavailable
from analytics.store import Document, MemoryStore, Store, Write
from analytics.store.store import MAX_DOCUMENT_BYTES, PARTS_AT_ONCE

Connect = Callable[[], Store]


def area(id: str, ts: int, game: str = "dl", **fields: Any) -> Write:
    return Write(f"{id}:{ts}", {"_v": 1, "game": game, "area": id, "ts": ts, **fields}, 0)


def test_a_document_comes_back_as_it_was_written(store: Store) -> None:
    document = {
        "_v": 1,
        "count": 2**63 - 1,
        "rate": 33.33,
        "name": "äöü 元宝 \0",
        "userlist": ["1", "2"],
        "retention": {"1": {"count": 2, "rate": 100}},
        "nothing": None,
        "yes": True,
        "updated": datetime(2015, 1, 8, 3, 0, 4, 123000, tzinfo=UTC),
        "_at": {"log": "l1", "topics": {"gamelog.login_logcount": 7, "payment": 2}},
    }
    assert store.write("loginday", [Write("a:1", document, 0)]) == set()
    found = store.load("loginday", ["a:1", "a:2"])
    assert found == {"a:1": {"_id": "a:1", **document}}
    assert list(found["a:1"]) == ["_id", *document]


def test_what_the_caller_holds_is_not_what_is_stored(store: Store) -> None:
    document = {"_v": 1, "userlist": ["1"]}
    store.write("c", [Write("a", document, 0)])
    document["userlist"].append("2")
    store.load("c", ["a"])["a"]["userlist"].append("3")
    assert store.load("c", ["a"])["a"]["userlist"] == ["1"]


def test_ids_are_those_of_everything_that_is_stored(store: Store) -> None:
    part = Write("a:1#1", {"part_of": "a:1", "part": 1, "userlist": []}, None)
    store.write("c", [area("b", 1), area("a", 2), area("a", 1), part, Write("nothing", {"_v": 1}, 0)])
    assert list(store.ids("c")) == ["a:1", "a:1#1", "a:2", "b:1", "nothing"]
    assert list(store.ids("c", "a:")) == ["a:1", "a:1#1", "a:2"]
    assert list(store.ids("c", "a:1#")) == ["a:1#1"]
    assert list(store.ids("other")) == []


def test_dotted_names_survive_a_replacement(store: Store) -> None:
    store.write("c", [Write("a", {"_v": 1, "_at": {"topics": {"gamelog.login_logcount": 1}}}, 0)])
    second = {"_v": 2, "_at": {"topics": {"gamelog.login_logcount": 2, "gamelog.x.y": 1}}}
    assert store.write("c", [Write("a", second, 1)]) == set()
    assert store.load("c", ["a"])["a"] == {"_id": "a", **second}


def test_each_write_stands_by_itself(store: Store) -> None:
    store.write("c", [Write("old", {"_v": 3, "x": 0}, 0), Write("new", {"_v": 1, "x": 0}, 0)])
    refused = store.write(
        "c",
        [
            Write("new", {"_v": 1, "x": 1}, 0),  # is there already
            Write("old", {"_v": 3, "x": 1}, 2),  # has moved on
            Write("fresh", {"_v": 1, "x": 1}, 0),
            Write("place", {"x": 1}, None),
        ],
    )
    assert refused == {"new", "old"}
    found = store.load("c", ["old", "new", "fresh", "place"])
    assert {id: document["x"] for id, document in found.items()} == {
        "old": 0,
        "new": 0,
        "fresh": 1,
        "place": 1,
    }


def test_a_write_that_is_repeated_after_its_answer_was_lost_is_a_conflict(store: Store) -> None:
    for write in (Write("a", {"_v": 1}, 0), Write("a", {"_v": 2}, 1)):
        assert store.write("c", [write]) == set()
        assert store.write("c", [write]) == {"a"}
    assert store.load("c", ["a"]) == {"a": {"_id": "a", "_v": 2}}


def test_without_condition_the_last_write_stays(store: Store) -> None:
    for number in (1, 2):
        assert store.write("positions", [Write("loginhour", {"log": "x", "number": number}, None)]) == set()
    assert store.load("positions", ["loginhour"])["loginhour"]["number"] == 2
    parts = [Write(f"a#{n}", {"n": n}, None) for n in range(700)]
    older = [Write(one.id, {"n": "old"}, None) for one in parts[::7]]
    assert store.write("c", older) == store.write("c", parts) == set()
    found = store.load("c", [one.id for one in parts])
    assert [found[one.id]["n"] for one in parts] == list(range(700))


@pytest.mark.parametrize("id", ["$_v", "7", "a.b", "é\0x"])
def test_a_new_version_is_taken_as_it_stands(store: Store, id: str) -> None:
    odd = {
        "text": "$_v",
        "below": {"$add": ["$_v", 1], "a.b": {"$literal": {"$$ROOT": 1}}},
        "": float("nan"),
        "none": None,
    }
    assert store.write("c", [Write(id, {"_v": 1}, 0)]) == set()
    assert store.write("c", [Write(id, {"_v": 2, **odd}, 1)]) == set()
    assert store.write("c", [Write(id, {"_v": 3}, 1)]) == {id}
    found = store.load("c", [id])[id]
    assert list(found) == ["_id", "_v", *odd]
    assert repr(found) == repr({"_id": id, "_v": 2, **odd})


@pytest.mark.parametrize("stored", [{"x": 0}, {"_v": None}, {"_v": "1"}, {"_v": 2}])
def test_a_version_is_expected_exactly(store: Store, stored: dict[str, Any]) -> None:
    store.write("c", [Write("a", stored, None)])
    assert store.write("c", [Write("a", {"_v": 2, "x": 1}, 1)]) == {"a"}
    assert store.load("c", ["a"])["a"] == {"_id": "a", **stored}


def test_a_document_that_is_gone_is_written_anew(store: Store) -> None:
    assert store.write("c", [Write("a", {"_v": 8}, 7)]) == set()
    assert store.load("c", ["a"])["a"]["_v"] == 8


def test_deleted_documents_are_gone(store: Store) -> None:
    store.write("c", [Write(f"a#{n}", {"n": n}, None) for n in range(150)])
    store.delete("c", [f"a#{n}" for n in range(1, 150)] + ["never"])
    assert list(store.load("c", [f"a#{n}" for n in range(150)])) == ["a#0"]
    store.delete("nowhere", ["a"])
    store.delete("c", [])


def test_a_document_is_removed_at_the_version_that_was_read(store: Store) -> None:
    versions = {"a": 2, "b": "seven", "c": 2**40, "d": {"$gt": 0}}
    store.write("c", [Write(id, {"_v": version}, None) for id, version in versions.items()])
    store.write("c", [Write("e", {"n": 1}, None), Write("f", {"_v": None}, None)])
    assert not any(store.remove("c", "a", version) for version in (1, 3, None, "2", {"$gt": 0}))
    assert not store.remove("c", "b", None) and not store.remove("c", "never", 1)
    assert not store.remove("nowhere", "a", 2)
    assert sorted(store.load("c", list("abcdef"))) == list("abcdef")
    assert all(store.remove("c", id, versions.get(id)) for id in "abcdef")
    assert not store.remove("c", "a", 2)
    assert store.load("c", list("abcdef")) == {}


def test_many_documents_at_once(store: Store) -> None:
    ids = [f"a:{n}" for n in range(1203)]
    assert store.write("c", [Write(id, {"_v": 1, "x": "y" * 100}, 0) for id in ids]) == set()
    assert store.write("c", [Write(id, {"_v": 2}, n % 2) for n, id in enumerate(ids)]) == set(ids[::2])
    found = store.load("c", [*ids, "b"])
    assert [found[id]["_v"] for id in ids] == [1 + n % 2 for n in range(1203)]
    assert store.load("c", []) == {} and store.write("c", []) == set()


@pytest.mark.parametrize(
    "value",
    [2**63, {"a"}, {1: "x"}, "\ud800", {"nul\0": 1}, object()],
    ids=["over 64 bits", "set", "number as name", "surrogate", "NUL in a name", "object"],
)
def test_what_bson_does_not_know_is_refused_by_name(store: Store, value: Any) -> None:
    with pytest.raises(AnalyticsError, match="c: document 'bad' can't be written"):
        store.write("c", [Write("good", {"_v": 1}, 0), Write("bad", {"_v": 1, "x": value}, 0)])
    assert store.load("c", ["good", "bad"]) == {}


def test_an_id_twice_in_a_call_is_refused(store: Store) -> None:
    with pytest.raises(AnalyticsError, match=r"each id once.*\['a'\]"):
        store.write("c", [Write("a", {"_v": 1}, 0), Write("a", {"_v": 2}, 1)])
    assert store.load("c", ["a"]) == {}


def test_16_mb_is_the_limit(store: Store) -> None:
    envelope = 42  # bytes of BSON around the text
    largest = "x" * (MAX_DOCUMENT_BYTES - envelope)
    with pytest.raises(AnalyticsError, match=r"document 'big' has 1677721\d bytes.*'userlist'.*parts"):
        store.write(
            "c", [Write("small", {"_v": 1}, 0), Write("big", {"_v": 1, "userlist": largest + "xx"}, 0)]
        )
    assert store.load("c", ["small", "big"]) == {}
    assert store.write("c", [Write("big", {"_v": 1, "userlist": largest[:-100]}, 0)]) == set()
    assert store.load("c", ["big"])["big"]["userlist"] == largest[:-100]


def test_a_new_version_may_be_as_large(store: Store) -> None:
    largest = "x" * (MAX_DOCUMENT_BYTES - 142)
    assert store.write("c", [Write("big", {"_v": 1, "userlist": "small"}, 0)]) == set()
    assert store.write("c", [Write("big", {"_v": 2, "userlist": largest}, 1)]) == set()
    assert store.load("c", ["big"])["big"] == {"_id": "big", "_v": 2, "userlist": largest}


def test_find_by_area_game_and_time(store: Store) -> None:
    store.ensure_indexes(["loginday"])
    store.ensure_indexes(["loginday"])
    writes = [
        area(id, ts, game) for id, game in (("b", "dl"), ("a", "wsdx"), ("c", "dl")) for ts in (300, 100, 200)
    ]
    parts = [Write(f"a:100#{n}", {"part_of": "a:100", "part": n, "userlist": ["1"]}, None) for n in (1, 2)]
    store.write("loginday", [*writes, *parts])

    def found(**wanted: Any) -> list[str]:
        return [document["_id"] for document in store.find("loginday", **wanted)]

    everything = [f"{id}:{ts}" for id in "abc" for ts in (100, 200, 300)]
    assert found() == found(batch=2) == everything
    assert found(area="b") == ["b:100", "b:200", "b:300"]
    assert found(game="dl") == [id for id in everything if id[0] in "bc"]
    assert found(since=200, until=300) == ["a:200", "b:200", "c:200"]
    assert found(area="a", since=200) == ["a:200", "a:300"]
    assert found(game="wsdx", until=200) == ["a:100"]
    assert found(area="none") == found(area="a", game="dl") == found(since=301) == []
    assert list(store.find("nowhere")) == []
    of_game = store.rows("loginday", ["_id"], game="dl", since=200)
    assert sorted(one["_id"] for one in of_game) == [f"{id}:{ts}" for id in "bc" for ts in (200, 300)]
    assert sorted(one["ts"] for one in store.rows("loginday", ["ts"], game="dl", area="c")) == [100, 200, 300]


def test_the_first_document_is_the_one_that_a_search_begins_with(store: Store) -> None:
    store.ensure_indexes(["loginday"])
    parts = [Write(f"a:100#{n}", {"part_of": "a:100", "part": n, "userlist": ["1"]}, None) for n in (1, 2)]
    store.write("loginday", [*(area(id, ts) for id in "cba" for ts in (300, 100, 200)), *parts])
    for wanted in (
        {},
        {"area": "b"},
        {"game": "dl", "since": 101},
        {"area": "c", "since": 250},
        {"until": 50},
    ):
        begins = next(store.find("loginday", **wanted), None)
        assert store.first("loginday", **wanted) == begins
        named = store.first("loginday", "ts", **wanted)
        assert named is begins is None or named["ts"] == begins["ts"]
    assert store.first("nowhere") is None


def test_starts_are_counted(store: Store) -> None:
    future = int(time.time()) + 10 * 86_400
    starts = [946_684_800, 1424361600, 1424361600 + 3600, 1424361600 + 9 * 86_400, future]
    store.write("loginhour", [area(f"a{n}", ts) for n in range(3) for ts in starts[n:]])
    store.write("loginhour", [area("b", 1424361600, game="other")])
    found: Counter[int] = Counter()
    for ts, count in store.starts("loginhour", game="dl"):
        found[ts] += count
    assert found == dict(zip(starts, [1, 2, 3, 3, 3], strict=True))


def test_documents_without_time_are_found_without_a_span(store: Store) -> None:
    store.write("userpay", [Write("a:1", {"_v": 1, "area": "a", "game": "dl", "pay_count": 2}, 0)])
    assert [document["_id"] for document in store.find("userpay", area="a", game="dl")] == ["a:1"]
    assert list(store.find("userpay", since=0)) == list(store.find("userpay", until=10)) == []


def test_collections_are_listed(store: Store) -> None:
    assert store.collections() == []
    store.write("loginday", [area("a", 1)])
    store.write("coinday", [area("a", 1)])
    assert store.collections() == ["coinday", "loginday"]
    store.ping()


def parted(first: int, last: int, version: int = 1) -> tuple[dict[str, Any], list[Write]]:
    """A document whose list 0, 1, 2, … lies in parts of ten, and the rest in itself; and the parts."""
    items = [str(n) for n in range(10 * (last - first + 1) + 3)]
    parts = [
        Write(
            f"a:1#{n}",
            {"part_of": "a:1", "part": n, "userlist": items[10 * (n - first) :][:10], "_rows": [n]},
            None,
        )
        for n in range(first, last + 1)
    ]
    counts = {"count": len(parts), "first": parts[0].id, "last": parts[-1].id}
    main = {
        "_v": version,
        "area": "a",
        "ts": 1,
        "count": len(items),
        "userlist": items[-3:],
        "_rows": [],
        "parts": counts,
    }
    return main, parts


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 40), (7, 12)])
def test_whole_puts_lists_together(store: Store, first: int, last: int) -> None:
    main, parts = parted(first, last)
    store.write("loginday", [*parts, Write("a:1", main, 0), area("b", 1, userlist=["x"])])
    one, other = (store.whole("loginday", document) for document in store.find("loginday"))
    assert one["userlist"] == [str(n) for n in range(main["count"])]
    assert one["_rows"] == list(range(first, last + 1))
    assert "parts" not in one and one["count"] == main["count"]
    assert other["userlist"] == ["x"]


def test_whole_says_which_document_lacks_a_part(store: Store) -> None:
    main, parts = parted(1, 3)
    store.write("loginday", [parts[0], parts[2], Write("a:1", main, 0)])
    with pytest.raises(AnalyticsError, match="loginday: a part of document 'a:1' is missing"):
        store.whole("loginday", store.load("loginday", ["a:1"])["a:1"])


def test_whole_goes_on_with_the_newer_document_when_parts_were_thrown_away(store: Store) -> None:
    read, newer = written_anew(store, 3)
    assert len(store.whole("loginday", read)["userlist"]) == newer["count"]


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 40), (7, 12)])
def test_a_list_is_read_piece_by_piece(store: Store, first: int, last: int) -> None:
    main, parts = parted(first, last)
    store.write("loginday", [*parts, Write("a:1", main, 0), area("b", 1, userlist=["x"]), area("c", 1)])
    one, other, none = store.find("loginday")
    pieces = list(store.items("loginday", one, "userlist"))
    assert [item for piece in pieces for item in piece] == [str(n) for n in range(main["count"])]
    assert max(map(len, pieces)) == 10
    assert list(store.items("loginday", one, "_rows")) == [[n] for n in range(first, last + 1)]
    assert list(store.items("loginday", other, "userlist")) == [["x"]]
    assert list(store.items("loginday", none, "userlist")) == list(store.items("loginday", one, "no")) == []


def test_a_list_that_is_read_piece_by_piece_is_of_one_version(store: Store) -> None:
    main, parts = parted(1, 40)
    store.write("loginday", [*parts, Write("a:1", main, 0)])
    reading = store.items("loginday", store.load("loginday", ["a:1"])["a:1"], "userlist")
    read = next(reading)
    longer, more = parted(1, 41, version=2)
    assert longer["count"] > main["count"]
    store.write("loginday", [more[-1]])
    assert store.write("loginday", [Write("a:1", longer, 1)]) == set()
    assert read + [item for piece in reading for item in piece] == [str(n) for n in range(main["count"])]


def written_anew(store: Store, last: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A document as it was read, and the newer one with other parts; the old parts are gone."""
    older, parts = parted(1, last)
    store.write("loginday", [*parts, Write("a:1", older, 0)])
    read = store.load("loginday", ["a:1"])["a:1"]
    newer, more = parted(last + 1, last + 2, version=2)
    store.write("loginday", more)
    store.write("loginday", [Write("a:1", newer, 1)])
    store.delete("loginday", [part.id for part in parts])
    return read, newer


def test_a_list_that_was_written_anew_before_it_is_read_is_the_newer(store: Store) -> None:
    read, newer = written_anew(store, 3)
    found = [item for piece in store.items("loginday", read, "userlist") for item in piece]
    assert found == [str(n) for n in range(newer["count"])]


def test_a_list_that_is_written_anew_while_it_is_read_is_not_mixed_with_the_newer(store: Store) -> None:
    main, parts = parted(1, 40)
    store.write("loginday", [*parts, Write("a:1", main, 0)])
    reading = store.items("loginday", store.load("loginday", ["a:1"])["a:1"], "userlist")
    assert next(reading) == parts[0].document["userlist"]
    newer, more = parted(41, 42, version=2)
    store.write("loginday", more)
    store.write("loginday", [Write("a:1", newer, 1)])
    store.delete("loginday", [part.id for part in parts])
    with pytest.raises(Unavailable, match="userlist of 'a:1' was rewritten while it was read; read it again"):
        list(reading)


def test_a_list_that_lacks_a_part_says_so(store: Store) -> None:
    main, parts = parted(1, 3)
    store.write("loginday", [parts[0], parts[2], Write("a:1", main, 0)])
    with pytest.raises(AnalyticsError, match="loginday: a part of document 'a:1' is missing"):
        list(store.items("loginday", store.load("loginday", ["a:1"])["a:1"], "userlist"))


class Watched(MemoryStore):
    """Makes parts as they are asked for, and counts how many of their lists are held at the same time."""

    held = most = 0

    def load(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        return {id: {"_id": id, "part_of": "a", "part": 1, "userlist": self.entries(id)} for id in ids}

    def entries(self, id: str) -> list[str]:
        made = Entries([id] * 20)
        weakref.finalize(made, self.let_go)
        self.held += 1
        self.most = max(self.most, self.held)
        return made

    def let_go(self) -> None:
        self.held -= 1


class Entries(list[str]):
    """A list that can be watched."""


def test_however_long_a_list_is_few_of_its_parts_are_held(store: Store) -> None:
    """At 2,000 accts a part, 1,000 parts are 2,000,000. What reads them is the same for every store."""
    assert type(store).items is Store.items and type(store).whole is Store.whole
    watched = Watched()
    document = {"_id": "a", "userlist": ["x"], "parts": {"count": 1000, "first": "a#1", "last": "a#1000"}}
    assert sum(len(piece) for piece in watched.items("loginday", document, "userlist")) == 20_001
    assert 1 < watched.most <= 2 * PARTS_AT_ONCE
    watched.most = 0
    gathered = list(watched.items("loginday", document, "userlist"))
    assert len(gathered) == watched.most + 1 == 1001, "a list that is gathered is noticed"


def in_parallel(job: Callable[[int, Store], None], stores: list[Store]) -> None:
    """Run the job for each store at once; what one raises is raised here."""
    with ThreadPoolExecutor(len(stores)) as pool:
        for running in [pool.submit(job, me, store) for me, store in enumerate(stores)]:
            running.result()


def test_of_clients_that_race_each_version_is_written_by_one(connect: Connect) -> None:
    rounds, clients = 40, 3
    written: list[tuple[int, int]] = []

    def count_up(me: int, store: Store) -> None:
        for _ in range(rounds):
            while True:
                document = store.load("c", ["a"]).get("a", {"_v": 0, "total": 0})
                version = document["_v"]
                change = Write("a", {"_v": version + 1, "total": document["total"] + 1, "by": me}, version)
                if not store.write("c", [change, Write(f"own:{me}", {"_v": 1}, None)]):
                    written.append((version + 1, me))
                    break

    in_parallel(count_up, [connect() for _ in range(clients)])
    final = connect().load("c", ["a"])["a"]
    assert (final["_v"], final["total"]) == (rounds * clients, rounds * clients)
    assert sorted(version for version, _ in written) == list(range(1, rounds * clients + 1))


def test_one_of_many_inserts_wins_and_writes_without_condition_never_conflict(connect: Connect) -> None:
    ids = [f"a:{n}" for n in range(50)]
    winners: list[tuple[str, int]] = []

    def insert(me: int, store: Store) -> None:
        refused = store.write("c", [Write(id, {"_v": 1, "by": me}, 0) for id in ids])
        winners.extend((id, me) for id in ids if id not in refused)
        assert store.write("c", [Write(f"free:{id}", {"by": me}, None) for id in ids]) == set()

    in_parallel(insert, [connect() for _ in range(4)])
    assert sorted(id for id, _ in winners) == sorted(ids)
    found = connect().load("c", ids)
    assert {(id, document["by"]) for id, document in found.items()} == set(winners)


one_write = st.tuples(st.sampled_from("abcde"), st.sampled_from([None, 0, 1, 2]), st.integers(0, 3))


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.lists(one_write, max_size=5, unique_by=lambda one: one[0]), max_size=6))
def test_any_store_does_what_memory_does(
    store: Store, calls: list[list[tuple[str, int | None, int]]]
) -> None:
    memory, collection = MemoryStore(), secrets.token_hex(4)
    for call in calls:
        writes = [Write(id, {"_v": version}, expected) for id, expected, version in call]
        assert store.write(collection, writes) == memory.write(collection, writes)
        assert store.load(collection, list("abcde")) == memory.load(collection, list("abcde"))
