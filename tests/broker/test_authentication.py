"""A broker with keys: the right one works, any other and none get nowhere, in real sockets."""

import stat
from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec
import pytest
from brokers import batch

from analytics.broker import authentication
from analytics.broker.broker import Broker
from analytics.broker.clients import Publisher, Refill, Subscriber
from analytics.config import BrokerSection
from analytics.errors import ConfigError, Unavailable

PATIENCE = 600.0
IN_VAIN = 1.5


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    for name in ("broker", "client"):
        authentication.make_keys(tmp_path / "keys", name)
    section = BrokerSection(
        receiver_port=0, sender_port=0, refill_port=0, min_free_mb=1, keys=str(tmp_path / "keys")
    )
    broker = Broker(section, tmp_path / "data")
    broker.start()
    stepping = gevent.spawn(step_for_ever, broker)
    yield broker
    stepping.kill()
    broker.stop()


def step_for_ever(broker: Broker) -> None:
    while True:
        broker.step()


def stranger(broker: Broker, folder: Path) -> BrokerSection:
    """Return the section of somebody who has the broker's public key, and a pair that it does not know."""
    for name in ("broker", "client"):
        authentication.make_keys(folder, name)
    theirs = Path(broker.bound.keys) / "public" / "broker.key"
    (folder / "public" / "broker.key").write_bytes(theirs.read_bytes())
    return msgspec.structs.replace(broker.bound, keys=str(folder))


def get_nothing(section: BrokerSection) -> None:
    """Try all three sockets."""
    publisher, subscriber, refill = (
        Publisher(section, "test"),
        Subscriber(section, ["a"]),
        Refill(section, IN_VAIN),
    )
    result = publisher.publish(batch("s", range(3)))
    with pytest.raises(Unavailable):
        refill.state()
    assert subscriber.recv(IN_VAIN) is None  # not even a heartbeat, which comes once a second
    assert not result.ready()
    publisher.close(0)
    subscriber.close()
    refill.close()


def work(section: BrokerSection) -> None:
    """Publish, hear and ask."""
    publisher, subscriber, refill = (
        Publisher(section, "test"),
        Subscriber(section, ["a"]),
        Refill(section, PATIENCE),
    )
    assert subscriber.recv(PATIENCE) is not None
    assert publisher.publish(batch("s", range(3))).get(timeout=PATIENCE).seq == 1
    assert refill.state().heads["a"].records == 3
    assert publisher.close()
    subscriber.close()
    refill.close()


def test_the_right_key_works_and_is_not_counted(broker: Broker) -> None:
    work(broker.bound)
    assert broker.state()["refused_keys"] == 0


def test_an_unknown_key_gets_nothing_and_is_counted_until_it_is_known(broker: Broker, tmp_path: Path) -> None:
    section = stranger(broker, tmp_path / "other")
    get_nothing(section)
    assert broker.state()["refused_keys"] >= 3
    assert broker.facts().heads == {}
    own = tmp_path / "other" / "public" / "client.key"
    (tmp_path / "keys" / "public" / "other.key").write_bytes(own.read_bytes())
    work(section)


def test_sockets_that_were_refused_get_in_once_their_key_is_known(broker: Broker, tmp_path: Path) -> None:
    section = stranger(broker, tmp_path / "other")
    publisher, subscriber = Publisher(section, "test"), Subscriber(section, ["a"])
    result = publisher.publish(batch("s", range(3)))
    with gevent.Timeout(PATIENCE):
        while broker.state()["refused_keys"] < 2:
            gevent.sleep(0.05)
    own = tmp_path / "other" / "public" / "client.key"
    (tmp_path / "keys" / "public" / "other.key").write_bytes(own.read_bytes())
    assert result.get(timeout=PATIENCE).accepted == 3
    assert subscriber.recv(PATIENCE) is not None
    assert publisher.close()
    subscriber.close()


def test_no_key_gets_nothing_and_is_counted_apart(broker: Broker) -> None:
    get_nothing(msgspec.structs.replace(broker.bound, keys=""))
    assert broker.facts().heads == {}
    assert broker.facts().refused_keyless >= 3  # all three sockets
    before = broker.facts().refused_keyless
    work(broker.bound)
    assert broker.facts().refused_keyless == before
    assert broker.facts().refused_keys == 0


def test_who_takes_the_broker_for_another_is_counted(broker: Broker, tmp_path: Path) -> None:
    section = stranger(broker, tmp_path / "other")
    theirs = tmp_path / "other" / "public"
    (theirs / "broker.key").write_bytes((theirs / "client.key").read_bytes())
    get_nothing(section)
    assert broker.facts().refused_keyless >= 3
    assert broker.facts().refused_keys == 0


def test_nobody_gets_in_while_nobody_keeps_the_door(broker: Broker, tmp_path: Path) -> None:
    assert broker._frontend.authenticator is not None
    next(task for task in broker._tasks._tasks if "Authenticator" in task.name).kill()
    broker._frontend.authenticator.close()
    get_nothing(broker.bound)


def test_files_are_for_their_owner_alone_and_stay(tmp_path: Path) -> None:
    made = authentication.make_keys(tmp_path / "keys", "client")
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o600, 0o600]
    public, secret = (path.read_text() for path in made)
    assert "secret-key" in secret
    assert "secret-key" not in public
    assert sorted(path.name for path in (tmp_path / "keys" / "secret").iterdir()) == ["client.key_secret"]
    assert authentication.make_keys(tmp_path / "keys", "client") == made
    assert [path.read_text() for path in made] == [public, secret]


def test_a_secret_that_others_can_read_or_that_is_missing_is_refused(tmp_path: Path) -> None:
    section = BrokerSection(keys=str(tmp_path / "keys"))
    with pytest.raises(ConfigError, match=r"broker\.key_secret: expected a key, .*bin/analytics keys"):
        Broker(section, tmp_path / "data").start()
    _, secret = authentication.make_keys(tmp_path / "keys", "broker")
    secret.chmod(0o640)
    with pytest.raises(ConfigError, match=r"may read .600., got 640; chmod 600"):
        Broker(section, tmp_path / "data").start()
