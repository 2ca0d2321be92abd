"""Which documents a worker keeps in memory, and of which periods it knows."""

from analytics.bolts import BOLTS
from analytics.core.cache import DOCUMENT_ITEMS, Cache, Periods
from analytics.core.settle import Known, unknown

BOLT = BOLTS["loginhour"]
AREA = "549140c8dbdb67794fc0fa3b"
HOUR = 3600


def document(number: int) -> Known:
    """Return the document of the hour ``number``, which takes as much as one without lists."""
    return unknown(BOLT, (AREA, number * HOUR))


def kept(documents: Cache, numbers: range) -> list[int]:
    """Return the hours whose documents are kept, taking these out."""
    return [number for number in numbers if documents.take(BOLT, (AREA, number * HOUR)) is not None]


def test_what_was_used_longest_ago_goes_first() -> None:
    documents = Cache(3 * DOCUMENT_ITEMS)
    for number in (0, 1, 2):
        assert documents.put(document(number), over=False) == DOCUMENT_ITEMS
    taken = documents.take(BOLT, (AREA, 0))
    assert taken is not None and documents.take(BOLT, (AREA, 0)) is None
    documents.put(taken, over=False)
    documents.put(document(3), over=False)
    assert kept(documents, range(5)) == [0, 2, 3]


def test_what_is_over_goes_before_what_is_not() -> None:
    documents = Cache(3 * DOCUMENT_ITEMS)
    for number, over in ((0, False), (1, True), (2, True), (3, False), (4, False)):
        documents.put(document(number), over=over)
    assert kept(documents, range(5)) == [0, 3, 4]


def test_one_that_is_too_large_is_kept_alone() -> None:
    documents = Cache(1)
    for number in (0, 1):
        documents.put(document(number), over=False)
    assert kept(documents, range(2)) == [1]


def test_a_period_begins_where_an_earlier_one_is_known() -> None:
    periods = Periods()
    assert periods.begun(BOLT, [(AREA, 2 * HOUR)]) == set(), "nothing is known of the area yet"
    assert periods.begun(BOLT, [(AREA, n * HOUR) for n in (1, 4, 3, 2)]) == {
        (AREA, 3 * HOUR),
        (AREA, 4 * HOUR),
    }
    assert periods.begun(BOLT, [(AREA, 4 * HOUR)]) == set(), "it has begun already"
    assert [periods.over(document(n)) for n in (3, 4, 5)] == [True, False, False]
    assert not periods.over(unknown(BOLT, ("f" * 24, HOUR)))


def test_documents_without_time_neither_begin_nor_end() -> None:
    periods, bolt = Periods(), BOLTS["userpay"]
    assert periods.begun(bolt, [(AREA, "a"), (AREA, "b")]) == periods.begun(bolt, [(AREA, "c")]) == set()
    assert not periods.over(unknown(bolt, (AREA, "a")))
