"""The node ``dashboard``: serves the pages and the API over HTTP."""

import logging
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer

from analytics.config import Config, areas
from analytics.errors import AnalyticsError
from analytics.store import open_reader, open_store
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app
from analytics.web.data import Data

HOST = "127.0.0.1"
AT_ONCE = 200
STOP_SECONDS = 1.0
log = logging.getLogger(__name__)


class Dashboard:
    """Answers requests, each in a greenlet of its own. An error in one is that one's: it is logged and counted."""

    name = "dashboard"
    role = "dashboard"

    def __init__(self, config: Config) -> None:
        self._config = config
        self._server: WSGIServer | None = None
        self._data: Data | None = None

    def start(self) -> None:
        """Listen. Raise AnalyticsError where the address or the certificate can't be used."""
        config = self._config
        self._data = Data(config, ReadOnly(open_store(config)), open_reader(config), areas(config))
        app = create_app(self._data)
        address = (HOST, config.dashboard.port)
        try:
            options: dict[str, Any] = {"spawn": AT_ONCE, "log": None, "error_log": log}
            self._server = WSGIServer(address, app, **options)
            self._server.start()
        except OSError as error:
            raise AnalyticsError(
                f"the dashboard can't listen on {address[0]} port {address[1]}: {error.strerror or error}. Is another "
                "one running? Set dashboard.port to one that is free"
            ) from error

    def step(self) -> None:
        """Wait: requests come by themselves."""
        gevent.sleep(1)

    def stop(self) -> None:
        """Take no more requests, give those under way a second, and let go of the store."""
        if self._server is not None:
            self._server.stop(timeout=STOP_SECONDS)
        if self._data is not None:
            self._data.store.close()
            self._data.reader.close()

    def state(self) -> dict[str, Any]:
        """Return the address and how many requests were answered and how many failed."""
        if self._data is None:
            return {}
        counts = self._data.counts
        return {"address": url(self._config), **counts}


def url(config: Config) -> str:
    """Return the address at which a browser on this machine finds the dashboard."""
    return f"http://{HOST}:{config.dashboard.port}/"
