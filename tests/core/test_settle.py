"""What settling writes: sizes stay bounded, a document says where its list is, nothing published gets lost."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.bolts import BOLTS
from analytics.bolts.economy import Coins
from analytics.core import settle as settling
from analytics.core.areas import Area, Areas
from analytics.core.fold import Delta, Folder
from analytics.core.periods import zone
from analytics.core.settle import PART_SIZE, STEP_SIZE, Position, known, part_ids, settle, unknown
from analytics.core.tuples import Acct, Gamelog, Period

AREA = "549140c8dbdb67794fc0fa3b"
AREAS = Areas([Area(AREA, "dl", "2001", zone("Asia/Shanghai"))])
KEY = (AREA, 1420686000)
BOLT = BOLTS["loginhour"]


def delta(number, accts, ts=1420688004):
    rows = [Gamelog(AREA, ts, Acct(acct)) for acct in accts]
    return Delta.of(BOLT, "gamelog.login_logcount", number, rows, len(rows))


def at(number, log="log"):
    return Position(log, {"gamelog.login_logcount": number})


def stored(steps, documents):
    """Write steps as a store would, and return the main document."""
    for step in steps:
        for document in [*step.parts, step.document]:
            documents[document["_id"]] = msgspec.json.decode(msgspec.json.encode(document))
    return documents[BOLT.id_of(KEY)]


def reload(main, documents):
    return known(BOLT, KEY, main, [documents[id_] for id_ in part_ids(main)])


def test_one_new_acct_never_rewrites_a_long_list():
    """200,000 accts in one hour, in pieces of any size; then one more."""
    documents = {}
    document = unknown(BOLT, KEY)
    sizes = []
    accts = [f"acct{n:012}" for n in range(200_000)]
    first = 0
    for number, size in enumerate((1, 10, 150_000, 3_999, 4_000, 4_001, 37_989), 1):
        settled = settle(document, [delta(number, accts[first : first + size])], at(number), AREAS)
        first += size
        main = stored(settled.steps, documents)
        sizes += [len(step.document["userlist"]) for step in settled.steps]
        sizes += [len(part["userlist"]) for step in settled.steps for part in step.parts]
        assert all(len(step.parts) <= STEP_SIZE // PART_SIZE + 1 for step in settled.steps)
    assert first == len(accts)
    assert max(sizes) < STEP_SIZE + PART_SIZE
    assert max(len(part["userlist"]) for part in documents.values() if "part" in part) <= PART_SIZE
    for number in (8, 9):
        last = settle(document, [delta(number, [f"late{number}"])], at(number), AREAS)
        main = stored(last.steps, documents)
    assert len(last.steps) == 1
    assert len(msgspec.json.encode(last.steps[0].document)) < 100_000
    whole = [acct for id_ in part_ids(main) for acct in documents[id_]["userlist"]] + main["userlist"]
    assert sorted(whole) == sorted([*accts, "late8", "late9"])
    assert main["count"] == len(whole)
    assert main["parts"]["count"] == len(part_ids(main)) == len(documents) - 1
    assert main["parts"]["first"] == f"{main['_id']}#1"
    assert main["parts"]["last"] == f"{main['_id']}#{main['parts']['count']}"
    assert reload(main, documents).states == document.states
    assert reload(main, documents).size == document.size


def test_parts_carry_nothing_that_a_search_for_documents_would_find():
    documents = {}
    accts = [f"a{n}" for n in range(3 * STEP_SIZE)]
    stored(settle(unknown(BOLT, KEY), [delta(1, accts)], at(1), AREAS).steps, documents)
    parts = [one for one in documents.values() if "part" in one]
    assert parts
    assert all(one.keys() == {"_id", "part_of", "part", "userlist"} for one in parts)


def test_what_half_a_change_wrote_is_published_when_it_is_folded_again():
    documents = {}
    accts = [f"a{n}" for n in range(STEP_SIZE + 5)]
    half = settle(unknown(BOLT, KEY), [delta(1, accts)], at(1), AREAS)
    assert len(half.steps) == 2
    main = stored(half.steps[:1], documents)
    assert (main["count"], main["_v"], main["_at"]["topics"]) == (0, 1, {})
    again = settle(reload(main, documents), [delta(1, accts)], at(1), AREAS)
    main = stored(again.steps, documents)
    assert sorted(again.tuple["userlist"]) == sorted(accts)
    assert (main["count"], again.tuple["count"]) == (len(accts), len(accts))
    assert "toward" not in main["_at"]


def test_half_a_change_is_remembered_by_one_who_is_further_behind():
    """Another instance, not as far as the one that died, completes the document only as far as itself."""
    documents = {}
    accts = [f"a{n}" for n in range(STEP_SIZE + 5)]
    first = settle(unknown(BOLT, KEY), [delta(1, ["z"])], at(1), AREAS)
    stored(first.steps, documents)
    half = settle(first.known, [delta(2, ["y"]), delta(3, accts)], at(3), AREAS)
    main = stored(half.steps[:1], documents)
    behind = settle(reload(main, documents), [delta(2, ["y"])], at(2), AREAS)
    main = stored(behind.steps, documents)
    assert main["_at"]["topics"] == {"gamelog.login_logcount": 2}
    assert main["_at"]["toward"] == {"log": "log", "numbers": {"gamelog.login_logcount": 3}}
    rest = settle(reload(main, documents), [delta(3, accts)], at(3), AREAS)
    main = stored(rest.steps, documents)
    assert set(behind.tuple["userlist"]) | set(rest.tuple["userlist"]) == {"y", *accts}
    assert main["count"] == len(accts) + 2
    assert "toward" not in main["_at"]


def test_what_the_document_includes_is_published_once_more_and_not_written():
    documents = {}
    main = stored(settle(unknown(BOLT, KEY), [delta(1, ["a", "b"])], at(1), AREAS).steps, documents)
    again = settle(reload(main, documents), [delta(1, ["a", "b"])], at(1), AREAS)
    assert again.steps == []
    assert again.tuple == {
        "game": "dl",
        "plat": "2001",
        "area": AREA,
        "ts": KEY[1],
        "type": "login",
        "count": 2,
        "first_ts": 1420688004,
        "userlist": ["a", "b"],
        "version": 1,
        "tuples": 2,
    }


def test_a_new_log_neither_blocks_nor_counts_twice():
    documents = {}
    main = stored(settle(unknown(BOLT, KEY), [delta(7, ["a"])], at(7), AREAS).steps, documents)
    main = stored(
        settle(reload(main, documents), [delta(1, ["a", "b"])], at(1, "new"), AREAS).steps, documents
    )
    assert main["count"] == 2
    assert main["_at"] == {
        "log": "new",
        "topics": {"gamelog.login_logcount": 1},
        "before": {"log": "log", "numbers": {"gamelog.login_logcount": 7}},
    }


def test_a_position_that_names_fewer_topics_forgets_none():
    bolt = BOLTS["server"]
    document = unknown(bolt, KEY)
    loginday = Delta.of(bolt, "loginday", 4, [Period(*KEY, count=5, version=1, tuples=1)], 1)
    settle(document, [loginday], Position("log", {"loginday": 4, "signupday": 9}), AREAS)
    signupday = Delta.of(bolt, "signupday", 10, [Period(*KEY, count=2, version=1, tuples=1)], 1)
    settled = settle(document, [signupday], Position("log", {"signupday": 10}), AREAS)
    assert settled.steps[-1].document["_at"]["topics"] == {"loginday": 4, "signupday": 10}


@pytest.mark.parametrize("size", [1, 7, 60])
def test_a_table_that_is_written_over_and_over_stays_small(size, monkeypatch):
    """A day of payment polls of the same accts: the list is compacted, old parts are named as stale."""
    monkeypatch.setattr(settling, "PART_SIZE", 100)
    monkeypatch.setattr(settling, "STEP_SIZE", 500)
    bolt = BOLTS["paysummary"]
    folder = Folder([bolt], AREAS)
    document, documents = unknown(bolt, (AREA, 1420646400)), {}
    for number in range(1, 120):
        users = {f"u{n}": {"times": number, "amount": number} for n in range(size)}
        record = {"id": f"p:{number}", "at": number, "area": AREA, "ts": 1420646400, "users": users}
        (folded,) = folder.fold("payment", number, msgspec.json.encode(record))[0]["paysummary"].values()
        settled = settle(document, [folded], Position("log", {"payment": number}), AREAS)
        for step in settled.steps:
            documents |= {one["_id"]: one for one in [*step.parts, step.document]}
            for stale in step.stale:
                del documents[stale]
        main = documents[bolt.id_of(document.key)]
        assert set(documents) == {main["_id"], *part_ids(main)}
        assert main["pay_count"] == number * len(users)
    assert document.size < 2 * 2 * len(users) + 2 * 100 + 200


COINS = BOLTS["coinday"]
COINS_DAY = 1420646400
COIN_TOPIC = "gamelog.yuanbao_logchange"
MESSAGES = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def coins(number, amount):
    row = Gamelog(AREA, 1420688004, Coins("a", amount, "x"))
    return Delta.of(COINS, COIN_TOPIC, number, [row], 1)


@given(
    MESSAGES, MESSAGES, st.lists(st.tuples(st.booleans(), st.integers(1, 6), st.integers(1, 6)), max_size=12)
)
def test_a_worker_that_holds_messages_of_the_log_before_counts_nothing_twice(old, new, turns):
    """Two workers fold again and again, from anywhere: one the log that was removed, one that which followed."""
    key = (AREA, COINS_DAY)
    amounts = {"old": old, "new": new}
    done = {"old": 0, "new": 0}
    document = unknown(COINS, key)

    def fold(log, first, last):
        nonlocal document
        # A worker folds on from where its position is, or again from anywhere before that.
        last = min(last, len(amounts[log]))
        first = min(first, done[log] + 1)
        if last < first:
            return
        deltas = [coins(n, amounts[log][n - 1]) for n in range(first, last + 1)]
        steps = settle(document, deltas, Position(log, {COIN_TOPIC: last}), AREAS).steps
        done[log] = max(done[log], last)
        if steps:
            document = known(COINS, key, msgspec.json.decode(msgspec.json.encode(steps[-1].document)), [])

    fold("old", 1, 3)
    fold("new", 1, 1)
    for is_old, first, last in turns:
        fold("old" if is_old else "new", first, last)
    counted = [*old[: done["old"]], *new[: done["new"]]]
    assert document.shown["gain_amount"] == sum(counted)
    assert document.shown["gain_count"] == len(counted)
    assert document.log == "new" and document.numbers[COIN_TOPIC] == done["new"]
    assert document.before == Position("old", {COIN_TOPIC: done["old"]})
