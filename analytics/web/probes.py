"""Probes for machines: ``/metrics`` for Prometheus, ``/healthz`` for health checks.

A WSGI middleware. All requests within a second share one report.
"""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from gevent.lock import BoundedSemaphore
from prometheus_client import make_wsgi_app

from analytics.config import Config
from analytics.runtime.report import StatusReport, report
from analytics.web.metrics import registry

FRESH_SECONDS = 1.0
"""As often as nodes report."""


Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]


class ReportCache:
    """Gives the newest report, and makes one at most every ``FRESH_SECONDS``."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._turn = BoundedSemaphore(1)
        self._made = -FRESH_SECONDS
        self._latest: StatusReport | None = None

    def latest(self) -> StatusReport:
        """Return a report that is no older than that. It takes two seconds at most, even if peers hang."""
        with self._turn:
            if self._latest is None or time.monotonic() - self._made >= FRESH_SECONDS:
                self._latest = report(self._config)
                self._made = time.monotonic()
            return self._latest


def with_probes(config: Config, others: Application | None = None) -> Application:
    """Return an application that answers ``/metrics`` and ``/healthz``, and gives all else to ``others``."""
    reports = ReportCache(config)
    scrape = make_wsgi_app(registry(config, reports.latest))

    def answer(environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            result: Iterable[bytes] = scrape(environ, start_response)
            return result
        if path == "/healthz":
            return _health(reports.latest(), start_response)
        if others is not None:
            return others(environ, start_response)
        return _send(start_response, HTTPStatus.NOT_FOUND, {"error": f"no such page: {path}"})

    return answer


def _health(found: StatusReport, start_response: Any) -> Iterable[bytes]:
    """Answer 200 if everything is healthy, else 503; the body lists the problems."""
    status = HTTPStatus.OK if found.healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return _send(start_response, status, {"healthy": found.healthy, "unwell": found.unwell})


def _send(start_response: Any, status: HTTPStatus, body: dict[str, Any]) -> Iterable[bytes]:
    text = msgspec.json.encode(body) + b"\n"
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(text))),
        ("Cache-Control", "no-store"),
    ]
    start_response(f"{status.value} {status.phrase}", headers)
    return [text]
