"""Sections of configurations that tests of several folders share."""

from waiting import eventually

from analytics.config import BrokerSection
from analytics.system.ports import refusal
from analytics.testing.ports import free_ports


def broker_ports() -> BrokerSection:
    """Return a broker's section whose ports nobody takes while it is stopped: a client's connection may get any that the kernel gives."""
    receiver, sender, refill = free_ports(3)
    return BrokerSection(
        receiver_port=receiver, sender_port=sender, refill_port=refill, fsync=False, min_free_mb=1
    )


def until_free(section: BrokerSection) -> None:
    """Return when a broker that was stopped in this process has let go of its ports: ZeroMQ closes sockets in a thread of its own."""
    ports = section.receiver_port, section.sender_port, section.refill_port
    eventually(lambda: not any(refusal(section.host, port) for port in ports))
