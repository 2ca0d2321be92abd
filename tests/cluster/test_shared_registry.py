"""Nodes of several hosts: each knows of the others through etcd, and of its own without."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from cluster_harness import NewEtcd, section
from waiting import eventually

from analytics.cluster import NodeEntry, open_registry
from analytics.cluster.registry import LocalRegistry, alive
from analytics.config import Config, EtcdSection
from analytics.system.processes import process_started
from benchmarks.etcd import Etcd

Host = Callable[..., LocalRegistry]
both = pytest.mark.parametrize("api", ["v2", "v3"])


def node(name: str, **changes: object) -> NodeEntry:
    """Return an entry of a node that lives, however long a test takes."""
    facts = {
        "name": name, "role": "bolts", "host": "here", "pid": 1, "started": process_started(1), "version": "1",
        "since": 1.0, "beat": time.time() + 600, "state": {"folded": 3},
    }  # fmt: skip
    return NodeEntry(**(facts | changes))  # type: ignore[arg-type]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Opens the registry of one more host: its data folder, its name in the cluster."""
    made: list[LocalRegistry] = []

    def open_one(name: str, facts: EtcdSection) -> LocalRegistry:
        etcd = msgspec.structs.replace(facts, host_name=name)
        made.append(open_registry(Config(data=tmp_path / name, etcd=etcd)))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


def names(registry: LocalRegistry) -> list[tuple[str, str]]:
    return [(one.host, one.name) for one in registry.list() if alive(one)]


def test_without_etcd_it_is_this_machine(tmp_path: Path) -> None:
    registry = open_registry(Config(data=tmp_path))
    assert isinstance(registry, LocalRegistry)
    assert registry.problem == ""


@both
def test_hosts_know_of_each_other(api: str, whole: Etcd, host: Host) -> None:
    facts = section(whole.addresses, api=api, timeout_seconds=30)
    a, b, looker = host("a", facts), host("b", facts), host("looker", facts)
    a.beat(node("broker"))
    a.beat(node("workers"))
    b.beat(node("workers"))
    eventually(lambda: names(looker) == [("a", "broker"), ("a", "workers"), ("b", "workers")])
    assert looker.list()[0].state == {"folded": 3}
    assert looker.problem == ""
    # One's own nodes are told by one's own disk, with the host name that they gave.
    assert names(b) == [("a", "broker"), ("here", "workers"), ("a", "workers")]
    a.leave("broker")
    b.beat(node("workers", last_error="OSError: disk full", ended=True))
    b.close()
    eventually(lambda: names(looker) == [("a", "workers")])
    [dead] = [one for one in looker.list() if one.host == "b"]
    assert dead.last_error == "OSError: disk full"


def test_a_host_that_vanishes_is_gone_when_its_time_is_over(whole: Etcd, host: Host) -> None:
    lookers = []
    for api in ("v2", "v3"):
        facts = section(whole.addresses, api=api, timeout_seconds=30, ttl_seconds=2)
        a, looker = host(f"a{api}", facts), host(f"looker{api}", facts)
        a.beat(node("workers"))
        eventually(lambda looker=looker: names(looker))
        a._tasks.stop()  # type: ignore[attr-defined]
        lookers.append(looker)
    eventually(lambda: not any(looker.list() for looker in lookers))


def test_while_etcd_is_away_work_goes_on_and_entries_come_back(new_etcd: NewEtcd, host: Host) -> None:
    etcd = new_etcd()
    hosts = []
    for api in ("v2", "v3"):
        facts = section(etcd.addresses, api=api, timeout_seconds=1.0, ttl_seconds=2)
        a, looker = host(f"a{api}", facts), host(f"looker{api}", facts)
        a.beat(node("workers"))
        hosts.append((a, looker))
        eventually(lambda looker=looker: names(looker))
    etcd.members[0].freeze()
    for a, _ in hosts:
        took = []
        for _ in range(3):
            begun = time.monotonic()
            a.beat(node("workers"))
            took.append(time.monotonic() - begun)
        assert min(took) < 0.9  # it does not wait for etcd; asking would take a second
    for a, looker in hosts:
        eventually(lambda a=a: a.problem)
        a.beat(node("workers"))
        assert names(a) == [("here", "workers")]
        assert looker.list() == []
        assert "etcd can't be used" in looker.problem
    etcd.stop()
    assert all(looker.list() == [] for _, looker in hosts)
    etcd.start()
    for a, looker in hosts:
        eventually(lambda looker=looker: names(looker))
        eventually(lambda a=a: not a.problem)


@both
def test_an_entry_that_is_too_much_for_etcd_keeps_its_single_facts(api: str, whole: Etcd, host: Host) -> None:
    facts = section(whole.addresses, api=api, timeout_seconds=30)
    a, looker = host("a", facts), host("looker", facts)
    sources = {f"server{number}": {"healthy": True, "position": "x" * 200} for number in range(8_000)}
    a.beat(node("gamelog", state={"published": 3, "sources": sources}))
    eventually(lambda: looker.list())
    assert looker.list()[0].state == {"published": 3}


def test_what_is_no_node_is_passed_over(whole: Etcd, host: Host) -> None:
    facts = section(whole.addresses, timeout_seconds=30)
    a = host("a", facts)
    a._keys.beat("nodes/b:x", b'{"name": 3}', 30)  # type: ignore[attr-defined]
    assert a.list() == []
