"""The node ``dashboard``: serves the pages and the API over HTTP or HTTPS."""

import gc
import ssl
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

import gevent
from flask import Flask

from analytics.config import Config, areas, catalogue
from analytics.config.addresses import is_loopback
from analytics.errors import AnalyticsError
from analytics.store import open_reader, open_store
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app, names_of
from analytics.web.data import Data
from analytics.web.hosts import behind, is_among, reached_by
from analytics.web.probes import Application, with_probes
from analytics.web.wsgi import LimitedServer

STOP_SECONDS = 1.0
"""For requests in flight at a stop: a page takes a fifth of that."""
FIGURES_SECONDS = 10.0
"""How long after its start the node imports what draws figures, if no reader has asked for one before."""


GC_THRESHOLDS = (50_000, 10, 20)
"""Pages leave cycles behind. With the thresholds of nodes that fold, a request now and then waited 200 ms while 260,000 objects were collected."""


class Dashboard:
    """Answers requests, each in a greenlet of its own. An error in one is that one's: it is logged and counted."""

    name = "dashboard"
    role = "dashboard"

    def __init__(self, config: Config) -> None:
        self._config = config
        self._data: Data | None = None
        self._resources = ExitStack()

    def start(self) -> None:
        """Listen. Raise AnalyticsError where the address or the certificate can't be used."""
        gc.set_threshold(*GC_THRESHOLDS)
        config = self._config
        store, reader = open_store(config), open_reader(config)
        data = self._data = Data(
            config, ReadOnly(store), reader, areas(config), bolts=catalogue(config), entries=store
        )
        for close in (reader.close, store.close, data.live.close):
            self._resources.callback(close)
        app = create_app(data)
        if config.dashboard.behind_proxy:
            app.wsgi_app = behind(config.dashboard.proxies, app.wsgi_app)  # type: ignore[method-assign, assignment]
        address = (config.dashboard.host, config.dashboard.port)
        try:
            server = LimitedServer(
                address, served(config, app), exempt=partial(_is_proxy, config), **_tls(config)
            )
            self._resources.callback(server.stop, timeout=STOP_SECONDS)
            server.start()
            self._resources.callback(gevent.spawn_later(FIGURES_SECONDS, _import_figures).kill)
        except OSError as error:
            raise AnalyticsError(
                f"the dashboard can't listen on {address[0]} port {address[1]}: {error.strerror or error}. Is another "
                "one running? Set dashboard.host and dashboard.port to an address of this machine that is free; or the "
                "certificate's files can't be read: dashboard.tls_cert, dashboard.tls_key"
            ) from error

    def step(self) -> None:
        """Wait: the server answers requests."""
        if self._data is not None:
            self._data.live.check(1)

    def stop(self) -> None:
        """Refuse new requests, give those in flight a second, and close the store."""
        self._resources.close()

    def state(self) -> dict[str, Any]:
        """Return the address, and how many requests were answered and how many failed."""
        if self._data is None:
            return {}
        return {"address": url(self._config), **self._data.counts}


def served(config: Config, app: Flask) -> Application:
    """Return ``app`` with ``/metrics`` and ``/healthz``: where others reach it or there are users, for this machine alone.

    A page of another site whose name leads to this machine is none of this machine's: its host is refused.
    """
    probes = reached_by(names_of(config), with_probes(config, app))

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        local = is_loopback(environ.get("REMOTE_ADDR", "")) and not config.dashboard.behind_proxy
        return (probes if local else app)(environ, start_response)

    return answer


def _import_figures() -> None:
    """Import Bokeh, which takes half a second: while nobody waits for it, neither at the start nor in the first request.

    Its objects live long, and no search for garbage has to go through them: that takes 125 ms.
    """
    import analytics.web.figures  # noqa: F401

    gc.freeze()


def _is_proxy(config: Config, address: str) -> bool:
    """Say whether requests of all users come from ``address``."""
    return config.dashboard.behind_proxy and is_among(address, config.dashboard.proxies)


def url(config: Config) -> str:
    """Return the address at which a browser on this machine finds the dashboard."""
    host = "127.0.0.1" if config.dashboard.host in ("0.0.0.0", "::") else config.dashboard.host
    scheme = "https" if config.dashboard.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.dashboard.port}/"


def _tls(config: Config) -> dict[str, Any]:
    if not config.dashboard.tls_cert:
        return {}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.dashboard.tls_cert, config.dashboard.tls_key)
    return {"ssl_context": context}
