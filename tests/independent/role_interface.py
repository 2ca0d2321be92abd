"""A role interface over HTTP, paged and by ``since``, that tells of roles as they are in the end."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from gevent.pywsgi import WSGIServer

PAGE = 40


class RoleInterface:
    """Serves ``roles``, tuples of topic syncuser, until it is stopped. ``asked`` counts the requests."""

    def __init__(self, roles: Iterable[dict[str, Any]]) -> None:
        self._roles = sorted(roles, key=lambda one: (one["ts"], one["uid"]))
        self.asked = 0
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None, error_log=None)
        self._server.start()
        address = f"http://127.0.0.1:{self._server.server_port}"
        self.template = address + "/roles?area={area}&since={since}&page={page}"

    def stop(self) -> None:
        """Answer no more."""
        self._server.stop(timeout=1)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.asked += 1
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        page, since = int(query["page"]), int(query.get("since", 0))
        own = [one for one in self._roles if one["area"] == query["area"] and one["ts"] >= since]
        following = page + 1 if len(own) > page * PAGE else None
        body = json.dumps({"roles": own[(page - 1) * PAGE : page * PAGE], "next": following}).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
