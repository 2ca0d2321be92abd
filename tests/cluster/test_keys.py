"""What every kind of keys promises: the same tests for those of this machine, etcd v2 and etcd v3."""

import gevent
from cluster_harness import OpenKeys
from waiting import eventually


def test_what_one_tells_another_one_hears(opened: OpenKeys) -> None:
    one, other = opened(), opened()
    assert other.list("nodes/") == {}
    one.beat("nodes/a:broker", '{"name": "broker", "of": "中"}'.encode(), 30)
    one.beat("nodes/b:workers+2", b"{}", 30)
    one.beat("active/workers", b"someone", 30)
    assert other.list("nodes/") == {
        "nodes/a:broker": '{"name": "broker", "of": "中"}'.encode(),
        "nodes/b:workers+2": b"{}",
    }
    assert list(other.list("nodes/b:")) == ["nodes/b:workers+2"]


def test_the_last_word_counts(opened: OpenKeys) -> None:
    one, other = opened(), opened()
    one.beat("nodes/a:x", b"1", 30)
    one.beat("nodes/a:x", b"2", 30)
    other.beat("nodes/a:x", b"3", 30)
    assert one.list("nodes/") == {"nodes/a:x": b"3"}


def test_what_is_forgotten_is_gone(opened: OpenKeys) -> None:
    keys = opened()
    keys.beat("nodes/a:x", b"1", 30)
    keys.forget("nodes/a:x")
    keys.forget("nodes/a:x")
    keys.forget("nodes/a:never")
    assert keys.list("nodes/") == {}
    keys.beat("nodes/a:x", b"2", 30)
    assert keys.list("nodes/") == {"nodes/a:x": b"2"}


def test_one_holds_a_key_until_it_resigns(opened: OpenKeys) -> None:
    one, other = opened(), opened()
    assert one.elect("active/g", "one", 30)
    assert one.elect("active/g", "one", 30)
    assert not other.elect("active/g", "other", 30)
    other.resign("active/g", "other")
    assert one.elect("active/g", "one", 30)
    one.resign("active/g", "one")
    assert other.elect("active/g", "other", 30)
    assert not one.elect("active/g", "one", 30)
    assert one.elect("active/another", "one", 30)


def test_of_many_that_want_a_key_at_once_one_gets_it(opened: OpenKeys) -> None:
    clients = [opened() for _ in range(8)]
    greenlets = [gevent.spawn(one.elect, "active/g", f"me{number}", 30) for number, one in enumerate(clients)]
    gevent.joinall(greenlets, raise_error=True)
    assert sum(greenlet.value for greenlet in greenlets) == 1


def test_a_key_lives_while_it_is_renewed_and_no_longer(every_kind: dict[str, OpenKeys]) -> None:
    checks = [gevent.spawn(of_time, opened) for opened in every_kind.values()]
    gevent.joinall(checks, raise_error=True)


def of_time(opened: OpenKeys) -> None:
    one, other = opened(), opened()
    one.beat("nodes/a:silent", b"1", 2)
    assert one.elect("active/silent", "one", 2)
    assert one.elect("active/renewed", "one", 4)
    for _ in range(11):
        gevent.sleep(0.5)
        one.beat("nodes/a:beating", b"1", 4)
        assert one.elect("active/renewed", "one", 4)
        assert not other.elect("active/renewed", "other", 4)
    eventually(lambda: list(other.list("nodes/")) == ["nodes/a:beating"])
    one.beat("nodes/a:silent", b"2", 30)
    assert other.list("nodes/")["nodes/a:silent"] == b"2"
    eventually(lambda: other.elect("active/silent", "other", 30))
    assert not one.elect("active/silent", "one", 2)
    one.resign("active/silent", "one")
    assert other.elect("active/silent", "other", 30)
