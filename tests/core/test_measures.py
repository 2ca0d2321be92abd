"""Every measure is a monoid that a document can hold: order, grouping and storing change nothing."""

import json
from dataclasses import dataclass
from random import Random

import pytest
from forms import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.core.latest import EarliestBy, Latest, LatestBy, LatestRow
from analytics.core.measures import Count, Distinct, Extreme, Flow, Growing, Sum, Tally, money


@dataclass(frozen=True)
class Row:
    who: str
    amount: int
    order: tuple[int, int]
    names: tuple[str, ...]


def _show(table):
    return {"shown": sum(entry[1] for entry in table.values())}


def _odd(row):
    return row.amount % 2


MEASURES = {
    "count": Count(),
    "count where": Count(lambda row: row.amount > 0),
    "sum": Sum("amount"),
    "sum where": Sum("amount", where=_odd),
    "tally": Tally("who", ["a", "b", "q"]),
    "tally where": Tally("who", ["a", "b", "c", "d", "e", "f"], where=_odd),
    "flow": Flow("amount", out=("out", "went"), into=("into", "came")),
    "flow where": Flow("amount", out=("out", "went"), into=("into", "came"), where=_odd),
    "min": Extreme("amount", min),
    "max": Extreme("amount", max, where=_odd),
    "distinct": Distinct("who", list_field="list"),
    "distinct where": Distinct("who", list_field="list", where=_odd),
    "distinct each": Distinct("names", list_field="list", each=True),
    "latest": Latest("amount", "order"),
    "latest where": Latest("amount", "order", default=-1, show=str, where=_odd),
    "latest row": LatestRow("order", ["amount", "who"]),
    "latest row where": LatestRow("order", ["amount"], where=_odd),
    "latest by": LatestBy("who", "order", ["amount", "who"], list_field="list", show=_show),
    "earliest by": EarliestBy("who", "order", ["amount"], list_field="list", show=_show),
    "latest by where": LatestBy("who", "order", ["amount"], list_field="list", show=_show, where=_odd),
}
drawn = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(-5, 5), st.lists(st.sampled_from("xyz"), max_size=3)),
    max_size=12,
)


def rows_of(some, first=0):
    """Orders decide, and tell nothing about the place in the list."""
    numbers = list(range(first, first + len(some)))
    Random(len(some)).shuffle(numbers)
    return [
        Row(who, amount, (n // 3, n), tuple(names))
        for n, (who, amount, names) in zip(numbers, some, strict=True)
    ]


def canonical(measure, state):
    """What the state means: lists without their order."""
    saved = json.loads(json.dumps(measure.save("field", state)))
    return saved, measure.compact(state) if isinstance(measure, Growing) else None


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=examples(60, of_many=True))
@given(one=drawn, two=drawn, three=drawn)
def test_merging_is_associative_and_commutative(name, one, two, three):
    measure = MEASURES[name]
    a, b, c = rows_of(one), rows_of(two, 100), rows_of(three, 200)

    def gather(*rows):
        return measure.gather([row for some in rows for row in some])

    def merge(*states):
        result = measure.empty()
        for state in states:
            result = measure.merge(result, state)
        return canonical(measure, result)

    whole = canonical(measure, gather(a, b, c))
    assert merge(gather(a), gather(b), gather(c)) == whole
    assert merge(gather(c), gather(a), gather(b)) == whole
    assert merge(gather(a), measure.merge(gather(c), gather(b))) == whole
    assert merge(gather(b, a), gather(c)) == whole
    assert canonical(measure, measure.merge(gather(a, b, c), measure.empty())) == whole
    assert canonical(measure, gather(reversed(a), b, c)) == whole


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=examples(60, of_many=True))
@given(one=drawn, two=drawn)
def test_a_delta_adds_what_a_state_adds(name, one, two):
    measure = MEASURES[name]
    a, b = rows_of(one), rows_of(two, 100)
    both = [measure.merge(measure.gather(a), more) for more in (measure.delta(b), measure.gather(b))]
    assert canonical(measure, both[0]) == canonical(measure, both[1])
    if isinstance(measure, Growing):
        state = measure.gather(a)
        added = measure.absorb(state, measure.delta(b))
        assert canonical(measure, state) == canonical(measure, both[1])
        assert measure.absorb(state, measure.delta(b)) == [] and len(added) == len(set(map(repr, added)))


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=60)
@given(one=drawn, two=drawn)
def test_merging_leaves_what_is_merged_alone(name, one, two):
    measure = MEASURES[name]
    more = measure.gather(rows_of(two, 100))
    before = canonical(measure, more)
    state = measure.merge(measure.merge(measure.empty(), more), measure.gather(rows_of(one)))
    state = measure.merge(state, measure.gather(rows_of(one, 300)))
    assert canonical(measure, more) == before


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=examples(30, of_many=True))
@given(one=drawn, two=drawn)
def test_what_may_be_added_up_is_what_all_rows_show_together(name, one, two):
    measure = MEASURES[name]
    a, b = rows_of(one), rows_of(two, 100)
    whole, of_a, of_b = (measure.save("field", measure.gather(rows)) for rows in (a + b, a, b))
    for field in measure.added("field"):
        assert whole[field] == of_a[field] + of_b[field]
    assert bool(measure.added("field")) == isinstance(measure, Count | Sum | Tally | Flow)


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=examples(60, of_many=True))
@given(one=drawn, two=drawn)
def test_a_state_survives_storing(name, one, two):
    measure = MEASURES[name]
    state = measure.gather(rows_of(one))
    document = measure.save("field", state)
    if isinstance(measure, Growing):
        document |= {measure.list_field: measure.compact(state)}
    loaded = measure.load("field", json.loads(json.dumps(document)))
    assert canonical(measure, loaded) == canonical(measure, state)
    more = measure.gather(rows_of(two, 100))
    assert canonical(measure, measure.merge(loaded, more)) == canonical(measure, measure.merge(state, more))


