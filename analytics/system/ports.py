"""TCP ports of this machine: whether one can be listened on, and one that can."""

import socket


def refusal(host: str, port: int) -> OSError | None:
    """Return why a port can't be listened on now, None if it can."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def free_port(host: str) -> int:
    """Return a port that is free now."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])
