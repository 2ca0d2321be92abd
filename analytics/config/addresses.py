"""What an address of the configuration says of who can reach it."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parsed(text: str) -> Address:
    """Return an address as it is seen: without a port, and of IPv4 where a socket for both versions shows it mapped.

    Raise ValueError where it is none.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    found = ipaddress.ip_address(text)
    return getattr(found, "ipv4_mapped", None) or found


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches ``host``. A name but ``localhost`` may lead anywhere."""
    try:
        return parsed(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_any(host: str) -> bool:
    """Return whether to listen on ``host`` is to listen on every address, so that it says of none where it is."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == "*"


def is_network(text: str) -> bool:
    """Return whether ``text`` is an address, or a network as 10.0.0.0/24."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
