"""A store over a store does what one store would, and leaves the one below as it was."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from analytics.rebuild.overlay import Overlay
from analytics.store import MemoryStore, Store
from analytics.store.store import Write

IDS = "abcd"
below = st.dictionaries(st.sampled_from(IDS), st.integers(1, 2))
writing = st.tuples(
    st.just("write"), st.sampled_from(IDS), st.sampled_from([None, 0, 1, 2]), st.integers(1, 3)
)
removing = st.tuples(st.just("remove"), st.sampled_from(IDS), st.sampled_from([None, 1, 2]), st.just(0))
deleting = st.tuples(st.just("delete"), st.sampled_from(IDS), st.none(), st.just(0))


def document(id_: str, version: int) -> dict[str, Any]:
    return {"_id": id_, "_v": version, "area": id_ * 2, "game": "g", "ts": ord(id_) * 10 + version}


def filled(stored: dict[str, int]) -> MemoryStore:
    store = MemoryStore()
    store.write("c", [Write(id_, document(id_, version), None) for id_, version in stored.items()])
    return store


def do(store: Store, step: tuple[str, str, int | None, int]) -> object:
    what, id_, expected, version = step
    if what == "write":
        return store.write("c", [Write(id_, document(id_, version), expected)])
    if what == "remove":
        return store.remove("c", id_, expected)
    return store.delete("c", [id_])


def seen(store: Store) -> list[object]:
    return [
        store.load("c", list(IDS)),
        list(store.find("c")),
        list(store.find("c", area="bb")),
        list(store.find("c", game="g", since=980, until=1000)),
        list(store.find("c", game="other")),
        list(store.ids("c")),
        list(store.ids("c", "b")),
    ]


@given(stored=below, steps=st.lists(writing | removing | deleting, max_size=8))
def test_it_does_what_one_store_would(
    stored: dict[str, int], steps: list[tuple[str, str, int | None, int]]
) -> None:
    plain, lower = filled(stored), filled(stored)
    before, over = seen(lower), Overlay(lower)
    for step in steps:
        assert do(over, step) == do(plain, step)
        assert seen(over) == seen(plain)
    assert seen(lower) == before
