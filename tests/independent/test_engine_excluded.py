"""A backfill after accts were excluded: documents are as if these had never sent a record."""

import dataclasses
from pathlib import Path
from random import Random

from msgspec.structs import replace
from near_engine import NearEngine, differing
from near_suite import config_of
from raw_months import FIRST_DAYS, divided_world, sent

from analytics.config import BrokerSection, ExcludedSection, catalogue
from analytics.engine.blocks import JournalBlock
from analytics.engine.context import TaskProcess, task_context
from analytics.engine.deriving import DerivationScope, DerivedPortion, derive, fold_again, levels
from analytics.engine.extra import ExtraDocuments
from analytics.engine.tasks import FoldTask
from analytics.runtime.contradictions import contradictions
from analytics.runtime.declarations import Declarations

RECORDS = [one.record for one in sent(3, FIRST_DAYS)][:300]


def test_a_backfill_leaves_out_accts_that_are_excluded_later(tmp_path: Path) -> None:
    engine = NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(8), 50_000, 200_000)
    engine.journal(RECORDS)
    engine.finish(engine.driver())
    Declarations(engine.config, engine.store).note_first_runs(catalogue(engine.config), None)
    assert contradictions(engine.config, engine.store) == []
    out = sorted({one["acct"] for one in engine.store.find("userpay")})[::2]
    section = ExcludedSection(accts=out[1:], patterns=[out[0]])
    games = {name: replace(game, excluded=section) for name, game in engine.config.games.items()}
    engine.config = replace(engine.config, games=games)
    found = contradictions(engine.config, engine.store)
    assert found and all("were counted when other accts were excluded than now" in one.text for one in found)
    log = next(engine.store.find("userpay"))["_at"]["log"]
    process = TaskProcess(task_context(engine.config, tmp_path, log), engine.store)
    bolts = frozenset(process.bolts)
    wanted = DerivationScope(bolts, frozenset(), dict.fromkeys(process.areas, (None, None)), {}, 1, 99)
    blocks = [JournalBlock(path.name, 0, engine._files[path.name]) for path in tmp_path.glob("*.txt")]
    extents = [
        fold_again(process, FoldTask(block, 0), wanted, str(tmp_path / f"f{n}"))[1]
        for n, block in enumerate(blocks)
    ]
    done = DerivedPortion()
    for n, level in enumerate(levels(process.bolts, bolts)):
        some = [one[0] for one in extents if 0 in one]
        derived = derive(process, wanted, level, some, str(tmp_path / f"d{n}"))
        done.add(derived)
        extents.append(derived.extents)
    ExtraDocuments(engine.store, wanted, done, many=True).remove()
    assert differing(engine.expected(), engine.documents()) == []
    # What was dropped is not derived again.
    first, second = [one["_id"] for one in engine.store.find("loginhour") if one["count"]][:2]
    engine.store.delete("loginhour", [first, second])
    area, _, ts = first.partition(":")
    assert second.startswith(area)
    kept = dataclasses.replace(wanted, horizons={("loginhour", area): int(ts) + 1})
    derive(
        process,
        kept,
        frozenset({"loginhour"}),
        [one[0] for one in extents if 0 in one],
        str(tmp_path / "kept"),
    )
    assert [*engine.store.load("loginhour", [first, second])] == [second]
    Declarations(engine.config, engine.store).note_rebuilt([*catalogue(engine.config)])
    assert contradictions(engine.config, engine.store) == []
