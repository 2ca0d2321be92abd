"""Trusted hosts: a request whose ``Host`` is not a name of this server is refused first.

This stops DNS rebinding: a page of another site whose name resolves to this machine sends that name. Browsers always send a host; a
health check that speaks HTTP/1.0 may send none, so ``/healthz`` needs none.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from werkzeug.sansio.utils import host_is_trusted
from werkzeug.wrappers import Response

from analytics.web.probes import Application

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of the loopback."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"({_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]{{2,45}}\])(:[0-9]{{1,5}})?", re.ASCII)
_LONGEST = 260
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
