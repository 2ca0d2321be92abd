"""Authentication by CURVE keys: which clients may connect to the broker.

A folder of keys has subfolders ``public`` and ``secret``. The broker's host needs ``secret/broker.key_secret`` and the
``public/NAME.key`` of each client; every other host needs ``public/broker.key`` and ``secret/NAME.key_secret``.
"""

import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

import gevent
import zmq.green as zmq
from zmq.auth import create_certificates, load_certificate, load_certificates
from zmq.utils import z85

from analytics.broker.sockets import Socket, bind, new_socket
from analytics.config import BrokerSection
from analytics.errors import ConfigError

logger = logging.getLogger(__name__)

BROKER = "broker"
_ZAP = "inproc://zeromq.zap.01"
_DOMAIN = b"analytics"
_REMEMBERED = 64  # addresses and keys that were logged: each once


def make_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Make the key pair ``name``, unless it exists; return its files, public and secret."""
    for part in (folder, folder / "public", folder / "secret"):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    public, secret = folder / "public" / f"{name}.key", folder / "secret" / f"{name}.key_secret"
    if not secret.exists():
        mask = os.umask(0o077)  # from the start, no other user can read it
        try:
            made, kept = create_certificates(folder / "secret", name)
        finally:
            os.umask(mask)
        Path(made).replace(public)
        assert kept == str(secret)
    return public, secret


def client_options(broker: BrokerSection) -> dict[str, int | bytes]:
    """Return the options of a client socket with this host's key, which accepts only the broker's key."""
    if not broker.keys:
        return {}
    folder = Path(broker.keys)
    public, secret = _secret(folder, broker.key_name)
    theirs = _read(folder / "public" / f"{BROKER}.key")[0]
    return {"CURVE_SERVERKEY": theirs, "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret}


def server_options(broker: BrokerSection) -> dict[str, int | bytes]:
    """Return the options of a server socket that accepts keys an :class:`Authenticator` knows, and none without one."""
    if not broker.keys:
        return {}
    public, secret = _secret(Path(broker.keys), BROKER)
    return {
        "CURVE_SERVER": 1,
        "CURVE_PUBLICKEY": public,
        "CURVE_SECRETKEY": secret,
        "ZAP_DOMAIN": _DOMAIN,
        "ZAP_ENFORCE_DOMAIN": 1,
    }


class Authenticator:
    """Answers ZeroMQ's requests to authenticate each connecting client (the protocol ZAP, RFC 27).

    Attributes:
        refused: connections with an unknown key.
        keyless: connections without a key, or with another broker's.

    Args:
        folder: of the keys. It is read for each request, so changes take effect at the next attempt.
    """

    def __init__(self, folder: Path) -> None:
        self.refused = 0
        self.keyless = 0
        self._folder = folder / "public"
        self._logged: deque[tuple[bytes, str]] = deque(maxlen=_REMEMBERED)
        self._socket: Socket = new_socket(zmq.REP)
        bind(self._socket, _ZAP)

    def run(self) -> None:
        while True:
            self._socket.send_multipart(self._answer(self._socket.recv_multipart()))
            gevent.sleep(0)

    def note_keyless(self) -> None:
        """Count a connection that ZeroMQ refused without a request.

        Warn at the 1st, 2nd, 4th, 8th … time, since ZeroMQ does not report the address, and some clients try forever.
        """
        self.keyless += 1
        if self.keyless & (self.keyless - 1) == 0:
            logger.warning(
                "refused %d connections so far that showed no key, or expected another broker's: "
                "give that host its keys and `broker.keys`, or find out which host it is",
                self.keyless,
            )

    def close(self) -> None:
        """Close and unbind the socket, so that the next broker of this process can bind its address at once."""
        if not self._socket.closed:
            self._socket.unbind(_ZAP)
            self._socket.close()

    def _answer(self, request: list[bytes]) -> list[bytes]:
        version, sequence, _domain, address, _identity, mechanism, *credentials = request
        key = z85.encode(credentials[0]) if mechanism == b"CURVE" and credentials else b""
        if key and key in self._known():
            return [version, sequence, b"200", b"OK", key, b""]
        self.refused += 1
        self._log_refused(key, address.decode(errors="replace"))
        # 400 would disable the client's socket for good; 300 lets it try again after the disconnect.
        return [version, sequence, b"300", b"key not known", b"", b""]

    def _known(self) -> dict[bytes, bool]:
        try:
            return load_certificates(self._folder)
        except (OSError, ValueError) as error:
            logger.error("no client can connect: %s: %s", self._folder, error)
            return {}

    def _log_refused(self, key: bytes, address: str) -> None:
        if (key, address) not in self._logged:
            self._logged.append((key, address))
            logger.warning(
                "refused %s, whose key %s is in no file of %s: put its NAME.key there to let it connect",
                address, key.decode(errors="replace"), self._folder,
            )  # fmt: skip


def _secret(folder: Path, name: str) -> tuple[bytes, bytes]:
    """Return the pair ``name``, public and secret."""
    path = folder / "secret" / f"{name}.key_secret"
    public, secret = _read(path)
    if secret is None:
        raise ConfigError(f"{path}: expected a secret key, found none; `bin/analytics keys` makes them")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(
            f"{path}: expected a file that its owner alone may read (600), got {mode:o}; chmod 600"
        )
    return public, secret


def _read(path: Path) -> tuple[bytes, Any]:
    try:
        return load_certificate(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: expected a key, as broker.keys names its folder: {error}; "
            "`bin/analytics keys` on the broker's host makes it, then copy it here"
        ) from error
