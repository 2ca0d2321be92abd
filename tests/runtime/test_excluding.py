"""Accts that are excluded while documents with their records are stored: a worker, then a rebuild."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from runtime_harness import AREA
from test_declarations import PVP, Kept, Suite, fights, sections
from waiting import eventually

from analytics.config import ExcludedSection, areas, catalogue
from analytics.core.reference import Reference
from analytics.runtime import connections
from analytics.runtime.contradictions import contradictions

TOPIC = "gamelog.pvp_log"


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    store = Kept()
    monkeypatch.setattr(connections, "open_store", lambda config: store)
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.01)
    made = Suite(tmp_path / "data", store, sections(pvp=PVP))
    yield made
    made.close()


def excluding(suite: Suite, *accts: str) -> None:
    """Restart the suite with these accts of game ``dl`` excluded."""
    games = suite.config.games
    dl = replace(games["dl"], excluded=ExcludedSection(accts=list(accts)))
    suite.config = replace(suite.config, games=games | {"dl": dl})
    suite.restart(suite.config.bolts)


def right(suite: Suite, name: str) -> bool:
    """Whether documents are those that all records sent make now."""
    bolts = catalogue(suite.config)
    reference = Reference([bolts[one] for one in ("pvp", "excluded") if one in bolts], areas(suite.config))
    reference.put(TOPIC, suite.sent)
    found, expected = (
        {
            id_: {field: sorted(value) if isinstance(value, list) else value for field, value in one.items()}
            for id_, one in documents.items()
        }
        for documents in (suite.documents(name), reference.documents(name))
    )
    return found == expected


def test_a_change_is_reported_until_a_rebuild_has_counted_by_it(suite: Suite) -> None:
    excluding(suite, "a")
    assert contradictions(suite.config, suite.store) == []
    suite.send(fights(Random(1), 60))
    eventually(lambda: right(suite, "pvp") and right(suite, "excluded"), 60)
    assert contradictions(suite.config, suite.store) == [], "documents have been counted so from the start"
    assert sum(one["records"] for one in suite.documents("excluded").values()) == sum(
        one["area"] == AREA and one["data"]["acct"] == "a" for one in suite.sent
    )
    for accts in (("b", "c", "d", "e"), (), ("a", "e")):
        excluding(suite, *accts)
        suite.send(fights(Random(2), 20))
        [found] = contradictions(suite.config, suite.store)
        assert found.startswith("games.dl.excluded: documents of ")
        suite.rebuild(*(name for name in ("pvp", "excluded") if name in catalogue(suite.config)))
        assert right(suite, "pvp") and (not accts or right(suite, "excluded"))
        assert contradictions(suite.config, suite.store) == []
