"""Sections of configurations that tests of several folders share."""

from analytics.config import BrokerSection
from analytics.testing.ports import free_ports


def broker_ports() -> BrokerSection:
    """Return a broker's section whose ports nobody takes while it is stopped: a client's connection may get any that the kernel gives."""
    receiver, sender, refill = free_ports(3)
    return BrokerSection(
        receiver_port=receiver, sender_port=sender, refill_port=refill, fsync=False, min_free_mb=1
    )
