"""Keys to test: on this machine, and in real etcd by either API, whole and with a member dead."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster_harness import section

from analytics.cluster import Keys, open_keys
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.testing.etcd import Etcd, program

NewEtcd = Callable[..., Etcd]
OpenKeys = Callable[..., Keys]


def need_etcd() -> None:
    """Skip where etcd is not installed; on the build machine that is a failure."""
    try:
        program()
    except AnalyticsError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """One member, for tests that don't break it."""
    need_etcd()
    etcd = Etcd(tmp_path_factory.mktemp("whole"))
    try:
        etcd.start()
        yield etcd
    finally:
        etcd.stop()


@pytest.fixture(scope="session")
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


@pytest.fixture(params=["local", "v2", "v3", "v2-degraded", "v3-degraded"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenKeys]:
    """Opens one more client of the same, at first empty, keys."""
    api, _, state = request.param.partition("-")
    if api == "local":
        config = Config(data=tmp_path)
    else:
        etcd = request.getfixturevalue(state or "whole")
        config = Config(data=tmp_path, etcd=section(etcd.addresses, api=api, timeout_seconds=30))
    made: list[Keys] = []

    def open_one() -> Keys:
        made.append(open_keys(config))
        return made[-1]

    yield open_one
    for keys in made:
        keys.close()
