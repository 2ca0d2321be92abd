"""The broker's endpoints: unix sockets for processes of this host and user, TCP for all others.

The folder of the unix sockets is accessible only to its owner, so nothing is encrypted there. Over TCP the keys of
:mod:`analytics.broker.authentication` apply.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from analytics.broker.authentication import client_options
from analytics.broker.sockets import Socket, bind, bound_port, new_socket, patience, set_option
from analytics.config import BrokerSection
from analytics.errors import Unavailable

Name = Literal["receiver", "sender", "refill"]

_LONGEST_PATH = 100
"""A unix socket's path has 107 bytes at most."""


def listen(socket: Socket, broker: BrokerSection, name: Name, security: Mapping[str, int | bytes]) -> int:
    """Bind ``socket`` where clients look for ``name``. Return its TCP port. ``security``: options of TCP sockets only."""
    if broker.sockets:
        bind(socket, f"ipc://{_short(_made(Path(broker.sockets)))}/{name}")
    for option, value in security.items():
        set_option(socket, option, value)
    if ":" in broker.host:
        set_option(socket, "IPV6", 1)
    bind(socket, _tcp(broker.host, _port(broker, name) or "*"))
    return bound_port(socket)


def connected(kind: int, broker: BrokerSection, name: Name, **options: int | bytes) -> Socket:
    """Return a socket of ZeroMQ's ``kind`` that connects to the broker's ``name`` once the broker runs.

    Raise Unavailable if the broker is another user's.
    """
    if broker.sockets:
        folder = _made_or_unavailable(Path(broker.sockets))
        if not os.access(folder, os.X_OK):
            raise Unavailable(
                f"{folder}: permission denied: only the user of the suite (uid {_owner(folder)}) and root reach the broker; "
                "run this as that user"
            )
        security: Mapping[str, int | bytes] = {}
    else:
        security = client_options(broker)
    socket = new_socket(kind, **patience(broker), **security, **options)
    if ":" in (broker.reached_at or broker.host):
        set_option(socket, "IPV6", 1)
    socket.connect(address(broker, name))
    return socket


def address(broker: BrokerSection, name: Name) -> str:
    if broker.sockets:
        return f"ipc://{_short(Path(broker.sockets))}/{name}"
    host, port = broker.reached_at or broker.host, _port(broker, name)
    if not port:
        raise ValueError(f"expected the port that the broker at {host} is bound to, got 0")
    return _tcp(host, port)


def _tcp(host: str, port: int | str) -> str:
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _port(broker: BrokerSection, name: Name) -> int:
    return {"receiver": broker.receiver_port, "sender": broker.sender_port, "refill": broker.refill_port}[
        name
    ]


def _made(folder: Path) -> Path:
    """Create ``folder``, unless it exists, accessible only to the owner of its parent."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700 if one == folder else 0o755, exist_ok=True)
        if os.geteuid() == 0:  # a command that root called before the first start
            above = one.parent.stat()
            os.chown(one, above.st_uid, above.st_gid)
    return folder


def _made_or_unavailable(folder: Path) -> Path:
    try:
        return _made(folder)
    except OSError as error:
        raise Unavailable(f"{folder}: {error}: does the user of the suite run this?") from error


def _owner(folder: Path) -> int:
    try:
        return folder.stat().st_uid
    except OSError:
        return folder.parent.stat().st_uid


_opened: dict[Path, int] = {}


def _short(folder: Path) -> str:
    """Return a path of ``folder`` that leaves room for a socket's name."""
    if len(os.fsencode(folder)) <= _LONGEST_PATH - len("/receiver"):
        return str(folder)
    if folder not in _opened or not _is_same(_opened[folder], folder):
        _opened[folder] = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{_opened[folder]}"


def _is_same(fd: int, folder: Path) -> bool:
    there, here = folder.stat(), os.fstat(fd)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