@pytest.mark.parametrize("name", [name for name, one in MEASURES.items() if isinstance(one, Growing)])
@settings(max_examples=examples(60, of_many=True))
@given(some=st.lists(drawn, max_size=4))
def test_the_list_of_what_was_absorbed_is_the_state(name, some):
    measure = MEASURES[name]
    state, items = measure.empty(), []
    for n, drawn_rows in enumerate(some):
        added = measure.absorb(state, measure.gather(rows_of(drawn_rows, 100 * n)))
        assert measure.absorb(state, measure.gather(rows_of(drawn_rows, 100 * n))) == []
        items += added
    loaded = measure.load("field", json.loads(json.dumps(measure.save("field", state) | {"list": items})))
    assert canonical(measure, loaded) == canonical(measure, state)


def test_a_measure_without_rows_shows_its_default():
    assert Count().save("n", Count().empty()) == {"n": 0}
    assert Extreme("x", min).save("n", None) == {}
    assert Latest("x", "y", default=7, show=str).save("n", None) == {"n": "7"}


def test_an_extreme_past_64_bits_stays_exact():
    """A product of two fields of a record may be that long: no store takes it as an integer."""
    for pick, many in ((max, 2**63 + 5), (min, -(2**63) - 5)):
        measure = Extreme("amount", pick)
        saved = measure.save("n", measure.gather([Row("a", many, (0, 0), ()), Row("a", 7, (0, 1), ())]))
        assert saved == {"n": float(many), "_n": str(many)}
        assert measure.load("n", saved) == many
    assert Extreme("amount", min).save("n", measure.merge(many, 7)) == saved
    assert measure.load("n", {"n": 7}) == 7
    assert measure.load("n", {}) is None


def test_a_sum_past_64_bits_stays_exact():
    """Two records of the largest amount there is do not stop the store, and can be taken back."""
    measure = Sum("amount")
    total = measure.gather([Row("a", 2**63 - 1, (0, 0), ())] * 3)
    document = measure.save("n", total)
    assert document == {"n": float(total), "_n": str(3 * (2**63 - 1))}
    loaded = measure.load("n", json.loads(json.dumps(document)))
    more = measure.merge(loaded, 3 - 2 * 2**63)
    assert measure.save("n", more) == {"n": float(2**63), "_n": str(2**63)}
    assert measure.save("n", measure.merge(loaded, 2 - 2 * 2**63)) == {"n": 2**63 - 1}
    assert measure.load("n", {"n": 2**63 - 1}) == 2**63 - 1


def test_money_is_whole_where_it_can_be():
    assert [(type(one), one) for one in map(money, (0, 100, -200, 30, 11140))] == [
        (int, 0),
        (int, 1),
        (int, -2),
        (float, 0.3),
        (float, 111.4),
    ]


@given(st.integers(-(10**15), 10**15))
def test_money_prints_as_its_cents(cents):
    assert round(money(cents) * 100) == cents


def test_earliest_by_says_what_the_oldest_row_of_each_key_says():
    some = [
        Row("a", 1, (0, 2), ()),
        Row("a", 2, (0, 1), ()),
        Row("b", 3, (0, 3), ()),
        Row("a", 4, (1, 0), ()),
    ]
    assert MEASURES["earliest by"].gather(some) == {"a": ((0, 1), 2), "b": ((0, 3), 3)}
    table = MEASURES["earliest by"].gather(some[:1])
    assert MEASURES["earliest by"].absorb(table, MEASURES["earliest by"].gather(some[3:])) == []
    assert MEASURES["earliest by"].absorb(table, MEASURES["earliest by"].gather(some[1:2])) == [
        ["a", [0, 1], 2]
    ]


def test_what_columns_gathered_is_combined_and_stays_as_it_is() -> None:
    gathered = ["a", "b"]
    assert sorted(Distinct("acct", "userlist").merge(gathered, ["b", "c"])) == ["a", "b", "c"]  # type: ignore[arg-type]
    assert gathered == ["a", "b"]
