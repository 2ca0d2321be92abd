"""Opens the registry and the keys of a configuration."""

import os
import socket
import sys

import msgspec

from analytics.cluster.keys import Keys
from analytics.cluster.local import LocalKeys
from analytics.cluster.registry import LocalRegistry
from analytics.cluster.shared import SharedRegistry
from analytics.config import Config
from analytics.errors import AnalyticsError


def open_registry(config: Config, timeout: float | None = None) -> LocalRegistry:
    """Return the registry of nodes: of this machine and, with etcd, of the other hosts.

    ``timeout``: seconds for a call to etcd; None: as configured.
    """
    if not config.etcd.endpoints:
        return LocalRegistry(config.data)
    return SharedRegistry(config.data, open_keys(config, timeout), host_name(config), config.etcd)


def host_name(config: Config) -> str:
    """Return the name of this machine among the hosts."""
    return config.etcd.host_name or socket.gethostname()


def open_keys(config: Config, timeout: float | None = None) -> Keys:
    """Return the keys of the cluster: in etcd if configured, otherwise on this machine. It connects when used.

    Args:
        timeout: seconds for a call; None: as configured.

    Raises:
        AnalyticsError: the API that the configuration names needs a package that is not installed.
    """
    section = config.etcd
    if timeout is not None:
        section = msgspec.structs.replace(section, timeout_seconds=timeout)
    if not section.endpoints:
        return LocalKeys(config.data / "run" / "keys")
    password = os.environ.get(section.password_env, "") if section.password_env else ""
    # Imported here: a suite of one machine needs neither library.
    if section.api == "v2":
        try:
            from analytics.cluster.etcd2 import Etcd2Keys
        except ModuleNotFoundError as error:
            raise AnalyticsError(
                'etcd.api: "v2" needs the package python-etcd, which is not installed. '
                f'Run: {sys.executable} -m pip install "python-etcd>=0.4.5"; or set "v3", for etcd 3.4 and newer'
            ) from error
        return Etcd2Keys(section, password)
    from analytics.cluster.etcd3 import Etcd3Keys

    return Etcd3Keys(section, password)
