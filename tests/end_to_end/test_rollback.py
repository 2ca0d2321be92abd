"""Rollbacks of a replica set under a running suite: afterwards every document is right. ``benchmarks/rollbacks``, short."""

import random

from forms import LONG, thorough
from pymongo import WriteConcern

from analytics.testing.proxied import ProxiedSet
from benchmarks import rollbacks_of_a_set
from benchmarks.rollbacks_of_a_set import RollbackTest, Way

WAYS = [Way("hold", "steps down", 4)]
if LONG:
    WAYS += [Way("kill", "steps down", 3), Way("cut", "kill", 4)]


@thorough
def test_what_a_rollback_takes_back_is_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(rollbacks_of_a_set, "LINES", 30 if LONG else 10)
    seed = random.SystemRandom().randrange(2**32)
    said = []
    outcome = RollbackTest(tmp_path, seed, said.append).run(WAYS)
    where = "\n".join([f"seed {seed}, folder {tmp_path}", *said])
    assert outcome.wrong == [], where
    assert outcome.rounds == len(WAYS), where
    assert outcome.rollbacks > 0, f"{where}\nno rollback took anything back"


def test_a_primary_that_no_member_reaches_rolls_back(tmp_path):
    with ProxiedSet(tmp_path) as members:
        primary = members.primary()
        members.isolate(primary, "refuse")
        with primary.client() as client:
            writes = client.db.get_collection("c", write_concern=WriteConcern(w=1))
            writes.insert_many([{"_id": number} for number in range(5)])
        assert primary.rollbacks() == []
        members.primary(among=[one for one in members.members if one is not primary])
        members.heal()
        members.wait_until_in_sync()
        assert sum(primary.rollbacks()) >= 5
        with members.primary().client() as client:
            assert client.db.c.count_documents({}) == 0
