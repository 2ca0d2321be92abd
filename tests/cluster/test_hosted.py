"""Of several hosts that offer a node one runs it, and it follows the broker to wherever that turns up."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from cluster_harness import NewEtcd, section
from waiting import eventually

from analytics.broker.clients import Refill
from analytics.cli.check import tries
from analytics.cluster.place import KEY, located
from analytics.config import BrokerSection, Config, EtcdSection
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.hosted import Hosted
from analytics.runtime.offered_broker import OfferedBroker
from benchmarks.etcd import Etcd

both = pytest.mark.parametrize("api", ["v2", "v3"])
ANY_PORT = BrokerSection(receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1, fsync=False)
TIMES = {"ttl_seconds": 4, "beat_seconds": 0.5, "poll_seconds": 0.2}


class Made:
    """A node that tells when it works, and with which broker."""

    name, role = "worker-main", "bolts"

    def __init__(self, config: Config, working: list[BrokerSection]) -> None:
        self._broker = config.broker
        self._working = working

    def start(self) -> None:
        self._working.append(self._broker)

    def step(self) -> None:
        gevent.sleep(0.02)

    def stop(self) -> None:
        self._working.remove(self._broker)

    def state(self) -> dict[str, Any]:
        return {"folded": 1}


class Host:
    """A host with a node that it offers. ``working`` holds the broker's place while the node works."""

    def __init__(self, config: Config, alone: bool = True) -> None:
        self.working: list[BrokerSection] = []
        self.node = Hosted(config, "worker-main", "bolts", lambda found: Made(found, self.working), alone)  # type: ignore[arg-type, return-value]
        self._greenlet = gevent.spawn(self._run)

    @property
    def state(self) -> dict[str, Any]:
        return self.node.state()

    def stop(self) -> None:
        self._greenlet.kill()
        self.node.stop()

    def vanish(self) -> None:
        """End as a process that is killed: the key stays."""
        self._greenlet.kill()
        assert self.node._election is not None
        self.node._election.tasks.stop()
        self.working.clear()

    def _run(self) -> None:
        self.node.start()
        while True:
            self.node.step()


Hosts = Callable[..., Host]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    made: list[Host] = []

    def make(name: str, facts: EtcdSection, **changes: Any) -> Host:
        etcd = msgspec.structs.replace(facts, host_name=name)
        made.append(Host(Config(data=tmp_path / name, etcd=etcd), **changes))
        return made[-1]

    yield make
    for one in made:
        one._greenlet.kill()


@both
def test_one_works_the_other_stands_by_and_takes_over(api: str, whole: Etcd, hosts: Hosts) -> None:
    facts = section(whole.addresses, api=api, **TIMES)
    a = hosts("a", facts)
    eventually(lambda: a.working)
    b = hosts("b", facts)
    eventually(lambda: b.node._election and b.state == {"standby": True, "error": ""})
    assert a.state == {"folded": 1}
    a.stop()
    eventually(lambda: b.working)
    assert not a.working


def test_without_etcd_one_of_two_processes_of_a_machine_works(tmp_path: Path) -> None:
    config = Config(data=tmp_path, etcd=EtcdSection(poll_seconds=0.1))
    a = Host(config)
    eventually(lambda: a.working)
    b = Host(config)
    eventually(lambda: b.node._election and b.state.get("standby"))
    a.stop()
    eventually(lambda: b.working)
    b.stop()


def test_while_etcd_is_away_the_active_one_works_on_and_no_other_begins(
    new_etcd: NewEtcd, hosts: Hosts
) -> None:
    etcd = new_etcd()
    facts = section(etcd.addresses, timeout_seconds=0.5, **TIMES)
    a = hosts("a", facts)
    eventually(lambda: a.working)
    b = hosts("b", facts)
    eventually(lambda: b.node._election and b.state.get("standby"))
    etcd.members[0].freeze()
    eventually(lambda: all(one.node._election and one.node._election.problem for one in (a, b)))
    until = time.monotonic() + 1.5 * facts.ttl_seconds
    while time.monotonic() < until:
        assert a.working and not b.working
        gevent.sleep(0.05)
    assert "etcd can't be used" in b.state["error"]
    # The process that worked here last works again, too, if it has to start meanwhile; on another host it does not.
    a.vanish()
    again = hosts("a", facts)
    eventually(lambda: again.working)
    assert not b.working
    etcd.members[0].thaw()
    eventually(lambda: not again.node._election.problem)  # type: ignore[union-attr]
    eventually(lambda: sorted([len(again.working), len(b.working)]) == [0, 1])


