"""What an engine makes of journals equals the second opinion and the reference runner, whatever blocks and batches it cuts."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from forms import THOROUGH, thorough
from near_engine import NearEngine, differing
from near_suite import config_of
from plain_numbers import of_records
from raw_months import AUTUMN, SPRING, Months, divided_world, sent
from sameness import differences, public

from analytics.broker import topics
from analytics.config import BrokerSection
from analytics.engine import blocks
from analytics.spouts.rejected import waiting

FEWER = AUTUMN if THOROUGH else replace(AUTUMN, players=12)


@pytest.mark.parametrize(
    ("seed", "months"),
    [pytest.param(1, FEWER, id="autumn"), pytest.param(2, SPRING, id="spring", marks=thorough)],
)
@pytest.mark.parametrize(
    ("block_bytes", "batch_bytes"), [(40_000, 900_000), (1 << 20, 1 << 30)], ids=["small", "large"]
)
def test_any_cut(
    seed: int,
    months: Months,
    block_bytes: int,
    batch_bytes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records come late, out of order and again; a batch may begin and end within a line."""
    monkeypatch.setattr(blocks, "PIECE", 15_000)
    random = Random(seed)
    world = divided_world()
    engine = NearEngine(config_of(world, tmp_path, BrokerSection()), random, block_bytes, batch_bytes)
    records = [one.record for one in sent(seed, months)]
    driver = engine.driver()
    for begin in range(0, len(records), 3_000):
        some = records[begin : begin + 3_000]
        repeats = random.sample(records[: begin + 3_000], 300) + random.sample(some, min(len(some), 100))
        engine.journal(some + repeats)
        if random.random() < 0.3:
            driver.close()
            driver = engine.driver()
        engine.finish(driver)
    engine.finish(driver)
    assert differing(engine.expected(), engine.documents()) == []
    expected = of_records(world, records)
    found = {
        name: public({one["_id"]: engine.store.whole(name, one) for one in engine.store.find(name)})
        for name in expected
    }
    assert differences(expected, found) == []
    state = driver.state()
    assert sum(state["records"].values()) == len({one["id"] for _, one in records})
    assert state["repeated"] == len(engine.written) - len(records)
    assert state["waiting_bytes"] == 0
    assert list(waiting(tmp_path)) == []


def test_op_codes_that_no_bolt_reads_are_counted_together_where_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come from data, and the position has all that are counted each."""
    monkeypatch.setattr(topics, "MOST", 3)
    engine = NearEngine(config_of(divided_world(), tmp_path, BrokerSection()), Random(1))
    (_, record), *_ = (one.record for one in sent(1, AUTUMN) if one.record[0].startswith("gamelog."))
    for first in (1, 20):
        engine.journal(
            (f"gamelog.x{n}", record | {"id": f"gamelog/x@1:{n}", "op": {"code": f"x{n}", "id": 1}})
            for n in range(first, first + 19)
        )
        driver = engine.driver()
        engine.finish(driver)
    found = driver.state()["records"]
    assert (len(found), found["gamelog.~"], sum(found.values())) == (4, 35, 38)
