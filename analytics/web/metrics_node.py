"""The node ``metrics``: serves ``/metrics`` and ``/healthz`` on a port of their own, to this machine only."""

from typing import Any

import gevent

from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.web.hosts import LOOPBACK, reached_by
from analytics.web.probes import with_probes
from analytics.web.wsgi import LimitedServer

HOST = "127.0.0.1"
AT_ONCE = 100
"""Connections, all from this machine: some scrapers and a probe."""


class Metrics:
    """Answers each request in a greenlet of its own. What goes wrong in one is logged, and that one's alone."""

    name = "metrics"
    role = "metrics"

    def __init__(self, config: Config) -> None:
        self._config = config
        self._server: LimitedServer | None = None

    def start(self) -> None:
        """Listen. Raise AnalyticsError where the port can't be used."""
        port = self._config.metrics.port
        if not port:
            raise AnalyticsError("metrics.port: expected a port, got 0; set one to serve /metrics there")
        probes = reached_by(LOOPBACK, with_probes(self._config))
        self._server = LimitedServer((HOST, port), probes, AT_ONCE, exempt=lambda address: True)
        try:
            self._server.start()
        except OSError as error:
            raise AnalyticsError(
                f"metrics.port: {HOST}:{port} can't be listened on: {error.strerror or error}. "
                "Stop what uses it, or set another port"
            ) from error

    def step(self) -> None:
        """Wait: the server answers requests."""
        gevent.sleep(1)

    def stop(self) -> None:
        """Refuse new requests; those in flight get a second."""
        if self._server is not None:
            self._server.stop(timeout=1)

    def state(self) -> dict[str, Any]:
        """Return where it is reached."""
        return {"address": f"http://{HOST}:{self._config.metrics.port}/metrics"}
