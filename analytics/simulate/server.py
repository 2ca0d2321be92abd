"""The simulated game's HTTP server.

/                                          the list of addresses, as JSON
/clock                                     {"now": simulated Unix seconds; earlier events are reported}
/logs/<area>/gamelog.log                   a growing log; GET with Range, HEAD
/payment?area=&day=YYYY-MM-DD&page=1       {"users": {acct: {"times", "amount", "refunded"}}, "next": page or null}
                                           of wsdx {"orders": [{"order_id", "acct", "amount", "status"}], "next": …}
/syncuser?area=&since=0&page=1             {"roles": [{…}], "next": page or null}

Roles change while a client fetches page after page. All pages of an answer are of the same moment: ``next`` also names the
answer.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from gevent.pywsgi import WSGIHandler, WSGIServer

from analytics.simulate.faults import SOCKET_KEY, Environ, Faults, StartResponse
from analytics.simulate.game import LOG_NAME, SimulatedGame
from analytics.simulate.subledgers.payments import LedgerOrder

PAGE_SIZE = 500  # entries
WITH_ORDERS = {"wsdx"}
"""The games whose payments are answered order by order."""

ANSWERS_KEPT = 16  # whose further pages may still be asked for
CHUNK = 1 << 16
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


class Problem(Exception):
    """An error response: a status and a sentence for the client."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Site:
    """The WSGI application. With a ``token``, requests must carry ``Authorization: Bearer <token>``."""

    def __init__(self, game: SimulatedGame, token: str = "") -> None:
        self._game = game
        self._token = token
        self._answers: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
        self._named = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._check(environ)
            path = environ["PATH_INFO"]
            if path.startswith("/logs/"):
                return self._log(path, environ, start_response)
            return _send_json(environ, start_response, HTTPStatus.OK, self._answer(path, environ))
        except Problem as problem:
            return _send_json(environ, start_response, problem.status, {"error": str(problem)})

    def _check(self, environ: Environ) -> None:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET or HEAD")
        if self._token and environ.get("HTTP_AUTHORIZATION") != f"Bearer {self._token}":
            raise Problem(HTTPStatus.UNAUTHORIZED, "expected the header Authorization: Bearer <token>")

    def _answer(self, path: str, environ: Environ) -> dict[str, Any]:
        query = {key: values[-1] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
        if path == "/":
            return self._overview()
        if path == "/clock":
            # Not the clock's own time: once a day has ended for a client, all its events must be in the ledger.
            return {"now": self._game.written_to}
        if path == "/payment":
            return self._payment(query)
        if path == "/syncuser":
            return self._syncuser(query)
        raise Problem(HTTPStatus.NOT_FOUND, f"no such page: {path}")

    def _overview(self) -> dict[str, Any]:
        areas = [
            {
                "area": server.id,
                "game": server.game,
                "plat": server.plat,
                "log": f"/logs/{server.id}/{LOG_NAME}",
            }
            for server in self._game.servers
        ]
        return {"now": self._game.written_to, "finished": self._game.finished, "areas": areas}

    def _payment(self, query: dict[str, str]) -> dict[str, Any]:
        area = self._area(query)
        try:
            day = self._game.day_start(query.get("day", ""))
        except ValueError:
            raise Problem(HTTPStatus.BAD_REQUEST, "day: expected YYYY-MM-DD") from None
        number = _number(query, "page", 1)
        if next(one.game for one in self._game.servers if one.id == area) in WITH_ORDERS:
            orders, following = _page(self._game.ledger.orders(area, day), number)
            return {"orders": [_order(one) for one in orders], "next": following}
        paid = list(self._game.ledger.payments(area, day).items())
        page, following = _page(paid, number)
        users = {
            acct: {"times": one.times, "amount": one.gross / 100, "refunded": one.refunds / 100}
            for acct, one in page
        }
        return {"users": users, "next": following}

    def _syncuser(self, query: dict[str, str]) -> dict[str, Any]:
        area = self._area(query)
        page, _, name = query.get("page", "").partition("-")
        if name:
            roles = self._answers.get(name)
        else:
            roles = self._game.ledger.roles(area, _number(query, "since", 0))
        if roles is None:
            raise Problem(HTTPStatus.GONE, "page: that answer has expired; start again with page=1")
        found, following = _page(roles, _number({"page": page}, "page", 1))
        if following is None:
            self._game.ledger.answered(area, roles)
            return {"roles": found, "next": None}
        return {"roles": found, "next": f"{following}-{name or self._keep(roles)}"}

    def _keep(self, roles: list[dict[str, Any]]) -> str:
        """Store an answer for its further pages; return its name."""
        self._named += 1
        self._answers[str(self._named)] = roles
        while len(self._answers) > ANSWERS_KEPT:
            self._answers.popitem(last=False)
        return str(self._named)

    def _area(self, query: dict[str, str]) -> str:
        area = query.get("area", "")
        if self._game.log_path(area) is None:
            raise Problem(HTTPStatus.NOT_FOUND, f'area: no such area: "{area}"')
        return area

    def _log(self, path: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        area, _, name = path.removeprefix("/logs/").partition("/")
        log = self._game.log_path(area)
        if log is None or name != LOG_NAME:
            raise Problem(HTTPStatus.NOT_FOUND, f"no such log: {path}")
        return send_file(log, environ, start_response)


class Handler(WSGIHandler):
    """Gives the application access to the connection, so that it can break it."""

    def get_environ(self) -> Environ:
        environ: Environ = super().get_environ()
        environ[SOCKET_KEY] = self.socket
        return environ


def serve(game: SimulatedGame, port: int = 0, token: str = "", faults: float = 0.0) -> WSGIServer:
    """Start serving ``game`` on the loopback interface; ``server_port`` is the port; ``stop()`` ends it.

    Args:
        port: 0: any free port.
        faults: share of answers that fail, 0 to 1.
    """
    site: Any = Site(game, token)
    if faults:
        site = Faults(site, faults, game.settings.seed)
    server = WSGIServer(("127.0.0.1", port), site, handler_class=Handler, log=None, error_log=None)
    server.start()
    return server


def _order(order: LedgerOrder) -> dict[str, Any]:
    status = "refunded" if order.refunded else "paid"
    return {"order_id": order.id, "acct": order.acct, "amount": order.cents / 100, "status": status}


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "") or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < default:
        raise Problem(HTTPStatus.BAD_REQUEST, f'{name}: expected an integer from {default} on, got "{text}"')
    return int(text)


def _page(items: list[Any], number: int) -> tuple[list[Any], int | None]:
    end = number * PAGE_SIZE
    return items[end - PAGE_SIZE : end], number + 1 if end < len(items) else None


def _send_json(
    environ: Environ, start_response: StartResponse, status: HTTPStatus, answer: dict[str, Any]
) -> list[bytes]:
    body = json.dumps(answer).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def send_file(path: Path, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a file, or the requested range of it."""
    size = path.stat().st_size
    status, first, last = "200 OK", 0, size - 1
    headers = [("Content-Type", "text/plain"), ("Accept-Ranges", "bytes")]
    # A range may be conditional on a validator; there is none here, so such a request gets the whole file.
    conditional = "HTTP_IF_RANGE" in environ or environ["REQUEST_METHOD"] == "HEAD"
    wanted = None if conditional else byte_range(environ.get("HTTP_RANGE"), size)
    if wanted is not None:
        first, last = wanted
        satisfiable = first <= last
        status = "206 Partial Content" if satisfiable else "416 Range Not Satisfiable"
        headers.append(
            ("Content-Range", f"bytes {first}-{last}/{size}" if satisfiable else f"bytes */{size}")
        )
    length = max(0, last - first + 1)
    start_response(status, [*headers, ("Content-Length", str(length))])
    return [b""] if environ["REQUEST_METHOD"] == "HEAD" or not length else _pieces(path, first, length)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first and last byte that a Range header requests of ``size`` bytes; first > last: none.

    None means the whole: the header is absent, malformed, or has several ranges.
    """
    match = _RANGE.match(header or "")
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last or size), size - 1)


def _pieces(path: Path, first: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while length > 0:
            piece = file.read(min(CHUNK, length))
            if not piece:
                return
            length -= len(piece)
            yield piece
