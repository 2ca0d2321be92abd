"""Real workers on two hosts: the active one is killed, then frozen, then etcd is away. ``benchmarks/takeover``, short."""

from pathlib import Path

from cluster_harness import need_etcd
from forms import thorough
from needed import need_mongod

from benchmarks.takeover_of_hosts import TakeoverTest

TIMES = "ttl_seconds = 3\nbeat_seconds = 0.5\npoll_seconds = 0.2\ntimeout_seconds = 2.0"


@thorough
def test_killed_and_frozen_under_load_with_a_member_of_etcd_dying_then_all(tmp_path: Path) -> None:
    need_etcd()
    need_mongod()
    said: list[str] = []
    test = TakeoverTest(tmp_path, rate=200, etcd=TIMES, members=3, say=said.append)
    outcome = test.run(kills=1, stops=1, away=5)
    assert outcome.differences == []
    assert outcome.lines > 200
    assert [len(outcome.kills), len(outcome.stops)] == [1, 1], said
    assert outcome.back > 0
