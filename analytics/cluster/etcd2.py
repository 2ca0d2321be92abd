"""Keys in etcd by its v2 API."""

import logging
from typing import Any
from urllib.parse import urlsplit

import etcd
from urllib3.exceptions import HTTPError

from analytics.cluster.endpoints import Endpoints, deepest
from analytics.cluster.keys import Keys
from analytics.config import EtcdSection

ERRORS = (etcd.EtcdException, HTTPError, OSError, KeyError, TypeError, ValueError)


class Etcd2Keys(Keys):
    """Keys in etcd up to 3.5, started with ``--enable-v2``.

    Its members expire keys by their own clocks: synchronize these with NTP.
    ``password``: for ``section.user``, "" without one.
    """

    def __init__(self, section: EtcdSection, password: str) -> None:
        # The library logs each failed request as an error; here, the caller decides what it means.
        logging.getLogger("etcd").setLevel(logging.CRITICAL + 1)
        self._prefix = f"/{section.prefix}/"
        clients = {address: _client(address, section, password) for address in section.endpoints}
        self._endpoints: Endpoints[etcd.Client] = Endpoints(clients, section.timeout_seconds, ERRORS, _reason)

    def beat(self, key: str, value: bytes, ttl: int) -> None:
        self._endpoints.call(lambda client: client.write(self._path(key), value.decode(), ttl=ttl))

    def list(self, prefix: str) -> dict[str, bytes]:
        def read(client: Any) -> list[Any]:
            # A quorum read: a member that is cut off would return old values.
            try:
                folder = client.read(self._path(prefix.rpartition("/")[0]), recursive=True, quorum=True)
            except etcd.EtcdKeyNotFound:
                return []
            return [leaf for leaf in folder.leaves if not leaf.dir]

        found = {
            leaf.key.removeprefix(self._prefix): leaf.value.encode() for leaf in self._endpoints.call(read)
        }
        return {key: value for key, value in found.items() if key.startswith(prefix)}

    def forget(self, key: str) -> None:
        """Remove a key, whichever process has set it."""
        self._endpoints.call(lambda client: _delete(client, self._path(key)))

    def elect(self, key: str, me: str, ttl: int) -> bool:
        def contend(client: Any) -> bool:
            try:
                holder = client.read(self._path(key), quorum=True).value
                if holder != me:
                    return False
                client.write(self._path(key), me, ttl=ttl, prevValue=me)
            except etcd.EtcdKeyNotFound:
                return _create(client, self._path(key), me, ttl)
            except etcd.EtcdCompareFailed:
                return False
            return True

        return self._endpoints.call(contend)

    def resign(self, key: str, me: str) -> None:
        self._endpoints.call(lambda client: _delete(client, self._path(key), prevValue=me))

    def close(self) -> None:
        for client in self._endpoints.clients.values():
            client.http.clear()

    def _path(self, key: str) -> str:
        return self._prefix + key


def _client(address: str, section: EtcdSection, password: str) -> Any:
    """Return a client of one address: with several, the library would stay with a dead address."""
    parts = urlsplit(address)
    client = etcd.Client(
        host=f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname,
        port=parts.port or 2379,
        protocol=parts.scheme,
        read_timeout=section.timeout_seconds,
        ca_cert=section.ca or None,
        cert=(section.cert, section.key) if section.cert else None,
        username=section.user or None,
        password=password or None,
    )
    # Otherwise a hanging request is sent four times, and each may take effect.
    client.http.connection_pool_kw["retries"] = False
    return client


def _create(client: Any, path: str, me: str, ttl: int) -> bool:
    try:
        client.write(path, me, ttl=ttl, prevExist=False)
    except etcd.EtcdAlreadyExist:
        return False
    return True


def _delete(client: Any, path: str, **condition: str) -> None:
    try:
        client.delete(path, **condition)
    except (etcd.EtcdKeyNotFound, etcd.EtcdCompareFailed):
        return


def _reason(error: Exception) -> str:
    """Return the problem and, if known, what to do."""
    if isinstance(error, etcd.EtcdConnectionFailed):
        return deepest(error.cause or error)
    if isinstance(error, etcd.EtcdInsufficientPermissions):
        return f"{error}; see etcd.user and etcd.password_env"
    if "404 page not found" in str(error):
        return 'it has no v2 API; start it with --enable-v2, or set etcd.api = "v3"'
    return f"{type(error).__name__}: {error}"
