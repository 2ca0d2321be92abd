"""Keys to test: on this machine, and in real etcd by either API, whole and with a member dead."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from cluster_harness import KINDS, Clients, NewEtcd, OpenKeys, need_etcd, section_of

from analytics.cluster import Keys, open_keys
from analytics.config import Config, EtcdSection
from benchmarks.etcd import Etcd


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """One member, for tests that don't break it."""
    need_etcd()
    etcd = Etcd(tmp_path_factory.mktemp("whole"))
    try:
        etcd.start()
        yield etcd
    finally:
        etcd.stop()


@pytest.fixture(scope="package")
def degraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """Three members, of which the first is dead, for tests that don't break more."""
    need_etcd()
    etcd = Etcd(tmp_path_factory.mktemp("degraded"), count=3)
    try:
        etcd.start()
        etcd.members[0].kill()
        yield etcd
    finally:
        etcd.stop()


@pytest.fixture
def new_etcd(tmp_path: Path) -> Iterator[NewEtcd]:
    """Makes clusters to break, and ends them."""
    need_etcd()
    made: list[Etcd] = []

    def make(count: int = 1, **options: object) -> Etcd:
        made.append(Etcd(tmp_path / f"etcd{len(made)}", count, **options))  # type: ignore[arg-type]
        made[-1].start()
        return made[-1]

    yield make
    for etcd in made:
        etcd.stop()


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Callable[[EtcdSection], Keys]]:
    """Opens clients, and closes them."""
    made: list[Keys] = []

    def open_one(section: EtcdSection) -> Keys:
        made.append(open_keys(Config(data=tmp_path, etcd=section)))
        return made[-1]

    yield open_one
    for keys in made:
        keys.close()


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, clients: Clients) -> OpenKeys:
    """Opens one more client of the same, at first empty, keys."""
    facts = section_of(request, request.param)
    return lambda: clients(facts)


@pytest.fixture
def every_kind(request: pytest.FixtureRequest, clients: Clients) -> dict[str, OpenKeys]:
    """What ``opened`` is, of every kind at once, for tests that wait."""
    return {kind: partial(clients, section_of(request, kind)) for kind in KINDS}
