"""With which keys nodes go to the broker that the cluster knows."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from analytics.broker.authentication import client_options
from analytics.cluster import Keys, open_keys
from analytics.cluster.place import Finder, Offering
from analytics.config import Config, load


def loaded(folder: Path, broker: str) -> Config:
    folder.mkdir(exist_ok=True)
    file = folder / "analytics.toml"
    file.write_text(f'data = "data"\n[broker]\n{broker}\n')
    return load(file)


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    opened = open_keys(Config(data=tmp_path))
    yield opened
    opened.close()


def offered(keys: Keys, config: Config) -> Offering:
    offering = Offering(keys, config, config.broker)
    offering.renew()
    return offering


OPEN = 'host = "10.0.0.5"\nlet_anyone_in = true'
TUNNEL = 'reached_at = "10.0.0.5"'


def test_nodes_of_other_hosts_need_no_keys_where_the_broker_demands_none(keys: Keys, tmp_path: Path) -> None:
    offering = offered(keys, loaded(tmp_path / "a", OPEN))
    finder = Finder(keys, loaded(tmp_path / "b", ""))
    finder.look()
    assert finder.section.host == "10.0.0.5"
    assert client_options(finder.section) == {}
    offering.stop()
    # Another broker demands them.
    offered(keys, loaded(tmp_path / "c", TUNNEL))
    finder.look()
    assert finder.section.keys == str(tmp_path / "b" / "data" / "keys")


@pytest.mark.parametrize(
    ("broker", "node", "expected"),
    [
        (OPEN, 'keys = "mine"', "mine"),
        ('host = "10.0.0.5"\nkeys = "theirs"', 'keys = "mine"', "mine"),
        ('host = "10.0.0.5"\nkeys = "theirs"', "", "data/keys"),
        (TUNNEL, TUNNEL, "data/keys"),  # nodes of the broker's own host
        (TUNNEL, 'keys = "mine"', "mine"),
        (TUNNEL + "\nlet_anyone_in = true", "", ""),
    ],
)
def test_keys_that_the_file_names_and_those_of_a_broker_that_demands_them_stay(
    keys: Keys, tmp_path: Path, broker: str, node: str, expected: str
) -> None:
    offered(keys, loaded(tmp_path / "a", broker))
    config = loaded(tmp_path / "b", node)
    finder = Finder(keys, config)
    finder.look()
    found = msgspec.structs.replace(config.broker, host="10.0.0.5", reached_at="", sockets="")
    expected = str(tmp_path / "b" / expected) if expected else ""
    assert finder.section == msgspec.structs.replace(found, keys=expected)
