"""By default, processes of this user meet the broker at unix sockets, and everyone else needs keys."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec
import pytest
from brokers import batch
from needed import missing

from analytics.broker import authentication
from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher, Refill, Subscriber
from analytics.config import BrokerSection, load
from analytics.errors import Unavailable
from analytics.testing.ports import free_ports

PATIENCE = 600.0
IN_VAIN = 1.5
NOBODY = 65534


def configured(folder: Path, more: str = "") -> tuple[BrokerSection, Path]:
    """Return the broker's section of a small configuration file, and its data folder."""
    file, ports = folder / "analytics.toml", free_ports(3)
    names = ("receiver_port", "sender_port", "refill_port")
    keys = "".join(f"{name} = {port}\n" for name, port in zip(names, ports, strict=True))
    file.write_text(f'data = "data"\n[broker]\nmin_free_mb = 1\n{keys}{more}')
    config = load(file)
    return config.broker, config.data


def begun(section: BrokerSection, data: Path) -> Broker:
    broker = Broker(section, data)
    broker.start()
    return broker


@pytest.fixture(params=["short", "long" * 30])
def broker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Broker]:
    folder = tmp_path / request.param
    folder.mkdir()
    broker = begun(*configured(folder))
    stepping = gevent.spawn(lambda: [broker.step() for _ in iter(int, 1)])
    yield broker
    stepping.kill()
    broker.stop()


def work(section: BrokerSection) -> None:
    """Publish, hear and ask."""
    publisher, subscriber = Publisher(section, "test"), Subscriber(section, ["a"])
    refill = Refill(section, PATIENCE)
    assert subscriber.recv(PATIENCE) is not None
    assert publisher.publish(batch("s", range(3))).get(timeout=PATIENCE).seq == 1
    assert refill.state().heads["a"].records == 3
    assert publisher.close()
    for client in (subscriber, refill):
        client.close()


def test_this_user_needs_no_key_at_the_unix_sockets(broker: Broker) -> None:
    work(broker.bound)
    folder = Path(broker.bound.sockets)
    assert sorted(path.name for path in folder.iterdir()) == ["receiver", "refill", "sender"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_broker_has_an_address_of_ip_version_6(tmp_path: Path) -> None:
    """It could not listen there, while the configuration was accepted."""
    broker = begun(*configured(tmp_path, 'host = "::1"\n'))
    stepping = gevent.spawn(lambda: [broker.step() for _ in iter(int, 1)])
    work(broker.bound)
    work(msgspec.structs.replace(broker.bound, sockets=""))
    stepping.kill()
    broker.stop()


def test_over_tcp_the_loopback_demands_keys_that_the_first_start_made(broker: Broker) -> None:
    over_tcp = msgspec.structs.replace(broker.bound, sockets="")
    work(over_tcp)
    keyless = Refill(msgspec.structs.replace(over_tcp, keys=""), IN_VAIN)
    with pytest.raises(Unavailable, match="did not answer"):
        keyless.state()
    keyless.close()
    assert broker.facts().refused_keyless >= 1


def test_another_user_gets_nowhere(broker: Broker) -> None:
    if os.geteuid() != 0:
        missing("another user: run as root")
    path = Path(broker.bound.sockets) / "refill"
    code = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
    tried = subprocess.run(
        ["/usr/bin/env", "python3", "-c", code], user=NOBODY, group=NOBODY, capture_output=True, text=True
    )
    assert tried.returncode and ("PermissionError" in tried.stderr or "too long" in tried.stderr)


def test_clients_that_were_there_first_and_a_second_start_find_each_other(tmp_path: Path) -> None:
    section, data = configured(tmp_path)
    publisher = Publisher(section, "test")
    results = [publisher.publish(batch("s", [1]))]
    for number in range(2, 4):
        broker = begun(section, data)
        assert results[-1].get(timeout=PATIENCE).accepted == 1
        broker.stop()
        results.append(publisher.publish(batch("s", [number])))
    publisher.close(0)


@pytest.mark.parametrize(
    ("more", "keys", "sockets"),
    [
        ("", "data/keys", "data/run/sockets"),
        ("let_anyone_in = true", "", "data/run/sockets"),
        ('keys = "mine"', "mine", "data/run/sockets"),
        ('reached_at = "127.0.0.1"', "data/keys", ""),
        ('host = "10.0.0.1"\nkeys = "mine"', "mine", ""),
    ],
)
def test_what_a_configuration_leaves_out(tmp_path: Path, more: str, keys: str, sockets: str) -> None:
    section, _ = configured(tmp_path, more)
    found = (section.keys, section.sockets)
    assert found == tuple(str(tmp_path / path) if path else "" for path in (keys, sockets))


def test_keys_of_the_first_start_stay(tmp_path: Path) -> None:
    section, data = configured(tmp_path)
    begun(section, data).stop()
    secret = data / "keys" / "secret" / f"{authentication.BROKER}.key_secret"
    before = secret.read_text()
    begun(section, data).stop()
    assert secret.read_text() == before
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_broker_that_stopped_has_closed_its_files(tmp_path: Path) -> None:
    section, data = configured(tmp_path)

    def used() -> int:
        begun(section, data).stop()
        gevent.sleep(0.2)
        return len(list(Path("/proc/self/fd").iterdir()))

    first = used()
    assert [used() for _ in range(5)][-1] <= first + 2
