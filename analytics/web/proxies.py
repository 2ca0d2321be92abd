"""``X-Forwarded-*`` headers: accepted from the proxies that the configuration names, and from no other address."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from analytics.config.addresses import parsed
from analytics.web.hosts import refusal
from analytics.web.probes import Application

AROUND = (
    "this dashboard is reached only through the web server in front of it. If that is what asked: name its address, "
    "{address}, in dashboard.proxies"
)
PLAIN = (
    "this dashboard is shown only over HTTPS: ask for https://. If that was asked for: the web server in front has to send "
    "X-Forwarded-Proto, see docs/how-to/share-the-dashboard.md"
)


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
