"""The collections ``areas`` and ``games`` say what the configuration says, and keep what it no longer names."""

import pytest

from analytics.config import AreaSection, Config, Game
from analytics.errors import Unavailable
from analytics.runtime.directory import AREAS, GAMES, write_directory
from analytics.store import MemoryStore, Write

A, B = "549140c8dbdb67794fc0fa3b", "5461bb1bec8b9c686a8b4576"
AREA_A = AreaSection(plat="2001", opened="2015-01-08", corpid=2001, server_name="server1009")
AREA_B = AreaSection(plat="1059", timezone="America/New_York")


def config(**areas: AreaSection) -> Config:
    return Config(games={"dl": Game(timezone="Asia/Tokyo", areas=areas)})


def said(store, collection):
    stored = store.load(collection, list(store.ids(collection)))
    return {
        id: {name: value for name, value in one.items() if name not in ("_id", "updated")}
        for id, one in stored.items()
    }


@pytest.fixture
def store():
    return MemoryStore()


def test_an_area_and_its_game(store):
    assert write_directory(config(**{A: AREA_A, B: AREA_B}), store) == 3
    assert said(store, AREAS) == {
        A: {
            "area": A, "name": "server1009", "game": "dl", "plat": "2001", "zone": "Asia/Tokyo", "server_name": "server1009",
            "corpid": "2001", "opened": "2015-01-08", "configured": True, "_v": 1,
        },
        B: {
            "area": B, "name": B, "game": "dl", "plat": "1059", "zone": "America/New_York", "server_name": "", "corpid": "",
            "opened": None, "configured": True, "_v": 1,
        },
    }  # fmt: skip
    assert said(store, GAMES) == {
        "dl": {
            "game": "dl", "zone": "Asia/Tokyo", "plats": ["1059", "2001"], "areas": 2, "configured": True, "_v": 1,
        }
    }  # fmt: skip


def test_only_what_changed_is_written(store):
    write_directory(config(**{A: AREA_A, B: AREA_B}), store)
    assert write_directory(config(**{A: AREA_A, B: AREA_B}), store) == 0
    moved = AreaSection(plat="1059", timezone="Europe/Berlin")
    assert write_directory(config(**{A: AREA_A, B: moved}), store) == 1
    assert (said(store, AREAS)[B]["zone"], said(store, AREAS)[B]["_v"]) == ("Europe/Berlin", 2)


def test_what_is_no_longer_configured_stays(store):
    write_directory(config(**{A: AREA_A, B: AREA_B}), store)
    assert write_directory(config(**{A: AREA_A}), store) == 2  # the area, and its game, which has fewer
    left = said(store, AREAS)[B]
    assert not left["configured"] and left["zone"] == "America/New_York"
    assert write_directory(config(**{A: AREA_A}), store) == 0
    assert write_directory(Config(), store) == 2 and not said(store, GAMES)["dl"]["configured"]
    assert (
        write_directory(config(**{A: AREA_A, B: AREA_B}), store) == 3 and said(store, AREAS)[B]["configured"]
    )


def test_another_node_that_was_quicker_is_not_overwritten(store, monkeypatch):
    write_directory(config(**{A: AREA_A}), store)
    load = store.load

    def overtaken(collection, ids):
        found = load(collection, ids)
        if collection == AREAS:
            newer = {**found[A], "plat": "newer", "_v": 2}
            store.write(AREAS, [Write(A, newer, 1)])
        return found

    monkeypatch.setattr(store, "load", overtaken)
    other = AreaSection(plat="3")
    assert write_directory(config(**{A: other}), store) == 1  # the game, whose plats differ
    monkeypatch.undo()
    assert said(store, AREAS)[A]["plat"] == "newer"


def test_a_store_that_is_away_is_reported(store, monkeypatch):
    def away(collection, prefix=""):
        raise Unavailable("away")

    monkeypatch.setattr(store, "ids", away)
    with pytest.raises(Unavailable):
        write_directory(config(**{A: AREA_A}), store)
