"""Trusted hosts and proxies: which requests are refused before any page is asked.

A ``Host`` has to be a name of this server. This stops DNS rebinding: a page of another site whose name resolves to this machine sends that name. Browsers always send a host; a
health check that speaks HTTP/1.0 may send none, so ``/healthz`` needs none.

``X-Forwarded-*`` headers are accepted from the proxies that the configuration names, and from no other address.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted
from werkzeug.wrappers import Response

from analytics.config.addresses import parsed
from analytics.web.probes import Application

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of the loopback."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"({_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]{{2,45}}\])(:[0-9]{{1,5}})?", re.ASCII)
_LONGEST = 260
AROUND = (
    "this dashboard is reached only through the web server in front of it. If that is what asked: name its address, "
    "{address}, in dashboard.proxies"
)
PLAIN = (
    "this dashboard is shown only over HTTPS: ask for https://. If that was asked for: the web server in front has to send "
    "X-Forwarded-Proto, see docs/how-to/share-the-dashboard.md"
)
_FOREIGN = "Host: expected a name of this server, got another one, or none; ask for it by its own address"


def refusal(text: str, status: int) -> Response:
    """Return the answer to a request that no page is asked about."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(f"{text}\n", status, headers, content_type="text/plain; charset=utf-8")


def reached_by(names: Sequence[str] | None, app: Application) -> Application:
    """Return ``app`` for requests whose ``Host`` is one of ``names``, or, if that is None, any valid one.

    ``/healthz`` needs none.
    """

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "HTTP_HOST" not in environ and environ.get("PATH_INFO") == "/healthz":
            return app(environ, start_response)
        host = environ.get("HTTP_HOST", "")
        formed = len(host) <= _LONGEST and _HOST.fullmatch(host) is not None
        if formed and (names is None or host_is_trusted(host, names)):
            return app(environ, start_response)
        return refusal(_FOREIGN, 400)(environ, start_response)

    return answer


def is_among(address: str, networks: Sequence[str]) -> bool:
    """Whether ``address`` lies in one of the ``networks``; an address is a network of one."""
    try:
        found = parsed(address)
    except ValueError:
        return False
    return any(found in ip_network(one, strict=False) for one in networks)


def behind(proxies: Sequence[str], app: Application) -> Application:
    """Return an application that answers what the ``proxies`` pass on, and that only where it came over HTTPS."""

    def over_tls(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["wsgi.url_scheme"] != "https":
            return refusal(PLAIN, 403)(environ, start_response)
        return app(environ, start_response)

    through = ProxyFix(over_tls, x_for=1, x_proto=1, x_host=1)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        address = environ.get("REMOTE_ADDR", "")
        if not is_among(address, proxies):
            return refusal(AROUND.format(address=address), 403)(environ, start_response)
        return through(environ, start_response)

    return answer
