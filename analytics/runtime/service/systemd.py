"""Telling systemd, where it has called ``start``, which process runs the suite from now on; see sd_notify(3)."""

import os
import socket

SOCKET = "NOTIFY_SOCKET"


def waits() -> bool:
    """Return whether systemd has called, and waits to be told."""
    return SOCKET in os.environ


def tell(pid: int) -> None:
    """Tell it that all has been started, and that process ``pid`` is the one to look after."""
    address = os.environ[SOCKET]
    if address.startswith("@"):  # no file, but a name that the kernel keeps
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect(address)
        to.sendall(f"MAINPID={pid}\nREADY=1".encode())
