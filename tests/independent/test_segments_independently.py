"""Documents of segments equal the second opinion, and add up to the whole."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from forms import LONG
from near_suite import config_of
from plain_numbers import DAY, Fields, Record, by_values, day_start
from raw_months import AUTUMN, divided_world, sent
from sameness import differences, public

from analytics.config import BrokerSection, Config, areas, catalogue
from analytics.core.reference import Reference
from analytics.runtime.timers.by_hand import by_hand
from analytics.runtime.timers.collections import WRITTEN
from analytics.runtime.timers.wanted import Wanted
from analytics.spouts.acknowledging import Silent
from analytics.store import MemoryStore, Store, Write
from analytics.store.store import TOTAL, is_divided
from analytics.timers import NAMES

MONTHS = replace(AUTUMN, players=24 if LONG else 8)
SEGMENTED = [name for name in WRITTEN if is_divided(name)]


def counted(config: Config, records: list[Record]) -> Store:
    """Return a store with what the bolts make of records."""
    reference = Reference(catalogue(config).values(), areas(config))
    by_topic: dict[str, list[Fields]] = defaultdict(list)
    for topic, one in records:
        by_topic[topic].append(one)
    for topic, some in by_topic.items():
        for begin in range(0, len(some), 500):
            reference.put(topic, some[begin : begin + 500])
    store = MemoryStore()
    for name, documents in reference.collections.items():
        store.write(name, [Write(id_, one, None) for id_, one in documents.items()])
    return store


def test_documents_of_segments(tmp_path: Path):
    """In the midst of the months: all values of all segments, and their sums."""
    there = divided_world()
    moment = day_start("UTC", MONTHS.last - 5 * DAY) + 50_000
    records = [one.record for one in sent(21, MONTHS) if one.at <= moment]
    config = config_of(there, tmp_path, BrokerSection())
    store = counted(config, records)
    by_hand(config, store, Silent(), Wanted(NAMES), lambda: moment)
    expected, _ = by_values(there, records, moment)
    assert expected.keys() == set(SEGMENTED)
    young = {name for name, documents in expected.items() if not documents}
    assert {name.partition("_")[0] for name in young} <= {"loginlong", "paylong"}, "no day is 60 days old"
    found = {name: public({one["_id"]: one for one in store.find(name)}) for name in expected}
    assert differences(expected, found) == []
    check_sums(store)


def check_sums(store: Store) -> None:
    """Check that what counts accts, records or money adds up to the whole over the values of each segment."""
    for name in SEGMENTED:
        whole = {one["_id"]: one for one in store.find(name.replace("_segment", ""))}
        sums: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(int))
        for one in store.find(name):
            id_ = one["_id"].split(f":{one['segment']}:")[0]
            for field, number in summed(one):
                sums[id_, one["segment"]][field] += number
        for (id_, segment), fields in sums.items():
            expected = dict(summed(whole[id_]))
            assert fields.keys() == expected.keys(), (name, id_)
            for field, number in fields.items():
                assert number == pytest.approx(expected[field], abs=1e-6), (name, id_, segment, field)
        total = TOTAL if name.endswith(TOTAL) else ""
        assert total in name
        assert {id_ for id_, _ in sums} >= {
            id_
            for id_, one in whole.items()
            if one["game"] in divided_world().segments and any(dict(summed(one)).values())
        }


def summed(document: dict[str, Any]) -> list[tuple[str, float]]:
    """Return what of a document adds up."""
    fields = (
        "ac_user",
        "new_ac_user",
        "old_ac_user",
        "dau",
        "wau",
        "mau",
        "payers",
        "revenue",
        "reg",
        "new_payers",
        "pay_user",
    )
    counts = [(name, document[name]) for name in fields if name in document]
    return counts + [(f"day {n}", one["count"]) for n, one in document.get("retention", {}).items()]