@both
def test_nodes_go_to_the_broker_wherever_it_is(
    api: str, whole: Etcd, hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.cluster.place.LOOK_SECONDS", 30.0)
    facts = section(whole.addresses, api=api, **TIMES | {"ttl_seconds": 30})
    config = Config(
        data=tmp_path / "one", broker=ANY_PORT, etcd=msgspec.structs.replace(facts, host_name="one")
    )
    spout = hosts("one", facts, alone=False)
    eventually(lambda: spout.working)
    # Before any broker is known it is where the configuration says.
    assert spout.working[0] == BrokerSection()
    for _ in range(2):
        broker = OfferedBroker(config, {})
        broker.start()
        stepping = gevent.spawn(step_for_ever, broker)
        place = msgspec.structs.replace(BrokerSection(), **ports(broker.bound))
        eventually(lambda place=place: spout.working == [place])
        found = located(config)
        assert ports(found.broker) == ports(broker.bound)
        # As nodes do, `check` goes there, whatever the configuration of its host says.
        told = msgspec.structs.replace(config, broker=BrokerSection(), data=tmp_path / "another")
        assert dict(tries(told))["broker"]() == f"runs and answers at 127.0.0.1:{broker.bound.refill_port}"
        refill = Refill(found.broker, 30)
        assert refill.state().blocked == ""
        refill.close()
        stepping.kill()
        broker.stop()
    # The last known place stays, as long as no other is.
    gevent.sleep(0.5)
    assert spout.working == [place]


def test_a_broker_on_the_loopback_is_no_use_to_another_host(
    whole: Etcd, hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.cluster.place.LOOK_SECONDS", 30.0)
    facts = section(whole.addresses, **TIMES | {"ttl_seconds": 30})
    config = Config(
        data=tmp_path / "one", broker=ANY_PORT, etcd=msgspec.structs.replace(facts, host_name="one")
    )
    broker = OfferedBroker(config, {})
    broker.start()
    eventually(lambda: broker._offering._keys.list(KEY))
    monkeypatch.setattr("analytics.cluster.place.network", lambda: "another machine's")
    spout = hosts("other", facts, alone=False)
    eventually(lambda: "set broker.host there" in spout.state.get("error", ""))
    assert not spout.working
    with pytest.raises(Unavailable, match=r"set broker\.host there"):
        located(msgspec.structs.replace(config, data=tmp_path / "other"))
    broker.stop()


def test_a_second_broker_is_told_and_gets_no_nodes(whole: Etcd, tmp_path: Path) -> None:
    facts = section(whole.addresses, **TIMES)
    brokers = []
    for name in ("one", "two"):
        etcd = msgspec.structs.replace(facts, host_name=name)
        brokers.append(OfferedBroker(Config(data=tmp_path / name, broker=ANY_PORT, etcd=etcd), {}))
        brokers[-1].start()
        eventually(lambda: brokers[0]._offering._keys.list(KEY))
    first, second = brokers
    eventually(lambda: "the cluster has another broker, on one" in second.state()["error"])
    assert first.state()["error"] == ""
    first.stop()
    eventually(lambda: second.state()["error"] == "")
    second.stop()


def step_for_ever(broker: OfferedBroker) -> None:
    while True:
        broker.step()


def ports(place: BrokerSection) -> dict[str, int]:
    names = ("receiver_port", "sender_port", "refill_port")
    return {name: getattr(place, name) for name in names}


def test_what_ends_the_contest_ends_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(Config(data=tmp_path))
    eventually(lambda: host.working)

    def broken(*arguments: object) -> bool:
        raise AnalyticsError("broken on purpose")

    monkeypatch.setattr("analytics.cluster.local.LocalKeys.elect", broken)
    with pytest.raises(AnalyticsError, match="on purpose"):
        gevent.with_timeout(60, host._greenlet.get)
    monkeypatch.undo()
    host.stop()
