"""Notifies systemd, if it has called ``start``, which process runs the suite from now on; see sd_notify(3)."""

import os
import socket

SOCKET = "NOTIFY_SOCKET"


def waits() -> bool:
    """Return whether systemd has called, and waits for the notification."""
    return SOCKET in os.environ


def notify(pid: int) -> None:
    """Report that all has been started, and that ``pid`` is the main process."""
    address = os.environ[SOCKET]
    if address.startswith("@"):  # no file, but a name that the kernel keeps
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect(address)
        to.sendall(f"MAINPID={pid}\nREADY=1".encode())
