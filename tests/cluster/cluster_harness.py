"""What the tests of the cluster share."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from needed import missing

from analytics.cluster import Keys
from analytics.config import EtcdSection
from analytics.errors import AnalyticsError
from benchmarks.etcd import Etcd, program

PATIENCE = 600.0
KINDS = ("local", "v2", "v3", "v2-degraded", "v3-degraded")
NewEtcd = Callable[..., Etcd]
OpenKeys = Callable[[], Keys]
Clients = Callable[[EtcdSection], Keys]


def need_etcd() -> None:
    """Go on only where etcd is installed."""
    try:
        program()
    except AnalyticsError as error:
        missing(str(error))


def section(addresses: list[str], **changes: Any) -> EtcdSection:
    """Return a section for an etcd, with a prefix of its own and short times."""
    facts: dict[str, Any] = {
        "endpoints": addresses,
        "prefix": f"test{secrets.token_hex(4)}",
        "timeout_seconds": 2.0,
        "ttl_seconds": 3,
        "beat_seconds": 0.5,
        "poll_seconds": 0.2,
    }
    return EtcdSection(**(facts | changes))


def section_of(request: pytest.FixtureRequest, kind: str) -> EtcdSection:
    """Return the section for keys of a kind, in an etcd that tests share."""
    api, _, state = kind.partition("-")
    if api == "local":
        return EtcdSection()
    etcd = request.getfixturevalue(state or "whole")
    return section(etcd.addresses, api=api, timeout_seconds=30)
