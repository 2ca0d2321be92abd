"""Real workers on two hosts: the active one is killed, then frozen, and every number is right. ``benchmarks/takeover``, short."""

from pathlib import Path

from cluster_harness import need_etcd

from analytics.testing.takeover import TakeoverTest

TIMES = "ttl_seconds = 3\nbeat_seconds = 0.5\npoll_seconds = 0.2\ntimeout_seconds = 2.0"


def test_killed_and_frozen_under_load_with_a_member_of_etcd_dying(tmp_path: Path) -> None:
    need_etcd()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 1:
            test.etcd.members[0].kill()

    test = TakeoverTest(tmp_path, rate=500, etcd=TIMES, members=3, say=say)
    outcome = test.run(kills=1, stops=1)
    assert outcome.differences == []
    assert outcome.lines > 500
    assert [len(outcome.kills), len(outcome.stops)] == [1, 1], said
