"""What docs/metrics.md says is what the suite computes, and it speaks of every number."""

import re
from itertools import zip_longest

import pytest
from metrics_page import PAGE, Example, documents_of, examples, said, tables

from analytics.bolts import BOLTS
from analytics.cli.demo_tables import CHAPTERS
from analytics.core.funnels import STEPS
from analytics.core.segments import PROPERTIES
from analytics.store.store import AREAS, DIVIDED, TOTAL, is_divided, is_total
from analytics.timers import TIMERS, rollup, start

EXAMPLES = examples()
COMMON = {"game", "area", "plat", "ts", "type", "value"}
"""Fields that every document has, or that say the same in all."""


def described() -> dict[str, set[str]]:
    """Return per bolt the fields that its section tells the meaning of."""
    told: dict[str, set[str]] = {}
    for table in tables():
        if table.columns[:2] == ["field", "unit"]:
            fields = {name for row in table.rows for name in re.findall(r"`([\w.]+)`", row[0])}
            assert all(len(row) == 3 and row[2] for row in table.rows), table.section
            for bolt in re.findall(r"`(\w+)`", table.section):
                told[bolt] = fields
    return told


def general(field: str) -> str:
    """Return how the tables of fields name a field: of its numbers and of a funnel's steps `n`, of its levels `grade`, of its
    currencies `CURRENCY`."""
    head, *rest = field.split(".")
    return ".".join([head, *(_general(head, name) for name in rest)])


def _general(head: str, name: str) -> str:
    if name in ("CNY", "USD"):
        return "CURRENCY"
    return "grade" if head == "levels" else "n" if name.isdigit() or "-" in name else name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.said.section}-{one.bolt}")
def test_an_example_comes_out_as_it_says(example: Example) -> None:
    assert said(example) == example.said.rows


def test_every_bolt_has_an_example_and_a_table_of_its_fields() -> None:
    shown = {name for chapter in CHAPTERS for name in chapter.collections} - {PROPERTIES, STEPS}
    own = {name for name in shown if not is_total(name) and not is_divided(name)}
    assert own <= {*BOLTS, *TIMERS, start.NAME}
    assert {example.bolt for example in EXAMPLES} == own
    assert set(described()) == own


def test_every_collection_of_totals_is_told_of() -> None:
    """Their fields are those of the areas' documents; the columns of the table of areas are named."""
    named = set(re.findall(r"`(\w+)`", PAGE))
    of_timers = {f"{name}{TOTAL}" for name in TIMERS}
    of_segments = {f"{name}{DIVIDED}" for name, timer in TIMERS.items() if timer.of_segments} | {
        f"kpi{DIVIDED}{TOTAL}"
    }
    assert of_timers | of_segments | {AREAS, *rollup.AREA_FIELDS} <= named
    [sums] = re.findall(r"^- Of (`[^:]*?), numbers are \*\*sums\*\*", PAGE, re.MULTILINE)
    summed = {name for name, bolt in BOLTS.items() if bolt.totals}
    assert set(re.findall(r"`(\w+)`", sums)) == summed, (
        "docs/metrics.md lists the bolts whose totals are sums"
    )


@pytest.mark.parametrize("bolt", sorted(described()))
def test_every_field_is_told_and_every_told_field_is_there(bolt: str) -> None:
    """A section may be of several bolts: each field that it tells is then one of at least one of them."""
    told = described()
    family = [name for name in told if told[name] == told[bolt]]
    there = {name: set() for name in family}
    for example in EXAMPLES:
        if example.bolt in there:
            there[example.bolt] |= {general(path) for one in documents_of(example) for path in paths(one)}
    assert there[bolt] - COMMON <= told[bolt]
    assert told[bolt] <= set().union(*there.values())


def paths(document: dict, before: str = "") -> set[str]:
    """Return the dotted names of a document's fields."""
    found = set()
    for name, value in document.items():
        found |= paths(value, f"{before}{name}.") if isinstance(value, dict) else {before + name}
    return found


@pytest.mark.parametrize("bolt", sorted(described()))
def test_every_formula_is_worked_out(bolt: str) -> None:
    """What a section tells stands in one of its examples with a value; what is only copied need not."""
    told = described()
    family = {name for name in told if told[name] == told[bolt]}
    worked = set()
    for example in EXAMPLES:
        if example.bolt in family:
            columns = zip_longest(*example.said.rows)
            worked |= {
                general(name)
                for name, cells in zip(example.said.columns, columns, strict=True)
                if set(cells) != {"-"}
            }
    assert told[bolt] - worked <= {"name", "birthday", "score", "login_time"}
