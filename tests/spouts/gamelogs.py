"""What the tests of the gamelog spout share: a broker, a web server of logs, and what arrived."""

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import gevent
import msgspec
from gevent.pywsgi import WSGIServer
from waiting import eventually

from analytics.broker.broker import Broker
from analytics.broker.clients import Refill
from analytics.config import AreaSection, BrokerSection, Config, Game, GamelogSection, JournalSection, Source
from analytics.spouts.gamelog import GamelogSpout
from analytics.spouts.lost import Loss
from analytics.spouts.sources.health import Health
from analytics.spouts.sources.identity import Catalogue
from analytics.spouts.sources.log_source import SourceContext
from analytics.spouts.sources.stream import Emit
from analytics.testing.ports import free_ports

A = "549140c8dbdb67794fc0fa3b"
TOPICS = ["gamelog.login_logcount", "gamelog.signup_logcount", "payment"]


def line(acct: object, code: str = "login_logcount", ts: int = 1_420_688_004, area: str = A) -> bytes:
    record = {
        "op": {"code": code, "id": 1003},
        "area": area,
        "ts": ts,
        "data": {"corpid": 2001, "acct": acct},
    }
    return json.dumps(record).encode() + b"\n"


def lines(first: int, last: int) -> bytes:
    return b"".join(line(f"u{n}") for n in range(first, last + 1))


def given(
    emit: Emit,
    catalogue: Catalogue | None = None,
    health: Health | None = None,
    lost: Callable[[Loss], object] = print,
    **section: object,
) -> SourceContext:
    """Return what a source gets that no spout runs: nothing is saved, and files of before now were all looked at."""
    memory = SimpleNamespace(
        catalogue=catalogue or Catalogue({}), begun=lambda *_: None, looked=lambda name: time.time()
    )
    return SourceContext(GamelogSection(**section), emit, health or Health("s1"), memory, lost)


OVER_TCP = 'reached_at = "127.0.0.1"\nlet_anyone_in = true'
"""For a process that reads a file, where the broker is one of a test, which has neither unix sockets nor keys."""


def configured(
    folder: Path, *sources: Source, journal: JournalSection | None = None, **section: object
) -> Config:
    receiver, sender, refill = free_ports(3)
    return Config(
        data=folder / "data",
        broker=BrokerSection(
            receiver_port=receiver, sender_port=sender, refill_port=refill, min_free_mb=1, fsync=False
        ),
        journal=journal or JournalSection(),
        gamelog=GamelogSection(
            sources=list(sources), **{"batch_seconds": 0.05, "batch_lines": 500, **section}
        ),
        games={"dl": Game(areas={A: AreaSection(plat="2001", corpid=2001, server_name="s1")})},
    )


def toml(config: Config, file: Path) -> Path:
    """Write what these tests configure as the file that a process reads."""
    broker, section = config.broker, config.gamelog
    text = [f'data = "{config.data}"', "[broker]", OVER_TCP]
    text += [
        f"{key} = {json.dumps(getattr(broker, key))}"
        for key in ("receiver_port", "sender_port", "refill_port")
    ]
    text += ["min_free_mb = 1", "[gamelog]", f"batch_lines = {section.batch_lines}"]
    for source in section.sources:
        # Some defaults are null, which TOML has no word for.
        usual = msgspec.to_builtins(Source(name="", kind=source.kind))
        found = {"name": source.name, "kind": source.kind} | {
            key: value for key, value in msgspec.to_builtins(source).items() if value != usual[key]
        }
        text += ["[[gamelog.sources]]", *(f"{key} = {json.dumps(value)}" for key, value in found.items())]
    text += [f'[games.dl.areas.{A}]\nplat = "2001"\ncorpid = 2001\nserver_name = "s1"\n']
    file.write_text("\n".join(text))
    return file


class Running:
    """A node with a greenlet that takes its steps."""

    def __init__(self, node: "GamelogSpout | Broker") -> None:
        self.node = node
        self._stopped = False
        node.start()
        self._greenlet = gevent.spawn(self._steps)

    def _steps(self) -> None:
        while True:
            self.node.step()

    def stop(self) -> None:
        if self._greenlet.exception:
            raise self._greenlet.exception
        self._greenlet.kill()
        self._stopped = True
        self.node.stop()

    def vanish(self) -> None:
        """End as a crash would: nothing is waited for or saved."""
        self._greenlet.kill()
        if isinstance(self.node, GamelogSpout):
            self.node.abandon()
        elif not self._stopped:
            self.node.stop()  # else its greenlets, sockets and files stay for the tests that follow


def accts(config: Config) -> Counter[str]:
    """Return how often each acct's record is in the broker's log."""
    found: Counter[str] = Counter()
    refill = Refill(config.broker, 60)
    after = dict.fromkeys(TOPICS, 0)
    more = True
    while more:
        page, messages = refill.read(after)
        for message in messages:
            after[message.topic] = message.header.number
            found.update(re.findall(r'"acct": ?"([^"]*)"', message.body.decode()))
        more = page.more
    refill.close()
    return found


def exactly(config: Config, first: int, last: int, seconds: float = 120.0) -> None:
    """Wait until u<first> … u<last> have arrived; fail if one is missing, or one is there twice."""
    expected = Counter(f"u{n}" for n in range(first, last + 1))
    with contextlib.suppress(gevent.Timeout):
        eventually(lambda: len(accts(config)) >= len(expected), seconds)
    found = accts(config)
    assert found == expected, (expected - found, found - expected)


class Web:
    """A web server of the files in a folder, with Range or without."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ranges = True
        self.etags = False
        self.sent = 0
        self.broken: Callable[[], tuple[str, dict[str, str], bytes] | None] = lambda: None
        self.requests = 0
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None, error_log=None)
        self._server.start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def close(self) -> None:
        self._server.stop(timeout=0)

    def _answer(self, environ, start_response):
        self.requests += 1
        broken = self.broken()
        if broken is not None:
            status, headers, body = broken
            start_response(status, list(headers.items()))
            return [body]
        file = self.folder / environ["PATH_INFO"].lstrip("/")
        if not file.exists():
            start_response("404 Not Found", [("Content-Type", "text/html")])
            return [b"<html>nothing here</html>"]
        data = file.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", environ.get("HTTP_RANGE", ""))
        if asked is None or not self.ranges:
            etag = f'"{len(data)}"'
            if self.etags and environ.get("HTTP_IF_NONE_MATCH") == etag:
                start_response("304 Not Modified", [("ETag", etag)])
                return []
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))]
            start_response("200 OK", headers + [("ETag", etag)] * self.etags)
            self.sent += len(data)
            return [data]
        first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
        if first >= len(data):
            start_response("416 Range Not Satisfiable", [("Content-Range", f"bytes */{len(data)}")])
            return [b""]
        part = data[first : last + 1]
        headers = [("Content-Range", f"bytes {first}-{last}/{len(data)}"), ("Content-Length", str(len(part)))]
        start_response("206 Partial Content", headers)
        return [part]
