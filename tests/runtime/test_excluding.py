"""Documents that a rebuild must not derive as the stored ones are: accts are excluded meanwhile, or documents dropped."""

import time
from random import Random
from typing import Any

from msgspec.structs import replace
from own_bolts_suite import CHANGED, PVP, TOPIC, Suite, fights, sections
from runtime_harness import AREA
from waiting import eventually

from analytics.config import (
    AreaSection,
    Config,
    DocumentsSection,
    ExcludedSection,
    Game,
    areas,
    catalogue,
)
from analytics.core.reference import Reference
from analytics.rebuild.run import Rebuild
from analytics.rebuild.selection import Selection
from analytics.runtime.contradictions import contradictions, summary
from analytics.runtime.declarations import Declarations
from analytics.runtime.timers.dropping import Dropping
from analytics.store import POSITIONS, MemoryStore, Write


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
    eventually(lambda: right(suite, "pvp") and right(suite, "excluded"))
    assert contradictions(suite.config, suite.store) == [], "documents have been counted so from the start"
    assert sum(one["records"] for one in suite.documents("excluded").values()) == sum(
        one["area"] == AREA and one["data"]["acct"] == "a" for one in suite.sent
    )
    for accts in (("b", "c", "d", "e"), ()):
        excluding(suite, *accts)
        suite.send(fights(Random(2), 20))
        [found] = contradictions(suite.config, suite.store)
        assert found.text.startswith("games.dl.excluded: documents of ")
        assert summary(suite.config, [found]).endswith("again as the configuration says"), (
            "changing it back is no repair"
        )
        suite.rebuild(*(name for name in ("pvp", "excluded") if name in catalogue(suite.config)))
        assert right(suite, "pvp") and (not accts or right(suite, "excluded"))
        assert contradictions(suite.config, suite.store) == []


def test_a_change_that_is_taken_back_is_still_reported() -> None:
    """Records that came in between were left out, or counted by another declaration."""

    def declarations(accts: list[str], tables: dict[str, Any]) -> Declarations:
        games = {"dl": Game(areas={AREA: AreaSection(plat="p")}, excluded=ExcludedSection(accts=accts))}
        config = Config(games=games, bolts=sections(**tables))
        found = Declarations(config, store)
        found.note_first_runs({"pvp": catalogue(config)["pvp"]}, None)
        return found

    store = MemoryStore()
    assert not declarations([], {"pvp": PVP}).changed(["pvp"])
    store.write("pvp", [Write(f"{AREA}:0", {"game": "dl", "area": AREA, "ts": 0, "_v": 1}, None)])
    for other in (([], {"pvp": CHANGED}), (["a"], {"pvp": PVP})):
        assert declarations(*other).changed(["pvp"])
        again = declarations([], {"pvp": PVP})
        assert again.changed(["pvp"])
        again.note_rebuilt(["pvp"])
        assert not declarations([], {"pvp": PVP}).changed(["pvp"])


def position(suite: Suite) -> object:
    """Return what the bolt's saved position names; None before it is saved for the first time."""
    return suite.store.load(POSITIONS, ["pvp"]).get("pvp", {}).get("topics")


def is_prepared(suite: Suite) -> bool:
    """Whether the worker has looked for the documents that it wrote last, and reads what comes in."""
    return suite.worker is not None and suite.worker._consumer is not None


def test_dropped_documents_are_neither_missed_nor_changed(suite: Suite) -> None:
    suite.start()
    suite.send(fights(Random(4), 60))
    eventually(lambda: right(suite, "pvp") and position(suite))
    suite.config = replace(suite.config, documents=DocumentsSection({"pvp": 60}))
    suite.restart(suite.config.bolts)
    # Days lie between a document's last version and its dropping. A worker that starts in between takes it for a lost write.
    eventually(lambda: is_prepared(suite))
    dropping = Dropping(suite.config, suite.store, lambda: time.time() + 3 * 86_400)
    while dropping.is_due():
        dropping.step()
    assert suite.documents() == {}
    before = position(suite)
    suite.send(fights(Random(5), 1))
    eventually(lambda: position(suite) != before)
    assert suite.documents() == {}, "with the late record alone, one would be wrong"
    bolts = catalogue(suite.config)
    outcome = Rebuild(suite.config, suite.store, suite.publisher, Selection(("pvp",), (), bolts)).run()
    assert suite.documents() == {}
    assert not outcome.done.changed and not outcome.left_out and not outcome.spared
    [(text, count)] = outcome.dropped.items()
    assert text.startswith("pvp, periods that begin before 20") and count == 2
