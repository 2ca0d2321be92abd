"""The broker's address: the broker publishes it in the cluster, and nodes of every host find it there."""

import secrets
from pathlib import Path

import msgspec

from analytics.cluster.keys import Keys
from analytics.cluster.opening import host_name, open_keys
from analytics.config import BrokerSection, Config, is_loopback
from analytics.errors import Unavailable

KEY = "offers/broker"
LOOK_SECONDS = 0.7  # commands wait this long for etcd before they use the configured address


class Offer(msgspec.Struct, frozen=True):
    """A broker's addresses and host.

    Offers with equal ``network`` share a loopback; ``by`` is unique to the broker's process.
    ``keyless``: it requires no keys over TCP.
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
        """Return whether both have the same sockets."""
        return msgspec.structs.replace(self, by="") == msgspec.structs.replace(other, by="")


class Offering:
    """Publishes the cluster's one broker address, from the first :meth:`renew` until :meth:`stop`.

    ``problem``: why nodes of other hosts do not connect here, "" if they do or etcd is away.
    """

    def __init__(self, keys: Keys, config: Config, bound: BrokerSection) -> None:
        self.problem = ""
        self._keys = keys
        self._ttl = config.etcd.ttl_seconds
        self._offer = offer = Offer(
            host_name(config), bound.reached_at or bound.host,
            bound.receiver_port, bound.sender_port, bound.refill_port, network(), secrets.token_hex(8),
            bound.sockets, not bound.keys,
        )  # fmt: skip
        self._text = msgspec.json.encode(offer).decode()

    def renew(self) -> None:
        """Publish this broker's address for ``ttl_seconds``, unless another broker has published its own."""
        try:
            if self._keys.elect(KEY, self._text, self._ttl):
                self.problem = ""
            elif (other := _offered(self._keys)) is not None:
                # A killed broker's offer stays for a moment, and often has the same addresses.
                self.problem = "" if other.same_place(self._offer) else _other(other)
        except Unavailable:
            self.problem = ""  # the registry reports it

    def stop(self) -> None:
        """Remove the address, if etcd can be reached."""
        try:
            self._keys.resign(KEY, self._text)
        except Unavailable:
            return


class Finder:
    """Finds the broker: at the address that it last published, otherwise at the configured one.

    Attributes:
        section: the configuration's section with this address.
        problem: why the published address can't be used, "" if it can.
    """

    def __init__(self, keys: Keys, config: Config) -> None:
        self.section = config.broker
        self.problem = ""
        self._keys = keys
        self._configured = config.broker
        self._own_keys = str(config.data / "keys")

    def look(self) -> None:
        """Ask the cluster. Without an answer, the address stays as it was."""
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
        # The default keys are for a broker of this host; configured keys are used with any broker.
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
    """Return the configuration with the broker's published address, for a command; as it is where an engine counts.

    Raise Unavailable if the broker listens at an address that this host can't reach.
    """
    if not config.etcd.endpoints or config.engine.kind:
        return config
    keys = open_keys(config, LOOK_SECONDS)
    finder = Finder(keys, config)
    finder.look()
    keys.close()
    if finder.problem:
        raise Unavailable(finder.problem)
    return msgspec.structs.replace(config, broker=finder.section)


def network() -> str:
    """Return an identity of this network namespace, which changes when the machine restarts."""
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
        f"the cluster has another broker, on {offer.host} at {offer.address}:{offer.receiver_port}, and nodes "
        "connect to that one; stop one of the two: a suite has one broker"
    )
