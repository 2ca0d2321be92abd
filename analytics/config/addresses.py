"""Which hosts an address of the configuration can be reached from."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parsed(text: str) -> Address:
    """Return an address without its port; an IPv4 address that a dual-stack socket shows mapped becomes IPv4.

    Raise ValueError if it is no address.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    found = ipaddress.ip_address(text)
    return getattr(found, "ipv4_mapped", None) or found


def network(address: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address, which usually belongs to one client."""
    try:
        found = parsed(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``. Names other than ``localhost`` may resolve to any address."""
    try:
        return parsed(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_any(host: str) -> bool:
    """Return whether ``host`` stands for every address of this machine, so that others can't connect to it."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == "*"


def is_network(text: str) -> bool:
    """Return whether ``text`` is an address, or a network such as 10.0.0.0/24."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
