"""A role interface whose roles a test changes, and what tests say of their tuples."""

import json
from collections import Counter
from urllib.parse import parse_qs

from gevent.pywsgi import WSGIServer
from polling import step_until

from analytics.core.areas import Area, Areas
from analytics.core.periods import zone

SHANGHAI = zone("Asia/Shanghai")
AREAS = Areas([Area("5" * 24, "wsdx", "1059", SHANGHAI), Area("6" * 24, "dl", "2001", SHANGHAI)])
WSDX, DL = AREAS
BEGIN = SHANGHAI.day_of("2015-02-06")


def role(uid, ts=BEGIN, **fields):
    one = {
        "uid": uid,
        "ts": ts,
        "name": "superman",
        "grade": 3,
        "rest_yuanbao": 200,
        "birthday": 1418637569,
        "acctid": f"{uid}@hotmail.com",
        "score": 930,
        "login_time": 1418888736,
    }
    return one | fields


class Hall:
    """Tells of roles over HTTP: each page as it is at that moment, in order of time, as of ``since`` or after it.

    ``strict``: ``since`` means after it. ``broken``: what raises for a request, or is its body. ``asked``: each
    request's area, since and page.
    """

    def __init__(self, size=3, strict=False):
        self.roles = {WSDX: {}, DL: {}}
        self.now, self.size, self.strict = BEGIN + 7200, size, strict
        self.asked, self.broken = [], lambda area, since, page: None
        self._kept = {}
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None, error_log=None)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.clock_url = self.url + "/clock"
        self.template = self.url + "/roles?area={area}&since={since}&page={page}"

    def put(self, *roles, area=WSDX):
        for one in roles:
            self.roles[area][one["uid"]] = one

    def passes(self, area=WSDX):
        """Return the ``since`` of each time an area was asked for its first page."""
        return [since for asked, since, page in self.asked if asked == area and page == "1"]

    def stop(self):
        self._server.stop(timeout=1)

    def _answer(self, environ, start_response):
        if environ["PATH_INFO"] == "/clock":
            return self._send({"now": self.now}, start_response)
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        area, since, page = query["area"], int(query.get("since", 0)), query["page"]
        self.asked.append((area, since, page))
        body = self.broken(area, since, page)
        return self._send(self._page(area, since, page) if body is None else body, start_response)

    def _page(self, area, since, page):
        number, _, name = page.partition("-")
        if name:
            found = self._kept[name]
        else:
            after = since + 1 if self.strict else since
            found = [json.dumps(one) for one in self.roles[area].values() if one.get("ts", 0) >= after]
            name = str(len(self.asked))
            self._kept[name] = found
        end = int(number) * self.size
        following = f"{int(number) + 1}-{name}" if end < len(found) else None
        return {"roles": [json.loads(one) for one in found[end - self.size : end]], "next": following}

    def _send(self, body, start_response):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        start_response("200 OK", [("Content-Length", str(len(raw)))])
        return [raw]


def rounds(node, hall, count=1):
    """Step until each area was asked ``count`` times from beginning to end, and what that told has arrived.

    An area is asked again only once all it has told before is acknowledged.
    """
    before = {area: len(hall.passes(area)) for area in AREAS}
    step_until(
        node,
        lambda: (
            all(len(hall.passes(area)) >= before[area] + count + 1 for area in AREAS)
            and node.state()["rounds"]
        ),
    )
    step_until(
        node,
        lambda: node.state()["published"] + node.state()["repeated"] == node.state()["journaled"],
    )


def newest(tuples):
    """Return each role's newest state, by area and uid."""
    found = {}
    for one in sorted(tuples, key=lambda one: (one["ts"], one["at"], int(one["id"].rpartition(":")[2]))):
        found[one["area"], one["uid"]] = {
            name: value for name, value in one.items() if name not in ("id", "at", "game", "area", "plat")
        }
    return found


def check_names(tuples):
    """Every record arrived once, and of each source all from the first one on."""
    names = Counter(one["id"] for one in tuples)
    assert set(names.values()) <= {1}
    for source in {name.rpartition(":")[0] for name in names}:
        numbers = sorted(int(name.rpartition(":")[2]) for name in names if name.startswith(source + ":"))
        assert numbers == list(range(1, len(numbers) + 1))


def journal(data):
    """Return the whole lines of all syncuser journals."""
    lines = [line for path in sorted(data.glob("syncuser_*.txt")) for line in path.open("rb")]
    return [line for line in lines if line.endswith(b"\n")]
