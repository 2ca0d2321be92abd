"""CURVE keys: who may talk to the broker, and how both sides show and check it.

A folder of keys has ``public`` and ``secret`` apart. The broker's host needs ``secret/broker.key_secret`` and a
``public/NAME.key`` of each who may come in; every other host ``public/broker.key`` and ``secret/NAME.key_secret``.
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
_REMEMBERED = 64


def make(folder: Path, name: str) -> tuple[Path, Path]:
    """Make the pair of keys ``name``; return its files, public and secret. One that is there stays as it is."""
    for part in (folder, folder / "public", folder / "secret"):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    public, secret = folder / "public" / f"{name}.key", folder / "secret" / f"{name}.key_secret"
    if not secret.exists():
        mask = os.umask(0o077)  # from the first moment nobody else can read it
        try:
            made, kept = create_certificates(folder / "secret", name)
        finally:
            os.umask(mask)
        Path(made).replace(public)
        assert kept == str(secret)
    return public, secret


def client_options(broker: BrokerSection) -> dict[str, int | bytes]:
    """Return the options of a socket that shows this host's key, and talks to none but the broker's."""
    if not broker.keys:
        return {}
    folder = Path(broker.keys)
    public, secret = _secret(folder, broker.key_name)
    theirs = _read(folder / "public" / f"{BROKER}.key")[0]
    return {"CURVE_SERVERKEY": theirs, "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret}


def server_options(broker: BrokerSection) -> dict[str, int | bytes]:
    """Return the options of a socket that lets in whom a :class:`Authenticator` knows, and nobody while there is none."""
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
    """Answers ZeroMQ, which asks about the key of everyone who connects (the protocol ZAP, RFC 27).

    Attributes:
        refused: how often a key came that is not known.
        keyless: how often somebody came who shows no key, or takes the broker for another.

    Args:
        folder: of the keys. It is read each time: a key that was put there or taken away counts from the next try on.
    """

    def __init__(self, folder: Path) -> None:
        self.refused = 0
        self.keyless = 0
        self._folder = folder / "public"
        self._told: deque[tuple[bytes, str]] = deque(maxlen=_REMEMBERED)
        self._socket: Socket = new_socket(zmq.REP)
        bind(self._socket, _ZAP)

    def run(self) -> None:
        """Answer forever."""
        while True:
            self._socket.send_multipart(self._answer(self._socket.recv_multipart()))
            gevent.sleep(0)

    def note_keyless(self) -> None:
        """Count somebody who came without getting as far as a question: ZeroMQ refused the connection.

        Warn at the 1st, 2nd, 4th, 8th … time: ZeroMQ does not say whose connection it was, and some try forever.
        """
        self.keyless += 1
        if self.keyless & (self.keyless - 1) == 0:
            logger.warning(
                "refused %d connections so far that showed no key, or expected another broker's: "
                "give that host its keys and `broker.keys`, or find out who knocks",
                self.keyless,
            )

    def close(self) -> None:
        """Close the socket. The next broker of this process finds its address free: closing alone takes a moment."""
        if not self._socket.closed:
            self._socket.unbind(_ZAP)
            self._socket.close()

    def _answer(self, request: list[bytes]) -> list[bytes]:
        version, sequence, _domain, address, _identity, mechanism, *credentials = request
        key = z85.encode(credentials[0]) if mechanism == b"CURVE" and credentials else b""
        if key and key in self._known():
            return [version, sequence, b"200", b"OK", key, b""]
        self.refused += 1
        self._tell(key, address.decode(errors="replace"))
        # 400 would end the other's socket for good; 300 lets it try again, once it was hung up on.
        return [version, sequence, b"300", b"key not known", b"", b""]

    def _known(self) -> dict[bytes, bool]:
        try:
            return load_certificates(self._folder)
        except (OSError, ValueError) as error:
            logger.error("nobody is let in: %s: %s", self._folder, error)
            return {}

    def _tell(self, key: bytes, address: str) -> None:
        if (key, address) not in self._told:
            self._told.append((key, address))
            logger.warning(
                "refused %s, whose key %s is in no file of %s: put its NAME.key there if it is to come in",
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
