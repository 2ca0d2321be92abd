"""Where the broker is: it tells the cluster, and nodes of every host find it there."""

import secrets
from pathlib import Path

import msgspec

from analytics.cluster.keys import Keys
from analytics.cluster.opening import host_name, open_keys
from analytics.config import BrokerSection, Config, is_loopback
from analytics.errors import Unavailable

KEY = "offers/broker"
LOOK_SECONDS = 0.7


class Offer(msgspec.Struct, frozen=True):
    """Where a broker is reached, and the host that it runs on.

    ``network`` is equal where a loopback address leads to the same place; ``by`` is of its process alone.
    ``keyless``: it demands no keys over TCP.
    """

    host: str
    address: str
    receiver_port: int
    sender_port: int
    refill_port: int
    network: str = ""
    by: str = ""
    sockets: str = ""
    keyless: bool = False

    def same_place(self, other: "Offer") -> bool:
        """Return whether both lead to the same sockets."""
        return msgspec.structs.replace(self, by="") == msgspec.structs.replace(other, by="")


class Offering:
    """Holds the cluster's one offer of a broker, from the first :meth:`renew` until :meth:`stop`.

    Attributes:
        problem: why nodes of other hosts do not come here, "" where they do or etcd can't be asked.
    """

    def __init__(self, keys: Keys, config: Config, bound: BrokerSection) -> None:
        self.problem = ""
        self._keys = keys
        self._ttl = config.etcd.ttl_seconds
        self._offer = Offer(
            host_name(config), bound.reached_at or bound.host,
            bound.receiver_port, bound.sender_port, bound.refill_port, network(), secrets.token_hex(8),
            bound.sockets, not bound.keys,
        )  # fmt: skip

    def renew(self) -> None:
        """Offer this broker for ``ttl_seconds``, if no other one is offered."""
        try:
            if self._keys.elect(KEY, self._text, self._ttl):
                self.problem = ""
            elif (other := _offered(self._keys)) is not None:
                # One that was killed leaves its offer behind for a moment, often of this very place.
                self.problem = "" if other.same_place(self._offer) else _other(other)
        except Unavailable:
            self.problem = ""  # the registry tells of it

    def stop(self) -> None:
        """Take the offer back, if etcd can be reached."""
        try:
            self._keys.resign(KEY, self._text)
        except Unavailable:
            return

    @property
    def _text(self) -> str:
        return msgspec.json.encode(self._offer).decode()


class Finder:
    """Where the broker is: as it told the cluster last, else as the configuration says.

    Attributes:
        section: the configuration's section with that place in it.
        problem: why the place that was found is of no use, "" if it is.
    """

    def __init__(self, keys: Keys, config: Config) -> None:
        self.section = config.broker
        self.problem = ""
        self._keys = keys
        self._configured = config.broker
        self._own_keys = str(config.data / "keys")

    def look(self) -> None:
        """Ask the cluster. What is not known there, or can't be asked now, is where it was."""
        try:
            offer = _offered(self._keys)
        except Unavailable:
            return
        self.problem = ""
        if offer is None:
            return
        if is_loopback(offer.address) and offer.network != network():
            self.problem = (
                f"the broker on {offer.host} listens on {offer.address}, where only that host reaches it; "
                "set broker.host there to an address of that host"
            )
            return
        configured = self._configured
        # The default is for a broker of this host; keys that the file names are shown to any broker.
        needless = offer.keyless and configured.keys == self._own_keys
        self.section = msgspec.structs.replace(
            configured,
            keys="" if needless else configured.keys,
            host=offer.address,
            reached_at="",
            sockets=offer.sockets if is_loopback(offer.address) else "",
            receiver_port=offer.receiver_port,
            sender_port=offer.sender_port,
            refill_port=offer.refill_port,
        )


def located(config: Config) -> Config:
    """Return the configuration with the broker's place as the cluster knows it now, for a command.

    Raises:
        Unavailable: the broker is known to listen where this host does not reach it.
    """
    if not config.etcd.endpoints:
        return config
    keys = open_keys(config, LOOK_SECONDS)
    finder = Finder(keys, config)
    finder.look()
    keys.close()
    if finder.problem:
        raise Unavailable(finder.problem)
    return msgspec.structs.replace(config, broker=finder.section)


def network() -> str:
    """Return what this machine, or its part of it with a loopback of its own, is known by until it is started again."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{Path('/proc/self/ns/net').stat().st_ino}"


def _offered(keys: Keys) -> Offer | None:
    value = keys.list(KEY).get(KEY)
    try:
        return None if value is None else msgspec.json.decode(value, type=Offer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _other(offer: Offer) -> str:
    return (
        f"another broker is known to the cluster, on {offer.host} at {offer.address}:{offer.receiver_port}, and nodes "
        "go there; stop one of the two: a suite has one broker"
    )
