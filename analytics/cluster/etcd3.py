"""Keys in etcd by its v3 API, through the JSON gateway."""

import json
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import ConnectionFailedError, ConnectionTimeoutError, Etcd3Exception
from etcd3gw.lease import Lease

from analytics.cluster.endpoints import Endpoints, deepest
from analytics.cluster.keys import Keys
from analytics.config import EtcdSection

Answer = TypeVar("Answer")
ERRORS = (Etcd3Exception, OSError, KeyError, TypeError, ValueError)


class Etcd3Keys(Keys):
    """Keys in etcd 3.4 and newer. Each key that this process sets has its own lease. ``password``: for ``section.user``, "" without one."""

    def __init__(self, section: EtcdSection, password: str) -> None:
        members = {address: _Member(address, section, password) for address in section.endpoints}
        self._endpoints = Endpoints(members, section.timeout_seconds, ERRORS, _reason)
        self._prefix = f"{section.prefix}/"
        self._leases: dict[str, tuple[int, int]] = {}  # key -> id, ttl

    def beat(self, key: str, value: bytes, ttl: int) -> None:
        self._call(lambda client: client.put(self._path(key), value, self._lease(client, key, ttl)))

    def list(self, prefix: str) -> dict[str, bytes]:
        found = self._call(lambda client: client.get_prefix(self._path(prefix)))
        return {_text(about["key"]).removeprefix(self._prefix): value for value, about in found}

    def forget(self, key: str) -> None:
        """Remove a key that this process has set. A value that another process has set since has another lease, and stays."""
        self._call(lambda client: self._revoke(client, key))

    def elect(self, key: str, me: str, ttl: int) -> bool:
        def contend(client: Etcd3Client) -> bool:
            found = client.get(self._path(key), metadata=True)
            if found:
                value, about = found[0]
                mine = key in self._leases and int(about.get("lease", 0)) == self._leases[key][0]
                return mine and value == me.encode() and Lease(self._leases[key][0], client).refresh() > 0
            lease = self._lease(client, key, ttl)
            if client.create(self._path(key), me.encode(), lease):
                return True
            self._revoke(client, key)
            return False

        return self._call(contend)

    def resign(self, key: str, me: str) -> None:
        self._call(lambda client: self._revoke(client, key))

    def close(self) -> None:
        for member in self._endpoints.clients.values():
            member.client.session.close()

    def _call(self, action: Callable[[Etcd3Client], Answer]) -> Answer:
        return self._endpoints.call(lambda member: member.call(action))

    def _path(self, key: str) -> bytes:
        return (self._prefix + key).encode()

    def _lease(self, client: Etcd3Client, key: str, ttl: int) -> Lease:
        """Return the key's lease with its full time to live; an expired lease is replaced by a new one.

        The lease is stored before it is used, so that a request without an answer can be repeated.
        """
        id, old = self._leases.get(key, (0, 0))
        if not id or old != ttl or Lease(id, client).refresh() <= 0:
            self._leases[key] = client.lease(ttl).id, ttl
        return Lease(self._leases[key][0], client)

    def _revoke(self, client: Etcd3Client, key: str) -> None:
        if key not in self._leases:
            return
        try:
            Lease(self._leases[key][0], client).revoke()
        except Etcd3Exception as error:
            if "lease not found" not in (error.detail_text or ""):
                raise
        self._leases.pop(key, None)


class _Member:
    """One member of the cluster, with the token of our log-in."""

    def __init__(self, address: str, section: EtcdSection, password: str) -> None:
        parts = urlsplit(address)
        session = requests.Session()
        # Otherwise REQUESTS_CA_BUNDLE, .netrc and proxies take precedence over the configuration.
        session.trust_env = False
        session.verify = section.ca or True
        session.cert = (section.cert, section.key) if section.cert else None
        self.client = Etcd3Client(
            host=parts.hostname or "",
            port=parts.port or 2379,
            protocol=parts.scheme,
            api_path="/v3/",
            timeout=section.timeout_seconds,
            session=session,
        )
        self._login = {"name": section.user, "password": password} if section.user else None

    def call(self, action: Callable[[Etcd3Client], Answer]) -> Answer:
        """Return what ``action`` does; log in before, and again if the token has expired."""
        headers = self.client.session.headers
        if self._login is None:
            return action(self.client)
        if "Authorization" in headers:
            try:
                return action(self.client)
            except (ConnectionFailedError, ConnectionTimeoutError):
                raise
            except Etcd3Exception:
                del headers["Authorization"]
        answer: dict[str, Any] = self.client.post(self.client.get_url("/auth/authenticate"), json=self._login)
        headers["Authorization"] = answer["token"]
        return action(self.client)


def _text(key: str | bytes) -> str:
    return key.decode() if isinstance(key, bytes) else key


def _reason(error: Exception) -> str:
    """Return etcd's message, which the library leaves out of ``str(error)``."""
    if not isinstance(error, Etcd3Exception):
        return f"not an answer of etcd's v3 API ({type(error).__name__}: {error})"
    if isinstance(error.__context__, requests.RequestException):
        return deepest(error)
    said = error.detail_text or str(error)
    try:
        said = str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return f"{said.strip()}; is etcd.api right?"
    if any(word in said for word in ("authentication", "permission denied", "user name")):
        return f"{said}; see etcd.user and etcd.password_env"
    return said
