"""The broker as the nodes of other hosts find it. Apart from :mod:`.hosted`, as no other node needs what a broker imports."""

from collections.abc import Collection
from typing import Any

import gevent

from analytics.broker.broker import Broker
from analytics.cluster import open_keys
from analytics.cluster.place import Offering
from analytics.config import Config
from analytics.runtime.hosted import patience


class OfferedBroker(Broker):
    """The broker of a cluster: it registers its address as long as it runs."""

    def __init__(self, config: Config, readers: dict[str, list[str]], own: Collection[str] = ()) -> None:
        super().__init__(config.broker, config.data, readers, own)
        self._config = config

    def start(self) -> None:
        super().start()
        self._keys = open_keys(self._config, patience(self._config))
        self._offering = Offering(self._keys, self._config, self.bound)
        self._renewing = self._tasks.spawn(self._renew_for_ever)

    def stop(self) -> None:
        """Take the offer back, then stop."""
        self._renewing.kill()
        self._offering.stop()
        self._keys.close()
        super().stop()

    def state(self) -> dict[str, Any]:
        """Return the broker's state, and whether nodes of other hosts go elsewhere."""
        return super().state() | {"error": self._offering.problem}

    def _renew_for_ever(self) -> None:
        while True:
            self._offering.renew()
            gevent.sleep(self._config.etcd.beat_seconds)
